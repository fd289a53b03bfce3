//! Convolution over time that keeps the length, without `im2col`.
use burn::backend::Dispatch;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, ConvTranspose1d};
use burn::tensor::module::{conv_transpose1d, conv1d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, TensorData};

use super::cpu::CpuKernels;
use super::cpu::conv::{Shape, pack_weight};
use super::cpu::{conv_transpose, winograd};
use super::linear::in_one_row;
use super::panels::halves;
use super::{WeightType, on_cpu};

/// A [`Conv1d`] (odd kernel, stride 1, one group, same length) whose weights lie in the order in which the CPU kernel
/// reads them; on other devices as it is.
#[derive(Module, Debug)]
pub struct PackedConv {
    /// On the CPU packed, in one row; else `[out, in, taps]`.
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
    taps: usize,
    dilation: usize,
    winograd: bool,
}

impl PackedConv {
    /// Packs `conv`; a convolution without bias gets one of zeros. Weights in half precision are f16, which is finer than
    /// bfloat16 and widened as fast.
    pub fn new(conv: Conv1d, kept: WeightType) -> Self {
        let (device, weight) = (conv.weight.device(), conv.weight.into_value());
        let [outputs, inputs, taps] = weight.dims();
        let winograd = winograd::pays(inputs, outputs, taps);
        let pack = if winograd { winograd::pack_weight } else { pack_weight };
        let weight =
            if on_cpu(&device) { packed(weight, |values| pack(values, [outputs, inputs, taps]), kept) } else { weight };
        let bias = conv.bias.map_or_else(|| Tensor::zeros([outputs], &device), Param::into_value);
        let (weight, bias) = (Param::from_tensor(weight), Param::from_tensor(bias));
        Self { weight, bias, taps, dilation: conv.dilation, winograd }
    }

