//! From a text to its emotion, by the text-to-emotion model.
use burn::tensor::Device;
use rand::Rng;
use tokenizers::Tokenizer;

use super::decode::{processors, rng::draw};
use super::emotion::EmotionVector;
use super::networks::Precision;
use crate::kernels::{WeightType, on_cpu};
use crate::models::qwen::{Qwen, QwenConfig};
use crate::nn::linear::{FewBits, pack};
use crate::text::emotion_text;
use crate::weights::WeightFile;
use crate::{Error, ModelFiles, Result};

/// An answer has eight numbers; a model that writes more than this has lost its way.
const MAX_ANSWER: usize = 512;
/// Longest text that is read, characters: an emotion shows in less.
const MAX_TEXT: usize = 4000;
/// Vocabularies are a few megabytes; anything larger is not one.
const MAX_TOKENIZER: u64 = 64 << 20;
/// Ends an answer.
const END: [&str; 2] = ["<|im_end|>", "<|endoftext|>"];

/// Loads the model, lets it answer for `text`, with linear weights in f16 or in the bits of the GPT, and drops it again: it is larger than
/// the GPT and rarely used.
pub(super) async fn read(
    files: &ModelFiles,
    config: &QwenConfig,
    precision: Precision,
    text: &str,
    rng: &mut dyn Rng,
    device: &Device,
) -> Result<EmotionVector> {
    let bytes = files.read("qwen_tokenizer.json", MAX_TOKENIZER)?;
    let tokenizer = Tokenizer::from_bytes(&bytes).map_err(|e| Error::Format {
        path: files.path("qwen_tokenizer.json"),
        what: format!("not a readable tokenizer ({e})"),
        hint: "run `indextts models verify`, or import the model again".into(),
    })?;
    let file = WeightFile::open(files, "qwen.bpk")?.copied(precision.copied);
    let bits = precision.gpt.or_else(|| file.bits().filter(|_| on_cpu(device)));
    let (model, kept) = (config.init(device), WeightType::F16);
    let model: Qwen = match bits {
        Some(bits) => file.load_quantized(model, |model: Qwen, stored| {
            pack(model.quantize(FewBits::new(bits, stored)), kept, device)
        })?,
        None => file.load_packed(model, kept, |model| pack(model, kept, device))?,
    };
    let text: String = text.chars().take(MAX_TEXT).collect();
    let prompt = tokenizer.encode(emotion_text::prompt(&text), false).map_err(|e| failed(e.to_string()))?;
    if let Some(id) = prompt.get_ids().iter().find(|id| **id as usize >= config.vocabulary) {
        return Err(failed(format!("its tokenizer gives id {id}, it knows {}", config.vocabulary)));
    }
    let stop: Vec<u32> = END.iter().filter_map(|token| tokenizer.token_to_id(token)).collect();
    let answer = generate(&model, config, prompt.get_ids(), &stop, rng).await?;
    let answer = tokenizer.decode(&answer, true).map_err(|e| failed(e.to_string()))?;
    tracing::info!("text to emotion: {answer}");
    EmotionVector::new(emotion_text::parse(&text, &answer))
}

/// The ids of the answer, without the one that ends it.
async fn generate(
    model: &Qwen,
    config: &QwenConfig,
    prompt: &[u32],
    stop: &[u32],
    rng: &mut dyn Rng,
) -> Result<Vec<u32>> {
    let mut cache = model.cache();
    let mut row = model.next(prompt, &mut cache).await?;
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER {
        if row.iter().any(|v| !v.is_finite()) {
            return Err(failed("its output is not a number".into()));
        }
        if config.do_sample {
            processors::temperature(&mut row, config.temperature);
            processors::top_k(&mut row, config.top_k);
            processors::top_p(&mut row, config.top_p, 1);
        }
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let next = if config.do_sample {
            draw(&row.iter().map(|v| (v - max).exp()).collect::<Vec<_>>(), 1, rng).first().copied()
        } else {
            row.iter().position(|v| *v == max)
        };
        let next = next.ok_or_else(|| failed("nothing could be drawn from its output".into()))? as u32;
        if stop.contains(&next) {
            return Ok(answer);
        }
        answer.push(next);
        row = model.next(&[next], &mut cache).await?;
    }
    Err(failed(format!("it wrote {MAX_ANSWER} tokens without an end")))
}

fn failed(what: String) -> Error {
    Error::Generation { stage: "text to emotion", what, hint: "give the emotion with --emotion-vector instead".into() }
}
