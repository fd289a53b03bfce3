use burn::tensor::{Device, Distribution, Tensor};
use indextts::kernels::*;
use std::sync::Arc;
use std::time::Instant;

fn time(name: &str, flops: f64, mut f: impl FnMut() -> f32) {
    f();
    let mut best = f64::MAX;
    for _ in 0..7 {
        let t = Instant::now();
        std::hint::black_box(f());
        best = best.min(t.elapsed().as_secs_f64());
    }
    println!("{name:40} {:9.3} ms {:8.1} GFLOP/s", best * 1e3, flops / best / 1e9);
}
fn touch<const D: usize>(x: Tensor<D>) -> f32 {
    x.into_data().as_bytes()[0] as f32
}

fn main() {
    let d = Device::flex();
    let r = |s| Tensor::<2>::random(s, Distribution::Normal(0.0, 1.0), &d);
    for (m, k, n) in [(1206usize, 512usize, 1536usize), (1206, 1536, 512), (512, 1280, 5120), (8, 1280, 40000)] {
        let (a, b) = (r([m, k]), r([k, n]));
        let values: Vec<f32> = b.clone().into_data().iter().collect();
        for rows in [1usize, 3, 8, m] {
            let x = a.clone().narrow(0, 0, rows);
            let flops = 2.0 * (rows * k * n) as f64;
            for kept in [WeightType::F32, WeightType::F16, WeightType::Bf16] {
                let w = pack_linear(b.clone(), kept);
                time(&format!("{kept:?} {rows}x{k}x{n}"), flops, || {
                    touch(packed_linear(x.clone(), w.clone(), None, n))
                });
            }
            for bits in [Bits::Eight, Bits::Four] {
                let w = Arc::new(QuantizedWeight::new(&values, k, n, bits));
                time(&format!("{bits:?} {rows}x{k}x{n}"), flops, || touch(quantized_linear(x.clone(), &w, None)));
            }
        }
    }
}
