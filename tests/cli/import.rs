//! The import: strictness, and files that are damaged or hostile.
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use indextts::audio::decode::ReferenceAudio;
use indextts::weights::Manifest;
use indextts::{Bits, Emotion, Synthesizer, device_by_name};
use indextts_import::{Error, ImportOptions, Precision, ProblemKind, Quantize};

use crate::say::{indextts, program, text};
use crate::support::{import, official_directory};

struct Official {
    _directory: tempfile::TempDir,
    from: PathBuf,
    to: PathBuf,
}

fn official() -> Official {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("official"), directory.path().join("out/model"));
    std::fs::create_dir(&from).unwrap();
    official_directory(&from);
    Official { _directory: directory, from, to }
}

impl Official {
    fn import(&self) -> Result<(), Error> {
        import(&self.from, &self.to, Precision::F32)
    }

    /// The import must fail and write nothing.
    fn fails(&self) -> Error {
        let error = self.import().expect_err("the import should have failed");
        let parent = self.to.parent().unwrap();
        let left = std::fs::read_dir(parent).map(|d| d.count()).unwrap_or(0);
        assert_eq!(left, 0, "something was left behind by: {error}");
        error
    }
}

/// Rewrites a safetensors file's header.
fn edit_header(path: &Path, edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
    let bytes = std::fs::read(path).unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
    edit(&mut header);
    let text = serde_json::Value::Object(header).to_string();
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend(text.bytes());
    out.extend(&bytes[8 + n..]);
    std::fs::write(path, out).unwrap();
}

#[test]
fn all_problems_of_all_files_are_reported_together() {
    let official = official();
    edit_header(&official.from.join("hf_cache/semantic_codec_model.safetensors"), |header| {
        let moved = header.remove("encoder.1.bias").unwrap();
        header.insert("encoder.1.bais".into(), moved);
    });
    edit_header(&official.from.join("hf_cache/w2v-bert-2.0/model.safetensors"), |header| {
        let entry = header.get_mut("feature_projection.projection.weight").unwrap();
        let shape = entry["shape"].as_array_mut().unwrap();
        shape.swap(0, 1);
    });
    let Error::Keys { problems } = official.fails() else { panic!("expected a list of keys") };
    let find =
        |key: &str| problems.iter().find(|p| p.key.contains(key)).unwrap_or_else(|| panic!("{key}: {problems:?}"));
    assert_eq!(find("encoder.1.bias").kind, ProblemKind::Missing);
    assert_eq!(find("encoder.1.bais").kind, ProblemKind::Unexpected);
    assert!(matches!(find("feature_projection.projection.weight").kind, ProblemKind::Shape { .. }));
    assert_ne!(find("encoder.1.bias").file, find("feature_projection").file);
}

#[test]
fn an_integer_where_a_weight_should_be_is_a_type_problem() {
    let official = official();
    edit_header(&official.from.join("hf_cache/semantic_codec_model.safetensors"), |header| {
        header.get_mut("encoder.1.bias").unwrap()["dtype"] = "I32".into();
    });
    let Error::Keys { problems } = official.fails() else { panic!("expected a list of keys") };
    assert!(matches!(problems[0].kind, ProblemKind::Type { .. }), "{problems:?}");
}

#[test]
fn missing_files_are_listed_together() {
    let official = official();
    std::fs::remove_file(official.from.join("gpt.pth")).unwrap();
    std::fs::remove_file(official.from.join("hf_cache/campplus_cn_common.bin")).unwrap();
    let message = official.fails().to_string();
    assert!(message.contains("gpt.pth") && message.contains("campplus_cn_common.bin"), "{message}");
}

