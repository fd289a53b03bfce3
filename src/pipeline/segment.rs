//! One text segment on its way from tokens to samples: at once, or in chunks while its codes are still being decoded.
//!
//! A chunk is made of the codes so far. Its newest frames are heard by the flow matching but are not settled: the next
//! chunk makes them again, now that it knows what follows. There the frames settled before take the same way from noise to
//! mel once more, so that the new ones go on where they end, and the vocoder reads as many of them as its samples depend on.
use std::f32::consts::PI;
use std::ops::ControlFlow;

use burn::tensor::Tensor;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::kernels::in_pool;
use crate::models::flow::{Path, SolveOptions, solve_onward};
use crate::readback::values;
use crate::{Error, Result};

use super::decode::{DecodeOptions, Decoding};
use super::finish::audible;
use super::networks::check_codes;
use super::options::{Options, Streaming};
use super::pace::Made;
use super::plausible::{doubt, too_many};
use super::progress::{Stage, Timings};
use super::synthesize::{Conditioning, Noise, Synthesizer, observe, stream};
use super::voice::Voice;

/// Seconds behind a chunk that are decoded for its sake.
const LOOKAHEAD: f64 = 0.32;
/// Settled frames that the flow matching hears with a chunk: 2 s.
pub(super) const CONTEXT: usize = 172;
/// Samples over which a chunk takes over from the one before: 5 ms.
const FADE: usize = 110;

/// Bit of a random stream's number from which the attempt is counted.
const RETRY: u32 = 40;

/// Hears what a segment is doing: the stage, the steps done and, where it is known, their number.
pub type SegmentObserver<'a> = dyn FnMut(Stage, usize, Option<usize>) -> ControlFlow<()> + 'a;

/// A segment in work. It holds no reference to the networks and can be continued by any thread.
#[derive(Debug, Clone)]
pub(super) struct SegmentInWork {
    pub ids: Vec<u32>,
    pub decoding: Decoding,
    rng: ChaCha8Rng,
    noise: Noise,
    /// Settled frames `[1, bins, frames]`, on the model's scale.
    mel: Option<Tensor<3>>,
    /// How the last of them were solved.
    path: Path,
    /// What the last chunk made of the time behind its end; the next one fades in over it.
    tail: Vec<f32>,
    pub chunks: u32,
    /// Codes up to which the chunks so far went, lookahead left out.
    pub given: usize,
    /// What the chunk is to be that is in work.
    plan: Option<ChunkPlan>,
    /// Seconds of sound that were given out and are not heard yet; none before the first chunk of all.
    pub ahead: Option<f64>,
    /// Mel frames that a code became.
    pub frames_per_code: f64,
    /// Attempts that were thrown away.
    retries: u32,
    doubt: Option<&'static str>,
    over: bool,
}

/// How far a chunk goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkPlan {
    /// Codes of the segment up to which it goes.
    end: usize,
    /// Codes that it is made of: the lookahead comes on top.
    wanted: usize,
    /// What was there before it.
    before: Made,
}

impl SegmentInWork {
    fn new(ids: &[u32], decoding: Decoding, options: &Options, noise: Noise) -> Self {
        Self {
            ids: ids.to_vec(),
            decoding,
            rng: stream(options.seed, 2 * noise.segment()),
            noise,
            mel: None,
            path: Path::default(),
            tail: Vec::new(),
            chunks: 0,
            given: 0,
            plan: None,
            ahead: None,
            frames_per_code: 0.0,
            retries: 0,
            doubt: None,
            over: false,
        }
    }

    /// A segment whose codes are known.
    pub fn of_codes(ids: &[u32], codes: &[u32], options: &Options, noise: Noise) -> Self {
        Self::new(ids, Decoding::given(codes), options, noise)
    }

    /// Whether codes are missing for the chunk that is planned.
    pub fn wants_codes(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !self.decoding.has(plan.wanted))
    }

    /// Its search and the random numbers for that.
    pub fn search(&mut self) -> (&mut Decoding, &mut dyn Rng) {
        (&mut self.decoding, &mut self.rng)
    }

    /// Whether everything is spoken.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What is wrong with the length of its codes.
    pub fn doubt(&self) -> Option<&'static str> {
        self.doubt
    }

    /// The codes, and whether the model ended them; known when the segment is over.
    pub fn codes(&self) -> super::decode::Codes {
        self.decoding.clone().finish()
    }

    /// Attempts that were thrown away.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// All frames `[1, bins, frames]` so far, on the model's scale.
    pub fn mel(&self) -> Option<&Tensor<3>> {
        self.mel.as_ref()
    }

    pub fn frames(&self) -> usize {
        self.mel.as_ref().map_or(0, |mel| mel.dims()[2])
    }
}

