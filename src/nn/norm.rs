//! Normalisation that is only an affine map at inference.
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use crate::kernels::affine_relu;

/// Batch normalisation with its running statistics folded in by the import: `x * scale + shift` per channel.
#[derive(Module, Debug)]
pub struct Affine {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl Affine {
    pub fn new(channels: usize, device: &Device) -> Self {
        let zeros = |_| Initializer::Zeros.init([channels], device);
        Self { scale: zeros(()), shift: zeros(()) }
    }

    /// `relu` of the map, `[batch, time, channels]` to the same.
    pub fn relu(&self, x: Tensor<3>) -> Tensor<3> {
        affine_relu(x, self.scale.val(), self.shift.val())
    }

    /// `[batch, channels, ...]` to the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut shape = [1; D];
        shape[1] = x.dims()[1];
        x * self.scale.val().reshape(shape) + self.shift.val().reshape(shape)
    }
}
