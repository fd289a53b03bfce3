//! Sizes of the GPT and of the encoders that condition it.
use burn::nn::{EmbeddingConfig, LayerNormConfig};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::blocks::Block;
use super::conditioning::{EmotionEncoder, LatentSpeaker, SpeakerEncoder, VectorSpeaker};
use super::{Gpt, Tokens};
use crate::nn::conformer::ConformerConfig;
use crate::nn::linear::LinearConfig;
use crate::nn::perceiver::PerceiverConfig;
use crate::{Error, Result};

/// Everything that [`Gpt`] needs to know about its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    pub dim: usize,
    pub layers: usize,
    pub heads: usize,
    /// Rows of the text embedding; ids lie below it.
    pub text_tokens: usize,
    /// Rows of the text position table, start and stop included.
    pub text_positions: usize,
    pub start_text: u32,
    pub stop_text: u32,
    /// Speech codes including start and stop.
    pub codes: usize,
    /// Rows of the code position table.
    pub code_positions: usize,
    pub start_code: u32,
    pub stop_code: u32,
    /// Features -> one emotion vector.
    pub emotion: EncoderConfig,
    pub conditioning: Conditioning,
    /// Heads that look at the text where it is spoken; only models that were trained to have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
}

/// The first `heads` heads of some layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// Layers, from 0.
    pub layers: Vec<usize>,
    pub heads: usize,
}

/// A conformer whose output a perceiver condenses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    pub conformer: ConformerConfig,
    pub perceiver: PerceiverConfig,
}

/// How the speaker enters the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Conditioning {
    /// IndexTTS-2: latents read from the reference clip, and two learned rows for speed.
    Latents(EncoderConfig),
    /// IndexTTS-2.5: the speaker vector of CAMPPlus, and a language embedding on the text.
    Vector {
        /// Channels of the speaker vector.
        style: usize,
        /// Rows of the language table.
        languages: usize,
    },
}

impl GptConfig {
    /// Refuses sizes with which the network could not be built or would fail on its first token.
    pub fn validate(&self) -> Result<()> {
        let wrong = |name: &str, got: String, expected: String| {
            Err(Error::Input { name: format!("gpt configuration, {name}"), got, expected })
        };
        if self.heads == 0 || !self.dim.is_multiple_of(self.heads) {
            return wrong("heads", self.heads.to_string(), format!("a divisor of dim ({})", self.dim));
        }
        for (name, id, end) in [
            ("start_text", self.start_text, self.text_tokens),
            ("stop_text", self.stop_text, self.text_tokens),
            ("start_code", self.start_code, self.codes),
            ("stop_code", self.stop_code, self.codes),
        ] {
            if id as usize >= end {
                return wrong(name, id.to_string(), format!("an id below {end}"));
            }
        }
        if self.start_code == self.stop_code {
            return wrong("stop_code", self.stop_code.to_string(), "another id than start_code".into());
        }
        if self.text_positions < 3 || self.code_positions < 3 {
            let got = format!("{} and {}", self.text_positions, self.code_positions);
            return wrong("text_positions and code_positions", got, "3 or more".into());
        }
        if let Some(Alignment { layers, heads }) = &self.alignment
            && (layers.is_empty()
                || layers.iter().any(|layer| *layer >= self.layers)
                || !(1..=self.heads).contains(heads))
        {
            let expected = format!("layers below {}, and 1 to {} heads", self.layers, self.heads);
            return wrong("alignment", format!("{:?}", self.alignment), expected);
        }
        self.emotion.validate("emotion", 1, self)?;
        match &self.conditioning {
            Conditioning::Latents(encoder) if encoder.perceiver.dim != self.dim => {
                wrong("conditioning.perceiver.dim", encoder.perceiver.dim.to_string(), self.dim.to_string())
            }
            Conditioning::Latents(encoder) => encoder.validate("conditioning", encoder.perceiver.latents, self),
            Conditioning::Vector { .. } => Ok(()),
        }
    }

    /// The network, its parameters not yet in memory.
    pub fn init(&self, device: &Device) -> Gpt {
        let embedding = |rows: usize| EmbeddingConfig::new(rows, self.dim).init(device);
        let norm = || LayerNormConfig::new(self.dim).init(device);
        Gpt {
            speaker: match &self.conditioning {
                Conditioning::Latents(encoder) => SpeakerEncoder::Latents(LatentSpeaker {
                    conformer: encoder.conformer.init(device),
                    perceiver: encoder.perceiver.init(device),
                    speed: embedding(2),
                }),
                Conditioning::Vector { style, languages } => SpeakerEncoder::Vector(VectorSpeaker {
                    projection: LinearConfig::new(*style, self.dim).init(device),
                    languages: embedding(*languages),
                }),
            },
            emotion: EmotionEncoder {
                conformer: self.emotion.conformer.init(device),
                perceiver: self.emotion.perceiver.init(device),
                projection: LinearConfig::new(self.emotion.perceiver.dim, self.dim).init(device),
                out: LinearConfig::new(self.dim, self.dim).init(device),
            },
            text_embedding: embedding(self.text_tokens),
            text_positions: embedding(self.text_positions),
            code_embedding: embedding(self.codes),
            code_positions: embedding(self.code_positions),
            blocks: (0..self.layers).map(|_| Block::new(self.dim, self.heads, device)).collect(),
            norm: norm(),
            head_norm: norm(),
            head: LinearConfig::new(self.dim, self.codes).init(device),
            alignment: self.alignment.clone(),
            tokens: Tokens {
                start_text: self.start_text,
                stop_text: self.stop_text,
                start_code: self.start_code,
                stop_code: self.stop_code,
            },
        }
    }
}

impl EncoderConfig {
    fn validate(&self, part: &str, latents: usize, config: &GptConfig) -> Result<()> {
        let (conformer, perceiver) = (&self.conformer, &self.perceiver);
        let checks = [
            (
                "conformer.heads",
                conformer.heads != 0 && conformer.dim.is_multiple_of(conformer.heads),
                "a divisor of its dim",
            ),
            ("conformer.features", conformer.features >= 3, "3 or more"),
            ("conformer.kernel", conformer.kernel % 2 == 1, "an odd width"),
            ("perceiver.context", perceiver.context == conformer.dim, "the conformer's dim"),
            (
                "perceiver.latents",
                perceiver.latents == latents && latents > 0,
                "1 for the emotion, 1 or more for a speaker",
            ),
            ("perceiver.heads", perceiver.heads * perceiver.head_dim > 0, "1 or more, as its head_dim"),
        ];
        match checks.into_iter().find(|(_, fine, _)| !fine) {
            None => Ok(()),
            Some((field, _, expected)) => Err(Error::Input {
                name: format!("gpt configuration, {part}.{field}"),
                got: format!("{:?} in a model of dim {}", self, config.dim),
                expected: expected.into(),
            }),
        }
    }
}
