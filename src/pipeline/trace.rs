//! What every stage of a synthesis makes of given inputs: for comparing devices and precisions with each other.
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use web_time::Instant;

use crate::audio::decode::ReferenceAudio;
use crate::models::flow::{SolveOptions, solve};
use crate::readback::{values, wait};
use crate::{Error, Result};

use super::decode::{DecodeOptions, Decoding, step_logits};
use super::networks::{Codec, check_codes};
use super::options::Options;
use super::synthesize::{Noise, Synthesizer, stream};
use super::voice::{self, ReferenceFeatures};

/// Name of the stage that chooses codes.
const CODES: &str = "GPT codes, greedy";

/// The outputs of all stages, in the order in which they run.
#[derive(Debug, Clone)]
pub struct Trace {
    pub stages: Vec<StageOutput>,
}

/// What one stage put out.
#[derive(Debug, Clone)]
pub struct StageOutput {
    pub name: &'static str,
    pub shape: Vec<usize>,
    /// In f32, row-major; codes are numbers too.
    pub values: Vec<f32>,
    /// From its inputs on the device to its output on the host.
    pub time: Duration,
}

/// How far two outputs of a stage are from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Values that both have; of the others nothing is said.
    pub common: usize,
    /// Largest absolute difference; NaN where either holds one.
    pub largest: f64,
    /// Standard deviation of the reference, the measure for the largest.
    pub deviation: f64,
    pub cosine: f64,
}

impl StageOutput {
    /// Whether its values are codes, which are equal or not.
    pub fn is_codes(&self) -> bool {
        self.name == CODES
    }

    /// The distance of this output from that of a reference.
    pub fn difference(&self, reference: &Self) -> Difference {
        Difference::between(&self.values, &reference.values)
    }
}

impl Difference {
    /// The distance of `got` from `reference`.
    pub fn between(got: &[f32], reference: &[f32]) -> Self {
        let common = got.len().min(reference.len());
        let (got, reference) = (&got[..common], &reference[..common]);
        let count = common.max(1) as f64;
        let mean = reference.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = reference.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        let (mut largest, mut dot, mut a2, mut b2) = (0f64, 0f64, 0f64, 0f64);
        for (&a, &b) in got.iter().zip(reference) {
            let (a, b) = (f64::from(a), f64::from(b));
            // `max` would swallow a NaN, and so would a comparison that comes after one.
            let distance = (a - b).abs();
            largest = if largest.is_nan() || distance <= largest { largest } else { distance };
            dot += a * b;
            a2 += a * a;
            b2 += b * b;
        }
        Self { common, largest, deviation: variance.sqrt(), cosine: dot / (a2 * b2).sqrt().max(f64::MIN_POSITIVE) }
    }
}

