//! Choosing speech codes: greedy, sampled, or by beams, over one read-back of logits per step.
mod beam;
mod options;
pub mod processors;
pub mod rng;
mod sample;

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use rand::Rng;

use self::beam::BeamSearch;
use self::sample::SingleSearch;
use crate::models::gpt::{Gpt, Step};
use crate::nn::kv_cache::KvCache;
use crate::readback::{values, wait};
use crate::{Error, Result};

pub use options::{DecodeOptions, Positions};

/// The code that the reference's made-up prompt ids consist of; it is thereby under the repetition penalty from the
/// first step. quirks.md Q3.
const PROMPT_ID: u32 = 1;

/// Speech codes of one text segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Codes {
    /// Rows of the codebook, without start and stop.
    pub codes: Vec<u32>,
    /// Whether the model ended the sequence; if not it was cut at [`DecodeOptions::max_codes`].
    pub stopped: bool,
    /// Log-probability under the processed scores, divided by the length penalty's power of the length.
    pub score: f64,
}

/// A search for codes that can be interrupted: it holds all that the next step needs, and no reference to a network.
#[derive(Debug, Clone)]
pub struct Decoding {
    search: Search,
    cache: KvCache,
    beams: usize,
    positions: Positions,
    logits: Vec<f32>,
    /// What was chosen and is still to be fed to the network.
    next: Option<Next>,
    generated: usize,
    over: bool,
}

impl Decoding {
    /// Begins after `prefix` `[1, rows, dim]`, made by [`Gpt::prefix`].
    ///
    /// The start code, which the codebook does not hold, is never chosen: the reference can choose it and then fails.
    ///
    /// # Errors
    /// [`Error::Input`] for options out of range; [`Error::Generation`] when the network's output is not finite.
    pub async fn start(gpt: &Gpt, prefix: Tensor<3>, options: &DecodeOptions) -> Result<Self> {
        options.validate(gpt.codes(), gpt.code_positions())?;
        let tokens = gpt.tokens();
        let vocabulary = Vocabulary { codes: gpt.codes(), start: tokens.start_code, stop: tokens.stop_code };
        let search = match options.beams {
            1 => Search::Single(SingleSearch::new(options, vocabulary)),
            _ => Search::Beams(BeamSearch::new(options, vocabulary)),
        };
        let mut cache = gpt.cache();
        let logits = values(gpt.prefill(prefix, &mut cache)).await?;
        cache.expand(options.beams);
        let DecodeOptions { beams, positions, .. } = *options;
        Ok(Self { search, cache, beams, positions, logits, next: None, generated: 0, over: false })
    }

    /// A search that has ended with `codes`.
    pub fn given(codes: &[u32]) -> Self {
        let found = Codes { codes: codes.to_vec(), stopped: true, score: 0.0 };
        Self {
            search: Search::Ended(found),
            cache: KvCache::default(),
            beams: 1,
            positions: Positions::default(),
            logits: Vec::new(),
            next: None,
            generated: 0,
            over: true,
        }
    }

