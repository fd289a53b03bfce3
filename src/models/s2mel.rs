//! Semantic-to-mel: everything that turns content features into a mel spectrogram, stored as one file.
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::dit::{Dit, DitConfig};
use super::length_regulator::{LengthRegulator, LengthRegulatorConfig};
use crate::nn::linear::{Linear, LinearConfig};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S2MelConfig {
    pub length_regulator: LengthRegulatorConfig,
    pub dit: DitConfig,
    /// Present in IndexTTS-2, which adds projected GPT latents to the content features.
    pub gpt_projection: Option<GptProjectionConfig>,
    /// What the flow matching takes for a mel's zero and unit. The official models work on mels as they are.
    #[serde(default)]
    pub mel_scale: MelScale,
}

/// An affine map between log-mels and the values that the flow matching works on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelScale {
    pub mean: f32,
    pub deviation: f32,
}

impl Default for MelScale {
    fn default() -> Self {
        Self { mean: 0.0, deviation: 1.0 }
    }
}

impl MelScale {
    /// Log-mel to flow values.
    pub fn normalize<const D: usize>(&self, mel: Tensor<D>) -> Tensor<D> {
        if *self == Self::default() { mel } else { (mel - self.mean) / self.deviation }
    }

    /// Flow values to log-mel.
    pub fn restore<const D: usize>(&self, mel: Tensor<D>) -> Tensor<D> {
        if *self == Self::default() { mel } else { mel * self.deviation + self.mean }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptProjectionConfig {
    /// Sizes from the GPT's latents to the content features.
    pub sizes: Vec<usize>,
}

#[derive(Module, Debug)]
pub struct S2Mel {
    pub regulator: LengthRegulator,
    pub dit: Dit,
    pub gpt_projection: Option<GptProjection>,
}

/// Linear layers in a row, without activations between them.
#[derive(Module, Debug)]
pub struct GptProjection {
    layers: Vec<Linear>,
}

impl S2MelConfig {
    pub fn init(&self, device: &Device) -> S2Mel {
        S2Mel {
            regulator: self.length_regulator.init(device),
            dit: self.dit.init(device),
            gpt_projection: self.gpt_projection.as_ref().map(|config| config.init(device)),
        }
    }
}

impl GptProjectionConfig {
    pub fn init(&self, device: &Device) -> GptProjection {
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        GptProjection { layers: self.sizes.windows(2).map(layer).collect() }
    }
}

impl GptProjection {
    /// GPT latents `[batch, codes, dim]` to content features `[batch, codes, content]`.
    pub fn forward(&self, latents: Tensor<3>) -> Tensor<3> {
        self.layers.iter().fold(latents, |x, layer| layer.forward(x))
    }
}
