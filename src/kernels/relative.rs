//! Scores by the distance of query and key, laid out by key.
use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor, TensorData};

use super::cpu::CpuKernels;
use super::on_cpu;

/// `x` `[batch, heads, time, distances]`, a score for each distance from `-left` to `distances - 1 - left`, as
/// `[batch, heads, time, time]`: query and key get the score of their distance, or of the longest in that direction; times
/// `scale`, plus `ignored` `[batch, 1, 1, time]`.
pub fn by_key(x: Tensor<4>, ignored: Tensor<4>, left: usize, scale: f32) -> Tensor<4> {
    if !on_cpu(&x.device()) {
        return plain(x, ignored, left, scale);
    }
    let [x, ignored] = [x.into_dispatch(), ignored.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::by_key(x, ignored, left, scale))
}

fn plain(x: Tensor<4>, ignored: Tensor<4>, left: usize, scale: f32) -> Tensor<4> {
    let [batch, heads, time, distances] = x.dims();
    let (left, right) = (left as i64, distances as i64 - 1 - left as i64);
    let row = |query: i64| (0..time as i64).map(move |key| (key - query).clamp(-left, right) + left);
    let index: Vec<i64> = (0..time as i64).flat_map(row).collect();
    let index: Tensor<4, Int> = Tensor::from_data(TensorData::new(index, [1, 1, time, time]), &x.device());
    x.gather(3, index.expand([batch, heads, time, time])) * scale + ignored
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn equals_the_plain_form(
            batch in 1usize..3, heads in 1usize..4, time in 1usize..120, left in 0usize..70, right in 0usize..10,
        ) {
            let device = Device::flex();
            let random = |dims: [usize; 4]| Tensor::<4>::random(dims, Distribution::Normal(0.0, 1.0), &device);
            let (x, ignored) = (random([batch, heads, time, left + right + 1]), random([batch, 1, 1, time]));
            let expected = plain(x.clone(), ignored.clone(), left, 0.3);
            let worst: f32 = (by_key(x, ignored, left, 0.3) - expected).abs().max().into_scalar();
            prop_assert!(worst < 1e-6, "{}", worst);
        }
    }
}
