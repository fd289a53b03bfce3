//! A request on its way: planned once, then spoken piece by piece.
use std::ops::Range;

use rand::Rng;
use web_time::Instant;

use super::decode::Decoding;
use super::finish::fade_out;
use super::options::Options;
use super::progress::{Cost, Observer, Progress, Stage, Timings, report};
use super::script::Script;
use super::segment::SegmentInWork;
use super::synthesize::{Conditioning, Noise, Request, Synthesizer};
use super::voice::Voice;
use super::words::{self, Word};
use super::{Emotion, Speech};
use crate::readback::wait;
use crate::text::{Language, Reading};
use crate::{Error, Result};

/// The next samples of an utterance. How many they are is up to the model and the text.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Mono samples, nominally from -1 to 1; silence between segments included.
    pub samples: Vec<f32>,
    /// Samples of silence at their start.
    pub silence: usize,
    /// The segment they belong to, from 0.
    pub segment: usize,
    /// Whether that segment ends with them.
    pub ends_segment: bool,
    /// With the last chunk of a segment: its words, if [`Options::word_times`] asks for them and the model can tell.
    pub words: Vec<Word>,
}

/// A [`Request`] whose text is split and whose voices and emotions are set.
///
/// It borrows nothing, so it can wait in a queue and be continued by any thread. All chunks in a row are exactly the
/// samples of [`Synthesizer::synthesize`], which is made of them.
#[derive(Debug, Clone)]
pub struct Utterance {
    segments: Vec<Segment>,
    /// Segments that are spoken.
    spoken: usize,
    /// The segment that is being spoken.
    current: Option<SegmentInWork>,
    /// In the order in which the text needs them.
    casts: Vec<Cast>,
    options: Options,
    /// Silence behind the last segment, milliseconds.
    end_pause: u32,
    /// Of a length that was asked for.
    seconds_per_token: Option<f64>,
    /// When the first samples were given out, and the seconds given out since.
    given: Option<(Instant, f64)>,
    timings: Timings,
    codes: usize,
    warnings: Vec<String>,
}

/// Who speaks, and how.
#[derive(Debug, Clone)]
struct Cast {
    voice: Voice,
    conditioning: Conditioning,
    language: Language,
    rate: f64,
}

/// Text that is spoken in one go.
#[derive(Debug, Clone)]
struct Segment {
    /// Token ids.
    ids: Vec<u32>,
    text: String,
    /// Place in the casts.
    cast: usize,
    /// Silence before it, milliseconds.
    pause: u32,
    /// Its words with their tokens, where times are wanted.
    words: Vec<(String, Range<usize>)>,
}

impl Utterance {
    /// Plans `script` with the voice, the emotion and the options of `request`, whose text is not looked at;
    /// see [`Synthesizer::plan_script`].
    pub(super) async fn new(
        synthesizer: &Synthesizer,
        script: &Script,
        request: &Request<'_>,
        voice: &mut dyn FnMut(&str) -> Result<Voice>,
        observer: &mut Observer<'_>,
    ) -> Result<Self> {
        request.options.check()?;
        let mut utterance = Self {
            segments: Vec::new(),
            spoken: 0,
            current: None,
            casts: Vec::new(),
            options: request.options.clone(),
            end_pause: script.end_pause,
            seconds_per_token: None,
            given: None,
            timings: Timings::default(),
            codes: 0,
            warnings: Vec::new(),
        };
        for part in &script.parts {
            let reading = utterance.read(synthesizer, &part.text)?;
            let speaker = part.voice.as_deref().map(&mut *voice).transpose()?;
            let speaker = speaker.as_ref().unwrap_or(request.voice);
            let emotion = match (&part.emotion, &request.emotion) {
                (Some(vector), _) => Emotion::Vector { vector: *vector, weight: 1.0 },
                (None, Emotion::Text { text, weight }) => {
                    let segments = utterance.segments.len() + reading.segments.len();
                    report(observer, Progress { stage: Stage::Emotion, segment: 0, segments, done: 0, total: None })?;
                    let text = text.as_deref().unwrap_or(&part.text);
                    let seed = request.options.seed;
                    let vector = utterance
                        .timings
                        .measure_async(Stage::Emotion, synthesizer.read_emotion_async(text, seed))
                        .await?;
                    Emotion::Vector { vector, weight: *weight }
                }
                (None, other) => other.clone(),
            };
            utterance.casts.push(Cast {
                voice: speaker.clone(),
                conditioning: synthesizer.conditioning_async(speaker, &emotion, &request.options).await?,
                language: reading.language,
                rate: part.rate,
            });
            utterance.add(synthesizer, reading, part.pause);
        }
        if utterance.segments.is_empty() {
            return Err(Error::Input {
                name: "text".into(),
                got: "nothing".into(),
                expected: "something to speak".into(),
            });
        }
        if let Some(seconds) = utterance.options.seconds.take() {
            let tokens: usize = utterance.segments.iter().map(|segment| segment.ids.len()).sum();
            let pauses: u32 = utterance.segments.iter().map(|segment| segment.pause).sum::<u32>() + script.end_pause;
            utterance.seconds_per_token = Some((seconds - f64::from(pauses) / 1000.0) / tokens as f64);
        }
        Ok(utterance)
    }

