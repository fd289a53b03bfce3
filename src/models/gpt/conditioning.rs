//! What the GPT hears about speaker and emotion before it reads the text.
use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::Tensor;

use super::Gpt;
use crate::nn::conformer::Conformer;
use crate::nn::linear::{FewBits, Linear};
use crate::nn::perceiver::Perceiver;

/// The speaker's way into the prompt; the one great difference between 2.0 and 2.5.
#[derive(Module, Debug)]
// One per model, and parameters are pointers: the difference in size is a few hundred bytes.
#[allow(clippy::large_enum_variant)]
pub enum SpeakerEncoder {
    Latents(LatentSpeaker),
    Vector(VectorSpeaker),
}

/// IndexTTS-2: the clip's features, condensed to latents.
#[derive(Module, Debug)]
pub struct LatentSpeaker {
    pub conformer: Conformer,
    pub perceiver: Perceiver,
    pub(super) speed: Embedding,
}

/// IndexTTS-2.5: the clip's speaker vector, projected.
#[derive(Module, Debug)]
pub struct VectorSpeaker {
    pub(super) projection: Linear,
    pub(super) languages: Embedding,
}

/// Features -> one vector. components.md 4.3.
#[derive(Module, Debug)]
pub struct EmotionEncoder {
    pub conformer: Conformer,
    pub perceiver: Perceiver,
    pub(super) projection: Linear,
    pub(super) out: Linear,
}

impl SpeakerEncoder {
    /// In few bits, where it is large.
    pub(super) fn quantize(self, few: FewBits<'_>) -> Self {
        match self {
            Self::Latents(LatentSpeaker { conformer, perceiver, speed }) => Self::Latents(LatentSpeaker {
                conformer: conformer.quantize(few),
                perceiver: perceiver.quantize(few),
                speed,
            }),
            Self::Vector(speaker) => Self::Vector(speaker),
        }
    }
}

impl EmotionEncoder {
    /// In few bits.
    pub(super) fn quantize(self, few: FewBits<'_>) -> Self {
        let (conformer, perceiver) = (self.conformer.quantize(few), self.perceiver.quantize(few));
        Self { conformer, perceiver, ..self }
    }
}

impl Gpt {
    /// Emotion of a clip: normalised w2v-bert features `[1, time, features]` -> `[1, dim]`.
    ///
    /// At least 3 and at most [`Conformer::max_frames`] frames. `E` in pipeline.md 2.3.
    pub fn emotion_vector(&self, features: Tensor<3>) -> Tensor<2> {
        let encoder = &self.emotion;
        let latent = encoder.perceiver.forward(encoder.conformer.forward(features));
        encoder.out.forward(encoder.projection.forward(latent)).squeeze_dim(1)
    }

    /// Speaker rows of the prompt, `[1, rows, dim]`: from the clip's features `[1, time, features]` in 2.0 (32 rows),
    /// from its speaker vector `[1, style]` in 2.5 (1 row).
    pub fn speaker_latents(&self, features: Tensor<3>, style: Tensor<2>) -> Tensor<3> {
        match &self.speaker {
            SpeakerEncoder::Latents(speaker) => speaker.perceiver.forward(speaker.conformer.forward(features)),
            SpeakerEncoder::Vector(speaker) => speaker.projection.forward(style).unsqueeze_dim(1),
        }
    }

    /// The prompt before the text: speaker rows `[1, rows, dim]` with the emotion `[1, dim]` added, then two rows for
    /// speed -> `[1, rows + 2, dim]`. pipeline.md 2.6.
    pub fn conditioning(&self, speaker: Tensor<3>, emotion: Tensor<2>) -> Tensor<3> {
        let [_, _, dim] = speaker.dims();
        let speed = match &self.speaker {
            // Row 1 comes first. The rows stood for a speed control that was never released.
            SpeakerEncoder::Latents(speaker) => speaker.speed.weight.val().flip([0]).unsqueeze(),
            SpeakerEncoder::Vector(_) => Tensor::zeros([1, 2, dim], &speaker.device()),
        };
        Tensor::cat(vec![speaker + emotion.unsqueeze_dim(1), speed], 1)
    }
}