impl Trace {
    /// The output of the stage called `name`.
    pub fn stage(&self, name: &str) -> Option<&StageOutput> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl Synthesizer {
    /// Runs all stages on a reference clip and the first segment of `text`, with greedy codes.
    ///
    /// With `given`, a trace of the same clip, text and options, every stage is fed what `given`'s stages put out instead
    /// of what this model's own did, so that differences do not add up, and the GPT is fed its codes.
    ///
    /// # Errors
    /// As for a synthesis; [`Error::Input`] if `given` is of another kind of model.
    pub fn trace(&self, clip: &ReferenceAudio, text: &str, options: &Options, given: Option<&Trace>) -> Result<Trace> {
        wait(self.trace_async(clip, text, options, given))
    }

    /// As [`Synthesizer::trace`], for a device that cannot be waited for.
    pub async fn trace_async(
        &self,
        clip: &ReferenceAudio,
        text: &str,
        options: &Options,
        given: Option<&Trace>,
    ) -> Result<Trace> {
        options.check()?;
        let networks = &self.networks;
        let features = ReferenceFeatures::new(clip, &self.config.mel, self.config.feature_padding as f32);
        voice::check_length(&features.speaker)?;
        let reading = self.text.read(text, options.max_segment_tokens, &options.text)?;
        let ids = reading.ids().into_iter().next().unwrap_or_default();
        let floats = |values: &[f32], shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), &self.device)
        };
        let mut tracer = Tracer { device: &self.device, given, stages: Vec::new() };

        let content = tracer.run("w2v-bert", async { Ok(self.content(&features.speaker)) }).await?;
        let style =
            async { Ok(networks.campplus.forward(floats(&features.fbank, [1, features.fbank.len() / 80, 80]))) };
        let style = tracer.run("CAMPPlus", style).await?;
        let prompt = match &networks.codec {
            Codec::Semantic(codec) => {
                tracer.run("semantic codec", async { Ok(codec.quantize(content.clone()).1) }).await?
            }
            Codec::Decoder(_) => content.clone(),
        };
        let conditioning = async {
            let speaker = networks.gpt.speaker_latents(content.clone(), style.clone());
            Ok(networks.gpt.conditioning(speaker, networks.gpt.emotion_vector(content.clone())))
        };
        let conditioning = tracer.run("GPT conditioning", conditioning).await?;

        let prefix = || networks.gpt.prefix(conditioning.clone(), &ids, self.language(options));
        let greedy = DecodeOptions { beams: 1, do_sample: false, ..options.decode.clone() };
        let found = async {
            let mut decoding = Decoding::start(&networks.gpt, prefix()?, &greedy).await?;
            let mut rng = stream(options.seed, 0);
            decoding.advance(&networks.gpt, usize::MAX, &mut rng, &mut |_| ControlFlow::Continue(())).await?;
            let codes: Vec<f32> = decoding.finish().codes.iter().map(|code| *code as f32).collect();
            Ok(Tensor::<1>::from_floats(codes.as_slice(), &Device::flex()))
        };
        tracer.run(CODES, found).await?;
        let codes: Vec<u32> = tracer.fed(CODES).iter().map(|code| *code as u32).collect();
        check_codes(&codes, self.codebook())?;
        let logits = async { Ok(step_logits(&networks.gpt, prefix()?, &codes, options.decode.positions)) };
        tracer.run("GPT logits, teacher-forced", logits).await?;

        let mut frames = 0;
        let generated = async {
            let (features, target) = self.generated_features(conditioning.clone(), &ids, &codes, options)?;
            frames = target;
            Ok(features)
        };
        let generated = tracer.run("content of the codes", generated).await?;
        let prompt_frames = features.mel.len() / features.mel_bins;
        let condition = async {
            let regulator = &networks.s2mel.regulator;
            Ok(Tensor::cat(vec![regulator.forward(prompt, prompt_frames), regulator.forward(generated, frames)], 1))
        };
        let condition = tracer.run("length regulator", condition).await?;
        let mel = async {
            let prompt_mel = floats(&features.mel, [1, features.mel_bins, prompt_frames]);
            let shape = [1, features.mel_bins, prompt_frames + frames];
            let noise = Noise::Seeded { segment: 0 }.tensor(options.seed, shape, &self.device)?;
            let mel = solve(
                &networks.s2mel.dit,
                noise.mul_scalar(options.noise),
                self.config.s2mel.mel_scale.normalize(prompt_mel),
                condition,
                style,
                &SolveOptions { steps: options.steps, guidance: options.guidance },
                &mut |_| ControlFlow::Continue(()),
            )?;
            Ok(mel.narrow(2, prompt_frames, frames))
        };
        let mel = tracer.run("flow matching", mel).await?;
        let wave = async { Ok(networks.vocoder.forward(self.config.s2mel.mel_scale.restore(mel))) };
        tracer.run("BigVGAN", wave).await?;
        Ok(Trace { stages: tracer.stages })
    }
}

struct Tracer<'a> {
    device: &'a Device,
    given: Option<&'a Trace>,
    stages: Vec<StageOutput>,
}

impl Tracer<'_> {
    /// Keeps what `stage` puts out, and returns what the next stage is to be fed.
    async fn run<const D: usize>(
        &mut self,
        name: &'static str,
        stage: impl Future<Output = Result<Tensor<D>>>,
    ) -> Result<Tensor<D>> {
        let start = Instant::now();
        let output = stage.await?;
        let shape = output.dims().to_vec();
        let values = values(output).await?;
        self.stages.push(StageOutput { name, shape, values, time: start.elapsed() });
        let fed = match self.given {
            None => self.stages.last(),
            Some(given) => given.stage(name).filter(|given| given.shape.len() == D),
        };
        let fed = fed.ok_or_else(|| Error::Input {
            name: format!("trace, {name}"),
            got: "none".into(),
            expected: "one of the same model".into(),
        })?;
        Ok(Tensor::from_data(TensorData::new(fed.values.clone(), fed.shape.clone()), self.device))
    }

    /// What the stages after `name`, which has run, are fed.
    fn fed(&self, name: &str) -> &[f32] {
        let own = self.stages.iter().find(|stage| stage.name == name);
        self.given.map_or(own, |given| given.stage(name)).map_or(&[], |stage| &stage.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_measured_and_nan_is_seen() {
        let reference = [1.0, -1.0, 1.0, -1.0];
        let same = Difference::between(&reference, &reference);
        assert_eq!((same.largest, same.deviation), (0.0, 1.0));
        assert!((same.cosine - 1.0).abs() < 1e-12);
        let far = Difference::between(&[1.0, -1.0, 1.5, -1.0, 7.0], &reference);
        assert_eq!((far.common, far.largest), (4, 0.5));
        assert!(Difference::between(&[1.0, f32::NAN, 0.0, 0.0], &reference).largest.is_nan());
    }
}
