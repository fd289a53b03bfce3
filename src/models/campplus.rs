//! CAMPPlus: one vector for a speaker's voice.
//!
//! Source: network specification 9; Wang et al. 2023 (arXiv:2303.00332). A 2-D convolutional head over the filterbank,
//! densely connected time-delay layers with context-aware masking, and statistics pooling.
use burn::module::Module;
use burn::nn::PaddingConfig1d;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::linear::{Linear, LinearConfig, TimeConv};
use crate::nn::norm::Affine;
use crate::nn::plane::PlaneConv;

/// Frames over which the local context is averaged.
const SEGMENT: usize = 100;
/// Dilations of the three dense blocks.
const DILATIONS: [usize; 3] = [1, 2, 2];
const KERNEL: usize = 3;
const TDNN_KERNEL: usize = 5;

/// Sizes of [`CamPlus`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CamPlusConfig {
    pub head_channels: usize,
    /// Residual blocks of the two stages of the head.
    pub head_blocks: [usize; 2],
    /// Channels times frequencies at the head's output.
    pub head_output: usize,
    pub initial_channels: usize,
    pub bottleneck: usize,
    pub growth: usize,
    /// Channels between the two layers that make the mask.
    pub squeeze: usize,
    /// Layers of the three dense blocks.
    pub layers: [usize; 3],
    pub embedding_size: usize,
}

/// The speaker encoder.
#[derive(Module, Debug)]
pub struct CamPlus {
    head: Head,
    tdnn: Tdnn,
    block1: Vec<DenseLayer>,
    transit1: Transit,
    block2: Vec<DenseLayer>,
    transit2: Transit,
    block3: Vec<DenseLayer>,
    transit3: Transit,
    output_norm: Affine,
    embedding: Linear,
    embedding_norm: Affine,
}

#[derive(Module, Debug)]
struct Head {
    input: PlaneConv,
    layer1: Vec<Residual>,
    layer2: Vec<Residual>,
    output: PlaneConv,
}

#[derive(Module, Debug)]
struct Residual {
    first: PlaneConv,
    second: PlaneConv,
    shortcut: Option<PlaneConv>,
}

#[derive(Module, Debug)]
struct Tdnn {
    conv: Conv1d,
    norm: Affine,
}

#[derive(Module, Debug)]
struct DenseLayer {
    input_norm: Affine,
    bottleneck: Linear,
    norm: Affine,
    local: TimeConv,
    squeeze: Linear,
    excite: Linear,
}

#[derive(Module, Debug)]
struct Transit {
    norm: Affine,
    linear: Linear,
}

impl CamPlusConfig {
    pub fn init(&self, device: &Device) -> CamPlus {
        let mut channels = self.initial_channels;
        let mut block = |index: usize| {
            let layers: Vec<DenseLayer> = (0..self.layers[index])
                .map(|layer| self.dense_layer(channels + layer * self.growth, DILATIONS[index], device))
                .collect();
            let dense = channels + self.layers[index] * self.growth;
            channels = dense / 2;
            let linear = LinearConfig::new(dense, channels).with_bias(false).init(device);
            (layers, Transit { norm: Affine::new(dense, device), linear })
        };
        let (block1, transit1) = block(0);
        let (block2, transit2) = block(1);
        let (block3, transit3) = block(2);
        let tdnn = Conv1dConfig::new(self.head_output, self.initial_channels, TDNN_KERNEL).with_stride(2);
        let padding = PaddingConfig1d::Explicit(TDNN_KERNEL / 2, TDNN_KERNEL / 2);
        CamPlus {
            head: self.head(device),
            tdnn: Tdnn {
                conv: tdnn.with_padding(padding).with_bias(false).init(device),
                norm: Affine::new(self.initial_channels, device),
            },
            block1,
            transit1,
            block2,
            transit2,
            block3,
            transit3,
            output_norm: Affine::new(channels, device),
            embedding: LinearConfig::new(2 * channels, self.embedding_size).with_bias(false).init(device),
            embedding_norm: Affine::new(self.embedding_size, device),
        }
    }

    fn head(&self, device: &Device) -> Head {
        let channels = self.head_channels;
        let conv = |from, kernel, stride| PlaneConv::new([from, channels], kernel, stride, device);
        // The first block of a stage halves the frequencies, so its shortcut has to as well.
        let stage = |blocks: usize| {
            (0..blocks)
                .map(|block| {
                    let stride = if block == 0 { 2 } else { 1 };
                    let shortcut = (block == 0).then(|| conv(channels, 1, stride));
                    Residual { first: conv(channels, 3, stride), second: conv(channels, 3, 1), shortcut }
                })
                .collect()
        };
        Head {
            input: conv(1, 3, 1),
            layer1: stage(self.head_blocks[0]),
            layer2: stage(self.head_blocks[1]),
            output: conv(channels, 3, 2),
        }
    }

