//! How much a stage has to do: operations and bytes that no implementation of its networks gets around.
//!
//! Counted are products, convolutions and attention, two operations for a multiplication and its addition, and bytes of
//! weights and caches, each once for a pass over the network. What works on single vectors (time embeddings, modulation)
//! is left out: it is less than a thousandth.
use std::ops::{Add, Mul};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::config::{CodecConfig, ModelConfig};
use crate::kernels::Bits;
use crate::models::bigvgan::BigVganConfig;
use crate::models::campplus::CamPlusConfig;
use crate::models::codec::CodecSizes;
use crate::models::gpt::{Conditioning, EncoderConfig, GptConfig};
use crate::models::s2mel::S2MelConfig;
use crate::models::w2v_bert::W2vBertConfig;

/// Work done, or to do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes of weights and caches that are read.
    pub bytes: f64,
    /// Steps of a loop: codes of the GPT, steps of the flow matching.
    pub steps: usize,
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { flops: self.flops + other.flops, bytes: self.bytes + other.bytes, steps: self.steps + other.steps }
    }
}

impl Mul<usize> for Work {
    type Output = Self;

    fn mul(self, times: usize) -> Self {
        Self { flops: self.flops * times as f64, bytes: self.bytes * times as f64, steps: self.steps * times }
    }
}

/// Bytes of the weights of each network, as they are kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WeightBytes {
    pub w2v_bert: f64,
    pub codec: f64,
    pub campplus: f64,
    /// Of the blocks.
    pub gpt_blocks: f64,
    pub gpt_head: f64,
    /// Of the encoders of speaker and emotion.
    pub gpt_encoders: f64,
    pub regulator: f64,
    pub projection: f64,
    pub dit: f64,
    pub vocoder: f64,
}

/// Bytes of all parameters of `module`.
pub(crate) fn bytes_of<M: Module>(module: &M) -> f64 {
    let mut sum = ByteSum::default();
    module.visit(&mut sum);
    sum.0 as f64
}

/// Weights that `loaded` keeps in few bits, of which a module shows nothing: those of its linear layers that are empty
/// there and not in `plain`, the same network before it was loaded.
pub(crate) fn quantized_elements<M: Module>(plain: &M, loaded: &M) -> usize {
    let weights = |module: &M| {
        let mut found = LinearWeights::default();
        module.visit(&mut found);
        found.elements
    };
    weights(plain).into_iter().zip(weights(loaded)).filter(|(_, left)| *left == 0).map(|(elements, _)| elements).sum()
}

#[derive(Default)]
struct LinearWeights {
    /// Of each linear layer's weight, in the order of the module.
    elements: Vec<usize>,
    /// Of the modules around, the name and whether it belongs to a linear layer.
    path: Vec<(String, bool)>,
}

impl ModuleVisitor for LinearWeights {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.into(), container == "Struct:Linear"));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.last().is_some_and(|(name, linear)| *linear && name == "weight") {
            self.elements.push(param.lazy_shape().num_elements());
        }
    }
}

#[derive(Default)]
struct ByteSum(usize);

impl ModuleVisitor for ByteSum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        self.0 += weight.shape().num_elements() * weight.dtype().size();
    }
}

/// Bytes of a weight of `elements` in few bits: groups of 32 share a scale of four bytes.
pub(crate) fn quantized_bytes(elements: usize, bits: Bits) -> f64 {
    let of_one = match bits {
        Bits::Eight => 1.0,
        Bits::Four => 0.5,
    };
    // A scale of half precision for 32 of them.
    elements as f64 * (of_one + 2.0 / 32.0)
}

/// The work of one model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Works<'a> {
    pub config: &'a ModelConfig,
    pub bytes: &'a WeightBytes,
}

