//! BigVGAN v2 vocoder: mel spectrogram to waveform (Lee et al. 2022).
mod packed;

use burn::nn::PaddingConfig1d;
use burn::nn::conv::{Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig};
use burn::prelude::*;
use serde::{Deserialize, Serialize};

pub use packed::PackedBigVgan;

use crate::nn::snake::{self, AliasFreeSnake, Resampler};

const PRE_KERNEL: usize = 7;
const POST_KERNEL: usize = 7;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BigVganConfig {
    pub mel_bins: usize,
    /// Channels before the first stage; each stage halves them.
    pub channels: usize,
    /// One entry a stage.
    pub upsample_rates: Vec<usize>,
    pub upsample_kernels: Vec<usize>,
    /// The residual blocks of every stage, whose outputs are averaged: one kernel and one list of dilations each.
    pub block_kernels: Vec<usize>,
    pub block_dilations: Vec<Vec<usize>>,
    /// Bounds the waveform by tanh; otherwise it is clipped.
    pub tanh_at_final: bool,
}

#[derive(Module, Debug)]
pub struct BigVgan {
    pub conv_pre: Conv1d,
    /// One a stage.
    pub upsamples: Vec<ConvTranspose1d>,
    /// The residual blocks of the first stage, of the second, and so on.
    pub blocks: Vec<ResidualBlock>,
    pub activation_post: AliasFreeSnake,
    pub conv_post: Conv1d,
    tanh_at_final: bool,
}

/// Residual pairs of a dilated and a plain convolution, each after an alias-free activation (`AMPBlock1`).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    dilated: Vec<Conv1d>,
    plain: Vec<Conv1d>,
    pub activations: Vec<AliasFreeSnake>,
}

impl BigVganConfig {
    /// Mel frames to either side of a frame that its samples depend on.
    pub fn reach(&self) -> usize {
        // Up and down again.
        let activation = 2 * snake::REACH;
        let block = |kernel: usize, dilations: &[usize]| -> usize {
            dilations.iter().map(|dilation| (kernel - 1) / 2 * (dilation + 1) + 2 * activation).sum()
        };
        let blocks = self.block_kernels.iter().zip(&self.block_dilations);
        let block = blocks.map(|(&kernel, dilations)| block(kernel, dilations)).max().unwrap_or(0);
        let (mut frames, mut rate) = (PRE_KERNEL as f64 / 2.0, 1.0);
        for (&up, &kernel) in self.upsample_rates.iter().zip(&self.upsample_kernels) {
            frames += kernel as f64 / up as f64 / rate;
            rate *= up as f64;
            frames += block as f64 / rate;
        }
        (frames + (activation + POST_KERNEL / 2) as f64 / rate).ceil() as usize
    }

    pub fn init(&self, device: &Device) -> BigVgan {
        let width = |stage: usize| self.channels >> stage;
        let stages = self.upsample_rates.len();
        let upsample = |stage: usize| {
            let (rate, kernel) = (self.upsample_rates[stage], self.upsample_kernels[stage]);
            ConvTranspose1dConfig::new([width(stage), width(stage + 1)], kernel)
                .with_stride(rate)
                .with_padding((kernel - rate) / 2)
                .init(device)
        };
        let stage_blocks = |stage: usize| {
            let shapes = self.block_kernels.iter().zip(&self.block_dilations);
            shapes.map(move |(&kernel, dilations)| ResidualBlock::new(width(stage + 1), kernel, dilations, device))
        };
        BigVgan {
            conv_pre: same_conv(self.mel_bins, self.channels, PRE_KERNEL, 1).init(device),
            upsamples: (0..stages).map(upsample).collect(),
            blocks: (0..stages).flat_map(stage_blocks).collect(),
            activation_post: AliasFreeSnake::new(width(stages), device),
            conv_post: same_conv(width(stages), 1, POST_KERNEL, 1).with_bias(false).init(device),
            tanh_at_final: self.tanh_at_final,
        }
    }
}

impl BigVgan {
    /// Log-mel `[batch, mel_bins, frames]` to samples `[batch, 1, frames * hop]` in `[-1, 1]`, where the hop is the
    /// product of the upsampling rates.
    pub fn forward(&self, mel: Tensor<3>) -> Tensor<3> {
        finish(self.conv_post.forward(self.features(mel)), self.tanh_at_final)
    }

    /// Everything before the last convolution: `[batch, channels of the last stage, frames * hop]`.
    pub fn features(&self, mel: Tensor<3>) -> Tensor<3> {
        let resampler = Resampler::new(&mel.device());
        let mut x = self.conv_pre.forward(mel);
        let per_stage = self.blocks.len() / self.upsamples.len();
        for (upsample, blocks) in self.upsamples.iter().zip(self.blocks.chunks_exact(per_stage)) {
            x = mean_of(blocks, upsample.forward(x), &resampler);
        }
        self.activation_post.forward(x, &resampler)
    }
}

/// Bounds the samples.
fn finish(wave: Tensor<3>, tanh: bool) -> Tensor<3> {
    if tanh { wave.tanh() } else { wave.clamp(-1.0, 1.0) }
}

/// The mean of what the blocks of one stage make of `x`.
fn mean_of(blocks: &[ResidualBlock], x: Tensor<3>, resampler: &Resampler) -> Tensor<3> {
    let sum = blocks.iter().map(|block| block.forward(x.clone(), resampler)).reduce(|sum, y| sum + y);
    sum.unwrap_or(x) / blocks.len() as f64
}

impl ResidualBlock {
    fn new(channels: usize, kernel: usize, dilations: &[usize], device: &Device) -> Self {
        Self {
            dilated: dilations.iter().map(|&d| same_conv(channels, channels, kernel, d).init(device)).collect(),
            plain: dilations.iter().map(|_| same_conv(channels, channels, kernel, 1).init(device)).collect(),
            activations: (0..2 * dilations.len()).map(|_| AliasFreeSnake::new(channels, device)).collect(),
        }
    }

    /// `[batch, channels, time]` to the same.
    pub fn forward(&self, mut x: Tensor<3>, resampler: &Resampler) -> Tensor<3> {
        let convs = self.dilated.iter().zip(&self.plain);
        for ((dilated, plain), activations) in convs.zip(self.activations.chunks_exact(2)) {
            let y = dilated.forward(activations[0].forward(x.clone(), resampler));
            let y = plain.forward(activations[1].forward(y, resampler));
            x = x + y;
        }
        x
    }
}

/// A convolution that keeps the length (odd kernels).
fn same_conv(input: usize, output: usize, kernel: usize, dilation: usize) -> Conv1dConfig {
    let reach = dilation * (kernel - 1) / 2;
    Conv1dConfig::new(input, output, kernel)
        .with_dilation(dilation)
        .with_padding(PaddingConfig1d::Explicit(reach, reach))
}
