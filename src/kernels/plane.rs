//! Convolution over frames and frequencies, with a scale and a shift for each channel and a ReLU.
use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::cpu::CpuKernels;
use super::linear::{WeightType, pack_linear};

pub use super::cpu::plane::Shape as PlaneShape;

/// `weight` `[outputs, inputs, frequencies, frames]` of [`packed_plane`], in one row of `D` dimensions.
pub fn pack_plane<const D: usize>(weight: Tensor<D>, kept: WeightType) -> Tensor<D> {
    let [outputs, inputs, frequencies, frames] = weight.shape().dims();
    let rows = weight.reshape([outputs, inputs, frequencies, frames]).permute([3, 2, 1, 0]);
    let packed = pack_linear::<2>(rows.reshape([frames * frequencies * inputs, outputs]), kept);
    let mut shape = [1; D];
    shape[D - 1] = packed.dims()[1];
    packed.reshape(shape)
}

/// `x` `[batch, time, frequencies, channels]`, `weight` of [`pack_plane`], `scale` and `shift` `[outputs]` -> `[batch, time,
/// output frequencies, outputs]`. On the CPU only.
pub fn packed_plane(
    x: Tensor<4>,
    weight: Tensor<2>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    shape: PlaneShape,
) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as CpuKernels>::plane(
        x,
        weight,
        scale.into_dispatch(),
        shift.into_dispatch(),
        shape,
    ))
}