#[test]
fn the_hugging_face_cache_layout_is_found() {
    let official = official();
    let hub = official.from.parent().unwrap().join("hub");
    let place = |from: &str, repository: &str, to: &str| {
        let target = hub.join(format!("models--{repository}/snapshots/abc")).join(to);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::rename(official.from.join(from), target).unwrap();
    };
    for name in ["config.yaml", "gpt.pth", "s2mel.pth", "wav2vec2bert_stats.pt", "feat1.pt", "feat2.pt", "bpe.model"] {
        place(name, "IndexTeam--IndexTTS-2", name);
    }
    place("hf_cache/semantic_codec_model.safetensors", "amphion--MaskGCT", "semantic_codec/model.safetensors");
    place("hf_cache/campplus_cn_common.bin", "funasr--campplus", "campplus_cn_common.bin");
    for name in ["bigvgan_generator.pt", "config.json"] {
        place(&format!("hf_cache/bigvgan/{name}"), "nvidia--bigvgan_v2_22khz_80band_256x", name);
    }
    for name in ["model.safetensors", "config.json", "preprocessor_config.json"] {
        place(&format!("hf_cache/w2v-bert-2.0/{name}"), "facebook--w2v-bert-2.0", name);
    }
    import(&hub, &official.to, Precision::F16).unwrap_or_else(|e| panic!("{e}"));
    assert!(official.to.join("manifest.json").is_file());
}

#[test]
fn an_existing_target_is_kept_unless_forced() {
    let official = official();
    std::fs::create_dir_all(&official.to).unwrap();
    std::fs::write(official.to.join("mine.txt"), "mine").unwrap();
    let error = official.import().unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    assert!(official.to.join("mine.txt").is_file());
    let mut options = ImportOptions {
        precision: Precision::F32,
        quantize: None,
        overwrite: true,
        schema: &|config| Ok(indextts::ModelConfig::parse(&config.to_string())?.schema()),
        progress: &mut |_| {},
    };
    indextts_import::Import::plan(&official.from, &options).unwrap().write(&official.to, &mut options).unwrap();
    assert!(!official.to.join("mine.txt").exists() && official.to.join("manifest.json").is_file());
}

/// As if it had been rounded while it was loaded; in half the bits the file is smaller.
#[test]
fn weights_stored_in_few_bits_are_those_rounded_while_loading() {
    let official = official();
    official.import().unwrap();
    let tone: Vec<f32> = (0..32_000).map(|i| 0.3 * (i as f32 * 0.05).sin() * (i as f32 * 0.0007).cos()).collect();
    let clip = ReferenceAudio::new(tone, 16_000, "a tone").unwrap();
    let device = device_by_name("cpu").unwrap();
    let size = |dir: &Path| std::fs::metadata(dir.join("gpt.bpk")).unwrap().len();
    let mut sizes = vec![size(&official.to)];
    for (quantize, bits, name) in [(Quantize::Q8, Bits::Eight, "f32+q8"), (Quantize::Q4, Bits::Four, "f32+q4")] {
        let to = official.to.with_file_name(quantize.name());
        let mut options = ImportOptions {
            precision: Precision::F32,
            quantize: Some(quantize),
            overwrite: false,
            schema: &|config| Ok(indextts::ModelConfig::parse(&config.to_string())?.schema()),
            progress: &mut |_| {},
        };
        indextts_import::Import::plan(&official.from, &options).unwrap().write(&to, &mut options).unwrap();
        let manifest = Manifest::read(&to).unwrap();
        assert_eq!(manifest.precision, name);
        assert!(manifest.verify(&to, &mut |_| {}).is_empty());
        sizes.push(size(&to));

        let rounded = indextts::Precision { gpt: Some(bits), ..Default::default() };
        let loaded = Synthesizer::load_with(official.to.as_path(), rounded, &device).unwrap();
        let stored = Synthesizer::load(to.as_path(), &device).unwrap();
        let voice = loaded.voice(&clip).unwrap();
        let options = loaded.default_options();
        let conditioning = loaded.conditioning(&voice, &Emotion::SameAsVoice, &options).unwrap();
        let logits = |model: &Synthesizer| -> Vec<f32> {
            model.code_logits(&[5, 6, 7], &conditioning, &[3, 1, 4, 1, 5], &options).unwrap().concat()
        };
        // What hears the clip is in eight bits with both.
        let heard = |model: &Synthesizer| -> Vec<f32> {
            let voice = model.voice(&clip).unwrap();
            let conditioning = model.conditioning(&voice, &Emotion::SameAsVoice, &options).unwrap();
            loaded.code_logits(&[5, 6, 7], &conditioning, &[3, 1, 4, 1, 5], &options).unwrap().concat()
        };
        let (expected, got) = (logits(&loaded), logits(&stored));
        assert!(expected == got, "{name}");
        assert!(expected == heard(&stored), "{name}, from the clip");
        // And neither is what f32 says.
        let exact = logits(&Synthesizer::load(official.to.as_path(), &device).unwrap());
        let moved = exact.iter().zip(&got).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(moved > 0.0, "{name}");
    }
    assert!(sizes[1] < sizes[0] && sizes[2] < sizes[1], "{sizes:?}");
}

