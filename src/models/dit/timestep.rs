//! Embedding of the flow-matching time.
use crate::nn::linear::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::silu;

/// Width of the sinusoidal features, fixed by the architecture.
const FEATURES: usize = 256;
const MAX_PERIOD: f64 = 10000.0;
/// Times in `[0, 1]` are spread over this many units.
const SCALE: f32 = 1000.0;

/// Sinusoids of the time, then a two-layer perceptron.
#[derive(Module, Debug)]
pub struct TimestepEmbedder {
    input: Linear,
    output: Linear,
}

impl TimestepEmbedder {
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            input: LinearConfig::new(FEATURES, channels).init(device),
            output: LinearConfig::new(channels, channels).init(device),
        }
    }

    /// Embeds times in `[0, 1]`: `[times, channels]`.
    pub fn forward(&self, times: &[f32], device: &Device) -> Tensor<2> {
        let features: Vec<f32> = times.iter().flat_map(|&t| features(t)).collect();
        let features = Tensor::from_data(TensorData::new(features, [times.len(), FEATURES]), device);
        self.output.forward(silu(self.input.forward(features)))
    }
}

/// Angular frequencies `10000^(-i / half)`. The angles reach 1000, so rounding them to f32 as the reference does matters.
pub fn frequencies() -> Vec<f32> {
    let half = FEATURES / 2;
    let step = |i: usize| -(MAX_PERIOD.ln() as f32) * i as f32 / half as f32;
    (0..half).map(|i| f64::from(step(i)).exp() as f32).collect()
}

/// All cosines, then all sines.
fn features(time: f32) -> Vec<f32> {
    let frequencies = frequencies();
    let angle = |w: &f32| f64::from(SCALE * time * w);
    let cosines = frequencies.iter().map(|w| angle(w).cos() as f32);
    cosines.chain(frequencies.iter().map(|w| angle(w).sin() as f32)).collect()
}
