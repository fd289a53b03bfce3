//! All networks of a model directory, loaded strictly.
use burn::tensor::{Device, Tensor};

use crate::config::{CodecConfig, ModelConfig};
use crate::device::{computes_in, device_name};
use crate::kernels::{Bits, WeightType, on_cpu};
use crate::models::bigvgan::{BigVgan, PackedBigVgan};
use crate::models::campplus::CamPlus;
use crate::models::codec::{CodecDecoder, SemanticCodec};
use crate::models::emotion_bank::EmotionBank;
use crate::models::gpt::Gpt;
use crate::models::s2mel::S2Mel;
use crate::models::w2v_bert::{FeatureStats, W2vBert};
use crate::nn::linear::pack;
use crate::weights::load_file;
use crate::{Error, ModelFiles, Result};

/// The networks of one model. They hold no state: one instance serves any number of threads.
#[derive(Debug)]
pub(crate) struct Networks {
    pub w2v_bert: W2vBert,
    pub feature_stats: FeatureStats,
    pub codec: Codec,
    pub campplus: CamPlus,
    pub gpt: Gpt,
    pub s2mel: S2Mel,
    pub vocoder: Vocoder,
    pub emotion_bank: EmotionBank,
}

/// The half of the semantic codec that the model's version uses.
#[derive(Debug)]
pub(crate) enum Codec {
    Semantic(SemanticCodec),
    Decoder(CodecDecoder),
}

/// How weights are kept in memory, which is what most of the speed and of the memory depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Precision {
    /// Of all linear layers (and the convolutions that run as such).
    pub weights: WeightType,
    /// Of the layers of the GPT and of the text-to-emotion model, in place of that; on the CPU.
    pub gpt: Option<Bits>,
}

impl Precision {
    /// What is fastest on `device` and hardly different.
    pub fn fast(device: &Device) -> Self {
        if on_cpu(device) {
            return Self { weights: WeightType::Bf16, gpt: Some(Bits::Eight) };
        }
        let half = computes_in(device, WeightType::F16);
        Self { weights: if half { WeightType::F16 } else { WeightType::F32 }, gpt: None }
    }

    /// Refuses what `device` cannot do.
    pub(crate) fn check(&self, device: &Device) -> Result<()> {
        if !computes_in(device, self.weights) {
            return Err(Error::Device {
                name: device_name(device),
                what: format!("it does not compute in {}", self.weights.name()),
                hint: "use --dtype f32; `indextts devices` lists what each device can do".into(),
            });
        }
        if self.gpt.is_some() && !on_cpu(device) {
            return Err(Error::Input {
                name: "quantize".into(),
                got: format!("a GPT in few bits on {}", device_name(device)),
                expected: "none there: few bits are for the CPU; --dtype f16 halves the memory of a GPU".into(),
            });
        }
        Ok(())
    }
}

impl Networks {
    pub fn load(files: &ModelFiles, config: &ModelConfig, precision: Precision, device: &Device) -> Result<Self> {
        precision.check(device)?;
        let kept = precision.weights;
        // The largest first: while it is read it is in memory twice.
        let w2v_bert = pack(load_file(config.w2v_bert.init(device), files, "w2v_bert.bpk")?, kept, device);
        let gpt: Gpt = load_file(config.gpt.init(device), files, "gpt.bpk")?;
        let gpt = match precision.gpt {
            Some(bits) => gpt.quantize(bits),
            None => gpt,
        };
        Ok(Self {
            w2v_bert,
            feature_stats: load_file(config.feature_stats().init(device), files, "w2v_stats.bpk")?,
            codec: match &config.codec {
                CodecConfig::Semantic(codec) => {
                    Codec::Semantic(pack(load_file(codec.init(device), files, "codec.bpk")?, kept, device))
                }
                CodecConfig::Decoder(codec) => {
                    Codec::Decoder(pack(load_file(codec.init(device), files, "codec.bpk")?, kept, device))
                }
            },
            campplus: pack(load_file(config.campplus.init(device), files, "campplus.bpk")?, kept, device),
            gpt: pack(gpt, kept, device),
            s2mel: pack(load_file(config.s2mel.init(device), files, "s2mel.bpk")?, kept, device),
            vocoder: Vocoder::new(load_file(config.bigvgan.init(device), files, "bigvgan.bpk")?, device),
            emotion_bank: load_file(config.emotion_bank().init(device), files, "emotion_bank.bpk")?,
        })
    }
}

/// The vocoder in the form that is fastest on its device.
#[derive(Debug)]
pub(crate) enum Vocoder {
    Plain(Box<BigVgan>),
    Packed(Box<PackedBigVgan>),
}

impl Vocoder {
    fn new(model: BigVgan, device: &Device) -> Self {
        if on_cpu(device) { Self::Packed(Box::new(model.into())) } else { Self::Plain(Box::new(model)) }
    }

    /// As [`BigVgan::forward`].
    pub fn forward(&self, mel: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Plain(model) => model.forward(mel),
            Self::Packed(model) => model.forward(mel),
        }
    }
}

impl Codec {
    /// Content features of the reference as the length regulator takes them: quantised by 2.0, as they are in 2.5.
    pub fn prompt(&self, features: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Semantic(codec) => codec.quantize(features).1,
            Self::Decoder(_) => features,
        }
    }
}

/// Refuses codes that have no row in the codebook.
pub(crate) fn check_codes(codes: &[u32], codebook: usize) -> Result<()> {
    match codes.iter().find(|c| **c as usize >= codebook) {
        Some(code) => Err(Error::Generation {
            stage: "gpt",
            what: format!("the model generated code {code}, the codebook has {codebook} entries"),
            hint: "try another seed".into(),
        }),
        None => Ok(()),
    }
}
