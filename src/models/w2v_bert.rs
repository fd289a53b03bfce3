//! w2v-bert-2.0: content features of speech, 50 a second.
//!
//! Source: network specification 2; Chung et al. 2021 (arXiv:2108.06209) in the form of Hugging Face's
//! `Wav2Vec2BertModel`. Only the layers below the one whose output is used exist.
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Bool, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::kernels::{Activation, attention, by_key, depthwise, glu};
use crate::nn::linear::{FewBits, Linear, LinearConfig};

/// Sizes of [`W2vBert`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct W2vBertConfig {
    /// Width of a stacked feature frame.
    pub input_size: usize,
    pub hidden_size: usize,
    /// Layers kept: the output of the last is the network's.
    pub layers: usize,
    pub heads: usize,
    pub feed_forward: usize,
    /// Keys further back or ahead than this share a distance embedding.
    pub left_distances: usize,
    pub right_distances: usize,
    /// Taps of the causal depthwise convolution.
    pub kernel: usize,
    pub norm_epsilon: f64,
}

/// Conformer layers over stacked filterbank frames.
#[derive(Module, Debug)]
pub struct W2vBert {
    input_norm: LayerNorm,
    input: Linear,
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct Layer {
    first_norm: LayerNorm,
    first: FeedForward,
    attention_norm: LayerNorm,
    attention: RelativeAttention,
    convolution: Convolution,
    second_norm: LayerNorm,
    second: FeedForward,
    output_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct FeedForward {
    up: Linear,
    down: Linear,
}

/// Attention whose scores gain a product of the query with an embedding of the key's distance.
#[derive(Module, Debug)]
struct RelativeAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    distances: Param<Tensor<2>>,
    heads: usize,
    left_distances: usize,
}

#[derive(Module, Debug)]
struct Convolution {
    norm: LayerNorm,
    expand: Linear,
    depthwise: Conv1d,
    depthwise_norm: LayerNorm,
    contract: Linear,
}

/// What all layers share for one input.
struct Frames {
    /// `[batch, time, 1]`, 1 for a real frame.
    real: Tensor<3>,
    /// `[batch, 1, 1, time]`, a large negative number for a key to be ignored.
    ignored: Tensor<4>,
}

/// Added to the score of a key to be ignored: its weight is zero in any precision, and half precision can hold it.
const IGNORED: f32 = 6.0e4;

impl W2vBertConfig {
    pub fn init(&self, device: &Device) -> W2vBert {
        let d = self.hidden_size;
        let norm = |size| LayerNormConfig::new(size).with_epsilon(self.norm_epsilon).init(device);
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let plain = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        let feed_forward = || FeedForward { up: linear(d, self.feed_forward), down: linear(self.feed_forward, d) };
        let distances = [self.left_distances + self.right_distances + 1, d / self.heads];
        let layer = |_| Layer {
            first_norm: norm(d),
            first: feed_forward(),
            attention_norm: norm(d),
            attention: RelativeAttention {
                query: linear(d, d),
                key: linear(d, d),
                value: linear(d, d),
                output: linear(d, d),
                distances: Initializer::Zeros.init(distances, device),
                heads: self.heads,
                left_distances: self.left_distances,
            },
            convolution: Convolution {
                norm: norm(d),
                expand: plain(d, 2 * d),
                depthwise: Conv1dConfig::new(d, d, self.kernel).with_groups(d).with_bias(false).init(device),
                depthwise_norm: norm(d),
                contract: plain(d, d),
            },
            second_norm: norm(d),
            second: feed_forward(),
            output_norm: norm(d),
        };
        W2vBert {
            input_norm: norm(self.input_size),
            input: linear(self.input_size, d),
            layers: (0..self.layers).map(layer).collect(),
        }
    }
}

impl W2vBert {
    /// With the weights of its linear layers in few bits.
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        let feed_forward = |part: FeedForward| FeedForward { up: part.up.quantize(few), down: part.down.quantize(few) };
        let layer = |layer: Layer| {
            let Layer { attention, convolution, .. } = layer;
            Layer {
                first: feed_forward(layer.first),
                attention: RelativeAttention {
                    query: attention.query.quantize(few),
                    key: attention.key.quantize(few),
                    value: attention.value.quantize(few),
                    output: attention.output.quantize(few),
                    ..attention
                },
                convolution: Convolution {
                    expand: convolution.expand.quantize(few),
                    contract: convolution.contract.quantize(few),
                    ..convolution
                },
                second: feed_forward(layer.second),
                ..layer
            }
        };
        let input = self.input.quantize(few);
        Self { input, layers: self.layers.into_iter().map(layer).collect(), ..self }
    }

