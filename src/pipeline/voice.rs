//! A voice: everything that synthesis needs of a reference clip, computed once and independent of the text.
//!
//! Source: pipeline specification 2.1 and 2.2.
use burn::tensor::{Bool, Device, Tensor, TensorData};

use crate::audio::decode::ReferenceAudio;
use crate::audio::fbank::{self, SeamlessFeatures};
use crate::audio::mel::MelConfig;
use crate::audio::resample;
use crate::{Error, Result};

/// Rate of the w2v-bert and CAMPPlus front ends, Hz.
const FEATURE_RATE: u32 = 16_000;

/// Seconds of a reference clip that are used.
pub const REFERENCE_SECONDS: usize = 15;

/// Acoustic features of a reference clip, before any network has seen them.
#[derive(Debug, Clone)]
pub struct ReferenceFeatures {
    /// w2v-bert features of the speaker route (original rate, model rate, 16 kHz).
    pub speaker: SeamlessFeatures,
    /// w2v-bert features of the emotion route (original rate, 16 kHz).
    pub emotion: SeamlessFeatures,
    /// CAMPPlus features `[frames, 80]`, mean removed.
    pub fbank: Vec<f32>,
    /// Log-mel `[n_mels, frames]`.
    pub mel: Vec<f32>,
    pub mel_bins: usize,
}

impl ReferenceFeatures {
    /// Features of `audio` for a model with this mel and padding.
    pub fn new(audio: &ReferenceAudio, mel: &MelConfig, padding: f32) -> Self {
        let rate = mel.sample_rate as u32;
        let mut own = audio.resampled(rate);
        own.truncate(REFERENCE_SECONDS * rate as usize);
        let own_rate = || {
            let narrow = resample::sinc_hann(&own, rate, FEATURE_RATE);
            rayon::join(|| fbank::seamless(&narrow, padding), || fbank::kaldi(&narrow))
        };
        let other = || rayon::join(|| emotion_features(audio, padding), || mel.log_mel(&own));
        let ((speaker, fbank), (emotion, mel_frames)) = rayon::join(own_rate, other);
        Self { speaker, emotion, fbank, mel: mel_frames, mel_bins: mel.n_mels }
    }
}

/// w2v-bert features of the emotion route.
pub(super) fn emotion_features(audio: &ReferenceAudio, padding: f32) -> SeamlessFeatures {
    let mut samples = audio.resampled(FEATURE_RATE);
    samples.truncate(REFERENCE_SECONDS * FEATURE_RATE as usize);
    fbank::seamless(&samples, padding)
}

/// Features as the tensors `[1, frames, 160]` and `[1, frames]` (true = real frame).
pub(super) fn tensors(features: &SeamlessFeatures, device: &Device) -> (Tensor<3>, Tensor<2, Bool>) {
    let frames = features.frames;
    let width = features.data.len() / frames.max(1);
    let data = TensorData::new(features.data.clone(), [1, frames, width]);
    let mask = TensorData::new(features.mask.clone(), [1, frames]);
    (Tensor::from_data(data, device), Tensor::from_data(mask, device))
}

/// A voice, ready to speak.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Speaker rows of the GPT's prompt, `[1, rows, model]`.
    pub(crate) speaker: Tensor<3>,
    /// CAMPPlus embedding `[1, style]`.
    pub(crate) style: Tensor<2>,
    /// The clip's emotion by the speaker route, `[1, model]`: the base that weights refer to.
    pub(crate) emotion_base: Tensor<2>,
    /// The clip's emotion by the emotion route, `[1, model]`: used when nothing else is asked for.
    pub(crate) emotion_own: Tensor<2>,
    /// Regulated content features of the clip, `[1, frames, condition]`.
    pub(crate) prompt_condition: Tensor<3>,
    /// Log-mel of the clip, `[1, mel, frames]`.
    pub(crate) prompt_mel: Tensor<3>,
}

impl Voice {
    /// What the flow matching hears of the clip: log-mel `[1, mel, frames]` and its content `[1, frames, condition]`, of `most`
    /// frames from the middle, or of all.
    pub(crate) fn prompt(&self, most: Option<usize>) -> (Tensor<3>, Tensor<3>) {
        let frames = self.prompt_mel.dims()[2];
        let kept = most.unwrap_or(frames).clamp(1, frames);
        let first = (frames - kept) / 2;
        (self.prompt_mel.clone().narrow(2, first, kept), self.prompt_condition.clone().narrow(1, first, kept))
    }

    /// The emotion of its clip, for [`Emotion::Clip`](crate::Emotion::Clip) with another voice.
    pub fn emotion(&self) -> EmotionClip {
        EmotionClip(self.emotion_own.clone())
    }
}

/// The emotion of a clip, `[1, model]`.
#[derive(Debug, Clone)]
pub struct EmotionClip(pub(crate) Tensor<2>);

impl EmotionClip {
    /// An emotion vector `[1, model]` that was computed before.
    pub fn from_vector(vector: Tensor<2>) -> Self {
        Self(vector)
    }
}

/// The clip must give each front end at least one frame, and the pooling layers two.
pub(super) fn check_length(features: &SeamlessFeatures) -> Result<()> {
    if features.frames < 8 {
        return Err(Error::Audio {
            origin: "reference audio".into(),
            what: format!("only {} feature frames of 20 ms", features.frames),
            hint: "use a clip of at least half a second, better 5 to 15 seconds".into(),
        });
    }
    Ok(())
}
