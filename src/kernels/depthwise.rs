//! Convolution over time of each channel by itself.
use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::module::conv1d;
use burn::tensor::ops::{ConvOptions, PadMode};

use super::cpu::CpuKernels;
use super::on_cpu;

/// `x` `[batch, time, channels]`, `weight` `[channels, 1, taps]`, `bias` `[channels]` -> `[batch, time, channels]`. Output
/// `t` is a sum over the inputs from `t - before` on; beyond the edges they are zeros.
pub fn depthwise(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<1>>, before: usize) -> Tensor<3> {
    let taps = weight.dims()[2];
    assert!(before < taps, "depthwise: every output reads its own frame");
    if !on_cpu(&x.device()) {
        return plain(x, weight, bias, before);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &x.device()));
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::depthwise(x, weight, bias, before))
}

fn plain(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<1>>, before: usize) -> Tensor<3> {
    let [channels, _, taps] = weight.dims();
    let x = x.swap_dims(1, 2).pad([(before, taps - 1 - before)], PadMode::Constant(0.0));
    conv1d(x, weight, bias, ConvOptions::new([1], [0], [1], channels)).swap_dims(1, 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::super::cpu::level::at_every_level;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_the_plain_form(
            batch in 1usize..3, time in 1usize..200, channels in 1usize..150, taps in 1usize..32, before in 0usize..32,
            biased: bool,
        ) {
            let (device, before) = (Device::flex(), before % taps);
            let random = |dims: [usize; 3]| Tensor::<3>::random(dims, Distribution::Normal(0.0, 1.0), &device);
            let (x, weight) = (random([batch, time, channels]), random([channels, 1, taps]));
            let bias = biased.then(|| random([1, 1, channels]).reshape([channels]));
            let expected = plain(x.clone(), weight.clone(), bias.clone(), before);
            at_every_level(|level| {
                let got = depthwise(x.clone(), weight.clone(), bias.clone(), before);
                let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
                assert!(worst < 1e-4, "{level:?}: {worst}");
            });
        }
    }
}
