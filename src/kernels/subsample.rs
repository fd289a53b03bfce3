//! The conformer's entry as one operation.
use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::QuantizedWeight;
use super::cpu::CpuKernels;

/// A 3 x 3 convolution of stride 2 over `x` `[time, features]` as an image of one channel, a ReLU, and a projection
/// packed by [`super::pack_linear`] of the flattened rows (channel by channel) -> `[(time - 1) / 2, outputs]`. On the CPU
/// only.
pub fn packed_subsample(
    x: Tensor<2>,
    kernel: Tensor<4>,
    bias: Tensor<1>,
    weight: Tensor<2>,
    shift: Tensor<1>,
) -> Tensor<2> {
    let [x, kernel, bias] = [x.into_dispatch(), kernel.into_dispatch(), bias.into_dispatch()];
    let [weight, shift] = [weight.into_dispatch(), shift.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::subsample(x, kernel, bias, weight, shift))
}

/// As [`packed_subsample`], with a projection in few bits.
pub fn quantized_subsample(
    x: Tensor<2>,
    kernel: Tensor<4>,
    bias: Tensor<1>,
    weight: Arc<QuantizedWeight>,
    shift: Tensor<1>,
) -> Tensor<2> {
    let [x, kernel, bias] = [x.into_dispatch(), kernel.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::quantized_subsample(x, kernel, bias, weight, shift.into_dispatch()))
}