    /// Goes on until `count` codes are settled or the search is over. Of several beams nothing is settled before that.
    ///
    /// `progress` hears the number of codes so far after each step and may stop the decoding, which can be taken up again.
    ///
    /// # Errors
    /// [`Error::Generation`] when the network's output is not finite or it ends without a single code;
    /// [`Error::Cancelled`] when `progress` breaks.
    pub async fn advance(
        &mut self,
        gpt: &Gpt,
        count: usize,
        rng: &mut dyn Rng,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<()> {
        while !self.has(count) && self.choose(rng)? {
            if progress(self.generated).is_break() {
                return Err(Error::Cancelled);
            }
            feed(gpt, &mut [&mut *self]).await?;
        }
        if !self.over {
            return Ok(());
        }
        self.search.end();
        match self.search.settled() {
            [] => Err(Error::Generation {
                stage: "speech codes",
                what: "the model ended before the first code".into(),
                hint: "try another seed, or change the text".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether `count` codes are settled, or all that there will be.
    pub fn has(&self, count: usize) -> bool {
        self.over || self.search.settled().len() >= count
    }

    /// Chooses the next code of every sequence, if that was not done yet; whether there is one, or the search is over.
    fn choose(&mut self, rng: &mut dyn Rng) -> Result<bool> {
        if self.next.is_none() && !self.over {
            check(&self.logits)?;
            self.next = self.search.advance(&self.logits, rng);
            self.generated += 1;
            self.over = self.next.is_none();
        }
        Ok(!self.over)
    }

    /// Takes `steps` steps that change nothing, to see how long they take.
    pub async fn rehearse(&self, gpt: &Gpt, steps: usize) -> Result<()> {
        let mut cache = self.cache.clone();
        let codes = vec![PROMPT_ID; self.beams];
        for _ in 0..steps {
            values(gpt.step(&codes, self.positions.of(1), &mut cache)).await?;
        }
        Ok(())
    }

    /// Whether codes are settled one by one.
    pub fn is_single(&self) -> bool {
        self.beams == 1
    }

    /// Codes that will not change any more.
    pub fn settled(&self) -> &[u32] {
        self.search.settled()
    }

    /// Rows of the network's input so far, those of the prompt included.
    pub fn rows(&self) -> usize {
        self.cache.len()
    }

    /// Whether the search has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What was found.
    pub fn finish(self) -> Codes {
        self.search.finish()
    }
}

/// Decodes from `prefix` to the end: [`Decoding`] in one go.
///
/// # Errors
/// As [`Decoding::start`] and [`Decoding::advance`].
pub fn decode(
    gpt: &Gpt,
    prefix: Tensor<3>,
    options: &DecodeOptions,
    rng: &mut dyn Rng,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Codes> {
    wait(async {
        let mut decoding = Decoding::start(gpt, prefix, options).await?;
        decoding.advance(gpt, usize::MAX, rng, progress).await?;
        Ok(decoding.finish())
    })
}

/// The logits from which each of `codes` is chosen after `prefix`, when the codes before it are fed: `[codes, vocabulary]`.
/// There is at least one code.
pub fn step_logits(gpt: &Gpt, prefix: Tensor<3>, codes: &[u32], positions: Positions) -> Tensor<2> {
    let mut cache = gpt.cache();
    let mut rows = vec![gpt.prefill(prefix, &mut cache)];
    for (k, code) in codes.iter().enumerate().take(codes.len().saturating_sub(1)) {
        rows.push(gpt.step(&[*code], positions.of(k + 1), &mut cache));
    }
    Tensor::cat(rows, 0)
}

/// How the sequences go on: sequence `i` becomes the old sequence `sources[i]` followed by `codes[i]`.
#[derive(Debug, Clone)]
struct Next {
    sources: Vec<usize>,
    codes: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Search {
    Single(SingleSearch),
    Beams(BeamSearch),
    Ended(Codes),
}

impl Search {
    fn advance(&mut self, logits: &[f32], rng: &mut dyn Rng) -> Option<Next> {
        match self {
            Self::Single(search) => search.advance(logits, rng),
            Self::Beams(search) => search.advance(logits, rng),
            Self::Ended(_) => None,
        }
    }

    /// Which beam wins is known at the end only.
    fn settled(&self) -> &[u32] {
        match self {
            Self::Single(search) => search.codes(),
            Self::Beams(_) => &[],
            Self::Ended(found) => &found.codes,
        }
    }

    fn end(&mut self) {
        *self = Self::Ended(std::mem::replace(self, Self::Ended(Codes::default())).finish());
    }

    fn finish(self) -> Codes {
        match self {
            Self::Single(search) => search.finish(),
            Self::Beams(search) => search.finish(),
            Self::Ended(found) => found,
        }
    }
}

/// The codes and those of them that are not speech.
#[derive(Debug, Clone, Copy)]
struct Vocabulary {
    codes: usize,
    start: u32,
    stop: u32,
}

impl Vocabulary {
    /// Takes the start code out of the choice. All other scores stay as they are, so that the choice among them is the
    /// reference's.
    fn forbid(&self, row: &mut [f32]) {
        row[self.start as usize] = f32::NEG_INFINITY;
    }

    /// The ids that the reference's repetition penalty sees: its prompt and what was generated.
    fn history<'a>(&self, codes: &'a [u32]) -> impl Iterator<Item = u32> + Clone + 'a {
        [PROMPT_ID, self.start].into_iter().chain(codes.iter().copied())
    }
}

/// One step of several searches, each with its own random numbers: the network reads its weights once for all of them. Those
/// that are over, and those whose network's output is no number, stay as they are; [`Decoding::advance`] tells of both.
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub async fn step_together(gpt: &Gpt, searches: Vec<(&mut Decoding, &mut dyn Rng)>) -> Result<()> {
    let chosen = searches.into_iter().filter_map(|(decoding, rng)| {
        let goes_on = decoding.choose(rng).unwrap_or(false);
        goes_on.then_some(decoding)
    });
    let mut chosen: Vec<&mut Decoding> = chosen.collect();
    match chosen.is_empty() {
        true => Ok(()),
        false => feed(gpt, &mut chosen).await,
    }
}

/// Feeds the network what was chosen, and keeps the logits of what follows.
async fn feed(gpt: &Gpt, searches: &mut [&mut Decoding]) -> Result<()> {
    let steps = searches.iter_mut().filter_map(|decoding| {
        let Next { sources, codes } = decoding.next.as_ref()?;
        decoding.cache.reorder(sources);
        Some(Step { codes, position: decoding.positions.of(decoding.generated), cache: &mut decoding.cache })
    });
    let logits = values(gpt.step_together(steps.collect())).await?;
    let mut rows = logits.chunks_exact(gpt.codes());
    for decoding in searches {
        let count = decoding.next.take().map_or(0, |next| next.codes.len());
        decoding.logits = rows.by_ref().take(count).flatten().copied().collect();
    }
    Ok(())
}

/// NaN and infinities, which would be chosen or poison every later step, are an error.
fn check(logits: &[f32]) -> Result<()> {
    match logits.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(v) => Err(Error::Generation {
            stage: "speech codes",
            what: format!("the model's output is {v}"),
            hint: "use f32 weights, and verify the model's files".into(),
        }),
    }
}
