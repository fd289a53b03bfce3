//! The synthesis itself.
//!
//! Source: pipeline specification 2.3 to 2.9.
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::audio::decode::{ReferenceAudio, reference_from_bytes};
use crate::config::ModelConfig;
use crate::kernels::in_pool;
use crate::models::gpt;
use crate::models::length_regulator::{target_frames_v2, target_frames_v2_5};
use crate::readback::wait;
use crate::text::{Language, TextFrontEnd};
use crate::weights::Manifest;
use crate::{Error, ModelFiles, Result};

use super::decode::step_together;
use super::emotion::{Emotion, EmotionVector};
use super::networks::{Codec, Networks, Precision, check_codes};
use super::options::Options;
use super::pace::Pace;
use super::progress::{Cost, Observer, Stage, Timings};
use super::read_emotion;
use super::script::Script;
use super::segment::{SegmentInWork, SegmentObserver};
use super::utterance::Utterance;
use super::voice::{self, EmotionClip, REFERENCE_SECONDS, ReferenceFeatures, Voice};
use super::work::Works;

/// Folder of the clips that a model brings along as voices.
const VOICES: &str = "voices";
/// Files that decide what a voice's tensors are.
const VOICE_FILES: [&str; 7] =
    ["campplus.bpk", "codec.bpk", "config.json", "gpt.bpk", "s2mel.bpk", "w2v_bert.bpk", "w2v_stats.bpk"];
/// Clips of a few seconds; anything larger is not one.
const MAX_VOICE: u64 = 16 << 20;

/// What to say, in which voice, how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub text: &'a str,
    pub voice: &'a Voice,
    pub emotion: Emotion,
    pub options: Options,
}

/// The result of a [`Request`].
#[derive(Debug, Clone)]
pub struct Speech {
    /// Mono samples, nominally from -1 to 1.
    pub samples: Vec<f32>,
    pub sample_rate: u32,
    pub timings: Timings,
    /// Semantic codes generated, over all segments.
    pub codes: usize,
    /// What the listener should know: segments that were cut off, tokens the model does not know.
    pub warnings: Vec<String>,
}

/// One segment's intermediate results.
#[derive(Debug, Clone)]
pub struct Segment {
    pub codes: Vec<u32>,
    /// Log-mel of the segment, `[1, mel, frames]`.
    pub mel: Tensor<3>,
    pub samples: Vec<f32>,
    /// The limit of codes was reached before the model stopped.
    pub cut_off: bool,
}

/// What the GPT is conditioned on for one utterance, `[1, rows, model]`.
#[derive(Debug, Clone)]
pub struct Conditioning(pub(super) Tensor<3>);

/// A loaded model. Holds no per-request state, only what it has learned of the machine's speed: one instance serves any number
/// of threads.
pub struct Synthesizer {
    files: ModelFiles,
    pub(super) config: ModelConfig,
    pub(super) networks: Networks,
    pub(super) text: TextFrontEnd,
    precision: Precision,
    pub(super) device: Device,
    pub(super) pace: Pace,
}

impl Synthesizer {
    /// Loads a model (a directory made by `indextts models import`, or one in memory) onto `device`.
    pub fn load(files: impl Into<ModelFiles>, device: &Device) -> Result<Self> {
        Self::load_with(files, Precision::default(), device)
    }