impl Works<'_> {
    /// Content features of `frames`.
    pub fn w2v_bert(&self, frames: usize) -> Work {
        work(w2v_bert(&self.config.w2v_bert, frames as f64), self.bytes.w2v_bert)
    }

    /// The style of `frames` of filterbank.
    pub fn campplus(&self, frames: usize) -> Work {
        work(campplus(&self.config.campplus, frames as f64), self.bytes.campplus)
    }

    /// Latents of a speaker's features and of the emotions of `emotions` clips, all of `frames`.
    pub fn latents(&self, frames: usize, emotions: usize) -> Work {
        let gpt = &self.config.gpt;
        let emotion = encoder(&gpt.emotion, frames) + (gpt.emotion.perceiver.dim * gpt.dim + gpt.dim * gpt.dim) as f64;
        let speaker = match &gpt.conditioning {
            Conditioning::Latents(config) => encoder(config, frames),
            Conditioning::Vector { style, .. } => (style * gpt.dim) as f64,
        };
        work(speaker + emotions as f64 * emotion, self.bytes.gpt_encoders)
    }

    /// The prompt of the flow matching: `frames` of content to `mel` frames.
    pub fn prompt(&self, frames: usize, mel: usize) -> Work {
        let quantized = match &self.config.codec {
            CodecConfig::Semantic(codec) => {
                work(backbone(&codec.0, frames) + quantize(&codec.0, frames), self.bytes.codec)
            }
            CodecConfig::Decoder(_) => Work::default(),
        };
        quantized + self.regulator(frames, mel)
    }

    /// The GPT reads `rows` and gives the logits of the last.
    pub fn prefill(&self, rows: usize) -> Work {
        let gpt = &self.config.gpt;
        let blocks = blocks(gpt, rows as f64, causal(rows));
        work(blocks + head(gpt), self.bytes.gpt_blocks + self.bytes.gpt_head)
    }

    /// `beams` sequences of `before` rows are continued until they have `after`.
    pub fn decode(&self, beams: usize, before: usize, after: usize) -> Work {
        let gpt = &self.config.gpt;
        let steps = after.saturating_sub(before);
        let keys = (causal(after) - causal(before)) * beams as f64;
        let rows = (steps * beams) as f64;
        let cache = 2.0 * 4.0 * keys * (gpt.layers * gpt.dim) as f64;
        let weights = (self.bytes.gpt_blocks + self.bytes.gpt_head) * steps as f64;
        Work { steps, ..work(blocks(gpt, rows, keys) + rows * head(gpt), weights + cache) }
    }

    /// Features of `codes` behind `prefix` rows of conditioning and text, regulated to `frames`.
    pub fn content(&self, prefix: usize, codes: usize, frames: usize) -> Work {
        let gpt = &self.config.gpt;
        match &self.config.codec {
            CodecConfig::Semantic(codec) => {
                let embedded = (codes * codec.0.codebook_dim * codec.0.hidden_size) as f64;
                let latent = match &self.config.s2mel.gpt_projection {
                    Some(projection) => {
                        let rows = prefix + codes;
                        let layers: f64 = projection.sizes.windows(2).map(|pair| (pair[0] * pair[1]) as f64).sum();
                        work(blocks(gpt, rows as f64, causal(rows)), self.bytes.gpt_blocks)
                            + work(codes as f64 * layers, self.bytes.projection)
                    }
                    None => Work::default(),
                };
                work(embedded, 0.0) + latent + self.regulator(codes, frames)
            }
            CodecConfig::Decoder(codec) => {
                let CodecSizes { codebook_dim, hidden_size, .. } = codec.0;
                let embedded = (codes * codebook_dim * hidden_size) as f64;
                let doubled = (2 * codes * 3 * hidden_size * hidden_size) as f64;
                work(embedded + backbone(&codec.0, codes) + doubled, self.bytes.codec)
                    + self.regulator(2 * codes, frames)
            }
        }
    }

    fn regulator(&self, content: usize, frames: usize) -> Work {
        let config = &self.config.s2mel.length_regulator;
        let (input, channels) = (config.input, config.channels);
        let smooth = (3 * config.blocks + 1) * channels * channels;
        work((content * input * channels + frames * smooth) as f64, self.bytes.regulator)
    }

    /// `steps` of the flow matching over `frames`, of which the last `new` are wanted, with guidance or without.
    pub fn flow(&self, frames: usize, new: usize, steps: usize, guided: bool) -> Work {
        let batch = if guided { 2.0 } else { 1.0 };
        let (once, step) = dit(&self.config.s2mel, frames as f64, new as f64, batch);
        let weights = self.bytes.dit * steps as f64;
        Work { steps, ..work(once + step * steps as f64, weights) }
    }

    /// The wave of `frames`.
    pub fn vocoder(&self, frames: usize) -> Work {
        work(bigvgan(&self.config.bigvgan, frames as f64), self.bytes.vocoder)
    }
}