    /// Features `[batch, time, input]` to `[batch, time, hidden]`.
    ///
    /// `mask` `[batch, time]` is true for real frames; the others are zeroed and ignored as keys, but have an output.
    pub fn forward(&self, features: Tensor<3>, mask: Option<Tensor<2, Bool>>) -> Tensor<3> {
        let frames = self.frames(&features, mask);
        let x = self.embed(features, &frames);
        self.layers.iter().fold(x, |x, layer| layer.forward(x, &frames))
    }

    /// The input of the first layer and the output of each, `layers + 1` times `[batch, time, hidden]`.
    pub fn hidden_states(&self, features: Tensor<3>, mask: Option<Tensor<2, Bool>>) -> Vec<Tensor<3>> {
        let frames = self.frames(&features, mask);
        let mut states = vec![self.embed(features, &frames)];
        for layer in &self.layers {
            states.push(layer.forward(states[states.len() - 1].clone(), &frames));
        }
        states
    }

    fn frames(&self, features: &Tensor<3>, mask: Option<Tensor<2, Bool>>) -> Frames {
        let [batch, time, _] = features.dims();
        let device = features.device();
        let real = match mask {
            Some(mask) => mask.float(),
            None => Tensor::ones([batch, time], &device),
        };
        let ignored = (real.clone() - 1.0) * IGNORED;
        Frames { real: real.unsqueeze_dim(2), ignored: ignored.reshape([batch, 1, 1, time]) }
    }

    fn embed(&self, features: Tensor<3>, frames: &Frames) -> Tensor<3> {
        self.input.forward(self.input_norm.forward(features)) * frames.real.clone()
    }
}

impl Layer {
    fn forward(&self, x: Tensor<3>, frames: &Frames) -> Tensor<3> {
        let x = x.clone() + self.first.forward(self.first_norm.forward(x)) * 0.5;
        let x = self.attention.add(self.attention_norm.forward(x.clone()), x, frames);
        let x = self.convolution.add(x, frames);
        let x = x.clone() + self.second.forward(self.second_norm.forward(x)) * 0.5;
        self.output_norm.forward(x)
    }
}

impl FeedForward {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down.forward(self.up.forward_then(x, Activation::Silu))
    }
}

impl RelativeAttention {
    /// `sum` and what is attended to from `x`.
    fn add(&self, x: Tensor<3>, sum: Tensor<3>, frames: &Frames) -> Tensor<3> {
        let [batch, time, d] = x.dims();
        let size = d / self.heads;
        let split = |x: Tensor<3>| x.reshape([batch, time, self.heads, size]).swap_dims(1, 2);
        let query = split(self.query.forward(x.clone()));
        let key = split(self.key.forward(x.clone()));
        let value = split(self.value.forward(x));
        // One product per distance, then each key picks that of its own: [time, time, size] is never built.
        let by_distance = query.clone().matmul(self.distances.val().transpose().unsqueeze());
        let bias = by_key(by_distance, frames.ignored.clone(), self.left_distances, 1.0 / (size as f32).sqrt());
        let y = attention(query, key, value, Some(bias), None, false);
        self.output.forward_add(y.swap_dims(1, 2).reshape([batch, time, d]), sum)
    }
}

impl Convolution {
    /// `sum` and its convolution.
    fn add(&self, sum: Tensor<3>, frames: &Frames) -> Tensor<3> {
        let x = self.norm.forward(sum.clone()) * frames.real.clone();
        let x = self.expand.forward(x);
        let x = glu(x);
        // Causal: a frame reads itself and earlier ones.
        let weight = self.depthwise.weight.val();
        let before = weight.dims()[2] - 1;
        let x = depthwise(x, weight, None, before);
        self.contract.forward_add(Activation::Silu.forward(self.depthwise_norm.forward(x)), sum)
    }
}

/// Size of [`FeatureStats`].
#[derive(Debug, Clone, Copy)]
pub struct FeatureStatsConfig {
    pub size: usize,
}

/// Mean and standard deviation of w2v-bert features over the training data.
#[derive(Module, Debug)]
pub struct FeatureStats {
    mean: Param<Tensor<1>>,
    deviation: Param<Tensor<1>>,
}

impl FeatureStatsConfig {
    pub fn init(&self, device: &Device) -> FeatureStats {
        let zeros = |_| Initializer::Zeros.init([self.size], device);
        FeatureStats { mean: zeros(()), deviation: zeros(()) }
    }
}

impl FeatureStats {
    /// `(x - mean) / deviation`, `[batch, time, size]` to the same.
    pub fn normalize(&self, x: Tensor<3>) -> Tensor<3> {
        (x - self.mean.val().unsqueeze()) / self.deviation.val().unsqueeze()
    }
}
