//! All networks of a model directory, loaded strictly.
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::config::{CodecConfig, ModelConfig};
use crate::device::{computes_in, device_name};
use crate::kernels::{Bits, WeightType, on_cpu};
use crate::models::bigvgan::{BigVgan, BigVganConfig, PackedBigVgan};
use crate::models::campplus::CamPlus;
use crate::models::codec::{CodecDecoder, SemanticCodec};
use crate::models::emotion_bank::EmotionBank;
use crate::models::gpt::Gpt;
use crate::models::s2mel::S2Mel;
use crate::models::w2v_bert::{FeatureStats, W2vBert};
use crate::nn::linear::{FewBits, pack};
use crate::weights::{WeightFile, load_file};
use crate::{Error, ModelFiles, Result};

use super::work::{WeightBytes, bytes_of, quantized_bytes, quantized_elements};

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
    pub bytes: WeightBytes,
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
    /// Of the layers of the GPT and of the text-to-emotion model, in place of that; if none is given, a model that is
    /// stored in few bits keeps them on the CPU. What hears the clip (w2v-bert and the GPT's encoders) is then kept in
    /// eight bits.
    pub gpt: Option<Bits>,
    /// Whether weights are copied into memory of the process. On the CPU they are else used where their file lies, if they lie
    /// there as they are kept: nothing is to be read, but nobody may write into the file meanwhile.
    pub copied: bool,
}

impl Precision {
    /// What is fastest on `device` and hardly different.
    pub fn fast(device: &Device) -> Self {
        if on_cpu(device) {
            return Self { weights: WeightType::Bf16, gpt: Some(Bits::Eight), copied: false };
        }
        let half = computes_in(device, WeightType::F16);
        Self { weights: if half { WeightType::F16 } else { WeightType::F32 }, gpt: None, copied: false }
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
    /// Loads all files at the same time, as far as there are processors: most of it is changing the order and the type
    /// of weights.
    pub fn load(files: &ModelFiles, config: &ModelConfig, precision: Precision, device: &Device) -> Result<Self> {
        precision.check(device)?;
        let kept = precision.weights;
        let open = |name| Ok::<_, Error>(WeightFile::open(files, name)?.copied(precision.copied));
        let gpt_file = open("gpt.bpk")?;
        let bits = precision.gpt.or_else(|| gpt_file.bits().filter(|_| on_cpu(device)));
        let gpt = || {
            let gpt = config.gpt.init(device);
            let pack = |gpt: Gpt| match kept {
                WeightType::F16 if on_cpu(device) => pack(gpt.halve_tables(), kept, device),
                _ => pack(gpt, kept, device),
            };
            match bits {
                Some(bits) => {
                    gpt_file.load_quantized(gpt, |gpt, stored| pack(gpt.quantize(FewBits::new(bits, stored))))
                }
                None => gpt_file.load_packed(gpt, kept, pack),
            }
        };
        let w2v_bert = || {
            let (file, network) = (open("w2v_bert.bpk")?, config.w2v_bert.init(device));
            match bits {
                Some(_) => file.load_quantized(network, |network, stored| {
                    pack(network.quantize(FewBits::new(Bits::Eight, stored)), kept, device)
                }),
                None => file.load_packed(network, kept, |network| pack(network, kept, device)),
            }
        };
        let s2mel = || load_packed(config.s2mel.init(device), open("s2mel.bpk")?, kept, device);
        let vocoder = || Vocoder::load(open("bigvgan.bpk")?, &config.bigvgan, kept, device);
        let codec = || {
            Ok(match &config.codec {
                CodecConfig::Semantic(codec) => {
                    Codec::Semantic(load_packed(codec.init(device), open("codec.bpk")?, kept, device)?)
                }
                CodecConfig::Decoder(codec) => {
                    Codec::Decoder(load_packed(codec.init(device), open("codec.bpk")?, kept, device)?)
                }
            })
        };
        let small = || {
            Ok::<_, Error>((
                load_file(config.feature_stats().init(device), files, "w2v_stats.bpk")?,
                // Small, and its deviations over time are differences of large sums.
                load_packed(config.campplus.init(device), open("campplus.bpk")?, WeightType::F32, device)?,
                load_file(config.emotion_bank().init(device), files, "emotion_bank.bpk")?,
            ))
        };
        // The GPT is as large as all others together.
        let (gpt, (w2v_bert, rest)) = rayon::join(gpt, || {
            let rest = || rayon::join(|| (vocoder(), codec()), || (s2mel(), small()));
            rayon::join(w2v_bert, rest)
        });
        let ((vocoder, codec), (s2mel, small)) = rest;
        let (feature_stats, campplus, emotion_bank) = small?;
        let (gpt, w2v_bert, codec, s2mel, vocoder) = (gpt?, w2v_bert?, codec?, s2mel?, vocoder?);
        let plain = config.gpt.init(device);
        let of_gpt = bits.unwrap_or(Bits::Eight);
        let bytes = WeightBytes {
            w2v_bert: bytes_of(&w2v_bert)
                + quantized_bytes(quantized_elements(&config.w2v_bert.init(device), &w2v_bert), Bits::Eight),
            codec: match &codec {
                Codec::Semantic(codec) => bytes_of(codec),
                Codec::Decoder(codec) => bytes_of(codec),
            },
            campplus: bytes_of(&campplus),
            gpt_blocks: bytes_of(&gpt.blocks) + quantized_bytes(quantized_elements(&plain.blocks, &gpt.blocks), of_gpt),
            gpt_head: bytes_of(gpt.head()) + quantized_bytes(quantized_elements(plain.head(), gpt.head()), of_gpt),
            gpt_encoders: bytes_of(&gpt.speaker)
                + bytes_of(&gpt.emotion)
                + quantized_bytes(quantized_elements(&plain.speaker, &gpt.speaker), Bits::Eight)
                + quantized_bytes(quantized_elements(&plain.emotion, &gpt.emotion), Bits::Eight),
            regulator: bytes_of(&s2mel.regulator),
            projection: s2mel.gpt_projection.as_ref().map_or(0.0, bytes_of),
            dit: bytes_of(&s2mel.dit),
            vocoder: vocoder.bytes(),
        };
        Ok(Self { w2v_bert, feature_stats, codec, campplus, gpt, s2mel, vocoder, emotion_bank, bytes })
    }
}

/// A network with its linear layers packed.
fn load_packed<M: Module>(network: M, file: WeightFile, kept: WeightType, device: &Device) -> Result<M> {
    file.load_packed(network, kept, |network| pack(network, kept, device))
}

/// The vocoder in the form that is fastest on its device.
#[derive(Debug)]
pub(crate) enum Vocoder {
    Plain(Box<BigVgan>),
    Packed(Box<PackedBigVgan>),
}

impl Vocoder {
    fn load(file: WeightFile, config: &BigVganConfig, kept: WeightType, device: &Device) -> Result<Self> {
        let model = config.init(device);
        Ok(match on_cpu(device) {
            true => Self::Packed(Box::new(file.load(model, |model| PackedBigVgan::new(model, kept))?)),
            false => Self::Plain(Box::new(file.load(model, |model| model)?)),
        })
    }

    fn bytes(&self) -> f64 {
        match self {
            Self::Plain(model) => bytes_of(model.as_ref()),
            Self::Packed(model) => bytes_of(model.as_ref()),
        }
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
