//! Diffusion transformer with a WaveNet head: the velocity field of the mel flow.
//!
//! Transformer: AdaLN blocks (Peebles and Xie 2022) with U-ViT skips (Bao et al. 2022). Everything that stays the same
//! over the steps of one solve is computed once, in [`Dit::context`].
mod block;
mod head;
pub mod timestep;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::block::Block;
pub use self::head::Head;
use self::timestep::TimestepEmbedder;
use crate::nn::adaptive_norm::AdaptiveNorm;
use crate::nn::linear::{Linear, LinearConfig, SplitLinear};
use crate::nn::rotary::Rotary;
use crate::nn::wavenet::WaveNetConfig;

const ROTARY_BASE: f64 = 10000.0;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DitConfig {
    pub mel_bins: usize,
    /// Channels of the length regulator's output.
    pub content: usize,
    /// Size of the speaker's style vector.
    pub style: usize,
    /// Also the hidden size of the WaveNet.
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    /// Inner size of the feed-forward.
    pub ffn: usize,
    pub wavenet: WaveNetConfig,
}

#[derive(Module, Debug)]
pub struct Dit {
    /// Time embedding of the transformer and of the final modulation.
    time: TimestepEmbedder,
    /// Time embedding of the WaveNet.
    wavenet_time: TimestepEmbedder,
    content: Linear,
    /// Reads the channels `[x, prompt, content, style]`.
    merge: SplitLinear,
    pub blocks: Vec<Block>,
    norm: AdaptiveNorm,
    /// Reads the channels `[transformer output, x]`.
    long_skip: SplitLinear,
    pub head: Head,
    mel_bins: usize,
    hidden: usize,
    heads: usize,
}

/// What stays the same over the steps of one solve.
#[derive(Debug, Clone)]
pub struct Context {
    /// The merge layer's output without the part that reads `x`; `[batch, time, hidden]`.
    merged: Tensor<3>,
    pub rotary: Rotary,
    mask: Option<Mask>,
}

#[derive(Debug, Clone)]
struct Mask {
    /// True on frames beyond the end; `[batch, 1, 1, time]`.
    padding: Tensor<4, Bool>,
    /// 0 on frames beyond the end, else 1; `[batch, time, 1]`.
    frames: Tensor<3>,
}

impl DitConfig {
    pub fn init(&self, device: &Device) -> Dit {
        let hidden = self.hidden;
        let merged = 2 * self.mel_bins + hidden + self.style;
        Dit {
            time: TimestepEmbedder::new(hidden, device),
            wavenet_time: TimestepEmbedder::new(hidden, device),
            content: LinearConfig::new(self.content, hidden).init(device),
            merge: LinearConfig::new(merged, hidden).init_split(device),
            blocks: (0..self.layers).map(|i| Block::new(self, i, device)).collect(),
            norm: AdaptiveNorm::new(hidden, hidden, device),
            long_skip: LinearConfig::new(hidden + self.mel_bins, hidden).init_split(device),
            head: Head::new(self, device),
            mel_bins: self.mel_bins,
            hidden,
            heads: self.heads,
        }
    }
}

impl Dit {
    /// Prepares a solve: the prompt's mel `[batch, time, mel_bins]` (zeros after its end), the style `[batch, style]`
    /// and the content `[batch, time, content]`. `lengths` gives the frames of each item where they differ.
    pub fn context(
        &self,
        prompt: Tensor<3>,
        style: Tensor<2>,
        content: Tensor<3>,
        lengths: Option<&[usize]>,
    ) -> Context {
        let [batch, time, mel_bins] = prompt.dims();
        let device = prompt.device();
        let style_start = 2 * mel_bins + self.hidden;
        let style_end = style_start + style.dims()[1];
        let constant = self.merge.part(style.unsqueeze_dim(1), style_start..style_end);
        let merged = self.merge.part(prompt, mel_bins..2 * mel_bins)
            + self.merge.part(self.content.forward(content), 2 * mel_bins..style_start)
            + self.merge.add_bias(constant);
        let mask = lengths.map(|lengths| {
            let frames: Vec<f32> =
                lengths.iter().flat_map(|&n| (0..time).map(move |t| f32::from(u8::from(t < n)))).collect();
            let frames = Tensor::<3>::from_data(TensorData::new(frames, [batch, time, 1]), &device);
            Mask { padding: frames.clone().equal_elem(0.0).reshape([batch, 1, 1, time]), frames }
        });
        Context { merged, rotary: Rotary::new(time, self.hidden / self.heads, ROTARY_BASE, &device), mask }
    }

    /// Velocity `[batch, time - start, mel_bins]` of the frames from `start` on, of the state `x` `[batch or 1, time,
    /// mel_bins]` at `times` (one, or one for each item of the batch). A single `x` is shared by all items of the
    /// context.
    pub fn velocity(&self, x: Tensor<3>, times: &[f32], context: &Context, start: usize) -> Tensor<3> {
        let (time, wavenet_time) = self.embed_time(times, &x.device());
        let states = self.run_blocks(self.merge(x.clone(), context), &time, context);
        // The head looks back over a few frames only, so it need not see the whole prompt.
        let first = start.saturating_sub(self.head.wavenet.lookback());
        let states = self.normalise(from(states, first), &time);
        let states = self.add_long_skip(states, from(x, first));
        let mask = context.mask.as_ref().map(|mask| mask.frames.clone().slice(s![.., first..]));
        let wave = self.head.wave(states.clone(), wavenet_time, mask.as_ref()).slice(s![.., start - first..]);
        self.head.velocity(self.head.project(from(states, start - first), wave, time))
    }

    /// The two embeddings of `times`: of the transformer and of the WaveNet, `[times, hidden]` each.
    pub fn embed_time(&self, times: &[f32], device: &Device) -> (Tensor<2>, Tensor<2>) {
        (self.time.forward(times, device), self.wavenet_time.forward(times, device))
    }

    /// The transformer's input `[batch, time, hidden]`.
    pub fn merge(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        context.merged.clone() + self.merge.part(x, 0..self.mel_bins)
    }

    /// All blocks: `[batch, time, hidden]` to the same.
    pub fn run_blocks(&self, mut x: Tensor<3>, time: &Tensor<2>, context: &Context) -> Tensor<3> {
        let mut skips = Vec::with_capacity(self.blocks.len() / 2);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &mut skips, time, &context.rotary, context.padding());
            if index < self.blocks.len() / 2 {
                skips.push(x.clone());
            }
        }
        x
    }

    /// The transformer's final norm: `[batch, time, hidden]` to the same.
    pub fn normalise(&self, x: Tensor<3>, time: &Tensor<2>) -> Tensor<3> {
        self.norm.forward(x, time.clone())
    }

    /// Adds the state `x` to the transformer's output: `[batch, time, hidden]`.
    pub fn add_long_skip(&self, states: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let skip = self.long_skip.part(x, self.hidden..self.hidden + self.mel_bins);
        self.long_skip.part(states, 0..self.hidden) + self.long_skip.add_bias(skip)
    }
}

impl Context {
    /// Keys that attention must ignore.
    pub fn padding(&self) -> Option<&Tensor<4, Bool>> {
        self.mask.as_ref().map(|m| &m.padding)
    }
}

/// The frames of `x` `[batch, time, channels]` from `start` on.
fn from(x: Tensor<3>, start: usize) -> Tensor<3> {
    x.slice(s![.., start..])
}
