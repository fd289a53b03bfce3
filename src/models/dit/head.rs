//! The head that turns transformer states into mel velocities: WaveNet, then a modulated projection.
use burn::prelude::*;
use burn::tensor::activation::silu;

use super::DitConfig;
use crate::kernels::{Statistics, modulated_norm};
use crate::nn::adaptive_norm::halves;
use crate::nn::linear::{Linear, LinearConfig};
use crate::nn::wavenet::WaveNet;

#[derive(Module, Debug)]
pub struct Head {
    input: Linear,
    pub wavenet: WaveNet,
    residual: Linear,
    modulation: Linear,
    projection: Linear,
    output: Linear,
}

impl Head {
    pub fn new(config: &DitConfig, device: &Device) -> Self {
        let hidden = config.hidden;
        let square = || LinearConfig::new(hidden, hidden).init(device);
        Self {
            input: square(),
            wavenet: config.wavenet.init(device),
            residual: square(),
            modulation: LinearConfig::new(hidden, 2 * hidden).init(device),
            projection: square(),
            output: LinearConfig::new(hidden, config.mel_bins).init(device),
        }
    }

    /// What the WaveNet adds to `x` `[batch, time, hidden]`, under its own time embedding; of the same shape.
    pub fn wave(&self, x: Tensor<3>, time: Tensor<2>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        self.wavenet.forward(self.input.forward(x), time, mask)
    }

    /// The modulated projection of the WaveNet's output `wave` and its input `x`; `[batch, time, hidden]`.
    pub fn project(&self, x: Tensor<3>, wave: Tensor<3>, time: Tensor<2>) -> Tensor<3> {
        let x = self.residual.forward_add(x, wave);
        let [shift, scale] = halves(self.modulation.forward(silu(time)).unsqueeze_dim::<3>(1));
        self.projection.forward(modulated_norm(x, scale + 1.0, shift, Statistics::Mean, 1e-6))
    }

    /// Mel velocities `[batch, time, mel_bins]` of projected states.
    pub fn velocity(&self, x: Tensor<3>) -> Tensor<3> {
        self.output.forward(x)
    }
}