impl Synthesizer {
    /// Begins a segment: text ids without start and stop.
    pub(super) async fn begin(
        &self,
        ids: &[u32],
        conditioning: &Conditioning,
        options: &Options,
        noise: Noise,
        timings: &mut Timings,
    ) -> Result<SegmentInWork> {
        let decoding = self.decoding(ids, conditioning, options, timings).await?;
        Ok(SegmentInWork::new(ids, decoding, options, noise))
    }

    /// Decides how far the next chunk goes, once.
    pub(super) async fn plan_chunk(
        &self,
        segment: &mut SegmentInWork,
        voice: &Voice,
        options: &Options,
        timings: &Timings,
    ) -> Result<ChunkPlan> {
        if let Some(plan) = segment.plan {
            return Ok(plan);
        }
        let (rate, lookahead) = (self.code_rate(), self.lookahead());
        let end = match options.streaming.as_ref().filter(|_| options.streams()) {
            None => usize::MAX - lookahead,
            Some(Streaming { first_seconds: Some(first) }) => Streaming::codes(*first, segment.chunks, rate),
            Some(Streaming { first_seconds: None }) => {
                self.paced(segment, voice, options, lookahead).await?.max(segment.given + 1)
            }
        };
        Ok(*segment.plan.insert(ChunkPlan { end, wanted: end + lookahead, before: Made::until(segment, timings) }))
    }

    /// Codes behind a chunk that are decoded for its sake.
    fn lookahead(&self) -> usize {
        (LOOKAHEAD * self.code_rate()).ceil() as usize
    }

    /// The next samples of a segment that is not over: all that are left, unless they are streamed.
    ///
    /// A cancelled chunk can be asked for again.
    pub(super) async fn advance(
        &self,
        segment: &mut SegmentInWork,
        voice: &Voice,
        conditioning: &Conditioning,
        options: &Options,
        timings: &mut Timings,
        observer: &mut SegmentObserver<'_>,
    ) -> Result<Vec<f32>> {
        let networks = &self.networks;
        let settled = segment.frames();
        let ChunkPlan { end: end_code, wanted, before } = self.plan_chunk(segment, voice, options, timings).await?;
        self.decode(segment, wanted, options, timings, observer).await?;
        while !options.streams() && self.is_doubtful(segment) && segment.retries < options.retries {
            segment.retries += 1;
            tracing::info!("a segment {}: once more", segment.doubt.unwrap_or_default());
            segment.rng = stream(options.seed, (2 * segment.noise.segment()) | (u64::from(segment.retries) << RETRY));
            segment.decoding = self.decoding(&segment.ids, conditioning, options, timings).await?;
            self.decode(segment, wanted, options, timings, observer).await?;
        }
        let last = segment.decoding.is_over();
        if last && options.streams() {
            // Too late for another attempt, but not to be told.
            self.is_doubtful(segment);
        }
        let codes = segment.decoding.settled();
        check_codes(codes, self.codebook())?;

        let works = self.works();
        let condition = timings.measure_work(Stage::Content, || {
            let (features, frames) = self.generated_features(conditioning.0.clone(), &segment.ids, codes, options)?;
            observe(observer, Stage::Content, 0, None)?;
            let prefix = conditioning.0.dims()[1] + segment.ids.len() + 2;
            let regulator = &networks.s2mel.regulator;
            let content = in_pool(&self.device, || match last {
                true => regulator.forward(features, frames),
                false => regulator.forward_part(features, frames, options.duration_factor),
            });
            Ok((content, works.content(prefix, codes.len(), frames)))
        })?;
        let frames = condition.dims()[1];
        segment.frames_per_code = frames as f64 / codes.len() as f64;
        let heard = self.prompt(voice, options).0.dims()[2] + settled.min(CONTEXT) + frames - settled;
        let path = timings.measure_work(Stage::Mel, || {
            let path = self.flow(segment, condition, voice, options, observer)?;
            Ok((path, works.flow(heard, frames - settled, options.steps, options.guidance > 0.0)))
        })?;
        let mut mel = path.end().ok_or(Error::Cancelled)?;
        let mut frames = frames;
        if last && options.trim {
            frames = settled + self.audible(segment.mel.as_ref(), &mel).await?;
            mel = mel.narrow(2, 0, frames - settled);
        }
        let held = if last { 0 } else { (frames * self.lookahead()).div_ceil(codes.len()) };
        let end = (frames - held).max(settled);

        let render = async {
            observe(observer, Stage::Wave, 0, None)?;
            let context = settled.min(self.config.bigvgan.reach());
            let frames = context + mel.dims()[2];
            let wave = self.render(segment.mel.as_ref(), mel.clone()).await?;
            Ok(((wave, frames), works.vocoder(frames)))
        };
        let (wave, read) = timings.measure_work_async(Stage::Wave, render).await?;
        self.pace.learn(&before.since(segment, timings, heard * options.evaluations(), read));
        let hop = self.config.mel.hop_length;
        let mut samples = wave;
        let fade = segment.tail.len() as f32;
        for (i, (sample, before)) in samples.iter_mut().zip(&segment.tail).enumerate() {
            let weight = 0.5 - 0.5 * (PI * (i as f32 + 0.5) / fade).cos();
            *sample = before + weight * (*sample - before);
        }
        let rest = samples.split_off((end - settled) * hop);
        let kept = mel.narrow(2, 0, end - settled);
        segment.mel = Some(match segment.mel.take() {
            Some(mel) => Tensor::cat(vec![mel, kept], 2),
            None => kept,
        });
        let path = std::mem::take(&mut segment.path).join(path.narrow(0, end - settled));
        let heard = path.frames().min(CONTEXT);
        segment.path = if last { Path::default() } else { path.narrow(path.frames() - heard, heard) };
        segment.tail = rest.into_iter().take(FADE).collect();
        segment.chunks += 1;
        segment.given = end_code;
        segment.plan = None;
        segment.over = last;
        Ok(samples)
    }

