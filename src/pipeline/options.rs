//! How to synthesise.
use crate::config::{Defaults, ModelConfig};
use crate::text::TextOptions;
use crate::{Error, Result};

use super::decode::DecodeOptions;

/// Everything about a synthesis that is not the text, the voice or the emotion. The default is the reference's; a model's
/// own is [`Synthesizer::default_options`](crate::Synthesizer::default_options).
#[derive(Debug, Clone)]
pub struct Options {
    /// Decoding of the semantic codes.
    pub decode: DecodeOptions,
    /// Euler steps of the flow matching.
    pub steps: usize,
    /// Strength of classifier-free guidance; 0 turns it off.
    pub guidance: f64,
    /// Scale of the noise that the flow matching starts from; the reference has 1. With less the sound comes nearer to
    /// the average of what it could be: plainer, and clearer where a model is small.
    pub noise: f64,
    /// Seconds from the middle of the clip that the flow matching hears; the reference hears all of it. Whatever it hears is
    /// solved again with every segment and every chunk. The other networks know the whole clip in any case.
    pub prompt_seconds: Option<f64>,
    /// Same seed, same device: same bytes.
    pub seed: u64,
    /// Silence between segments, milliseconds.
    pub interval_silence: u32,
    /// Longest segment, in text tokens.
    pub max_segment_tokens: usize,
    /// Length of the result against what the model would choose: 2 is twice as slow. The reference has it for the 2.5
    /// layout only; in 2.0 the same length regulator is asked for other lengths.
    pub duration_factor: f64,
    /// Length of the speech in seconds, pauses included, in place of what the model would choose. The segments share it by
    /// their tokens.
    pub seconds: Option<f64>,
    /// Milliseconds over which every segment dies away at its end; the reference has 0.
    pub tail_fade: u32,
    /// Leave out the silence at the end of a segment, and a stray sound behind it; the reference keeps them.
    pub trim: bool,
    /// How often a segment whose length cannot be that of its text, or that repeats itself, is made anew. Not in a stream,
    /// whose first samples are gone by then. If it is not 0, decoding ends where no speech of the text can last so long.
    pub retries: u32,
    /// How the text is read.
    pub text: TextOptions,
    /// Give out the samples of a segment while the rest of it is still being made; none gives out whole segments.
    pub streaming: Option<Streaming>,
    /// Find out when each word is spoken; only models whose attention was trained to show it can tell.
    pub word_times: bool,
    /// Draw the exemplar of each emotion instead of taking the nearest speaker's.
    pub random_exemplars: bool,
    /// Balance and limit emotion vectors as the reference's WebUI does.
    pub balanced_emotions: bool,
}

/// How a segment is cut into chunks. Only a single beam settles codes before the end of its segment; with several, and
/// where a length in seconds is asked for, a chunk is a segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Streaming {
    /// Length of a segment's first chunk. Every further one is twice as long, up to [`Streaming::LONGEST_SECONDS`]: the
    /// work that chunks cost on top shrinks, while what has been given out still covers the time that they take.
    ///
    /// With none chunks follow the speed of the machine: the first is as short as one that lasts until the next can be, and
    /// every further one is as long as what has been given out allows. The samples then differ a little from run to run,
    /// as the flow matching hears other frames around a seam.
    pub first_seconds: Option<f64>,
}

impl Streaming {
    pub const LONGEST_SECONDS: f64 = 8.0;
    /// Where the speed of the machine is not to decide, or is not enough.
    pub const FIRST_SECONDS: f64 = 0.5;

    /// Chunks of the same lengths each time.
    pub fn fixed() -> Self {
        Self { first_seconds: Some(Self::FIRST_SECONDS) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::from(&Defaults::default())
    }
}

impl Options {
    /// What a model asks for, as far as its positions reach, with clean ends.
    pub fn of(config: &ModelConfig) -> Self {
        let defaults = Self::from(&config.defaults);
        let mut options = Self { tail_fade: 20, trim: true, retries: 3, ..defaults };
        let decode = &mut options.decode;
        decode.max_codes = decode.max_codes.min(decode.longest(config.gpt.code_positions));
        options
    }

    fn from(defaults: &Defaults) -> Self {
        Self {
            decode: DecodeOptions {
                beams: defaults.beams,
                temperature: defaults.temperature,
                top_k: defaults.top_k,
                top_p: defaults.top_p,
                repetition_penalty: defaults.repetition_penalty,
                max_codes: defaults.max_codes,
                ..DecodeOptions::default()
            },
            steps: defaults.steps,
            guidance: defaults.guidance,
            noise: defaults.noise,
            prompt_seconds: defaults.prompt_seconds,
            seed: 0,
            interval_silence: defaults.interval_silence,
            max_segment_tokens: defaults.max_segment_tokens,
            duration_factor: 1.0,
            seconds: None,
            tail_fade: 0,
            trim: false,
            retries: 0,
            text: TextOptions::default(),
            streaming: None,
            word_times: false,
            random_exemplars: false,
            balanced_emotions: false,
        }
    }

    /// Whether segments are given out in chunks. A length that is asked for is shared among all codes, so all have to be
    /// there.
    pub(super) fn streams(&self) -> bool {
        self.streaming.is_some() && self.seconds.is_none()
    }

    /// How often a chunk's flow matching asks its network: with guidance twice a step.
    pub(super) fn evaluations(&self) -> usize {
        self.steps * if self.guidance == 0.0 { 1 } else { 2 }
    }

    /// Refuses values that no synthesis can work with.
    pub fn check(&self) -> Result<()> {
        let wrong = |name: &str, got: String, expected: &str| {
            Err(Error::Input { name: name.into(), got, expected: expected.into() })
        };
        if !(1..=1000).contains(&self.steps) {
            return wrong("steps", self.steps.to_string(), "a whole number from 1 to 1000");
        }
        if !(0.0..=10.0).contains(&self.guidance) {
            return wrong("guidance", self.guidance.to_string(), "a number from 0 to 10");
        }
        if !(0.0..=2.0).contains(&self.noise) {
            return wrong("noise", self.noise.to_string(), "a number from 0 to 2");
        }
        if let Some(seconds) = self.prompt_seconds.filter(|seconds| !(0.1..=60.0).contains(seconds)) {
            return wrong("prompt seconds", seconds.to_string(), "a number from 0.1 to 60");
        }
        if !(0.1..=10.0).contains(&self.duration_factor) {
            return wrong("duration factor", self.duration_factor.to_string(), "a number from 0.1 to 10");
        }
        if self.seconds.is_some_and(|seconds| !(0.1..=36_000.0).contains(&seconds)) {
            return wrong("seconds", format!("{:?}", self.seconds), "a number from 0.1 to 36000");
        }
        if let Some(Streaming { first_seconds: Some(first_seconds) }) = self.streaming
            && !(0.1..=60.0).contains(&first_seconds)
        {
            return wrong("first chunk", format!("{first_seconds} s"), "0.1 to 60 s");
        }
        if self.max_segment_tokens < 5 {
            return wrong("segment tokens", self.max_segment_tokens.to_string(), "at least 5");
        }
        if self.tail_fade > 1000 {
            return wrong("tail fade", format!("{} ms", self.tail_fade), "at most 1000 ms");
        }
        if self.retries > 10 {
            return wrong("retries", self.retries.to_string(), "at most 10");
        }
        if self.interval_silence > 60_000 {
            return wrong("interval silence", format!("{} ms", self.interval_silence), "at most 60000 ms");
        }
        Ok(())
    }
}
