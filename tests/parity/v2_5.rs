//! The whole pipeline of IndexTTS-2.5, from text to wave, on its golden networks.
//!
//! The goldens have no end-to-end case of 2.5, so lengths and decisions are checked against the specification; each network
//! has its own parity test. The text embedding is made larger by repeating its rows, to fit the special tokens of 2.5.
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use burn_pack::{Bytes, DType, Tensor, Writer};
use indextts::audio::decode::load_reference;
use indextts::pipeline::decode::DecodeOptions;
use indextts::{
    Emotion, Error, Language, ModelFiles, Options, REFERENCE_SECONDS, Request, Speech, Synthesizer, TextOptions, Voice,
};
use indextts_import::{Checkpoint, Precision, config, convert, tables, tiktoken};
use serde_json::{Value, json};

use crate::support::{golden, import, json as golden_json, official_directory};

const RANKS: &[u8] = include_bytes!("../tokenizer/ranks.tiktoken");
/// Ranks and special tokens.
const TEXT_TOKENS: usize = 1756 + 1673;
/// Samples of a mel frame.
const HOP: usize = 256;

fn write(dir: &Path, name: &str, tensors: Vec<Tensor>) {
    Writer::new(tensors).write_to_file_in_place(dir.join(name)).unwrap();
}

/// An imported golden model of 2.0 with the networks and the tokenizer of 2.5 in their places.
pub fn model(dir: &Path) -> ModelFiles {
    let (official, model) = (dir.join("official"), dir.join("model"));
    std::fs::create_dir_all(&official).unwrap();
    official_directory(&official);
    import(&official, &model, Precision::F32).unwrap_or_else(|e| panic!("{e}"));
    let mut settings: Value = serde_json::from_slice(&std::fs::read(model.join("config.json")).unwrap()).unwrap();

    let (codec, vars) = config::codec::codec_decoder(&golden_json("codec_v2_5/config.json")).unwrap();
    settings["codec"] = json!({ "decoder": codec });
    let tensors = convert(&tables::codec_v2_5().unwrap(), &vars, &golden("codec_v2_5/codec.pth")).unwrap();
    write(&model, "codec.bpk", tensors);

    let path = golden("gpt_v2_5/gpt.pth");
    let shapes = Checkpoint::open(&path).unwrap().shapes();
    let (gpt, vars) = config::gpt::gpt(&golden_json("gpt_v2_5/config.json"), &shapes).unwrap();
    settings["gpt"] = gpt;
    settings["gpt"]["text_tokens"] = json!(TEXT_TOKENS);
    let mut tensors = convert(&tables::gpt_v2_5().unwrap(), &vars, &path).unwrap();
    let rows = tensors.iter_mut().find(|t| t.name == "text_embedding.weight").unwrap();
    let bytes = rows.to_bytes().unwrap();
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let dim = settings["gpt"]["dim"].as_u64().unwrap() as usize;
    let repeated: Vec<f32> = values.iter().copied().cycle().take(TEXT_TOKENS * dim).collect();
    *rows = Tensor::new(rows.name.clone(), DType::F32, vec![TEXT_TOKENS, dim], None, Bytes::from_elems(repeated));
    write(&model, "gpt.bpk", tensors);

    // The S2M networks of both versions are the same but for the projection of GPT latents.
    let path = golden("s2mel/s2mel.pth");
    let shapes = Checkpoint::open(&path).unwrap().shapes();
    let (_, vars) = config::s2mel::s2mel_v2(&golden_json("s2mel/config.json"), &shapes).unwrap();
    let (s2mel, _) = config::s2mel::s2mel_v2_5(&golden_json("s2mel/config.json")).unwrap();
    settings["s2mel"] = s2mel;
    let mut tensors = convert(&tables::s2mel_v2().unwrap(), &vars, &path).unwrap();
    tensors.retain(|t| !t.name.starts_with("gpt_projection"));
    write(&model, "s2mel.bpk", tensors);

    settings["version"] = json!("2.5");
    let mut files: BTreeMap<String, std::borrow::Cow<'static, [u8]>> = std::fs::read_dir(&model)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap().into()))
        .collect();
    files.insert("tokenizer.json".into(), tiktoken::convert(RANKS).unwrap().into_bytes().into());
    files.insert("config.json".into(), settings.to_string().into_bytes().into());
    ModelFiles::in_memory("golden 2.5", files)
}