    /// As [`Synthesizer::load`], with weights kept in less than f32.
    pub fn load_with(files: impl Into<ModelFiles>, precision: Precision, device: &Device) -> Result<Self> {
        let files = files.into();
        if !files.contains("config.json") {
            return Err(Error::Format {
                path: files.path(""),
                what: "not a model directory".into(),
                hint: "make one of the official files with `indextts models import FROM TO`".into(),
            });
        }
        let config = ModelConfig::read(&files)?;
        let networks = Networks::load(&files, &config, precision, device)?;
        let text = TextFrontEnd::load(&files, config.gpt.text_tokens, config.gpt.text_positions)?;
        Ok(Self { files, config, networks, text, precision, device: device.clone(), pace: Pace::default() })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What this model is meant to be used with.
    pub fn default_options(&self) -> Options {
        Options::of(&self.config)
    }

    pub fn sample_rate(&self) -> u32 {
        self.config.mel.sample_rate as u32
    }

    /// Identifies everything that a [`Voice`] depends on: SHA-256 over the manifest's hashes of the configuration and of
    /// the networks that read a reference clip, lower-case hexadecimal.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the model has no usable manifest.
    pub fn fingerprint(&self) -> Result<String> {
        Manifest::of(&self.files)?.fingerprint(&VOICE_FILES).map_err(|what| Error::Format {
            path: self.files.path("manifest.json"),
            what,
            hint: "import the model again".into(),
        })
    }

    /// Where the tensors of its voices live.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Names of the voices that the model brings along; the first is its own choice.
    pub fn voices(&self) -> Vec<String> {
        let name = |file: String| Some(Path::new(&file).file_stem()?.to_str()?.to_string());
        self.files.list(VOICES).into_iter().filter_map(name).collect()
    }

    /// One of [`Synthesizer::voices`], or the first of them.
    pub fn built_in_voice(&self, name: Option<&str>) -> Result<Voice> {
        self.voice(&self.built_in_clip(name)?)
    }

    /// The clip of one of [`Synthesizer::voices`], or of the first of them.
    pub fn built_in_clip(&self, name: Option<&str>) -> Result<ReferenceAudio> {
        let stem =
            |file: &str| Path::new(file).file_stem().is_some_and(|stem| Some(stem.to_string_lossy().as_ref()) == name);
        let found = self.files.list(VOICES).into_iter().find(|file| name.is_none() || stem(file));
        let Some(file) = found else {
            let names = self.voices();
            return Err(Error::Input {
                name: "voice".into(),
                got: name.unwrap_or("none").into(),
                expected: if names.is_empty() {
                    "an audio file: this model brings no voices of its own".into()
                } else {
                    format!("an audio file, or one of the model's voices: {}", names.join(", "))
                },
            });
        };
        let bytes = self.files.read(&file, MAX_VOICE)?;
        let origin = self.files.path(&file).display().to_string();
        reference_from_bytes(bytes.into_owned(), &origin, REFERENCE_SECONDS)
    }

    /// Everything synthesis needs of a reference clip.
    pub fn voice(&self, audio: &ReferenceAudio) -> Result<Voice> {
        let padding = self.config.feature_padding as f32;
        self.voice_from_features(&ReferenceFeatures::new(audio, &self.config.mel, padding))
    }

    /// As [`Synthesizer::voice`], and what it has cost.
    pub fn voice_measured(&self, audio: &ReferenceAudio) -> Result<(Voice, Timings)> {
        let mut timings = Timings::default();
        let padding = self.config.feature_padding as f32;
        let features =
            timings.measure(Stage::Features, || Ok(ReferenceFeatures::new(audio, &self.config.mel, padding)))?;
        Ok((self.listen(&features, &mut timings)?, timings))
    }

    /// As [`Synthesizer::voice`], from acoustic features computed before.
    pub fn voice_from_features(&self, features: &ReferenceFeatures) -> Result<Voice> {
        self.listen(features, &mut Timings::default())
    }

    fn listen(&self, features: &ReferenceFeatures, timings: &mut Timings) -> Result<Voice> {
        voice::check_length(&features.speaker)?;
        let (networks, works) = (&self.networks, self.works());
        let (frames, mel_frames) = (features.speaker.frames, features.mel.len() / features.mel_bins);
        let (content, own) = timings.measure_work(Stage::W2vBert, || {
            let both = (self.content(&features.speaker), self.content(&features.emotion));
            Ok((both, works.w2v_bert(frames) + works.w2v_bert(features.emotion.frames)))
        })?;
        let floats = |values: &[f32], shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), &self.device)
        };
        let bins = 80;
        let style = timings.measure_work(Stage::Style, || {
            let frames = features.fbank.len() / bins;
            let fbank = floats(&features.fbank, [1, frames, bins]);
            let style = in_pool(&self.device, || networks.campplus.forward(fbank));
            Ok((style, works.campplus(frames)))
        })?;
        let (speaker, emotion_base, emotion_own) = timings.measure_work(Stage::Latents, || {
            let latents = in_pool(&self.device, || {
                let speaker = networks.gpt.speaker_latents(content.clone(), style.clone());
                (speaker, networks.gpt.emotion_vector(content.clone()), networks.gpt.emotion_vector(own))
            });
            Ok((latents, works.latents(frames, 2)))
        })?;
        let prompt_condition = timings.measure_work(Stage::Prompt, || {
            let prompt = || networks.s2mel.regulator.forward(networks.codec.prompt(content), mel_frames);
            Ok((in_pool(&self.device, prompt), works.prompt(frames, mel_frames)))
        })?;
        let mel = floats(&features.mel, [1, features.mel_bins, mel_frames]);
        let prompt_mel = self.config.s2mel.mel_scale.normalize(mel);
        Ok(Voice { speaker, emotion_base, emotion_own, prompt_condition, prompt_mel, style })
    }

    /// How much its networks have to do.
    pub(super) fn works(&self) -> Works<'_> {
        Works { config: &self.config, bytes: &self.networks.bytes }
    }

    /// The emotion of a clip, for [`Emotion::Clip`].
    pub fn emotion_clip(&self, audio: &ReferenceAudio) -> Result<EmotionClip> {
        let features = voice::emotion_features(audio, self.config.feature_padding as f32);
        voice::check_length(&features)?;
        Ok(EmotionClip(self.networks.gpt.emotion_vector(self.content(&features))))
    }

    /// As [`Synthesizer::emotion_clip`], from normalised w2v-bert features `[1, frames, width]`.
    pub fn emotion_clip_from_content(&self, content: Tensor<3>) -> EmotionClip {
        EmotionClip(self.networks.gpt.emotion_vector(content))
    }

    /// Normalised w2v-bert features `[1, frames, width]`.
    pub(super) fn content(&self, features: &crate::audio::fbank::SeamlessFeatures) -> Tensor<3> {
        let (data, mask) = voice::tensors(features, &self.device);
        let hidden = in_pool(&self.device, || self.networks.w2v_bert.forward(data, Some(mask)));
        self.networks.feature_stats.normalize(hidden)
    }

    /// Text to speech.
    pub fn synthesize(&self, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<Speech> {
        self.plan(request, observer)?.finish(self, observer)
    }

    /// Text to speech in pieces: checks the request, splits its text and sets voice and emotion, but speaks nothing yet.
    pub fn plan(&self, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<Utterance> {
        let none =
            &mut |name: &str| Err(Error::Input { name: "voice".into(), got: name.into(), expected: "none".into() });
        wait(Utterance::new(self, &Script::plain(request.text), request, none, observer))
    }

    /// As [`Synthesizer::plan`], for a text with markup in place of `request.text`. `voice` finds the voices that the
    /// markup names.
    pub fn plan_script(
        &self,
        script: &Script,
        request: &Request<'_>,
        voice: &mut dyn FnMut(&str) -> Result<Voice>,
        observer: &mut Observer<'_>,
    ) -> Result<Utterance> {
        wait(self.plan_script_async(script, request, voice, observer))
    }

    /// As [`Synthesizer::plan_script`], for a device that cannot be waited for: a browser's GPU.
    pub async fn plan_script_async(
        &self,
        script: &Script,
        request: &Request<'_>,
        voice: &mut dyn FnMut(&str) -> Result<Voice>,
        observer: &mut Observer<'_>,
    ) -> Result<Utterance> {
        Utterance::new(self, script, request, voice, observer).await
    }

    /// One code more for each of `utterances` that [wants codes](Utterance::wants_codes), all in one pass over the GPT: where
    /// its weights come from memory slower than they are multiplied, several codes cost hardly more than one.
    ///
    /// The codes are those that [`Utterance::next_chunk`] would choose by itself, which is to be asked for the chunk when
    /// its codes are there, and tells of the errors. Products in half precision and of integers may round otherwise where more
    /// rows are multiplied.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn decode_together(&self, utterances: &mut [&mut Utterance]) -> Result<()> {
        let mut speakers: Vec<&mut &mut Utterance> = utterances.iter_mut().filter(|one| one.wants_codes()).collect();
        let count = speakers.len() as u32;
        let mut timings = Timings::default();
        let searches = speakers.iter_mut().filter_map(|one| one.search()).collect();
        wait(timings.measure_async(Stage::Gpt, step_together(&self.networks.gpt, searches)))?;
        for (stage, Cost { wall, cpu, work }) in timings.costs() {
            let share = Cost { wall: wall / count.max(1), cpu: cpu.map(|cpu| cpu / count.max(1)), work };
            speakers.iter_mut().for_each(|one| one.add_cost(stage, share));
        }
        Ok(())
    }

    /// The GPT's conditioning for `voice` with `emotion`.
    pub fn conditioning(&self, voice: &Voice, emotion: &Emotion, options: &Options) -> Result<Conditioning> {
        wait(self.conditioning_async(voice, emotion, options))
    }

    pub(super) async fn conditioning_async(
        &self,
        voice: &Voice,
        emotion: &Emotion,
        options: &Options,
    ) -> Result<Conditioning> {
        let between = |emotion: &Tensor<2>, weight: f32| {
            let base = voice.emotion_base.clone();
            base.clone() + (emotion.clone() - base).mul_scalar(weight)
        };
        let vector = match emotion {
            Emotion::SameAsVoice => between(&voice.emotion_own, 1.0),
            Emotion::Clip { clip, weight } => between(&clip.0, *weight),
            Emotion::Vector { vector, weight } => {
                let vector = if options.balanced_emotions { vector.balanced() } else { *vector };
                let weights = vector.weakened(*weight).values();
                let bank = &self.networks.emotion_bank;
                let rows = if options.random_exemplars {
                    bank.random(&mut stream(options.seed, u64::MAX))
                } else {
                    bank.nearest(voice.style.clone()).await?
                };
                let own = between(&voice.emotion_own, 1.0);
                let rest = 1.0 - weights.iter().sum::<f32>();
                bank.mix(&rows, &weights) + own.mul_scalar(rest)
            }
            Emotion::Text { .. } => {
                return Err(Error::Input {
                    name: "emotion".into(),
                    got: "a text".into(),
                    expected: "a vector: read the text with Synthesizer::read_emotion first".into(),
                });
            }
        };
        Ok(Conditioning(self.networks.gpt.conditioning(voice.speaker.clone(), vector)))
    }

    /// The emotion that the text-to-emotion model reads in `text`.
    ///
    /// The model is loaded for this call only: it is larger than the GPT, and rarely used.
    pub fn read_emotion(&self, text: &str, seed: u64) -> Result<EmotionVector> {
        wait(self.read_emotion_async(text, seed))
    }

    pub(super) async fn read_emotion_async(&self, text: &str, seed: u64) -> Result<EmotionVector> {
        let Some(config) = &self.config.qwen else {
            return Err(Error::Input {
                name: "emotion from text".into(),
                got: format!("a model without it ({})", self.files.path("").display()),
                expected: "a model imported with its qwen0.6bemo4-merge folder; or use --emotion-vector".into(),
            });
        };
        let rng = &mut stream(seed, u64::MAX - 1);
        read_emotion::read(&self.files, config, self.precision, text, rng, &self.device).await
    }

    /// One segment: text ids (without start and stop) to samples.
    #[allow(clippy::too_many_arguments)]
    pub fn speak(
        &self,
        ids: &[u32],
        voice: &Voice,
        conditioning: &Conditioning,
        options: &Options,
        noise: Noise,
        timings: &mut Timings,
        observer: &mut SegmentObserver<'_>,
    ) -> Result<Segment> {
        let options = Options { streaming: None, ..options.clone() };
        let (segment, samples) = wait(async {
            let mut segment = self.begin(ids, conditioning, &options, noise, timings).await?;
            let samples = self.advance(&mut segment, voice, conditioning, &options, timings, observer).await?;
            Ok((segment, samples))
        })?;
        let mel = segment.mel().cloned().map(|mel| self.config.s2mel.mel_scale.restore(mel));
        let codes = segment.codes();
        let mel = mel.ok_or(Error::Cancelled)?;
        Ok(Segment { codes: codes.codes, mel, samples, cut_off: !codes.stopped })
    }

    /// As [`Synthesizer::speak`], of codes that are there already.
    pub fn speak_codes(
        &self,
        ids: &[u32],
        codes: &[u32],
        voice: &Voice,
        conditioning: &Conditioning,
        options: &Options,
        noise: Noise,
    ) -> Result<Segment> {
        let mut segment = SegmentInWork::of_codes(ids, codes, options, noise);
        let options = Options { streaming: None, retries: 0, ..options.clone() };
        let (timings, observer) = (&mut Timings::default(), &mut |_, _, _| ControlFlow::Continue(()));
        let samples = wait(self.advance(&mut segment, voice, conditioning, &options, timings, observer))?;
        let mel = segment.mel().cloned().map(|mel| self.config.s2mel.mel_scale.restore(mel));
        Ok(Segment { codes: codes.to_vec(), mel: mel.ok_or(Error::Cancelled)?, samples, cut_off: false })
    }

    /// The GPT's logits for each of `codes`, given the text and the codes before it.
    pub fn code_logits(
        &self,
        ids: &[u32],
        conditioning: &Conditioning,
        codes: &[u32],
        options: &Options,
    ) -> Result<Vec<Vec<f32>>> {
        let gpt = &self.networks.gpt;
        check_codes(codes, gpt.codes())?;
        let Some((_, before)) = codes.split_last() else { return Ok(Vec::new()) };
        let mut input = vec![gpt.tokens().start_code];
        input.extend(before);
        let prefix = gpt.prefix(conditioning.0.clone(), ids, self.language(options))?;
        let logits = gpt.logits(Tensor::cat(vec![prefix, gpt.code_rows(&input, 0, &self.device)], 1));
        let rows = logits.dims()[1];
        let values: Vec<f32> = logits.narrow(1, rows - input.len(), input.len()).into_data().iter().collect();
        Ok(values.chunks_exact(gpt.codes()).map(<[f32]>::to_vec).collect())
    }

    /// Row of the GPT's language table. Models that have one but a single language need no choice.
    pub(super) fn language(&self, options: &Options) -> Option<usize> {
        match self.config.gpt.conditioning {
            gpt::Conditioning::Latents(_) => None,
            gpt::Conditioning::Vector { languages: 1, .. } => Some(0),
            gpt::Conditioning::Vector { .. } => Some(options.text.language.unwrap_or(Language::CHINESE).row()),
        }
    }

    /// Mel frames for `content` frames of 50 Hz.
    fn target_frames(&self, content: usize, options: &Options) -> Result<usize> {
        let Some(seconds) = options.seconds else {
            return Ok(match &self.networks.codec {
                Codec::Semantic(_) if options.duration_factor == 1.0 => target_frames_v2(content),
                _ => target_frames_v2_5(content, options.duration_factor).max(1),
            });
        };
        let frames = seconds * f64::from(self.sample_rate()) / self.config.mel.hop_length as f64;
        let natural = target_frames_v2_5(content, 1.0) as f64;
        if !(0.1..=10.0).contains(&(frames / natural)) {
            let mel = self.config.mel.hop_length as f64 / f64::from(self.sample_rate());
            return Err(Error::Input {
                name: "seconds".into(),
                got: format!("{seconds:.2} s for a segment that takes {:.2} s by itself", natural * mel),
                expected: "a tenth to ten times of that".into(),
            });
        }
        Ok(frames.round() as usize)
    }

    /// Codes of a second of speech.
    pub(super) fn code_rate(&self) -> f64 {
        match &self.networks.codec {
            Codec::Semantic(_) => 50.0,
            Codec::Decoder(_) => 25.0,
        }
    }

    /// Rows of the codebook.
    pub(super) fn codebook(&self) -> usize {
        match &self.networks.codec {
            Codec::Semantic(codec) => codec.codebook_size(),
            Codec::Decoder(codec) => codec.codebook_size(),
        }
    }

    /// Features of the generated codes `[1, time, width]` and the mel frames they stand for.
    pub(super) fn generated_features(
        &self,
        cond: Tensor<3>,
        ids: &[u32],
        codes: &[u32],
        options: &Options,
    ) -> Result<(Tensor<3>, usize)> {
        let row: Vec<i64> = codes.iter().map(|c| i64::from(*c)).collect();
        let row: Tensor<2, Int> = Tensor::from_data(TensorData::new(row, [1, codes.len()]), &self.device);
        let networks = &self.networks;
        Ok(match &networks.codec {
            Codec::Semantic(codec) => {
                let embedded = codec.embed(row);
                // Only 2.0 adds the GPT's latents; a model without the projection has none to add.
                let features = match &networks.s2mel.gpt_projection {
                    Some(projection) => embedded + projection.forward(networks.gpt.latent(cond, ids, codes)?),
                    None => embedded,
                };
                (features, self.target_frames(codes.len(), options)?)
            }
            Codec::Decoder(codec) => {
                let features = codec.decode(row);
                let [_, time, _] = features.dims();
                (features, self.target_frames(time, options)?)
            }
        })
    }
}

