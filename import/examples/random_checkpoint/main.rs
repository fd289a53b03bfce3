//! Writes an official-layout IndexTTS directory of random numbers at real size, from the key manifests.
//!
//! For timing and memory measurements without the official weights: every file has the official name, container,
//! nesting, keys, shapes and types, including the leftovers that an import must skip.
//!
//!     cargo run --release -p indextts-import --example random_checkpoint -- 2.0 DIR
mod pickle;
mod values;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// A manifest's entry: key, shape, element type.
pub struct Entry {
    pub key: String,
    pub shape: Vec<usize>,
    pub dtype: String,
}

impl Entry {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes_per_element(&self) -> usize {
        match self.dtype.as_str() {
            "int64" => 8,
            "bfloat16" | "float16" => 2,
            _ => 4,
        }
    }
}

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, dir] = arguments.as_slice() else {
        return Err("usage: random_checkpoint 2.0|2.5 DIR".into());
    };
    let two = match version.as_str() {
        "2.0" => true,
        "2.5" => false,
        other => return Err(format!("version {other}: expected 2.0 or 2.5").into()),
    };
    let dir = PathBuf::from(dir);
    let cache = dir.join("hf_cache");
    for sub in ["bigvgan", "w2v-bert-2.0"] {
        fs::create_dir_all(cache.join(sub))?;
    }
    let (gpt, s2mel) = if two { ("gpt_v2", "s2mel_v2") } else { ("gpt_v2_5", "s2mel_v2") };

    write_pickle(&dir.join("gpt.pth"), &manifest(gpt)?, &[], false)?;
    write_pickle(&dir.join("s2mel.pth"), &manifest(s2mel)?, &[], true)?;
    write_pickle(&dir.join("wav2vec2bert_stats.pt"), &manifest("wav2vec2bert_stats")?, &[], false)?;
    write_pickle(&cache.join("campplus_cn_common.bin"), &manifest("campplus")?, &[], false)?;
    write_pickle(&cache.join("bigvgan/bigvgan_generator.pt"), &manifest("bigvgan")?, &["generator"], false)?;
    write_safetensors(&cache.join("w2v-bert-2.0/model.safetensors"), &manifest("w2v_bert")?)?;
    for (name, width) in [("feat1.pt", 192), ("feat2.pt", 1280)] {
        let matrix = Entry { key: name.into(), shape: vec![73, width], dtype: "float32".into() };
        pickle::write_bare(&dir.join(name), &matrix)?;
    }
    if two {
        write_safetensors(&cache.join("semantic_codec_model.safetensors"), &manifest("semantic_codec_v2_maskgct")?)?;
        fs::copy(project("tests/tokenizer/bpe.model"), dir.join("bpe.model"))?;
    } else {
        write_pickle(&dir.join("codec.pth"), &manifest("codec_v2_5")?, &["model"], true)?;
        // One rank per byte: enough for a tokenizer, not for a vocabulary.
        let ranks = (0..=255u8).map(|b| format!("{} {b}\n", base64(&[b]))).collect::<String>();
        fs::write(dir.join("multilingual_zh_ja_yue_char_del.tiktoken"), ranks)?;
    }
    // JSON is YAML.
    let config = if two { "config_v2.json" } else { "config_v2_5.json" };
    fs::copy(project("tests/configs").join(config), dir.join("config.yaml"))?;
    fs::copy(project("tests/configs/config_bigvgan.json"), cache.join("bigvgan/config.json"))?;
    fs::copy(project("tests/configs/config_w2v_bert.json"), cache.join("w2v-bert-2.0/config.json"))?;
    println!("{}", dir.display());
    Ok(())
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn manifest(name: &str) -> Result<Vec<Entry>> {
    let path = project("tests/keys").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let keys: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text)?;
    keys.into_iter()
        .map(|(key, mut entry)| {
            let dtype = entry.pop().and_then(|v| v.as_str().map(str::to_string)).ok_or("an entry without a type")?;
            let shape = entry.iter().map(|v| v.as_u64().map(|n| n as usize)).collect::<Option<_>>();
            Ok(Entry { key, shape: shape.ok_or("an entry with an odd shape")?, dtype })
        })
        .collect()
}

/// A `torch.save` archive with the keys below `root`; `leftovers` adds what training leaves in a file.
fn write_pickle(path: &Path, entries: &[Entry], root: &[&str], leftovers: bool) -> Result {
    pickle::write(path, entries, root, leftovers)?;
    eprintln!("{}", path.display());
    Ok(())
}

fn write_safetensors(path: &Path, entries: &[Entry]) -> Result {
    let mut header = serde_json::Map::new();
    let mut offset = 0;
    for entry in entries {
        let end = offset + entry.elements() * entry.bytes_per_element();
        let dtype = match entry.dtype.as_str() {
            "int64" => "I64",
            "bfloat16" => "BF16",
            "float16" => "F16",
            _ => "F32",
        };
        header.insert(entry.key.clone(), json!({"dtype": dtype, "shape": entry.shape, "data_offsets": [offset, end]}));
        offset = end;
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(&text)?;
    for entry in entries {
        values::write(&mut out, entry)?;
    }
    out.flush()?;
    eprintln!("{}", path.display());
    Ok(())
}

/// Base64 of one to three bytes, padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = bytes.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - bytes.len()));
    let digit = |i: usize| if i <= bytes.len() { ALPHABET[(bits >> (18 - 6 * i) & 63) as usize] as char } else { '=' };
    (0..4).map(digit).collect()
}