    /// `[batch, in, time]` -> `[batch, out, time]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if !on_cpu(&x.device()) {
            return self.plain(x);
        }
        let [x, weight, bias] = [x.into_dispatch(), self.weight.val().into_dispatch(), self.bias.val().into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::conv1d(x, weight, bias, self.shape()))
    }

    /// `sum + forward(x)`, without a tensor between the two.
    pub fn forward_add(&self, x: Tensor<3>, sum: Tensor<3>) -> Tensor<3> {
        if !on_cpu(&x.device()) {
            return sum + self.plain(x);
        }
        let [x, weight, bias] = [x.into_dispatch(), self.weight.val().into_dispatch(), self.bias.val().into_dispatch()];
        let sum = sum.into_dispatch();
        Tensor::from_dispatch(<Dispatch as CpuKernels>::conv1d_add(x, weight, bias, sum, self.shape()))
    }

    fn shape(&self) -> Shape {
        Shape { taps: self.taps, dilation: self.dilation, winograd: self.winograd }
    }

    fn plain(&self, x: Tensor<3>) -> Tensor<3> {
        let reach = self.dilation * (self.taps - 1) / 2;
        let options = ConvOptions::new([1], [reach], [self.dilation], 1);
        conv1d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// `pack` of a weight, in the type in which it is kept.
fn packed(weight: Tensor<3>, pack: impl FnOnce(&[f32]) -> Vec<f32>, kept: WeightType) -> Tensor<3> {
    let device = weight.device();
    let data = weight.into_data().convert::<f32>();
    let values = pack(data.as_slice().unwrap_or_default());
    let length = values.len();
    let data = match kept {
        WeightType::F32 => TensorData::new(values, [length]),
        WeightType::F16 | WeightType::Bf16 => TensorData::new(halves(&values), [length]),
    };
    in_one_row(data, &device)
}

/// A [`ConvTranspose1d`] (one group, no dilation, no output padding) whose weights lie in the order in which the CPU
/// kernel reads them; on other devices as it is.
#[derive(Module, Debug)]
pub struct PackedConvTranspose {
    /// On the CPU packed, in one row; else `[in, out, kernel]`.
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
    inputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl PackedConvTranspose {
    /// Packs `conv`; a convolution without bias gets one of zeros.
    pub fn new(conv: ConvTranspose1d, kept: WeightType) -> Self {
        assert!((conv.groups, conv.dilation, conv.padding_out) == (1, 1, 0), "conv_transpose: not of the plain kind");
        let (device, weight) = (conv.weight.device(), conv.weight.into_value());
        let [inputs, outputs, kernel] = weight.dims();
        let shape = conv_transpose::Shape { inputs, outputs, kernel, stride: conv.stride, padding: conv.padding };
        let weight = if on_cpu(&device) { packed(weight, |values| shape.pack(values), kept) } else { weight };
        let bias = conv.bias.map_or_else(|| Tensor::zeros([outputs], &device), Param::into_value);
        let (weight, bias) = (Param::from_tensor(weight), Param::from_tensor(bias));
        Self { weight, bias, inputs, kernel, stride: conv.stride, padding: conv.padding }
    }

    /// `[batch, in, time]` -> `[batch, out, (time - 1) * stride + kernel - 2 * padding]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if !on_cpu(&x.device()) {
            let options = ConvTransposeOptions::new([self.stride], [self.padding], [0], [1], 1);
            return conv_transpose1d(x, weight, Some(bias), options);
        }
        let (inputs, outputs) = (self.inputs, bias.dims()[0]);
        let (kernel, stride, padding) = (self.kernel, self.stride, self.padding);
        let shape = conv_transpose::Shape { inputs, outputs, kernel, stride, padding };
        let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::conv_transpose(x, weight, bias, shape))
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig1d;
    use burn::nn::conv::{Conv1dConfig, ConvTranspose1dConfig};
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::super::cpu::level::at_every_level;
    use super::*;

    fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Sizes around the edges of tiles, blocks and vectors, with and without fewer multiplications.
        #[test]
        fn equals_the_plain_form(
            inputs in 1usize..100, outputs in 1usize..100, time in 1usize..500, taps in 0usize..6, dilation in 1usize..6,
            batch in 1usize..3, long in 0usize..8,
        ) {
            let device = Device::flex();
            let (taps, time) = (2 * taps + 1, if long == 0 { time + 4000 } else { time });
            let reach = dilation * (taps - 1) / 2;
            let conv = Conv1dConfig::new(inputs, outputs, taps)
                .with_dilation(dilation)
                .with_padding(PaddingConfig1d::Explicit(reach, reach))
                .init(&device);
            let x = Tensor::<3>::random([batch, inputs, time], Distribution::Normal(0.0, 1.0), &device);
            let sum = Tensor::<3>::random([batch, outputs, time], Distribution::Normal(0.0, 1.0), &device);
            let expected = conv.forward(x.clone());
            // Ten bits of mantissa; what is evaluated at points is rounded there, and grows when it is interpolated.
            for (kept, tolerance) in [(WeightType::F32, 1e-4), (WeightType::F16, 2e-2)] {
                let packed = PackedConv::new(conv.clone(), kept);
                at_every_level(|level| {
                    let got = difference(packed.forward(x.clone()), expected.clone());
                    assert!(got < tolerance, "{level:?}: {got}");
                    let got = difference(packed.forward_add(x.clone(), sum.clone()), expected.clone() + sum.clone());
                    assert!(got < tolerance, "{level:?}: {got}");
                });
            }
        }

        /// Kernels that are and are not multiples of the stride.
        #[test]
        fn transposed_equals_the_plain_form(
            inputs in 1usize..40, outputs in 1usize..40, time in 1usize..300, stride in 1usize..6, more in 0usize..9,
            padding in 0usize..4, batch in 1usize..3,
        ) {
            let device = Device::flex();
            let kernel = stride + more;
            prop_assume!((time - 1) * stride + kernel > 2 * padding);
            let conv = ConvTranspose1dConfig::new([inputs, outputs], kernel)
                .with_stride(stride)
                .with_padding(padding)
                .init(&device);
            let x = Tensor::<3>::random([batch, inputs, time], Distribution::Normal(0.0, 1.0), &device);
            let expected = conv.forward(x.clone());
            for (kept, tolerance) in [(WeightType::F32, 1e-4), (WeightType::F16, 5e-3)] {
                let packed = PackedConvTranspose::new(conv.clone(), kept);
                at_every_level(|level| {
                    let got = difference(packed.forward(x.clone()), expected.clone());
                    assert!(got < tolerance, "{level:?}: {got}");
                });
            }
        }
    }
}
