//! Qwen3: the language model that reads an emotion in a text.
//!
//! Source: network specification 11; Qwen3 technical report (arXiv:2505.09388).
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::kernels::swiglu;
use crate::nn::attention::{attend_cached, attend_causal, merge_heads};
use crate::nn::kv_cache::{KvCache, LayerCache};
use crate::nn::linear::{FewBits, Linear, LinearConfig};
use crate::readback::values;

/// Sizes of [`Qwen`] and how its answers are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QwenConfig {
    pub vocabulary: usize,
    pub hidden_size: usize,
    pub feed_forward: usize,
    pub layers: usize,
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / key_value_heads` query heads.
    pub key_value_heads: usize,
    pub head_size: usize,
    pub rope_base: f64,
    pub norm_epsilon: f64,
    pub do_sample: bool,
    pub temperature: f64,
    pub top_k: usize,
    pub top_p: f64,
}

/// A decoder-only transformer whose output layer is its embedding.
#[derive(Module, Debug)]
pub struct Qwen {
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    heads: usize,
    key_value_heads: usize,
    head_size: usize,
    rope_base: f64,
}

#[derive(Module, Debug)]
struct Layer {
    attention_norm: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    feed_forward_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// Cosines and sines of the positions of one call, `[1, 1, time, head_size]`.
struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl QwenConfig {
    pub fn init(&self, device: &Device) -> Qwen {
        let linear = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        let norm = |size| RmsNormConfig::new(size).with_epsilon(self.norm_epsilon).init(device);
        let (d, size) = (self.hidden_size, self.head_size);
        let layer = |_| Layer {
            attention_norm: norm(d),
            query: linear(d, self.heads * size),
            key: linear(d, self.key_value_heads * size),
            value: linear(d, self.key_value_heads * size),
            output: linear(self.heads * size, d),
            query_norm: norm(size),
            key_norm: norm(size),
            feed_forward_norm: norm(d),
            gate: linear(d, self.feed_forward),
            up: linear(d, self.feed_forward),
            down: linear(self.feed_forward, d),
        };
        Qwen {
            embedding: EmbeddingConfig::new(self.vocabulary, d).init(device),
            layers: (0..self.layers).map(layer).collect(),
            norm: norm(d),
            heads: self.heads,
            key_value_heads: self.key_value_heads,
            head_size: size,
            rope_base: self.rope_base,
        }
    }
}

impl Qwen {
    /// With the weights of its layers in few bits; norms and the embedding, which is also its head, stay as they are.
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        let layer = |layer: Layer| Layer {
            query: layer.query.quantize(few),
            key: layer.key.quantize(few),
            value: layer.value.quantize(few),
            output: layer.output.quantize(few),
            gate: layer.gate.quantize(few),
            up: layer.up.quantize(few),
            down: layer.down.quantize(few),
            ..layer
        };
        Self { layers: self.layers.into_iter().map(layer).collect(), ..self }
    }

    /// An empty cache for this network.
    pub fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    /// The states after each layer, then the normalised last one, for `ids` that follow what `cache` holds (nothing, or
    /// a single further id): each `[1, time, hidden]`.
    pub fn states(&self, ids: &[u32], cache: &mut KvCache) -> Vec<Tensor<3>> {
        let device = self.embedding.weight.device();
        let row: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let row: Tensor<2, Int> = Tensor::from_data(TensorData::new(row, [1, ids.len()]), &device);
        let rotation = self.rotation(cache.len(), ids.len(), &device);
        let mut x = self.embedding.forward(row);
        let mut states = Vec::with_capacity(self.layers.len() + 1);
        for (layer, cache) in self.layers.iter().zip(cache.layers_mut()) {
            x = self.layer(layer, x, &rotation, cache);
            states.push(x.clone());
        }
        states.push(self.norm.forward(x));
        states
    }

    /// Logits `[1, time, vocabulary]` of normalised states `[1, time, hidden]`.
    pub fn logits(&self, states: Tensor<3>) -> Tensor<3> {
        states.matmul(self.embedding.weight.val().transpose().unsqueeze())
    }

    /// Logits of the id that follows, for `ids` that follow what `cache` holds: `[vocabulary]` on the host.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub async fn next(&self, ids: &[u32], cache: &mut KvCache) -> Result<Vec<f32>> {
        let states = self.states(ids, cache).pop();
        let last = states.map(|s| s.narrow(1, ids.len() - 1, 1));
        match last {
            Some(last) => values(self.logits(last)).await,
            None => Ok(Vec::new()),
        }
    }

    fn layer(&self, layer: &Layer, x: Tensor<3>, rotation: &Rotation, cache: &mut LayerCache) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let split = |x: Tensor<3>, heads| x.reshape([batch, time, heads, self.head_size]);
        let y = layer.attention_norm.forward(x.clone());
        let query = layer.query_norm.forward(split(layer.query.forward(y.clone()), self.heads)).swap_dims(1, 2);
        let key = layer.key_norm.forward(split(layer.key.forward(y.clone()), self.key_value_heads)).swap_dims(1, 2);
        let value = split(layer.value.forward(y), self.key_value_heads).swap_dims(1, 2);
        let first = cache.is_empty();
        let (keys, values) = cache.append(rotation.apply(key), value);
        let (keys, values) = (self.share(keys), self.share(values));
        let query = rotation.apply(query);
        let y = if first { attend_causal(query, keys, values) } else { attend_cached(query, keys, values) };
        let x = layer.output.forward_add(merge_heads(y), x);
        let y = layer.feed_forward_norm.forward(x.clone());
        let gated = swiglu(layer.gate.forward(y.clone()), layer.up.forward(y));
        layer.down.forward_add(gated, x)
    }

    /// Each head of keys or values for all of its query heads.
    fn share(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, time, size] = x.dims();
        let times = self.heads / self.key_value_heads;
        x.unsqueeze_dim::<5>(2).repeat_dim(2, times).reshape([batch, heads * times, time, size])
    }

    fn rotation(&self, start: usize, time: usize, device: &Device) -> Rotation {
        let half = self.head_size / 2;
        let angle = |position: usize, i: usize| {
            position as f64 / self.rope_base.powf(2.0 * (i % half) as f64 / self.head_size as f64)
        };
        let table = |f: fn(f64) -> f64| {
            let row = |p: usize| (0..self.head_size).map(move |i| f(angle(p, i)) as f32);
            let values: Vec<f32> = (start..start + time).flat_map(row).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, time, self.head_size]), device)
        };
        Rotation { cos: table(f64::cos), sin: table(f64::sin) }
    }
}

impl Rotation {
    /// Rotates the first half of each head against the second, `[batch, heads, time, head_size]`.
    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (low, high) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
        x * self.cos.clone() + Tensor::cat(vec![high.neg(), low], 3) * self.sin.clone()
    }
}
