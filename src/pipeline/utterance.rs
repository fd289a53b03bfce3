//! A request on its way: planned once, then spoken piece by piece.
use super::options::Options;
use super::progress::{Observer, Progress, Stage, Timings, report};
use super::segment::SegmentInWork;
use super::synthesize::{Conditioning, Noise, Request, Synthesizer};
use super::voice::Voice;
use super::{Emotion, Speech};
use crate::Result;

/// The next samples of an utterance. How many they are is up to the model and the text.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Mono samples, nominally from -1 to 1; silence between segments included.
    pub samples: Vec<f32>,
    /// The segment they belong to, from 0.
    pub segment: usize,
    /// Whether that segment ends with them.
    pub ends_segment: bool,
}

/// A [`Request`] whose text is split and whose voice and emotion are set.
///
/// It borrows nothing, so it can wait in a queue and be continued by any thread. All chunks in a row are exactly the
/// samples of [`Synthesizer::synthesize`], which is made of them.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// Token ids.
    segments: Vec<Vec<u32>>,
    /// Segments that are spoken.
    spoken: usize,
    /// The segment that is being spoken.
    current: Option<SegmentInWork>,
    voice: Voice,
    conditioning: Conditioning,
    options: Options,
    /// Of a length that was asked for.
    seconds_per_token: Option<f64>,
    timings: Timings,
    codes: usize,
    warnings: Vec<String>,
}

impl Utterance {
    /// Plans `request`; see [`Synthesizer::plan`].
    pub(super) fn new(synthesizer: &Synthesizer, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<Self> {
        let mut options = request.options.clone();
        options.check()?;
        synthesizer.check_duration(&options)?;
        let mut timings = Timings::default();
        let reading = timings
            .measure(Stage::Text, || synthesizer.text.read(request.text, options.max_segment_tokens, &options.text))?;
        options.text.language = Some(reading.language);
        let segments = reading.ids();
        let emotion = match &request.emotion {
            Emotion::Text { text, weight } => {
                let segments = segments.len();
                report(observer, Progress { stage: Stage::Emotion, segment: 0, segments, done: 0, total: None })?;
                let text = text.as_deref().unwrap_or(request.text);
                let vector = timings.measure(Stage::Emotion, || synthesizer.read_emotion(text, options.seed))?;
                Emotion::Vector { vector, weight: *weight }
            }
            other => other.clone(),
        };
        let tokens: usize = segments.iter().map(Vec::len).sum();
        let pauses = f64::from(options.interval_silence) / 1000.0 * segments.len().saturating_sub(1) as f64;
        Ok(Self {
            spoken: 0,
            current: None,
            voice: request.voice.clone(),
            conditioning: synthesizer.conditioning(request.voice, &emotion, &options)?,
            seconds_per_token: options.seconds.take().map(|seconds| (seconds - pauses) / tokens as f64),
            segments,
            options,
            timings,
            codes: 0,
            warnings: reading.warnings,
        })
    }

    /// Adds text behind what is still to be spoken, in the same voice and language, at the same speed and with the same
    /// emotion. The seed goes on where it is, so the same sentence twice is not spoken twice alike.
    pub fn push(&mut self, synthesizer: &Synthesizer, text: &str) -> Result<()> {
        let read = || synthesizer.text.read(text, self.options.max_segment_tokens, &self.options.text);
        let reading = self.timings.measure(Stage::Text, read)?;
        self.segments.extend(reading.ids());
        self.warnings.extend(reading.warnings);
        Ok(())
    }

    /// Speaks the next chunk; none if everything is spoken. After an error the same chunk can be asked for again.
    pub fn next_chunk(&mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<Option<Chunk>> {
        let (index, count) = (self.spoken, self.segments.len());
        let Some(ids) = self.segments.get(index) else { return Ok(None) };
        let mut at = |stage, done, total| observer(Progress { stage, segment: index, segments: count, done, total });
        let (voice, conditioning) = (&self.voice, &self.conditioning);
        let seconds = self.seconds_per_token.map(|seconds| seconds * ids.len() as f64);
        let options = Options { seconds, ..self.options.clone() };
        let timings = &mut self.timings;
        let segment = match &mut self.current {
            Some(segment) => segment,
            none => {
                let noise = Noise::Seeded { segment: index as u64 };
                none.insert(synthesizer.begin(ids, conditioning, &options, noise, timings)?)
            }
        };
        let begins = segment.mel().is_none();
        let made = synthesizer.advance(segment, voice, conditioning, &options, timings, &mut at)?;
        let pause = options.interval_silence as usize * synthesizer.sample_rate() as usize / 1000;
        let mut samples = vec![0.0; if index > 0 && begins { pause } else { 0 }];
        samples.extend_from_slice(&made);
        let ends_segment = segment.is_over();
        if ends_segment {
            let codes = segment.codes();
            if !codes.stopped {
                let limit = options.decode.max_codes;
                self.warnings.push(format!(
                    "segment {} of {count} reached the limit of {limit} codes and may be cut off: raise --max-codes or shorten --segment-tokens",
                    index + 1
                ));
            }
            self.codes += codes.codes.len();
            self.spoken += 1;
            self.current = None;
        }
        Ok(Some(Chunk { samples, segment: index, ends_segment }))
    }

    /// Whether there is no next chunk.
    pub fn is_spoken(&self) -> bool {
        self.spoken == self.segments.len()
    }

    /// Wall time of every stage since this was last asked.
    pub fn take_timings(&mut self) -> Timings {
        std::mem::take(&mut self.timings)
    }

    /// What the listener should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All of it at once.
    pub(super) fn finish(mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<Speech> {
        let mut samples = Vec::new();
        while let Some(chunk) = self.next_chunk(synthesizer, observer)? {
            samples.extend_from_slice(&chunk.samples);
        }
        let sample_rate = synthesizer.sample_rate();
        Ok(Speech { samples, sample_rate, timings: self.timings, codes: self.codes, warnings: self.warnings })
    }
}
