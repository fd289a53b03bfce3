//! `config.json` of a model directory: everything that distinguishes one model from another.
mod check;

use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::audio::mel::MelConfig;
use crate::models::bigvgan::BigVganConfig;
use crate::models::campplus::CamPlusConfig;
use crate::models::codec::{CodecDecoderConfig, SemanticCodecConfig};
use crate::models::emotion_bank::EmotionBankConfig;
use crate::models::gpt::GptConfig;
use crate::models::qwen::QwenConfig;
use crate::models::s2mel::S2MelConfig;
use crate::models::w2v_bert::{FeatureStatsConfig, W2vBertConfig};
use crate::weights::schema;
use crate::{Error, ModelFiles, Result};

/// The layout of `config.json` that this version reads.
pub const FORMAT: u32 = 1;

/// Configurations are a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 4 << 20;

/// A model's configuration. Sizes, rates and which of the two conditionings it uses are data; no code asks for a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub format: u32,
    /// `2.0` or `2.5`: which text front end the model was trained with.
    pub version: String,
    pub mel: MelConfig,
    /// Value of the row that fills an odd number of w2v-bert feature frames.
    pub feature_padding: f64,
    pub w2v_bert: W2vBertConfig,
    pub codec: CodecConfig,
    pub campplus: CamPlusConfig,
    pub gpt: GptConfig,
    pub s2mel: S2MelConfig,
    pub bigvgan: BigVganConfig,
    /// Rows of the emotion bank that belong to each of the eight emotions.
    pub emotion_groups: Vec<usize>,
    /// The text-to-emotion model, where the directory has one.
    pub qwen: Option<QwenConfig>,
    /// How the model is meant to be used.
    #[serde(default)]
    pub defaults: Defaults,
}

/// Settings of a synthesis for which the caller names none. A model that says nothing is used as the reference uses the
/// official ones (pipeline specification 2.6 and 2.8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    pub beams: usize,
    pub temperature: f64,
    pub top_k: usize,
    pub top_p: f64,
    pub repetition_penalty: f64,
    pub max_codes: usize,
    /// Euler steps of the flow matching.
    pub steps: usize,
    /// Strength of classifier-free guidance.
    pub guidance: f64,
    /// Scale of the noise that the flow matching starts from.
    pub noise: f64,
    /// Seconds of the clip that the flow matching hears; all of it if not given.
    pub prompt_seconds: Option<f64>,
    /// Longest segment, in text tokens.
    pub max_segment_tokens: usize,
    /// Silence between segments, milliseconds.
    pub interval_silence: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            beams: 3,
            temperature: 0.8,
            top_k: 30,
            top_p: 0.8,
            repetition_penalty: 10.0,
            max_codes: 1500,
            steps: 25,
            guidance: 0.7,
            noise: 1.0,
            prompt_seconds: None,
            max_segment_tokens: 120,
            interval_silence: 200,
        }
    }
}

/// The half of the semantic codec that a version uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodecConfig {
    /// 2.0: the encoder quantises the reference, the codebook embeds the generated codes (50 Hz).
    Semantic(SemanticCodecConfig),
    /// 2.5: the decoder turns generated codes (25 Hz) into features; the reference is not quantised.
    Decoder(CodecDecoderConfig),
}

impl ModelConfig {
    /// Reads `config.json`.
    pub fn read(files: &ModelFiles) -> Result<Self> {
        let bytes = files.read("config.json", MAX_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map_err(|what| Error::Format {
            path: files.path("config.json"),
            what,
            hint: "import the model again with this version of indextts".into(),
        })
    }

    /// Parses and checks a configuration.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = serde_json::from_str(text).map_err(|e| format!("not a model configuration ({e})"))?;
        if config.format != FORMAT {
            return Err(format!("its format is {}, this version reads {FORMAT}", config.format));
        }
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems.join("; ")) }
    }

    /// Name and shape of every parameter of every weight file, without allocating any.
    pub fn schema(&self) -> BTreeMap<String, BTreeMap<String, Vec<usize>>> {
        let device = &Device::flex();
        let codec = match &self.codec {
            CodecConfig::Semantic(config) => schema(&config.init(device)),
            CodecConfig::Decoder(config) => schema(&config.init(device)),
        };
        let mut files = BTreeMap::from([
            ("w2v_bert", schema(&self.w2v_bert.init(device))),
            ("w2v_stats", schema(&self.feature_stats().init(device))),
            ("codec", codec),
            ("campplus", schema(&self.campplus.init(device))),
            ("gpt", schema(&self.gpt.init(device))),
            ("s2mel", schema(&self.s2mel.init(device))),
            ("bigvgan", schema(&self.bigvgan.init(device))),
            ("emotion_bank", schema(&self.emotion_bank().init(device))),
        ]);
        if let Some(qwen) = &self.qwen {
            files.insert("qwen", schema(&qwen.init(device)));
        }
        files.into_iter().map(|(name, shapes)| (name.to_string(), shapes)).collect()
    }

    /// Of the statistics that normalise what `w2v_bert` hears.
    pub fn feature_stats(&self) -> FeatureStatsConfig {
        FeatureStatsConfig { size: self.w2v_bert.hidden_size }
    }

    pub(crate) fn emotion_bank(&self) -> EmotionBankConfig {
        EmotionBankConfig {
            groups: self.emotion_groups.clone(),
            style_dim: self.campplus.embedding_size,
            model_dim: self.gpt.dim,
        }
    }
}
