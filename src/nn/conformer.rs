//! Conformer encoder (arXiv:2005.08100) in WeNet's arrangement, with positions that never shift.
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, PaddingConfig1d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::attention::{attend, merge_heads, split_heads};
use crate::kernels::{Activation, depthwise, glu, on_cpu, packed_subsample, quantized_subsample};
use crate::nn::linear::{FewBits, Linear, LinearConfig};

/// Output frames sub-sampled at once. The convolution's output is 512 times as wide as its input: a whole 15 s clip
/// would need 0.8 GB for a moment.
const CHUNK: usize = 128;

/// Sizes of a [`Conformer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConformerConfig {
    /// Channels of the input.
    pub features: usize,
    /// Channels of the output and of everything inside.
    pub dim: usize,
    /// Inner channels of the feed-forward networks.
    pub hidden: usize,
    pub heads: usize,
    pub layers: usize,
    /// Width of the depthwise convolutions in frames.
    pub kernel: usize,
    /// Rows of the position table: the longest input is about twice as many frames.
    pub positions: usize,
}

impl ConformerConfig {
    /// Channels left of `features` by the stride of two.
    fn subsampled(&self) -> usize {
        self.features.saturating_sub(1) / 2
    }

    pub fn init(&self, device: &Device) -> Conformer {
        Conformer {
            subsample: Conv2dConfig::new([1, self.dim], [3, 3]).with_stride([2, 2]).init(device),
            projection: LinearConfig::new(self.dim * self.subsampled(), self.dim).init(device),
            positions: Initializer::Zeros.init([self.positions, self.dim], device),
            layers: (0..self.layers).map(|_| self.layer(device)).collect(),
            norm: LayerNormConfig::new(self.dim).init(device),
        }
    }

    fn layer(&self, device: &Device) -> ConformerLayer {
        let (dim, size) = (self.dim, self.dim / self.heads);
        let norm = || LayerNormConfig::new(dim).init(device);
        let square = || LinearConfig::new(dim, dim);
        ConformerLayer {
            attention_norm: norm(),
            attention: PositionalAttention {
                query: square().init(device),
                key: square().init(device),
                value: square().init(device),
                out: square().init(device),
                position: square().with_bias(false).init(device),
                content_bias: Initializer::Zeros.init([self.heads, size], device),
                position_bias: Initializer::Zeros.init([self.heads, size], device),
            },
            convolution_norm: norm(),
            convolution: Convolution {
                expand: LinearConfig::new(dim, 2 * dim).init(device),
                depthwise: Conv1dConfig::new(dim, dim, self.kernel)
                    .with_groups(dim)
                    .with_padding(PaddingConfig1d::Same)
                    .init(device),
                norm: norm(),
                reduce: square().init(device),
            },
            feed_forward_norm: norm(),
            expand: LinearConfig::new(dim, self.hidden).init(device),
            reduce: LinearConfig::new(self.hidden, dim).init(device),
            norm: norm(),
        }
    }
}

/// Encodes features at half their rate. components.md 4.1.
#[derive(Module, Debug)]
pub struct Conformer {
    subsample: Conv2d,
    projection: Linear,
    positions: Param<Tensor<2>>,
    layers: Vec<ConformerLayer>,
    norm: LayerNorm,
}