/// `products` multiplications with their additions.
fn work(products: f64, bytes: f64) -> Work {
    Work { flops: 2.0 * products, bytes, steps: 0 }
}

/// Pairs of a row and a key at or before it.
fn causal(rows: usize) -> f64 {
    (rows * (rows + 1) / 2) as f64
}

fn w2v_bert(c: &W2vBertConfig, t: f64) -> f64 {
    let (d, f) = (c.hidden_size as f64, c.feed_forward as f64);
    let distances = (c.left_distances + c.right_distances + 1) as f64 * d;
    // Two feed-forwards, query, key, value, output, the gated convolution, its taps, and the distances.
    let frame = 4.0 * d * f + 4.0 * d * d + 3.0 * d * d + c.kernel as f64 * d + distances;
    t * c.input_size as f64 * d + c.layers as f64 * (t * frame + 2.0 * t * t * d)
}

/// ConvNeXt blocks of the codec over `time` frames.
fn backbone(c: &CodecSizes, time: usize) -> f64 {
    let block = 7 * c.width + 2 * c.width * c.feed_forward;
    (time * (7 * c.hidden_size * c.width + c.blocks * block + c.width * c.hidden_size)) as f64
}

/// Into the codebook's space, to the nearest row, and out again.
fn quantize(c: &CodecSizes, time: usize) -> f64 {
    (time * c.codebook_dim * (2 * c.hidden_size + c.codebook_size)) as f64
}

fn campplus(c: &CamPlusConfig, t: f64) -> f64 {
    // The head halves its frequencies three times.
    let bins = 8.0 * (c.head_output / c.head_channels) as f64;
    let m = c.head_channels as f64;
    let square = 9.0 * m * m;
    let stage = |blocks: usize, bins: f64| (2 * blocks) as f64 * square * bins + m * m * bins;
    let head = 9.0 * m * bins
        + stage(c.head_blocks[0], bins / 2.0)
        + stage(c.head_blocks[1], bins / 4.0)
        + square * bins / 8.0;
    let mut products = t * head + t / 2.0 * (5 * c.head_output * c.initial_channels) as f64;
    let mut channels = c.initial_channels;
    for layers in c.layers {
        for _ in 0..layers {
            let layer = channels * c.bottleneck + 3 * c.bottleneck * c.growth + c.bottleneck * c.squeeze;
            products += t / 2.0 * (layer + c.squeeze * c.growth) as f64;
            channels += c.growth;
        }
        products += t / 2.0 * (channels * (channels / 2)) as f64;
        channels /= 2;
    }
    products + (2 * channels * c.embedding_size) as f64
}

/// Conformer and perceiver over `frames` of features.
fn encoder(c: &EncoderConfig, frames: usize) -> f64 {
    let (conformer, perceiver) = (&c.conformer, &c.perceiver);
    let t = (frames.saturating_sub(1) / 2) as f64;
    let (d, width) = (conformer.dim as f64, (conformer.features.saturating_sub(1) / 2) as f64);
    // Five products of the attention with its positions, the gated convolution, its taps, the feed-forward; three halves
    // of an attention, because keys are twice as long as values.
    let frame = 8.0 * d * d + conformer.kernel as f64 * d + 2.0 * d * conformer.hidden as f64;
    let layers = conformer.layers as f64 * (t * frame + 3.0 * t * t * d);
    let subsample = t * (9.0 * d * width + d * width * d);

    let (p, latents, hidden) = (perceiver.dim as f64, perceiver.latents as f64, perceiver.hidden as f64);
    let inner = (perceiver.heads * perceiver.head_dim) as f64;
    let layer = latents * 2.0 * p * inner
        + (t + latents) * 2.0 * p * inner
        + latents * 3.0 * p * hidden
        + 2.0 * latents * (t + latents) * inner;
    subsample + layers + t * perceiver.context as f64 * p + perceiver.layers as f64 * layer
}

/// The GPT's blocks over `rows`, which look at `keys` keys in all.
fn blocks(c: &GptConfig, rows: f64, keys: f64) -> f64 {
    let d = c.dim as f64;
    c.layers as f64 * (12.0 * d * d * rows + 2.0 * d * keys)
}

fn head(c: &GptConfig) -> f64 {
    (c.dim * c.codes) as f64
}