    async fn decoding(
        &self,
        ids: &[u32],
        conditioning: &Conditioning,
        options: &Options,
        timings: &mut Timings,
    ) -> Result<Decoding> {
        let prefill = async {
            let gpt = &self.networks.gpt;
            let prefix = gpt.prefix(conditioning.0.clone(), ids, self.language(options))?;
            let decoding = Decoding::start(gpt, prefix, &self.decode_options(ids.len(), options)).await?;
            let rows = decoding.rows();
            Ok((decoding, self.works().prefill(rows)))
        };
        timings.measure_work_async(Stage::Prefill, prefill).await
    }

    /// Where implausible segments are not wanted, babble ends as soon as it is sure to be that.
    fn decode_options(&self, tokens: usize, options: &Options) -> DecodeOptions {
        let mut decode = options.decode.clone();
        if options.retries > 0 {
            let longest = too_many(self.code_rate(), tokens, self.config.gpt.text_tokens);
            decode.max_codes = decode.max_codes.min(longest);
        }
        decode
    }

    /// Goes on until `wanted` codes are settled.
    async fn decode(
        &self,
        segment: &mut SegmentInWork,
        wanted: usize,
        options: &Options,
        timings: &mut Timings,
        observer: &mut SegmentObserver<'_>,
    ) -> Result<()> {
        let decode = async {
            let before = segment.decoding.rows();
            let mut at = |done| observer(Stage::Gpt, done, None);
            segment.decoding.advance(&self.networks.gpt, wanted, &mut segment.rng, &mut at).await?;
            Ok(((), self.works().decode(options.decode.beams, before, segment.decoding.rows())))
        };
        timings.measure_work_async(Stage::Gpt, decode).await
    }

    fn is_doubtful(&self, segment: &mut SegmentInWork) -> bool {
        let codes = segment.codes();
        let vocabulary = self.config.gpt.text_tokens;
        segment.doubt = doubt(&codes.codes, self.code_rate(), segment.ids.len(), vocabulary, codes.stopped);
        segment.doubt.is_some()
    }

    /// How many frames of `mel` are to be heard, which ends the segment begun with `before`; at least one.
    async fn audible(&self, before: Option<&Tensor<3>>, mel: &Tensor<3>) -> Result<usize> {
        let settled = before.map_or(0, |before| before.dims()[2]);
        let mel = match before {
            Some(before) => Tensor::cat(vec![before.clone(), mel.clone()], 2),
            None => mel.clone(),
        };
        // Natural logarithms of amplitudes; the loudest bin stands for its frame.
        let peaks = self.config.s2mel.mel_scale.restore(mel).max_dim(1);
        let levels: Vec<f32> =
            values(peaks).await?.into_iter().map(|level| level * 20.0 / std::f32::consts::LN_10).collect();
        let rate = self.sample_rate() as f32 / self.config.mel.hop_length as f32;
        Ok(audible(&levels, rate).max(settled + 1) - settled)
    }