pub(super) fn observe(
    observer: &mut SegmentObserver<'_>,
    stage: Stage,
    done: usize,
    total: Option<usize>,
) -> Result<()> {
    match observer(stage, done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

/// Where the flow matching's starting noise comes from.
#[derive(Debug, Clone)]
// One per segment: a few hundred bytes do not matter.
#[allow(clippy::large_enum_variant)]
pub enum Noise {
    /// Drawn from the request's seed; each segment has its own stream.
    Seeded { segment: u64 },
    /// Given, `[1, mel, prompt frames + frames]`: for comparison with another implementation.
    Given(Tensor<3>),
}

impl Noise {
    pub(super) fn segment(&self) -> u64 {
        match self {
            Self::Seeded { segment } => *segment,
            Self::Given(_) => 0,
        }
    }

    pub(super) fn tensor(self, seed: u64, shape: [usize; 3], device: &Device) -> Result<Tensor<3>> {
        match self {
            Self::Given(noise) if noise.dims() == shape => Ok(noise),
            Self::Given(noise) => Err(Error::Input {
                name: "noise".into(),
                got: format!("{:?}", noise.dims()),
                expected: format!("{shape:?}"),
            }),
            Self::Seeded { segment } => {
                let mut rng = stream(seed, 2 * segment + 1);
                let values: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(shape.iter().product()).collect();
                // Frame by frame, so that a frame's noise does not depend on how many follow.
                let [one, bins, frames] = shape;
                Ok(Tensor::<3>::from_data(TensorData::new(values, [one, frames, bins]), device).swap_dims(1, 2))
            }
        }
    }
}

/// Independent random numbers for each purpose of one request. The generator is counter-based and runs on the host, so
/// the same seed draws the same numbers on every device.
pub(super) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}