/// What is done once for `t` frames, and in each step; the head works on the last `new` of them and what its
/// convolutions reach before.
fn dit(c: &S2MelConfig, t: f64, new: f64, batch: f64) -> (f64, f64) {
    let dit = &c.dit;
    let (h, mel, content) = (dit.hidden as f64, dit.mel_bins as f64, dit.content as f64);
    let (layers, wavenet) = (dit.layers as f64, &dit.wavenet);
    let once = batch * t * (content * h + h * h + mel * h);

    let skips = (dit.layers / 2) as f64 * 2.0 * h * h;
    let frame = layers * (4.0 * h * h + 3.0 * h * dit.ffn as f64) + skips;
    let transformer = t * mel * h + batch * (t * frame + layers * 2.0 * t * t * h);

    let reach: usize = (0..wavenet.layers)
        .map(|layer| (wavenet.kernel - 1) * wavenet.dilation_rate.pow(layer as u32))
        .map(|total| total - total / 2)
        .sum();
    let seen = (new + reach as f64).min(t);
    let gates = wavenet.layers as f64 * wavenet.kernel as f64 * 2.0 * h * h;
    let outputs = (wavenet.layers as f64 - 1.0) * 2.0 * h * h + h * h;
    let before = seen * mel * h + batch * seen * (2.0 * h * h + gates + outputs);
    (once, transformer + before + batch * new * (2.0 * h * h + h * mel))
}

fn bigvgan(c: &BigVganConfig, frames: f64) -> f64 {
    // Up and down by two with twelve taps: six for each of two samples, and twelve.
    const TAPS: f64 = 24.0;
    let mut time = frames;
    let mut channels = c.channels as f64;
    let mut products = 7.0 * c.mel_bins as f64 * channels * time;
    for (&rate, &kernel) in c.upsample_rates.iter().zip(&c.upsample_kernels) {
        products += time * channels * (channels / 2.0) * kernel as f64;
        time *= rate as f64;
        channels /= 2.0;
        for (&kernel, dilations) in c.block_kernels.iter().zip(&c.block_dilations) {
            let pair = 2.0 * (kernel as f64 * channels * channels + TAPS * channels);
            products += time * dilations.len() as f64 * pair;
        }
    }
    products + time * (TAPS * channels + 7.0 * channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations of the official sizes as PyTorch counts them in layers of the same shapes
    /// (`benches/compare/torch_stages.py --flops`), for a clip of 5 s, 100 codes and one step of the flow matching.
    #[test]
    fn operations_are_those_that_pytorch_counts() {
        let config =
            ModelConfig::parse(include_str!("../../tests/configs/model_v2.json")).expect("a valid configuration");
        let works = Works { config: &config, bytes: &WeightBytes::default() };
        let found = [
            ("w2v-bert", works.w2v_bert(249) * 2, 418_954_125_312.0),
            ("style", works.campplus(498), 5_606_295_552.0),
            ("latents", works.latents(249, 2), 117_426_601_984.0),
            ("prompt", works.prompt(249, 431), 14_221_548_544.0),
            ("content", works.content(48, 100, 172), 143_737_356_288.0),
            ("mel", works.flow(603, 603, 1, true), 198_378_541_056.0),
            ("wave", works.vocoder(172), 315_318_632_832.0),
        ];
        for (stage, work, expected) in found {
            let ratio: f64 = work.flops / expected;
            println!("{stage}: {ratio:.4}");
            assert!((ratio - 1.0).abs() < 0.02, "{stage}: {} instead of {expected}", work.flops);
        }
    }

    #[test]
    fn decoding_reads_every_weight_once_a_step_and_the_cache_of_every_beam() {
        let config =
            ModelConfig::parse(include_str!("../../tests/configs/model_v2.json")).expect("a valid configuration");
        let bytes = WeightBytes { gpt_blocks: 1000.0, gpt_head: 10.0, ..WeightBytes::default() };
        let work = Works { config: &config, bytes: &bytes }.decode(3, 50, 52);
        // Keys and values of 51 and of 52 rows, 24 layers of 1280 floats.
        let cache = (2 * 4 * 3 * (51 + 52) * 24 * 1280) as f64;
        assert_eq!(work.bytes, 2.0 * 1010.0 + cache);
        assert_eq!(work.steps, 2);
    }
}
