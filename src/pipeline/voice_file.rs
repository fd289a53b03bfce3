//! A voice as a file: its tensors as safetensors (f32), the clip that they were made of (16 bits), and in the header what
//! made it. The clip lets another model make its own tensors.
use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::synthesize::Synthesizer;
use super::voice::{REFERENCE_SECONDS, Voice};
use crate::audio::decode::ReferenceAudio;
use crate::models::gpt::Conditioning;
use crate::{Error, ModelConfig, Result};

/// Voices are a few megabytes; anything larger is not one.
pub(super) const MAX_BYTES: u64 = 64 << 20;
/// Value of `format` in the header; counts up when the tensors change.
const FORMAT: &str = "indextts voice 1";
/// The clip's tensor `[samples]`, and the header's word for its rate in Hz. The first files had neither.
const CLIP: &str = "clip";
const CLIP_RATE: &str = "clip_rate";

/// What a voice file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceInfo {
    pub name: String,
    /// [`Synthesizer::fingerprint`] of the model it was made with.
    pub fingerprint: String,
    /// Length of the clip it was made of.
    pub seconds: f64,
    /// Whether that clip is in the file, so that other models can use the voice.
    pub has_clip: bool,
    /// Program and version that made it.
    pub made_by: String,
    /// Size of the file.
    pub bytes: u64,
}

/// The file's contents.
pub(super) fn encode(voice: &Voice, name: &str, clip: &ReferenceAudio, fingerprint: String) -> Result<Vec<u8>, String> {
    let header = HashMap::from([
        ("format".to_string(), FORMAT.to_string()),
        ("name".to_string(), name.to_string()),
        ("fingerprint".to_string(), fingerprint),
        ("seconds".to_string(), format!("{:.3}", clip.seconds())),
        (CLIP_RATE.to_string(), clip.rate().to_string()),
        ("made_by".to_string(), concat!("indextts ", env!("CARGO_PKG_VERSION")).to_string()),
    ]);
    let tensors = [
        ("speaker", floats(&voice.speaker)?),
        ("style", floats(&voice.style)?),
        ("emotion_base", floats(&voice.emotion_base)?),
        ("emotion_own", floats(&voice.emotion_own)?),
        ("prompt_condition", floats(&voice.prompt_condition)?),
        ("prompt_mel", floats(&voice.prompt_mel)?),
    ];
    // The inverse of how decoders read 16 bits, so that such a clip stays what it is; a cast stops at full scale.
    let sixteen_bits = |s: &f32| ((s * 32_768.0).round() as i16).to_le_bytes();
    let samples: Vec<u8> = clip.samples().iter().flat_map(sixteen_bits).collect();
    let clip = TensorView::new(Dtype::I16, vec![clip.samples().len()], &samples).map(|view| (CLIP, view));
    let views: Result<Vec<_>, safetensors::SafeTensorError> = tensors
        .iter()
        .map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .chain([clip])
        .collect();
    safetensors::serialize(views.map_err(said)?, Some(header)).map_err(said)
}

fn said(e: safetensors::SafeTensorError) -> String {
    e.to_string()
}

/// Shape and little-endian values.
fn floats<const D: usize>(tensor: &Tensor<D>) -> Result<(Vec<usize>, Vec<u8>), String> {
    let values = tensor.to_data().convert::<f32>().try_to_vec::<f32>().map_err(|e| format!("{e:?}"))?;
    Ok((tensor.dims().to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect()))
}

/// What the header of `bytes` says.
pub(super) fn info(bytes: &[u8], path: &Path) -> Result<VoiceInfo> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| bad(path, format!("not a voice file ({e})")))?;
    let header = metadata.metadata().clone().unwrap_or_default();
    let field = |name: &str| header.get(name).cloned().ok_or_else(|| bad(path, format!("its header has no {name}")));
    let format = field("format")?;
    if format != FORMAT {
        return Err(bad(path, format!("its format is {format:?}, this version reads {FORMAT:?}")));
    }
    let seconds = field("seconds")?;
    let seconds = seconds.parse().map_err(|_| bad(path, format!("its length is {seconds:?}, not a number")))?;
    Ok(VoiceInfo {
        name: field("name")?,
        fingerprint: field("fingerprint")?,
        seconds,
        has_clip: metadata.info(CLIP).is_some(),
        made_by: field("made_by")?,
        bytes: bytes.len() as u64,
    })
}