    /// What the flow matching hears of the clip: log-mel `[1, mel, frames]` and its content `[1, frames, condition]`.
    pub(super) fn prompt(&self, voice: &Voice, options: &Options) -> (Tensor<3>, Tensor<3>) {
        let mel = &self.config.mel;
        let frames = |seconds: f64| (seconds * mel.sample_rate as f64 / mel.hop_length as f64) as usize;
        voice.prompt(options.prompt_seconds.map(frames))
    }

    /// Frames on the model's scale for the part of `condition` `[1, frames, content]` that is not settled.
    fn flow(
        &self,
        segment: &SegmentInWork,
        condition: Tensor<3>,
        voice: &Voice,
        options: &Options,
        observer: &mut SegmentObserver<'_>,
    ) -> Result<Path> {
        let (settled, frames) = (segment.frames(), condition.dims()[1]);
        let context = segment.path.frames();
        let (prompt_mel, prompt_condition) = self.prompt(voice, options);
        let prompt = prompt_mel.dims()[2];
        let bins = self.config.mel.n_mels;
        // Every frame has noise of its own, whichever chunk it is made in.
        let noise = segment.noise.clone().tensor(options.seed, [1, bins, prompt + frames], &self.device)?;
        let noise = if options.noise == 1.0 { noise } else { noise.mul_scalar(options.noise) };
        let without_settled = |x: Tensor<3>, dim| match settled - context {
            0 => x,
            gone => {
                let behind = prompt + gone;
                let length = x.dims()[dim];
                Tensor::cat(vec![x.clone().narrow(dim, 0, prompt), x.narrow(dim, behind, length - behind)], dim)
            }
        };
        let condition = Tensor::cat(vec![prompt_condition, condition], 1);
        let solve_options = SolveOptions { steps: options.steps, guidance: options.guidance };
        solve_onward(
            &self.networks.s2mel.dit,
            without_settled(noise, 2),
            prompt_mel,
            &segment.path,
            without_settled(condition, 1),
            voice.style.clone(),
            &solve_options,
            &mut |done| observer(Stage::Mel, done, Some(options.steps)),
        )
    }

    /// Samples of the frames `mel` `[1, bins, frames]` that follow those `before` them.
    async fn render(&self, before: Option<&Tensor<3>>, mel: Tensor<3>) -> Result<Vec<f32>> {
        let (context, mel) = match before {
            Some(before) => {
                let frames = before.dims()[2];
                let context = frames.min(self.config.bigvgan.reach());
                (context, Tensor::cat(vec![before.clone().narrow(2, frames - context, context), mel], 2))
            }
            None => (0, mel),
        };
        let wave = in_pool(&self.device, || self.networks.vocoder.forward(self.config.s2mel.mel_scale.restore(mel)));
        let samples = values(wave).await?.split_off(context * self.config.mel.hop_length);
        match samples.iter().all(|v| v.is_finite()) {
            true => Ok(samples),
            false => Err(Error::Generation {
                stage: "vocoder",
                what: "the wave holds values that are not numbers".into(),
                hint: "check the model with `indextts models verify`; on a GPU try --dtype f32 or --device cpu".into(),
            }),
        }
    }
}

impl Streaming {
    /// Codes of a segment that are to be there, lookahead aside, for its chunk number `chunk`, if its first is `first` seconds
    /// long; a second has `rate` of them.
    pub(super) fn codes(first: f64, chunk: u32, rate: f64) -> usize {
        let first = ((first * rate).round() as usize).max(1);
        // 1, 3, 7, ...: every chunk is twice as long as the one before, up to the longest.
        let longest = (Self::LONGEST_SECONDS * rate) as usize;
        (0..=chunk).map(|i| first.saturating_mul(1 << i.min(16)).min(longest.max(first))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_double_up_to_the_longest() {
        let ends: Vec<usize> = (0..7).map(|chunk| Streaming::codes(0.5, chunk, 50.0)).collect();
        assert_eq!(ends, [25, 75, 175, 375, 775, 1175, 1575]);
    }
}