struct Golden {
    synthesizer: Synthesizer,
    voice: Voice,
}

impl Golden {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let synthesizer = Synthesizer::load(model(directory.path()), &Device::flex()).unwrap_or_else(|e| panic!("{e}"));
        let clip = load_reference(&golden("e2e/prompt24k.wav"), REFERENCE_SECONDS).unwrap();
        let voice = synthesizer.voice(&clip).unwrap();
        Self { synthesizer, voice }
    }

    fn say(&self, text: &str, options: Options) -> Result<Speech, Error> {
        let request = Request { text, voice: &self.voice, emotion: Emotion::SameAsVoice, options };
        self.synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(()))
    }
}

/// Greedy, few codes and steps: the networks are random, only what connects them is looked at.
fn options(language: Language) -> Options {
    let decode = DecodeOptions {
        beams: 1,
        do_sample: false,
        repetition_penalty: 1.0,
        max_codes: 12,
        ..DecodeOptions::default()
    };
    let text = TextOptions { language: Some(language), ..TextOptions::default() };
    Options { decode, steps: 2, guidance: 0.0, text, ..Options::default() }
}

/// One code is two decoded frames of 50 Hz, each 1.72 mel frames (pipeline specification 2.8).
fn samples(codes: usize, factor: f64) -> usize {
    (2.0 * codes as f64 * 1.72 * factor) as usize * HOP
}

#[test]
fn a_model_of_2_5_speaks_at_the_length_asked_for() {
    let golden = Golden::open();
    let plain = golden.say("Hello, world 2!", options(Language::ENGLISH)).unwrap();
    assert_eq!(plain.samples.len(), samples(plain.codes, 1.0));
    let slow = golden.say("Hello, world 2!", Options { duration_factor: 1.5, ..options(Language::ENGLISH) }).unwrap();
    assert_eq!((slow.codes, slow.samples.len()), (plain.codes, samples(plain.codes, 1.5)));

    let timed = golden.say("Hello, world 2!", Options { seconds: Some(0.7), ..options(Language::ENGLISH) }).unwrap();
    let wanted = 0.7 * f64::from(timed.sample_rate);
    assert!((timed.samples.len() as f64 - wanted).abs() <= HOP as f64, "{} of {wanted} samples", timed.samples.len());
    let error = golden.say("Hello.", Options { seconds: Some(600.0), ..options(Language::ENGLISH) }).unwrap_err();
    assert!(error.to_string().contains("a tenth to ten times"), "{error}");

    // The length holds for several segments with pauses too.
    let long = Options { seconds: Some(2.0), max_segment_tokens: 12, ..options(Language::ENGLISH) };
    let long = golden.say("One and two. Three and four. Five and six.", long).unwrap();
    let wanted = 2.0 * f64::from(long.sample_rate);
    assert!(
        (long.samples.len() as f64 - wanted).abs() <= 3.0 * HOP as f64,
        "{} of {wanted} samples",
        long.samples.len()
    );
}

#[test]
fn the_language_reaches_the_network() {
    let golden = Golden::open();
    let english = golden.say("Hola", options(Language::ENGLISH)).unwrap();
    let spanish = golden.say("Hola", options(Language::SPANISH)).unwrap();
    assert_ne!(english.samples, spanish.samples);
    let japanese = golden.say("こんにちは", options(Language::JAPANESE)).unwrap();
    assert!(japanese.warnings.iter().any(|w| w.contains("dictionary")), "{:?}", japanese.warnings);
}
