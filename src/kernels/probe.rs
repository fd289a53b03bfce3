//! How fast this machine is at what most of the time goes into.
use web_time::Instant;

use burn::tensor::{Device, Distribution, Tensor};

use super::{WeightType, on_cpu, pack_linear, packed_linear};

/// Seconds that a product of `[rows, inputs]` with `[inputs, outputs]`, kept as `kept`, takes: the best of five, after one
/// that chooses the kernel.
pub fn product_seconds(kept: WeightType, [rows, inputs, outputs]: [usize; 3], device: &Device) -> f64 {
    let random = |dims| Tensor::<2>::random(dims, Distribution::Normal(0.0, 1.0), device);
    let (x, weight) = (random([rows, inputs]), random([inputs, outputs]));
    let packed = on_cpu(device).then(|| pack_linear(weight.clone(), kept));
    let (half, weight) = (x.clone().cast(kept.dtype()), weight.cast(kept.dtype()));
    let mut best = f64::MAX;
    for _ in 0..6 {
        let start = Instant::now();
        let y = match &packed {
            Some(packed) => packed_linear(x.clone(), packed.clone(), None, outputs, None),
            None => half.clone().matmul(weight.clone()),
        };
        // Reading one value waits for the device.
        let _: f32 = y.slice([0..1, 0..1]).into_scalar();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}
