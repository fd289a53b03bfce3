//! The alias-free SnakeBeta activation as one operation.
use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::cpu::CpuKernels;
use super::on_cpu;
use crate::nn::snake::{AliasFreeSnake, Resampler};

/// `activation` on `x` `[batch, channels, time]`: up to twice the rate, SnakeBeta, and down again, a tile at a time.
pub fn alias_free_snake(activation: &AliasFreeSnake, x: Tensor<3>, resampler: &Resampler) -> Tensor<3> {
    if !on_cpu(&x.device()) {
        return activation.forward(x, resampler);
    }
    let (slope, scale) = activation.factors();
    let (slope, scale) = (slope.into_dispatch(), scale.into_dispatch());
    Tensor::from_dispatch(<Dispatch as CpuKernels>::snake(x.into_dispatch(), slope, scale))
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, Param};
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::*;

    /// Replaces the zeros of a new activation.
    struct Random;

    impl ModuleMapper for Random {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|t| t.random_like(Distribution::Normal(0.0, 1.0)))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Lengths from a single sample to several tiles, loud enough for many turns of the sine.
        #[test]
        fn equals_the_plain_form(channels in 1usize..5, time in 1usize..2500, loud in 0.1f64..30.0) {
            use burn::module::Module;
            let device = Device::flex();
            let activation = AliasFreeSnake::new(channels, &device).map(&mut Random);
            let x = Tensor::<3>::random([2, channels, time], Distribution::Normal(0.0, loud), &device);
            let resampler = Resampler::new(&device);
            let expected = activation.forward(x.clone(), &resampler);
            let worst: f32 = (alias_free_snake(&activation, x, &resampler) - expected).abs().max().into_scalar();
            // The argument of the sine is known to half a unit in its last place only.
            prop_assert!(worst < 1e-4 * (1.0 + loud as f32), "{worst}");
        }
    }
}
