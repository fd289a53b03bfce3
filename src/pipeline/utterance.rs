//! A request on its way: planned once, then spoken piece by piece.
use super::options::Options;
use super::progress::{Observer, Progress, Stage, Timings, report};
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
    voice: Voice,
    conditioning: Conditioning,
    options: Options,
    timings: Timings,
    codes: usize,
    warnings: Vec<String>,
}

impl Utterance {
    /// Plans `request`; see [`Synthesizer::plan`].
    pub(super) fn new(synthesizer: &Synthesizer, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<Self> {
        let options = &request.options;
        options.check()?;
        let mut timings = Timings::default();
        let segments =
            timings.measure(Stage::Text, || synthesizer.text.segments(request.text, options.max_segment_tokens))?;
        let emotion = match &request.emotion {
            Emotion::Text { text, weight } => {
                let segments = segments.ids.len();
                report(observer, Progress { stage: Stage::Emotion, segment: 0, segments, done: 0, total: None })?;
                let text = text.as_deref().unwrap_or(request.text);
                let vector = timings.measure(Stage::Emotion, || synthesizer.read_emotion(text, options.seed))?;
                Emotion::Vector { vector, weight: *weight }
            }
            other => other.clone(),
        };
        Ok(Self {
            segments: segments.ids,
            spoken: 0,
            voice: request.voice.clone(),
            conditioning: synthesizer.conditioning(request.voice, &emotion, options)?,
            options: options.clone(),
            timings,
            codes: 0,
            warnings: segments.warnings,
        })
    }

    /// Adds text behind what is still to be spoken, in the same voice and with the same emotion. The seed goes on where
    /// it is, so the same sentence twice is not spoken twice alike.
    pub fn push(&mut self, synthesizer: &Synthesizer, text: &str) -> Result<()> {
        let split = || synthesizer.text.segments(text, self.options.max_segment_tokens);
        let segments = self.timings.measure(Stage::Text, split)?;
        self.segments.extend(segments.ids);
        self.warnings.extend(segments.warnings);
        Ok(())
    }

    /// Speaks the next chunk; none if everything is spoken. After an error the same chunk can be asked for again.
    pub fn next_chunk(&mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<Option<Chunk>> {
        let (index, count) = (self.spoken, self.segments.len());
        let Some(ids) = self.segments.get(index) else { return Ok(None) };
        let mut at = |stage, done, total| observer(Progress { stage, segment: index, segments: count, done, total });
        let noise = Noise::Seeded { segment: index as u64 };
        let (voice, conditioning, options) = (&self.voice, &self.conditioning, &self.options);
        let segment = synthesizer.speak(ids, voice, conditioning, options, noise, &mut self.timings, &mut at)?;
        if segment.cut_off {
            let limit = options.decode.max_codes;
            self.warnings.push(format!(
                "segment {} of {count} reached the limit of {limit} codes and may be cut off: raise --max-codes or shorten --segment-tokens",
                index + 1
            ));
        }
        let pause = options.interval_silence as usize * synthesizer.sample_rate() as usize / 1000;
        let mut samples = vec![0.0; if index > 0 { pause } else { 0 }];
        samples.extend_from_slice(&segment.samples);
        self.spoken += 1;
        self.codes += segment.codes.len();
        Ok(Some(Chunk { samples, segment: index }))
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
