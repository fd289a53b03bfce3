//! Length regulator: stretches content features to a number of mel frames.
use burn::nn::{GroupNorm, GroupNormConfig};
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernels::Activation;
use crate::nn::linear::{Linear, LinearConfig, TimeConv};
use crate::nn::norm::over_all;

/// Mel frames for each 50 Hz content frame (22050 / 256 / 50, rounded as the reference does).
const FRAMES_PER_CONTENT: f64 = 1.72;

/// Mel frames for `codes` codes at 50 Hz, as IndexTTS-2 counts them (an f32 product).
pub fn target_frames_v2(codes: usize) -> usize {
    (codes as f32 * FRAMES_PER_CONTENT as f32) as usize
}

/// Mel frames for `content` decoded frames at 50 Hz, as IndexTTS-2.5 counts them (an f64 product); `duration_factor`
/// above 1 speaks slower.
pub fn target_frames_v2_5(content: usize, duration_factor: f64) -> usize {
    (content as f64 * FRAMES_PER_CONTENT * duration_factor) as usize
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthRegulatorConfig {
    /// Channels of the content features.
    pub input: usize,
    /// Channels inside and at the output.
    pub channels: usize,
    pub blocks: usize,
}

/// Projection, nearest-neighbour stretch in time, then convolutions that smooth the steps.
#[derive(Module, Debug)]
pub struct LengthRegulator {
    input: Linear,
    blocks: Vec<Block>,
    output: TimeConv,
}

#[derive(Module, Debug)]
pub struct Block {
    conv: TimeConv,
    norm: GroupNorm,
}

impl LengthRegulatorConfig {
    pub fn init(&self, device: &Device) -> LengthRegulator {
        let channels = self.channels;
        let block = |_| Block {
            conv: LinearConfig::new(channels, channels).init_same_conv(3, 1, device),
            norm: GroupNormConfig::new(1, channels).init(device),
        };
        LengthRegulator {
            input: LinearConfig::new(self.input, channels).init(device),
            blocks: (0..self.blocks).map(block).collect(),
            output: LinearConfig::new(channels, channels).init_conv(1, 1, device),
        }
    }
}

impl LengthRegulator {
    /// `content` `[batch, time, input]` to `[batch, frames, channels]`.
    pub fn forward(&self, content: Tensor<3>, frames: usize) -> Tensor<3> {
        let stretched = stretch(self.project(content), frames);
        self.smooth(stretched)
    }

    /// As [`forward`](Self::forward), of content that goes on behind `content`: its frames come from where they will come
    /// from when all is there, as nearly as can be known before its length is. `duration_factor` as in
    /// [`target_frames_v2_5`].
    pub fn forward_part(&self, content: Tensor<3>, frames: usize, duration_factor: f64) -> Tensor<3> {
        let stretched = sample(self.project(content), frames, (1.0 / (FRAMES_PER_CONTENT * duration_factor)) as f32);
        self.smooth(stretched)
    }

    fn smooth(&self, stretched: Tensor<3>) -> Tensor<3> {
        let block = |x, block: &Block| Activation::Mish.forward(over_all(&block.norm, block.conv.forward(x)));
        self.output.forward(self.blocks.iter().fold(stretched, block))
    }

    /// The projection before the stretch: `[batch, time, channels]`.
    pub fn project(&self, content: Tensor<3>) -> Tensor<3> {
        self.input.forward(content)
    }
}

/// Nearest-neighbour resampling of `x` `[batch, time, channels]` to `frames` frames.
///
/// Frame `i` comes from `floor(i * time / frames)` with the ratio in f32: the rounding decides which frame is repeated.
pub fn stretch(x: Tensor<3>, frames: usize) -> Tensor<3> {
    let ratio = x.dims()[1] as f32 / frames as f32;
    sample(x, frames, ratio)
}

/// Frame `i` is that at `floor(i * ratio)` of `x` `[batch, time, channels]`.
fn sample(x: Tensor<3>, frames: usize, ratio: f32) -> Tensor<3> {
    let last = x.dims()[1].saturating_sub(1);
    let sources: Vec<i64> = (0..frames).map(|i| ((i as f32 * ratio) as usize).min(last) as i64).collect();
    let sources = Tensor::<1, Int>::from_data(TensorData::new(sources, [frames]), &x.device());
    x.select(1, sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_counts_truncate() {
        assert_eq!(target_frames_v2(0), 0);
        assert_eq!(target_frames_v2(64), 110);
        assert_eq!(target_frames_v2_5(64, 1.0), 110);
        assert_eq!(target_frames_v2_5(64, 1.5), 165);
    }
}