    fn read(&mut self, synthesizer: &Synthesizer, text: &str) -> Result<Reading> {
        let read = || synthesizer.text.read(text, self.options.max_segment_tokens, &self.options.text);
        self.timings.measure(Stage::Text, read)
    }

    /// Adds the segments of `reading` to what the last cast speaks.
    fn add(&mut self, synthesizer: &Synthesizer, reading: Reading, pause: Option<u32>) {
        let mut pause = pause;
        let timed = self.options.word_times && synthesizer.config.gpt.alignment.is_some();
        for (index, (pieces, text)) in reading.segments.iter().zip(&reading.texts).enumerate() {
            let words =
                if timed { words::of_segment(&reading, index, &synthesizer.silent_tokens()) } else { Vec::new() };
            let between = if self.segments.is_empty() { 0 } else { self.options.interval_silence };
            self.segments.push(Segment {
                ids: pieces.iter().map(|piece| piece.id).collect(),
                text: text.clone(),
                cast: self.casts.len() - 1,
                pause: pause.take().unwrap_or(between),
                words,
            });
        }
        self.warnings.extend(reading.warnings);
    }

    /// Adds text behind what is still to be spoken, in the last voice and language, at the same speed and with the same
    /// emotion. The seed goes on where it is, so the same sentence twice is not spoken twice alike.
    pub fn push(&mut self, synthesizer: &Synthesizer, text: &str) -> Result<()> {
        self.options.text.language = self.casts.last().map(|cast| cast.language);
        let reading = self.read(synthesizer, text)?;
        self.add(synthesizer, reading, None);
        Ok(())
    }

