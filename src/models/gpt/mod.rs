//! The autoregressive network: from speaker, emotion and text to speech codes (UnifiedVoice).
//!
//! components.md 5 and 6, pipeline.md 2.6 and 2.7.
mod blocks;
mod conditioning;
mod config;

use burn::module::Module;
use burn::nn::{Embedding, LayerNorm};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

pub use blocks::Block;
pub use conditioning::{EmotionEncoder, LatentSpeaker, SpeakerEncoder, VectorSpeaker};
pub use config::{Alignment, Conditioning, EncoderConfig, GptConfig};

use crate::kernels::in_pool;
use crate::nn::kv_cache::KvCache;
use crate::nn::linear::{FewBits, Linear};
use crate::{Error, Result};

/// GPT-2 over `[conditioning, text, codes]`, with its own embeddings and position tables for text and codes.
#[derive(Module, Debug)]
pub struct Gpt {
    pub speaker: SpeakerEncoder,
    pub emotion: EmotionEncoder,
    text_embedding: Embedding,
    text_positions: Embedding,
    code_embedding: Embedding,
    code_positions: Embedding,
    pub blocks: Vec<Block>,
    pub norm: LayerNorm,
    head_norm: LayerNorm,
    head: Linear,
    #[module(skip)]
    alignment: Option<Alignment>,
    #[module(skip)]
    tokens: Tokens,
}

/// Ids with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    pub start_text: u32,
    pub stop_text: u32,
    pub start_code: u32,
    pub stop_code: u32,
}

/// What is fed to the sequences of one cache in a step.
#[derive(Debug)]
pub struct Step<'a> {
    /// One for each sequence.
    pub codes: &'a [u32],
    /// Row of the position table, of all of them.
    pub position: usize,
    pub cache: &'a mut KvCache,
}

