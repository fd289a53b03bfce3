//! One transformer block: self-attention with rotary positions and a SwiGLU feed-forward, both conditioned on the time.
use burn::prelude::*;
use burn::tensor::module::attention as composed;

use super::DitConfig;
use crate::kernels::{attention, swiglu};
use crate::nn::adaptive_norm::AdaptiveNorm;
use crate::nn::linear::{Linear, LinearConfig};
use crate::nn::rotary::Rotary;

#[derive(Module, Debug)]
pub struct Block {
    /// Merges the output of the mirrored early block; late blocks only (U-ViT, Bao et al. 2022).
    skip: Option<Linear>,
    attention_norm: AdaptiveNorm,
    attention: Attention,
    ffn_norm: AdaptiveNorm,
    ffn: FeedForward,
}

#[derive(Module, Debug)]
pub struct Attention {
    qkv: Linear,
    output: Linear,
    heads: usize,
}

#[derive(Module, Debug)]
pub struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    pub fn new(config: &DitConfig, index: usize, device: &Device) -> Self {
        let hidden = config.hidden;
        let unbiased = |i, o| LinearConfig::new(i, o).with_bias(false).init(device);
        Self {
            skip: (index > config.layers / 2).then(|| LinearConfig::new(2 * hidden, hidden).init(device)),
            attention_norm: AdaptiveNorm::new(hidden, hidden, device),
            attention: Attention {
                qkv: unbiased(hidden, 3 * hidden),
                output: unbiased(hidden, hidden),
                heads: config.heads,
            },
            ffn_norm: AdaptiveNorm::new(hidden, hidden, device),
            ffn: FeedForward {
                gate: unbiased(hidden, config.ffn),
                up: unbiased(hidden, config.ffn),
                down: unbiased(config.ffn, hidden),
            },
        }
    }

    /// `x` `[batch, time, hidden]` under the time embedding `time` `[batch or 1, hidden]`; takes the output of its
    /// mirrored block from `skips` if it has a skip input. `padding` `[batch, 1, 1, time]` is true on keys to ignore.
    pub fn forward(
        &self,
        mut x: Tensor<3>,
        skips: &mut Vec<Tensor<3>>,
        time: &Tensor<2>,
        rotary: &Rotary,
        padding: Option<&Tensor<4, Bool>>,
    ) -> Tensor<3> {
        if let Some((merge, skip)) = self.skip.as_ref().and_then(|merge| Some((merge, skips.pop()?))) {
            x = merge.forward(Tensor::cat(vec![x, skip], 2));
        }
        let normed = self.attention_norm.forward(x.clone(), time.clone());
        let x = self.attention.output.forward_add(self.attention.mix(normed, rotary, padding), x);
        let normed = self.ffn_norm.forward(x.clone(), time.clone());
        self.ffn.down.forward_add(self.ffn.inner(normed), x)
    }

    /// The attention branch alone: `[batch, time, hidden]` to the same.
    pub fn attend(
        &self,
        x: Tensor<3>,
        time: &Tensor<2>,
        rotary: &Rotary,
        padding: Option<&Tensor<4, Bool>>,
    ) -> Tensor<3> {
        let normed = self.attention_norm.forward(x, time.clone());
        self.attention.output.forward(self.attention.mix(normed, rotary, padding))
    }
}

impl Attention {
    /// Everything before the output layer.
    fn mix(&self, x: Tensor<3>, rotary: &Rotary, padding: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        let [batch, time, hidden] = x.dims();
        let heads = self.heads;
        // Queries and keys are rotated together.
        let qkv = rotary.apply_to_heads(self.qkv.forward(x), 2 * heads);
        let qkv = qkv.reshape([batch, time, 3 * heads, hidden / heads]);
        let part = |i: usize| qkv.clone().narrow(2, i * heads, heads).swap_dims(1, 2);
        let (query, key, value) = (part(0), part(1), part(2));
        let mixed = match padding {
            None => attention(query, key, value, None, None, false),
            Some(padding) => {
                let mask = padding.clone().expand([batch, heads, time, time]);
                composed(query, key, value, Some(mask), None, Default::default())
            }
        };
        mixed.swap_dims(1, 2).reshape([batch, time, hidden])
    }
}

impl FeedForward {
    /// Everything before the output layer.
    fn inner(&self, x: Tensor<3>) -> Tensor<3> {
        swiglu(self.gate.forward(x.clone()), self.up.forward(x))
    }
}
