//! Perceiver resampler (Flamingo, arXiv:2204.14198): learned latents read a sequence of any length.
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::attention::{attend, merge_heads, split_heads};
use crate::kernels::Activation;
use crate::nn::linear::{FewBits, Linear, LinearConfig};

/// Sizes of a [`Perceiver`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerceiverConfig {
    /// Channels of the sequence that is read.
    pub context: usize,
    /// Channels of the latents.
    pub dim: usize,
    /// Number of latents.
    pub latents: usize,
    pub layers: usize,
    pub heads: usize,
    pub head_dim: usize,
    /// Inner channels of the feed-forward network.
    pub hidden: usize,
}

impl PerceiverConfig {
    pub fn init(&self, device: &Device) -> Perceiver {
        let layer = || PerceiverLayer {
            query: LinearConfig::new(self.dim, self.heads * self.head_dim).with_bias(false).init(device),
            key_value: LinearConfig::new(self.dim, 2 * self.heads * self.head_dim).with_bias(false).init(device),
            out: LinearConfig::new(self.heads * self.head_dim, self.dim).with_bias(false).init(device),
            expand: LinearConfig::new(self.dim, 2 * self.hidden).init(device),
            reduce: LinearConfig::new(self.hidden, self.dim).init(device),
            heads: self.heads,
        };
        Perceiver {
            latents: Initializer::Zeros.init([self.latents, self.dim], device),
            context: LinearConfig::new(self.context, self.dim).init(device),
            layers: (0..self.layers).map(|_| layer()).collect(),
            gamma: Initializer::Ones.init([self.dim], device),
        }
    }
}

/// Turns a sequence into a fixed number of latents. components.md 4.2.
#[derive(Module, Debug)]
pub struct Perceiver {
    latents: Param<Tensor<2>>,
    context: Linear,
    layers: Vec<PerceiverLayer>,
    gamma: Param<Tensor<1>>,
}

impl Perceiver {
    /// With the weights of its linear layers in few bits.
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        let layer = |layer: PerceiverLayer| PerceiverLayer {
            query: layer.query.quantize(few),
            key_value: layer.key_value.quantize(few),
            out: layer.out.quantize(few),
            expand: layer.expand.quantize(few),
            reduce: layer.reduce.quantize(few),
            ..layer
        };
        let context = self.context.quantize(few);
        Self { context, layers: self.layers.into_iter().map(layer).collect(), ..self }
    }

    /// `[batch, time, context]` -> `[batch, latents, dim]`.
    pub fn forward(&self, sequence: Tensor<3>) -> Tensor<3> {
        let context = self.context.forward(sequence);
        let latents = self.latents.val().unsqueeze::<3>().repeat_dim(0, context.dims()[0]);
        let latents = self.layers.iter().fold(latents, |latents, layer| layer.forward(latents, context.clone()));
        l2_norm(latents) * self.gamma.val().unsqueeze()
    }
}

/// `x / max(|x|, 1e-12) * sqrt(channels)`: a length normalisation, unlike the mean-square norm with its epsilon inside.
fn l2_norm(x: Tensor<3>) -> Tensor<3> {
    let channels = x.dims()[2] as f32;
    let length = x.clone().powi_scalar(2).sum_dim(2).sqrt().clamp_min(1e-12);
    x / length * channels.sqrt()
}

#[derive(Module, Debug)]
struct PerceiverLayer {
    query: Linear,
    key_value: Linear,
    out: Linear,
    expand: Linear,
    reduce: Linear,
    heads: usize,
}

impl PerceiverLayer {
    /// Latents `[batch, latents, dim]`, context `[batch, time, dim]` -> latents. No norms: the layer is not pre-norm.
    fn forward(&self, latents: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        // Latents are keys too, ahead of the context.
        let both = Tensor::cat(vec![latents.clone(), context], 1);
        let query = split_heads(self.query.forward(latents.clone()), self.heads);
        let [key, value] = halves(self.key_value.forward(both)).map(|x| split_heads(x, self.heads));
        let latents = self.out.forward_add(merge_heads(attend(query, key, value, None)), latents);
        // GEGLU (arXiv:2002.05202) with the gate in the second half.
        let [value, gate] = halves(self.expand.forward(latents.clone()));
        self.reduce.forward_add(value * Activation::Gelu.forward(gate), latents)
    }
}

/// The first and second half of the channels.
fn halves(x: Tensor<3>) -> [Tensor<3>; 2] {
    let [_, _, channels] = x.dims();
    [x.clone().narrow(2, 0, channels / 2), x.narrow(2, channels / 2, channels / 2)]
}