    /// Speaks the next chunk; none if everything is spoken. After an error the same chunk can be asked for again.
    pub fn next_chunk(&mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<Option<Chunk>> {
        wait(self.next_chunk_async(synthesizer, observer))
    }

    /// As [`Utterance::next_chunk`], for a device that cannot be waited for: a browser's GPU.
    pub async fn next_chunk_async(
        &mut self,
        synthesizer: &Synthesizer,
        observer: &mut Observer<'_>,
    ) -> Result<Option<Chunk>> {
        self.prepare_async(synthesizer, observer).await?;
        let (index, count) = (self.spoken, self.segments.len());
        let Some((options, Cast { voice, conditioning, .. })) = self.turn() else { return Ok(None) };
        let (Some(Segment { pause, words, .. }), Some(segment)) = (self.segments.get(index), &mut self.current) else {
            return Ok(None);
        };
        let mut at = |stage, done, total| observer(Progress { stage, segment: index, segments: count, done, total });
        let timings = &mut self.timings;
        let begins = segment.mel().is_none();
        let mut made = synthesizer.advance(segment, &voice, &conditioning, &options, timings, &mut at).await?;
        let hertz = synthesizer.sample_rate() as usize;
        let silence = if begins { *pause as usize * hertz / 1000 } else { 0 };
        let ends_segment = segment.is_over();
        if ends_segment {
            fade_out(&mut made, options.tail_fade as usize * hertz / 1000);
        }
        let mut samples = vec![0.0; silence];
        samples.append(&mut made);
        let mut spoken = Vec::new();
        if ends_segment {
            let found = synthesizer.words(segment, &conditioning, &options, words);
            spoken = timings.measure_async(Stage::Text, found).await?;
            let codes = segment.codes();
            let of = format!("segment {} of {count}", index + 1);
            let limit = options.decode.max_codes;
            if !codes.stopped && codes.codes.len() >= limit {
                self.warnings.push(format!(
                    "{of} reached the limit of {limit} codes and may be cut off: raise --max-codes or shorten --segment-tokens"
                ));
            }
            if let Some(doubt) = segment.doubt() {
                let cut = if codes.stopped || codes.codes.len() >= limit { "" } else { " and was cut off" };
                self.warnings.push(format!("{of} {doubt}{cut}: try another --seed, or more --retries"));
            }
            self.codes += codes.codes.len();
            self.spoken += 1;
            self.current = None;
            if self.spoken == count {
                samples.resize(samples.len() + self.end_pause as usize * hertz / 1000, 0.0);
            }
        }
        let (_, given) = self.given.get_or_insert_with(|| (Instant::now(), 0.0));
        *given += samples.len() as f64 / hertz as f64;
        Ok(Some(Chunk { samples, silence, segment: index, ends_segment, words: spoken }))
    }

    /// Begins what [`Utterance::next_chunk`] will end: reads the text of a new segment, and decides how far its next chunk goes.
    /// Then codes may be decoded for several utterances at a time, see [`Synthesizer::decode_together`].
    pub fn prepare(&mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<()> {
        wait(self.prepare_async(synthesizer, observer))
    }

    async fn prepare_async(&mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<()> {
        let (index, segments) = (self.spoken, self.segments.len());
        let Some((options, Cast { voice, conditioning, .. })) = self.turn() else { return Ok(()) };
        report(observer, Progress { stage: Stage::Prefill, segment: index, segments, done: 0, total: None })?;
        let timings = &mut self.timings;
        let segment = match (&mut self.current, self.segments.get(index)) {
            (Some(segment), _) => segment,
            (none, Some(Segment { ids, .. })) => {
                let noise = Noise::Seeded { segment: index as u64 };
                none.insert(synthesizer.begin(ids, &conditioning, &options, noise, timings).await?)
            }
            _ => return Ok(()),
        };
        segment.ahead = self.given.map(|(since, given)| (given - since.elapsed().as_secs_f64()).max(0.0));
        synthesizer.plan_chunk(segment, &voice, &options, timings).await?;
        Ok(())
    }

    /// The options of the segment whose turn it is, and who speaks it.
    fn turn(&self) -> Option<(Options, Cast)> {
        let segment = self.segments.get(self.spoken)?;
        let cast = self.casts.get(segment.cast)?.clone();
        let seconds = self.seconds_per_token.map(|seconds| seconds * segment.ids.len() as f64);
        let duration_factor = self.options.duration_factor / cast.rate;
        let mut options = Options { seconds, duration_factor, ..self.options.clone() };
        options.text.language = Some(cast.language);
        Some((options, cast))
    }

    /// Whether codes are missing for the chunk that was prepared.
    pub fn wants_codes(&self) -> bool {
        self.current.as_ref().is_some_and(SegmentInWork::wants_codes)
    }

    /// Its search for codes, if it wants any.
    pub(super) fn search(&mut self) -> Option<(&mut Decoding, &mut dyn Rng)> {
        self.current.as_mut().filter(|segment| segment.wants_codes()).map(SegmentInWork::search)
    }

    /// Adds what a step has cost.
    pub(super) fn add_cost(&mut self, stage: Stage, cost: Cost) {
        self.timings.add(stage, cost);
    }

    /// The text of a segment, as it is spoken.
    pub fn text(&self, segment: usize) -> Option<&str> {
        self.segments.get(segment).map(|segment| segment.text.as_str())
    }

    /// The token ids of a segment, without start and stop.
    pub fn tokens(&self, segment: usize) -> Option<&[u32]> {
        self.segments.get(segment).map(|segment| segment.ids.as_slice())
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

    /// All that is left, at once.
    pub fn finish(mut self, synthesizer: &Synthesizer, observer: &mut Observer<'_>) -> Result<Speech> {
        let mut samples = Vec::new();
        while let Some(chunk) = self.next_chunk(synthesizer, observer)? {
            samples.extend_from_slice(&chunk.samples);
        }
        let sample_rate = synthesizer.sample_rate();
        Ok(Speech { samples, sample_rate, timings: self.timings, codes: self.codes, warnings: self.warnings })
    }
}