impl Gpt {
    /// Ids with a meaning of their own.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// With the weights of its blocks and its head in few bits, and of the encoders of a clip, whose errors every code would
    /// hear, in eight; norms and embeddings stay as they are.
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        // The largest weights first, which for a moment are in memory as they were: nothing else is there yet.
        let (speaker, emotion) = (self.speaker.quantize(few.eight()), self.emotion.quantize(few.eight()));
        let blocks = self.blocks.into_iter().map(|block| block.quantize(few)).collect();
        Self { speaker, emotion, blocks, head: self.head.quantize(few), ..self }
    }

    /// With its tables of tokens and of codes in half precision, half of their memory; their rows are widened.
    pub fn halve_tables(self) -> Self {
        let half = |Embedding { weight }: Embedding| Embedding { weight: weight.map(|rows| rows.cast(DType::F16)) };
        Self { text_embedding: half(self.text_embedding), code_embedding: half(self.code_embedding), ..self }
    }

    /// Size of the code vocabulary, start and stop included.
    pub fn codes(&self) -> usize {
        self.code_embedding.weight.shape()[0]
    }

    /// Rows of the code position table; positions lie below it.
    pub fn code_positions(&self) -> usize {
        self.code_positions.weight.shape()[0]
    }

    /// From states to the logits of codes.
    pub fn head(&self) -> &Linear {
        &self.head
    }

    /// An empty cache for decoding with this network.
    pub fn cache(&self) -> KvCache {
        KvCache::new(self.blocks.len()).kept_as(self.head.half())
    }

    /// The prompt up to the start of speech: `conditioning` `[1, rows, dim]` and a text -> `[1, rows + text + 2, dim]`.
    ///
    /// Start and stop are added here; their ids inside `text` are dropped, as the reference does (in 2.5 they are
    /// ordinary tokens of the vocabulary, lost all the same). `language` is the row of the language table in 2.5.
    ///
    /// # Errors
    /// [`Error::Input`] for an id outside the vocabulary, a text longer than the position table, or a language that is
    /// missing, unknown, or given to a model that has none.
    pub fn prefix(&self, conditioning: Tensor<3>, text: &[u32], language: Option<usize>) -> Result<Tensor<3>> {
        let Tokens { start_text, stop_text, .. } = self.tokens;
        let kept: Vec<u32> = text.iter().copied().filter(|id| ![start_text, stop_text].contains(id)).collect();
        Ok(Tensor::cat(vec![conditioning, self.text_rows(&kept, language)?], 1))
    }

    /// Fills an empty `cache` with `prefix` `[1, rows, dim]` and the start code; returns the logits of the first code,
    /// `[1, codes]`.
    pub fn prefill(&self, prefix: Tensor<3>, cache: &mut KvCache) -> Tensor<2> {
        let start = self.code_rows(&[self.tokens.start_code], 0, &prefix.device());
        self.last_logits(Tensor::cat(vec![prefix, start], 1), cache)
    }

    /// Feeds one code per sequence held in `cache`, all at row `position` of the position table; returns the logits of
    /// the next codes, `[sequences, codes]`.
    pub fn step(&self, codes: &[u32], position: usize, cache: &mut KvCache) -> Tensor<2> {
        self.step_together(vec![Step { codes, position, cache }])
    }

    /// As [`step`](Self::step), for several caches of any lengths in one pass over the weights: the logits of the first one's
    /// sequences, then those of the next.
    pub fn step_together(&self, mut steps: Vec<Step<'_>>) -> Tensor<2> {
        let device = self.head.device();
        let run = || {
            let rows = steps.iter().map(|Step { codes, position, .. }| {
                let position = self.code_positions.weight.val().narrow(0, *position, 1).unsqueeze::<3>();
                let ids = Tensor::<1, Int>::from_data(ids(codes), &device).unsqueeze_dim(1);
                rows_of(&self.code_embedding, ids) + position
            });
            let mut x = Tensor::cat(rows.collect(), 0);
            let mut caches: Vec<_> = steps.iter_mut().map(|step| (step.codes.len(), step.cache.step())).collect();
            for block in &self.blocks {
                let layers = caches.iter_mut().filter_map(|(count, layers)| Some((*count, layers.next()?)));
                x = block.step(x, layers.collect());
            }
            self.head.forward(self.output_norm(x)).squeeze_dim(1)
        };
        in_pool(&device, run)
    }

    /// The state that predicts each of `codes`: `[1, codes, dim]`, the input of 2.0's `gpt_layer`. pipeline.md 2.7.
    ///
    /// Unlike [`prefix`](Self::prefix) this keeps start and stop ids inside the text, and positions are contiguous.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`prefix`](Self::prefix), and for no codes, too many, or impossible ones.
    pub fn latent(&self, conditioning: Tensor<3>, text: &[u32], codes: &[u32]) -> Result<Tensor<3>> {
        let wrong = |got: String, expected: String| Err(Error::Input { name: "speech codes".into(), got, expected });
        if codes.is_empty() || codes.len() > self.code_positions() {
            return wrong(format!("{} codes", codes.len()), format!("1 to {}", self.code_positions()));
        }
        if let Some(code) = codes.iter().find(|c| **c as usize >= self.codes()) {
            return wrong(format!("code {code}"), format!("codes below {}", self.codes()));
        }
        let text = self.text_rows(text, None)?;
        // The last code predicts nothing that is wanted, and causal rows do not see what follows: it is left out.
        let mut input = vec![self.tokens.start_code];
        input.extend(&codes[..codes.len() - 1]);
        let speech = self.code_rows(&input, 0, &conditioning.device());
        let x = Tensor::cat(vec![conditioning, text, speech], 1);
        Ok(in_pool(&x.device(), || {
            let x = self.blocks.iter().fold(x, |x, block| block.forward(x, None));
            let rows = x.dims()[1];
            self.output_norm(x.narrow(1, rows - codes.len(), codes.len()))
        }))
    }

    /// How much of its attention each code gave to each token of the text when it was predicted, `[codes, text]`: the mean
    /// over the heads that were trained to look where the text is spoken; `None` if the model has none.
    ///
    /// `prefix` `[1, rows, dim]` is that of [`prefix`](Self::prefix), of a text of which `text` tokens are kept. Code `k`,
    /// from 1, has row `first + k - 1` of the position table, as in decoding.
    pub fn attention_to_text(&self, prefix: Tensor<3>, text: usize, codes: &[u32], first: usize) -> Option<Tensor<2>> {
        let Alignment { layers, heads } = self.alignment.as_ref()?;
        let (last, rows) = (layers.iter().max()?, prefix.dims()[1]);
        let spoken = codes.split_last().map_or(&[][..], |(_, before)| before);
        let device = prefix.device();
        let mut parts = vec![prefix, self.code_rows(&[self.tokens.start_code], 0, &device)];
        if !spoken.is_empty() {
            parts.push(self.code_rows(spoken, first, &device));
        }
        let mut x = Tensor::cat(parts, 1);
        let mut sum: Option<Tensor<2>> = None;
        for (layer, block) in self.blocks.iter().enumerate().take(last + 1) {
            if layers.contains(&layer) {
                // Behind the text comes its stop token.
                let seen = block.attention_weights(x.clone(), *heads, rows).narrow(3, rows - 1 - text, text);
                let seen = seen.mean_dim(1).reshape([codes.len(), text]);
                sum = Some(match sum {
                    Some(sum) => sum + seen,
                    None => seen,
                });
            }
            x = block.forward(x, None);
        }
        sum.map(|sum| sum / layers.len() as f32)
    }

    /// Logits of every row: `[batch, time, dim]` of embedded prompt and codes -> `[batch, time, codes]`. Without cache,
    /// for comparisons.
    pub fn logits(&self, embedded: Tensor<3>) -> Tensor<3> {
        let x = self.blocks.iter().fold(embedded, |x, block| block.forward(x, None));
        self.head.forward(self.output_norm(x))
    }

    /// Embedded codes at rows `position..` of the position table: `[1, codes, dim]`.
    pub fn code_rows(&self, codes: &[u32], position: usize, device: &Device) -> Tensor<3> {
        let positions = self.code_positions.weight.val().narrow(0, position, codes.len()).unsqueeze();
        rows_of(&self.code_embedding, Tensor::<1, Int>::from_data(ids(codes), device).unsqueeze()) + positions
    }

    /// `[start, text, stop]` with positions and, in 2.5, the language on every row: `[1, text + 2, dim]`.
    fn text_rows(&self, text: &[u32], language: Option<usize>) -> Result<Tensor<3>> {
        let (tokens, positions) = (self.text_embedding.weight.shape()[0], self.text_positions.weight.shape()[0]);
        let wrong = |name: &str, got: String, expected: String| Err(Error::Input { name: name.into(), got, expected });
        if let Some(id) = text.iter().find(|id| **id as usize >= tokens) {
            return wrong("text token", id.to_string(), format!("an id below {tokens}"));
        }
        if text.len() + 2 > positions {
            let got = format!("{} tokens", text.len());
            return wrong("text segment", got, format!("at most {} tokens; split it", positions - 2));
        }
        let mut all = vec![self.tokens.start_text];
        all.extend(text);
        all.push(self.tokens.stop_text);
        let device = self.head.device();
        let rows = rows_of(&self.text_embedding, Tensor::<1, Int>::from_data(ids(&all), &device).unsqueeze());
        let rows = rows + self.text_positions.weight.val().narrow(0, 0, all.len()).unsqueeze();
        match (&self.speaker, language) {
            (SpeakerEncoder::Latents(_), None) => Ok(rows),
            (SpeakerEncoder::Latents(_), Some(row)) => {
                wrong("language", row.to_string(), "none: this model has no language table".into())
            }
            (SpeakerEncoder::Vector(speaker), row) => {
                let table = speaker.languages.weight.val();
                match row.filter(|row| *row < table.dims()[0]) {
                    Some(row) => Ok(rows + table.narrow(0, row, 1).unsqueeze()),
                    None => wrong("language", format!("{row:?}"), format!("a row below {}", table.dims()[0])),
                }
            }
        }
    }

    /// Logits of the last row, `[batch, codes]`.
    fn last_logits(&self, x: Tensor<3>, cache: &mut KvCache) -> Tensor<2> {
        in_pool(&x.device(), || {
            let x =
                self.blocks.iter().zip(cache.layers_mut()).fold(x, |x, (block, layer)| block.forward(x, Some(layer)));
            let rows = x.dims()[1];
            self.head.forward(self.output_norm(x.narrow(1, rows - 1, 1))).squeeze_dim(1)
        })
    }

    /// GPT-2's own last norm, then the model's: two in a row, for logits and latents alike.
    fn output_norm(&self, x: Tensor<3>) -> Tensor<3> {
        self.head_norm.forward(self.norm.forward(x))
    }
}

/// `[batch, time]` to rows `[batch, time, dim]` of a table, in f32 whatever it is kept in.
fn rows_of(table: &Embedding, ids: Tensor<2, Int>) -> Tensor<3> {
    table.forward(ids).cast(DType::F32)
}

fn ids(ids: &[u32]) -> TensorData {
    TensorData::new(ids.iter().map(|&id| i64::from(id)).collect(), [ids.len()])
}
