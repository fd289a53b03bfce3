//! RMS normalisation whose scale and shift come from a conditioning vector.
use crate::kernels::{Statistics, modulated_norm};
use crate::nn::linear::{Linear, LinearConfig};
use burn::module::Param;
use burn::nn::Initializer;
use burn::prelude::*;

const EPSILON: f64 = 1e-5;

/// `scale(c) * gamma * x / rms(x) + shift(c)` over the last dimension, with `[scale, shift] = projection(c)`.
///
/// The scale is used as it is, not as `1 + scale`.
#[derive(Module, Debug)]
pub struct AdaptiveNorm {
    gamma: Param<Tensor<1>>,
    projection: Linear,
}

impl AdaptiveNorm {
    pub fn new(channels: usize, condition: usize, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([channels], device),
            projection: LinearConfig::new(condition, 2 * channels).init(device),
        }
    }

    /// Normalises `x` `[batch, time, channels]` under `condition` `[batch or 1, condition]`.
    pub fn forward(&self, x: Tensor<3>, condition: Tensor<2>) -> Tensor<3> {
        let [scale, shift] = halves(self.projection.forward(condition).unsqueeze_dim(1));
        modulated_norm(x, scale * self.gamma.val().unsqueeze(), shift, Statistics::Rms, EPSILON)
    }
}

/// The two halves of the last dimension.
pub fn halves<const D: usize>(x: Tensor<D>) -> [Tensor<D>; 2] {
    let half = x.dims()[D - 1] / 2;
    [x.clone().narrow(D - 1, 0, half), x.narrow(D - 1, half, half)]
}
