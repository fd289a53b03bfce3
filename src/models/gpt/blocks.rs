//! GPT-2's transformer block (Radford et al. 2019).
use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::kernels::Activation;
use crate::nn::attention::{attend_causal, merge_heads, split_heads, split_qkv};
use crate::nn::kv_cache::{LayerCache, StepCache};
use crate::nn::linear::{FewBits, Linear, LinearConfig};

/// Causal attention and a feed-forward network, both pre-norm and residual. components.md 6.1.
#[derive(Module, Debug)]
pub struct Block {
    attention_norm: LayerNorm,
    qkv: Linear,
    out: Linear,
    feed_forward_norm: LayerNorm,
    expand: Linear,
    reduce: Linear,
    heads: usize,
}

impl Block {
    pub(super) fn new(dim: usize, heads: usize, device: &Device) -> Self {
        Self {
            attention_norm: LayerNormConfig::new(dim).init(device),
            qkv: LinearConfig::new(dim, 3 * dim).init(device),
            out: LinearConfig::new(dim, dim).init(device),
            feed_forward_norm: LayerNormConfig::new(dim).init(device),
            expand: LinearConfig::new(dim, 4 * dim).init(device),
            reduce: LinearConfig::new(4 * dim, dim).init(device),
            heads,
        }
    }

    /// With its weights in few bits.
    pub(super) fn quantize(self, few: FewBits<'_>) -> Self {
        Self {
            qkv: self.qkv.quantize(few),
            out: self.out.quantize(few),
            expand: self.expand.quantize(few),
            reduce: self.reduce.quantize(few),
            ..self
        }
    }

    /// `[batch, time, dim]` -> `[batch, time, dim]`.
    ///
    /// An empty cache is filled with what `x` holds.
    pub fn forward(&self, x: Tensor<3>, cache: Option<&mut LayerCache>) -> Tensor<3> {
        let qkv = self.qkv.forward(self.attention_norm.forward(x.clone()));
        let [query, key, value] = split_qkv(qkv, self.heads);
        if let Some(cache) = cache {
            assert!(cache.is_empty(), "a filled cache is continued by `step`");
            cache.append(key.clone(), value.clone());
        }
        self.finish(x, merge_heads(attend_causal(query, key, value)))
    }

    /// The attention of the rows of `x` `[batch, time, dim]` from `from` on to all before them and themselves, in the first
    /// `heads` heads: `[batch, heads, time - from, time]`.
    pub fn attention_weights(&self, x: Tensor<3>, heads: usize, from: usize) -> Tensor<4> {
        let [_, time, dim] = x.dims();
        let qkv = self.qkv.forward(self.attention_norm.forward(x));
        let part = |i: usize| split_heads(qkv.clone().narrow(2, i * dim, dim), self.heads).narrow(1, 0, heads);
        let (query, key) = (part(0).narrow(2, from, time - from), part(1));
        let size = query.dims()[3];
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f32).sqrt();
        let hidden: Vec<f32> = (from..time)
            .flat_map(|row| (0..time).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 }))
            .collect();
        let hidden = Tensor::<2>::from_data(TensorData::new(hidden, [time - from, time]), &scores.device());
        softmax(scores + hidden.unsqueeze(), 3)
    }

    /// One token of every sequence of every cache, in their order: `[sequences, 1, dim]` to the same. Each cache comes with the
    /// number of its sequences.
    pub fn step(&self, x: Tensor<3>, caches: Vec<(usize, StepCache<'_>)>) -> Tensor<3> {
        let qkv = self.qkv.forward(self.attention_norm.forward(x.clone()));
        let mut first = 0;
        let attended = caches.into_iter().map(|(count, mut cache)| {
            let part = qkv.clone().narrow(0, first, count);
            first += count;
            cache.attend(part, self.heads)
        });
        let attended = Tensor::cat(attended.collect(), 0);
        self.finish(x, attended)
    }

    /// What follows attention.
    fn finish(&self, x: Tensor<3>, attended: Tensor<3>) -> Tensor<3> {
        let x = self.out.forward_add(attended, x);
        let normed = self.feed_forward_norm.forward(x.clone());
        self.reduce.forward_add(self.expand.forward_then(normed, Activation::GeluTanh), x)
    }
}