/// The clip in `bytes`, if there is one.
pub(super) fn clip(bytes: &[u8], path: &Path) -> Result<Option<ReferenceAudio>> {
    if !info(bytes, path)?.has_clip {
        return Ok(None);
    }
    let not_a_voice = |e| bad(path, format!("not a voice file ({e})"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(not_a_voice)?;
    let rate = metadata.metadata().as_ref().and_then(|header| header.get(CLIP_RATE)?.parse().ok());
    let rate = rate.ok_or_else(|| bad(path, format!("its header has no usable {CLIP_RATE}")))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(not_a_voice)?;
    let view = tensors.tensor(CLIP).map_err(not_a_voice)?;
    if view.dtype() != Dtype::I16 {
        return Err(bad(path, format!("{CLIP}: expected I16, got {:?}", view.dtype())));
    }
    let (values, _) = view.data().as_chunks::<2>();
    let samples = values.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0).collect();
    ReferenceAudio::new(samples, rate, &path.display().to_string()).map(Some)
}

/// The voice in `bytes` for the model of `synthesizer`. If another model made it, it is made again of its clip.
pub(super) fn decode(bytes: &[u8], path: &Path, synthesizer: &Synthesizer) -> Result<Voice> {
    let (voice, model) = (info(bytes, path)?.fingerprint, synthesizer.fingerprint()?);
    if voice != model {
        let Some(clip) = clip(bytes, path)? else { return Err(Error::StaleVoice { path: path.into(), voice, model }) };
        tracing::warn!(
            "{} was made with another model: this one listens to its clip each time; `indextts voice refresh` keeps what \
             it hears",
            path.display()
        );
        return synthesizer.voice(&clip);
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(path, format!("not a voice file ({e})")))?;
    let shapes = Shapes::of(synthesizer.config());
    let frames = tensors.tensor("prompt_mel").ok().and_then(|t| t.shape().get(2).copied()).unwrap_or(0);
    if !(1..=shapes.frames).contains(&frames) {
        return Err(bad(path, format!("its mel has {frames} frames, expected 1 to {}", shapes.frames)));
    }
    let device = synthesizer.device();
    let tensor = |name: &str, shape: &[usize]| -> Result<TensorData> {
        let view = tensors.tensor(name).map_err(|e| bad(path, format!("{name}: {e}")))?;
        if view.shape() != shape || view.dtype() != Dtype::F32 {
            let (got, dtype) = (view.shape(), view.dtype());
            return Err(bad(path, format!("{name}: expected {shape:?} of F32, got {got:?} of {dtype:?}")));
        }
        let (values, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
        match values.iter().all(|v| v.is_finite()) {
            true => Ok(TensorData::new(values, shape.to_vec())),
            false => Err(bad(path, format!("{name} holds values that are not numbers"))),
        }
    };
    Ok(Voice {
        speaker: Tensor::from_data(tensor("speaker", &[1, shapes.rows, shapes.model])?, device),
        style: Tensor::from_data(tensor("style", &[1, shapes.style])?, device),
        emotion_base: Tensor::from_data(tensor("emotion_base", &[1, shapes.model])?, device),
        emotion_own: Tensor::from_data(tensor("emotion_own", &[1, shapes.model])?, device),
        prompt_condition: Tensor::from_data(tensor("prompt_condition", &[1, frames, shapes.condition])?, device),
        prompt_mel: Tensor::from_data(tensor("prompt_mel", &[1, shapes.mel, frames])?, device),
    })
}

fn bad(path: &Path, what: String) -> Error {
    let hint = "make the voice again of its clip with `indextts voice create`".into();
    Error::Format { path: path.into(), what, hint }
}

/// Sizes of a model's voices.
struct Shapes {
    rows: usize,
    model: usize,
    style: usize,
    condition: usize,
    mel: usize,
    /// Most frames that a clip can have.
    frames: usize,
}

impl Shapes {
    fn of(config: &ModelConfig) -> Self {
        Self {
            rows: match &config.gpt.conditioning {
                Conditioning::Latents(encoder) => encoder.perceiver.latents,
                Conditioning::Vector { .. } => 1,
            },
            model: config.gpt.dim,
            style: config.campplus.embedding_size,
            condition: config.s2mel.length_regulator.channels,
            mel: config.mel.n_mels,
            frames: config.mel.frames(REFERENCE_SECONDS * config.mel.sample_rate),
        }
    }
}
