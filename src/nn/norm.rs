//! Normalisation that is only an affine map at inference.
use burn::module::{Initializer, Module, Param};
use burn::nn::GroupNorm;
use burn::tensor::{Device, Tensor};

use crate::kernels::affine_relu;

/// A group normalisation of one group, over all frames and channels of `x` `[batch, time, channels]`, to the same.
pub fn over_all(norm: &GroupNorm, x: Tensor<3>) -> Tensor<3> {
    let [batch, time, channels] = x.dims();
    let flat = x.reshape([batch, time * channels]);
    let mean = flat.clone().mean_dim(1);
    let centred = flat - mean;
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    let y = (centred / (variance + norm.epsilon).sqrt()).reshape([batch, time, channels]);
    match (&norm.gamma, &norm.beta) {
        (Some(gamma), Some(beta)) => y * gamma.val().unsqueeze() + beta.val().unsqueeze(),
        _ => y,
    }
}

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

    /// The scale and the shift, `[channels]` each.
    pub fn factors(&self) -> (Tensor<1>, Tensor<1>) {
        (self.scale.val(), self.shift.val())
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