    fn dense_layer(&self, channels: usize, dilation: usize, device: &Device) -> DenseLayer {
        let local = LinearConfig::new(self.bottleneck, self.growth).with_bias(false);
        DenseLayer {
            input_norm: Affine::new(channels, device),
            bottleneck: LinearConfig::new(channels, self.bottleneck).with_bias(false).init(device),
            norm: Affine::new(self.bottleneck, device),
            local: local.init_same_conv(KERNEL, dilation, device),
            squeeze: LinearConfig::new(self.bottleneck, self.squeeze).init(device),
            excite: LinearConfig::new(self.squeeze, self.growth).init(device),
        }
    }
}

impl CamPlus {
    /// Filterbank `[batch, time, 80]`, mean removed, to the speaker's vector `[batch, embedding]`.
    pub fn forward(&self, fbank: Tensor<3>) -> Tensor<2> {
        // Channels last, as linear layers want them.
        let x = self.tdnn(self.head(fbank)).swap_dims(1, 2);
        let x = self.transit1.forward(dense(&self.block1, x));
        let x = self.transit2.forward(dense(&self.block2, x));
        let x = self.transit3.forward(dense(&self.block3, x));
        let pooled = statistics(self.output_norm.relu(x));
        self.embedding_norm.forward(self.embedding.forward(pooled))
    }

    /// Filterbank `[batch, time, 80]` to `[batch, channels * frequencies, time]`.
    pub fn head(&self, fbank: Tensor<3>) -> Tensor<3> {
        let x = self.head.input.forward(fbank.unsqueeze_dim(3), true); // [batch, time, frequencies, channels]
        let x = self.head.layer1.iter().chain(&self.head.layer2).fold(x, |x, block| block.forward(x));
        let x = self.head.output.forward(x, true);
        let [batch, time, frequencies, channels] = x.dims();
        x.permute([0, 3, 2, 1]).reshape([batch, channels * frequencies, time])
    }

    /// Halves the time: `[batch, channels, time]`.
    pub fn tdnn(&self, x: Tensor<3>) -> Tensor<3> {
        relu(self.tdnn.norm.forward(self.tdnn.conv.forward(x)))
    }

    /// The first dense block, `[batch, channels, time]`.
    pub fn first_block(&self, x: Tensor<3>) -> Tensor<3> {
        dense(&self.block1, x.swap_dims(1, 2)).swap_dims(1, 2)
    }
}

/// Every layer sees the outputs of all before it: `[batch, time, channels]` to more channels.
fn dense(layers: &[DenseLayer], x: Tensor<3>) -> Tensor<3> {
    layers.iter().fold(x, |x, layer| Tensor::cat(vec![x.clone(), layer.forward(x)], 2))
}

impl Residual {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.second.forward(self.first.forward(x.clone(), true), false);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, false),
            None => x,
        };
        relu(y + x)
    }
}

impl DenseLayer {
    /// `[batch, time, channels]` -> `[batch, time, growth]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.norm.relu(self.bottleneck.forward(self.input_norm.relu(x)));
        let mask = self.mask(x.clone());
        self.local.forward(x) * mask
    }

    /// How much of each channel a frame keeps, `[batch, time, growth]`: that of its segment, the last of which has the
    /// frames that are left.
    fn mask(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let mean = x.clone().mean_dim(1);
        let segment = |start: usize| (start, SEGMENT.min(time - start));
        let segments = || (0..time).step_by(SEGMENT).map(segment);
        let means = segments().map(|(start, length)| x.clone().narrow(1, start, length).mean_dim(1));
        let context = Tensor::cat(means.collect(), 1) + mean;
        let masks = sigmoid(self.excite.forward(relu(self.squeeze.forward(context))));
        let growth = masks.dims()[2];
        let frames = segments().enumerate().map(|(i, (_, length))| {
            let mask = masks.clone().narrow(1, i, 1);
            mask.expand([batch, length, growth])
        });
        Tensor::cat(frames.collect(), 1)
    }
}

impl Transit {
    /// `[batch, time, channels]` to half the channels.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.linear.forward(self.norm.relu(x))
    }
}

/// Mean and unbiased standard deviation over time, `[batch, time, channels]` -> `[batch, 2 * channels]`.
fn statistics(x: Tensor<3>) -> Tensor<2> {
    let time = x.dims()[1];
    let mean = x.clone().mean_dim(1);
    let squares = (x - mean.clone()).powi_scalar(2).sum_dim(1);
    let deviation = (squares / (time.max(2) - 1) as f32).sqrt();
    Tensor::cat(vec![mean.squeeze_dim(1), deviation.squeeze_dim(1)], 1)
}
