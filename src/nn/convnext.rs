//! The Vocos backbone: ConvNeXt blocks over time.
//!
//! Source: network specification 3.1; Siuzdak 2023 (arXiv:2306.00814).
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, PaddingConfig1d};
use burn::tensor::{Device, Tensor};

use crate::kernels::{Activation, depthwise};
use crate::nn::linear::{Linear, LinearConfig, TimeConv};

const KERNEL: usize = 7;
const EPSILON: f64 = 1e-6;

/// Sizes of a [`Backbone`].
#[derive(Debug, Clone, Copy)]
pub struct BackboneConfig {
    /// Channels at the input and the output.
    pub channels: usize,
    /// Channels inside.
    pub width: usize,
    pub feed_forward: usize,
    pub blocks: usize,
}

/// Convolution, ConvNeXt blocks, projection.
#[derive(Module, Debug)]
pub struct Backbone {
    embed: TimeConv,
    norm: LayerNorm,
    blocks: Vec<Block>,
    output_norm: LayerNorm,
    output: Linear,
}

#[derive(Module, Debug)]
struct Block {
    depthwise: Conv1d,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
    scale: Param<Tensor<1>>,
}

impl BackboneConfig {
    pub fn init(&self, device: &Device) -> Backbone {
        let width = self.width;
        let norm = || LayerNormConfig::new(width).with_epsilon(EPSILON).init(device);
        let depthwise = Conv1dConfig::new(width, width, KERNEL).with_padding(PaddingConfig1d::Same).with_groups(width);
        let block = |_| Block {
            depthwise: depthwise.init(device),
            norm: norm(),
            up: LinearConfig::new(width, self.feed_forward).init(device),
            down: LinearConfig::new(self.feed_forward, width).init(device),
            scale: Initializer::Zeros.init([width], device),
        };
        Backbone {
            embed: LinearConfig::new(self.channels, width).init_same_conv(KERNEL, 1, device),
            norm: norm(),
            blocks: (0..self.blocks).map(block).collect(),
            output_norm: norm(),
            output: LinearConfig::new(width, self.channels).init(device),
        }
    }
}

impl Backbone {
    /// `[batch, time, channels]` to the same.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.embed.forward(x);
        let x = self.blocks.iter().fold(self.norm.forward(x), |x, block| block.forward(x));
        self.output.forward(self.output_norm.forward(x))
    }
}

impl Block {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let bias = self.depthwise.bias.as_ref().map(Param::val);
        let y = depthwise(x.clone(), self.depthwise.weight.val(), bias, KERNEL / 2);
        let y = self.down.forward(self.up.forward_then(self.norm.forward(y), Activation::Gelu));
        x + y * self.scale.val().unsqueeze()
    }
}