impl Conformer {
    /// `[batch, time, features]` -> `[batch, (time - 1) / 2, dim]`.
    pub fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let x = self.embed(features);
        let positions = self.position_rows(x.dims()[1]);
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(x, positions.clone()));
        self.norm.forward(x)
    }

    /// With the weights of its linear layers in few bits.
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        let layer = |layer: ConformerLayer| {
            let ConformerLayer { attention, convolution, .. } = layer;
            ConformerLayer {
                attention: PositionalAttention {
                    query: attention.query.quantize(few),
                    key: attention.key.quantize(few),
                    value: attention.value.quantize(few),
                    out: attention.out.quantize(few),
                    position: attention.position.quantize(few),
                    ..attention
                },
                convolution: Convolution {
                    expand: convolution.expand.quantize(few),
                    reduce: convolution.reduce.quantize(few),
                    ..convolution
                },
                expand: layer.expand.quantize(few),
                reduce: layer.reduce.quantize(few),
                ..layer
            }
        };
        let projection = self.projection.quantize(few);
        Self { projection, layers: self.layers.into_iter().map(layer).collect(), ..self }
    }

    /// The longest input in frames.
    pub fn max_frames(&self) -> usize {
        2 * self.positions.shape()[0] + 2
    }

    /// Sub-sampled and scaled input: `[batch, time, features]` -> `[batch, (time - 1) / 2, dim]`.
    pub fn embed(&self, features: Tensor<3>) -> Tensor<3> {
        let (kernel, bias) = (self.subsample.weight.val(), self.subsample.bias.as_ref().map(Param::val));
        let x = match (self.projection.packed(), self.projection.quantized(), bias) {
            (Some((weight, shift)), _, Some(bias)) => each(features, |item| {
                packed_subsample(item, kernel.clone(), bias.clone(), weight.clone(), shift.clone())
            }),
            (_, Some((weight, shift)), Some(bias)) if on_cpu(&kernel.device()) => each(features, |item| {
                quantized_subsample(item, kernel.clone(), bias.clone(), weight.clone(), shift.clone())
            }),
            _ => self.project_chunks(features),
        };
        let dim = x.dims()[2] as f32;
        // Scaled as if the positions were added, which they are not: they enter the attention only.
        x * dim.sqrt()
    }

    /// The plain form: `[batch, time, features]` -> `[batch, (time - 1) / 2, dim]`.
    fn project_chunks(&self, features: Tensor<3>) -> Tensor<3> {
        let frames = (features.dims()[1] - 1) / 2;
        let chunks = (0..frames).step_by(CHUNK).map(|start| {
            let end = (start + CHUNK).min(frames);
            let input = features.clone().narrow(1, 2 * start, 2 * (end - start) + 1).unsqueeze_dim(1);
            let x = relu(self.subsample.forward(input)); // [batch, dim, frames, subsampled]
            let [batch, dim, frames, width] = x.dims();
            self.projection.forward(x.swap_dims(1, 2).reshape([batch, frames, dim * width]))
        });
        Tensor::cat(chunks.collect(), 1)
    }

    /// Positions `0..frames` as `[1, frames, dim]`.
    pub fn position_rows(&self, frames: usize) -> Tensor<3> {
        self.positions.val().narrow(0, 0, frames).unsqueeze()
    }

    /// The layers, for looking at intermediate values.
    pub fn layers(&self) -> &[ConformerLayer] {
        &self.layers
    }
}

/// What `form` makes of every item of a batch.
fn each(batch: Tensor<3>, form: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    Tensor::cat(batch.iter_dim(0).map(|item| form(item.squeeze_dim(0)).unsqueeze()).collect(), 0)
}

/// Attention, convolution and feed-forward network, each pre-norm and residual; no macaron halves.
#[derive(Module, Debug)]
pub struct ConformerLayer {
    attention_norm: LayerNorm,
    attention: PositionalAttention,
    convolution_norm: LayerNorm,
    convolution: Convolution,
    feed_forward_norm: LayerNorm,
    expand: Linear,
    reduce: Linear,
    norm: LayerNorm,
}

impl ConformerLayer {
    /// `x` `[batch, time, dim]`, `positions` `[1, time, dim]` -> `[batch, time, dim]`.
    pub fn forward(&self, x: Tensor<3>, positions: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attention.forward(self.attention_norm.forward(x), positions);
        let x = x.clone() + self.convolution.forward(self.convolution_norm.forward(x));
        let inner = self.expand.forward_then(self.feed_forward_norm.forward(x.clone()), Activation::Silu);
        self.norm.forward(self.reduce.forward_add(inner, x))
    }
}

/// Attention with Transformer-XL's two score terms (arXiv:1901.02860) but without its shift: positions are absolute.
#[derive(Module, Debug)]
struct PositionalAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    position: Linear,
    content_bias: Param<Tensor<2>>,
    position_bias: Param<Tensor<2>>,
}

impl PositionalAttention {
    fn forward(&self, x: Tensor<3>, positions: Tensor<3>) -> Tensor<3> {
        let [heads, size] = self.content_bias.dims();
        let query = split_heads(self.query.forward(x.clone()), heads);
        let key = split_heads(self.key.forward(x.clone()), heads);
        let value = split_heads(self.value.forward(x), heads);
        let position = split_heads(self.position.forward(positions), heads).repeat_dim(0, key.dims()[0]);
        // (q + u)·k + (q + v)·p is one product of vectors twice as long.
        let bias = |bias: &Param<Tensor<2>>| bias.val().reshape([1, heads, 1, size]);
        let query = Tensor::cat(vec![query.clone() + bias(&self.content_bias), query + bias(&self.position_bias)], 3);
        let key = Tensor::cat(vec![key, position], 3);
        self.out.forward(merge_heads(attend(query, key, value, Some(1.0 / (size as f64).sqrt()))))
    }
}

/// Gated pointwise, depthwise (centred) and pointwise convolution.
#[derive(Module, Debug)]
struct Convolution {
    expand: Linear,
    depthwise: Conv1d,
    norm: LayerNorm,
    reduce: Linear,
}

impl Convolution {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = glu(self.expand.forward(x));
        let (weight, bias) = (self.depthwise.weight.val(), self.depthwise.bias.as_ref().map(Param::val));
        let centre = (weight.dims()[2] - 1) / 2;
        let x = depthwise(x, weight, bias, centre);
        self.reduce.forward(Activation::Silu.forward(self.norm.forward(x)))
    }
}