/// Truncated, emptied, overwritten and bit-flipped official files give a typed error or, where the flip hit a value, an
/// import: never a panic, never a half-written directory.
#[test]
fn damaged_files_give_typed_errors() {
    for name in [
        "gpt.pth",
        "s2mel.pth",
        "feat1.pt",
        "wav2vec2bert_stats.pt",
        "hf_cache/campplus_cn_common.bin",
        "hf_cache/bigvgan/bigvgan_generator.pt",
        "hf_cache/semantic_codec_model.safetensors",
        "hf_cache/w2v-bert-2.0/model.safetensors",
        "hf_cache/w2v-bert-2.0/config.json",
        "config.yaml",
        "bpe.model",
    ] {
        let original = official();
        let path = original.from.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let mut damaged: Vec<(&str, Vec<u8>)> = vec![
            ("emptied", Vec::new()),
            ("cut to one byte", bytes[..1].to_vec()),
            ("cut in half", bytes[..bytes.len() / 2].to_vec()),
            ("cut by a tenth", bytes[..bytes.len() * 9 / 10].to_vec()),
            ("overwritten with zeros", vec![0; bytes.len()]),
            ("replaced by text", b"<!DOCTYPE html><html>Not found</html>".to_vec()),
            ("header of maximal length", [&u64::MAX.to_le_bytes()[..], b"{", &bytes[9..]].concat()),
        ];
        for at in [0, 7, 8, 40, bytes.len() / 3, bytes.len() - 30] {
            let mut flipped = bytes.clone();
            flipped[at.min(bytes.len() - 1)] ^= 0x10;
            damaged.push(("bit-flipped", flipped));
        }
        for (how, data) in damaged {
            std::fs::write(&path, data).unwrap();
            match original.import() {
                Err(error) => {
                    assert!(!original.to.exists(), "{name} {how}: half-written");
                    assert!(!error.to_string().is_empty());
                }
                Ok(()) if how == "bit-flipped" => std::fs::remove_dir_all(&original.to).unwrap(),
                Ok(()) => panic!("{name} {how}: imported"),
            }
        }
    }
}

#[test]
fn hostile_shapes_cost_no_memory() {
    let official = official();
    let path = official.from.join("hf_cache/semantic_codec_model.safetensors");
    edit_header(&path, |header| {
        header.get_mut("encoder.1.bias").unwrap()["shape"] = serde_json::json!([u64::MAX, u64::MAX]);
    });
    official.fails();

    let official = self::official();
    let config = official.from.join("config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let huge = text.replacen("\"layers\":3", "\"layers\":18446744073709551615", 1);
    assert_ne!(text, huge, "the golden's configuration has another number of layers: change this test");
    std::fs::write(&config, huge).unwrap();
    assert!(matches!(official.fails(), Error::Config { .. }));
}

/// Killed at any moment, an import leaves a whole model or none, and the next one makes it.
#[test]
fn an_import_that_was_killed_leaves_no_half_model() {
    let official = official();
    let arguments = ["-q", "models", "import", text(&official.from), text(&official.to)];
    let begun = Instant::now();
    assert!(indextts(&arguments).status.success());
    let time = begun.elapsed();
    let verified = || indextts(&["-q", "models", "verify", text(&official.to)]).status.success();
    assert!(verified());
    std::fs::remove_dir_all(&official.to).unwrap();
    let mut broken_off = 0;
    for part in 0..12u32 {
        let mut child = program(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time * part / 10);
        let _ = child.kill();
        child.wait().unwrap();
        match official.to.exists() {
            true => {
                assert!(verified(), "killed after {part} tenths");
                std::fs::remove_dir_all(&official.to).unwrap();
            }
            false => broken_off += 1,
        }
    }
    assert!(broken_off > 0, "it was never killed in the middle");
    assert!(indextts(&arguments).status.success() && verified());
}
