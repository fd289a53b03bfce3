//! Reading goldens and comparing with them.
#![allow(dead_code)]
use std::cell::RefCell;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use indextts::nn::linear::pack;
use indextts::{Difference, ModelConfig, WeightType};
use indextts_import::{Import, ImportOptions, Precision, Result, Table, Vars};
use safetensors::{Dtype, SafeTensors};

/// Where the golden cases of this thread run, how their weights are kept, and what they found there.
pub struct Place {
    pub device: Device,
    pub weights: WeightType,
    /// What the tolerances of f32 are multiplied with.
    pub slack: f64,
    pub rows: Vec<Row>,
}

/// One comparison with a golden.
#[derive(Debug, Clone)]
pub struct Row {
    pub stage: String,
    pub name: String,
    pub difference: Difference,
    pub tolerance: f64,
}

impl Row {
    /// Whether the difference is within the tolerance, and not NaN.
    pub fn holds(&self) -> bool {
        self.difference.largest <= self.tolerance
    }
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Runs `cases` on this thread at `place` instead of the CPU; comparisons that fail are kept like the others.
pub fn at(place: Place, cases: impl FnOnce()) -> Vec<Row> {
    PLACE.with(|current| *current.borrow_mut() = Some(place));
    cases();
    PLACE.with(|current| current.borrow_mut().take().map_or_else(Vec::new, |place| place.rows))
}

/// Where this thread's cases run.
pub fn device() -> Device {
    PLACE.with(|place| place.borrow().as_ref().map_or_else(Device::flex, |place| place.device.clone()))
}

/// How their weights are kept.
pub fn weights() -> WeightType {
    PLACE.with(|place| place.borrow().as_ref().map_or(WeightType::F32, |place| place.weights))
}

/// Root of the golden folders.
pub fn golden(path: &str) -> PathBuf {
    let root = std::env::var_os("INDEXTTS_GOLDEN")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")));
    root.join(path)
}

pub fn json(path: &str) -> serde_json::Value {
    let path = golden(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// An official checkpoint of the golden set, converted by its key table and put strictly into `module`; in f32, wherever
/// this thread's place is.
pub fn load_f32<M: Module>(module: M, table: Result<Table>, vars: &Vars, file: &str) -> M {
    let table = table.unwrap_or_else(|e| panic!("{e}"));
    let tensors = indextts_import::convert(&table, vars, &golden(file)).unwrap_or_else(|e| panic!("{e}"));
    indextts::weights::apply(module, tensors).unwrap_or_else(|problems| panic!("{}", problems.join("\n")))
}

/// The same with the weights of this thread's place.
pub fn load<M: Module>(module: M, table: Result<Table>, vars: &Vars, file: &str) -> M {
    kept(load_f32(module, table, vars, file))
}

/// `module` with the weights of this thread's place.
pub fn kept<M: Module>(module: M) -> M {
    match weights() {
        WeightType::F32 => module,
        weights => pack(module, weights, &device()),
    }
}

/// An official configuration (`tests/configs`).
pub fn official(name: &str) -> serde_json::Value {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/configs")).join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// An official key manifest (`tests/keys`).
pub fn keys(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys")).join(name)
}

/// Proves a key table against an official manifest (`tests/keys`) and a module's schema at real size.
pub fn check_manifest<M: Module>(module: &M, table: Result<Table>, vars: &Vars, manifest: &str) {
    let table = table.unwrap_or_else(|e| panic!("{e}"));
    let checked = indextts_import::check_manifest(&table, vars, &keys(manifest), &indextts::weights::schema(module));
    checked.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
}

/// The tensors of one `io.safetensors`.
pub struct Io(Vec<u8>, String);

impl Io {
    pub fn open(path: &str) -> Self {
        let file = golden(path);
        Self(std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())), path.into())
    }

    fn view(&self, name: &str) -> (Dtype, Vec<usize>, Vec<u8>) {
        let all = SafeTensors::deserialize(&self.0).expect("valid safetensors");
        let t =
            all.tensor(name).unwrap_or_else(|_| panic!("{} has no tensor {name}; it has {:?}", self.1, all.names()));
        (t.dtype(), t.shape().to_vec(), t.data().to_vec())
    }

    pub fn has(&self, name: &str) -> bool {
        SafeTensors::deserialize(&self.0).expect("valid safetensors").tensor(name).is_ok()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.view(name).1
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let (dtype, _, data) = self.view(name);
        match dtype {
            Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()) as f32).collect(),
            other => panic!("{name} is {other:?}, not a float"),
        }
    }

    pub fn ints(&self, name: &str) -> Vec<i64> {
        let (dtype, _, data) = self.view(name);
        match dtype {
            Dtype::U8 => data.iter().map(|&b| i64::from(b)).collect(),
            Dtype::I32 => data.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()) as i64).collect(),
            Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect(),
            other => panic!("{name} is {other:?}, not an integer"),
        }
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.floats(name), self.shape(name)), device)
    }

    pub fn int_tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        Tensor::from_data(TensorData::new(self.ints(name), self.shape(name)), device)
    }
}

/// Tolerance of one network in f32 on the CPU: `1e-4 x std of the golden + 1e-5`.
pub const NETWORK: f64 = 1e-4;
/// Tolerance of a full CFM solve or a vocoder run.
pub const SOLVE: f64 = 1e-3;

/// Prints `max |diff|`, cosine and the tolerance, and fails above the tolerance (`relative x std(golden) + 1e-5`).
pub fn close<const D: usize>(stage: &str, got: Tensor<D>, io: &Io, name: &str, relative: f64) {
    assert_eq!(got.dims().to_vec(), io.shape(name), "{stage}: shape of {name}");
    let got: Vec<f32> = got.into_data().convert::<f32>().try_to_vec().unwrap();
    close_slices(stage, &got, &io.floats(name), name, relative);
}

pub fn close_slices(stage: &str, got: &[f32], want: &[f32], name: &str, relative: f64) {
    assert_eq!(got.len(), want.len(), "{stage}: length of {name}");
    let difference = Difference::between(got, want);
    let Difference { largest, deviation, cosine, .. } = difference;
    let elsewhere = PLACE.with(|place| place.borrow().as_ref().map(|place| place.slack));
    let tolerance = (relative * deviation + 1e-5) * elsewhere.unwrap_or(1.0);
    let row = Row { stage: stage.into(), name: name.into(), difference, tolerance };
    println!("{stage:14} {name:28} max|diff| {largest:.3e}  cosine {cosine:.8}  tolerance {tolerance:.3e}");
    if elsewhere.is_none() {
        assert!(row.holds(), "{stage}: {name} differs by {largest:.3e}, tolerance {tolerance:.3e}");
    }
    PLACE.with(|place| place.borrow_mut().as_mut().map(|place| place.rows.push(row)));
}

/// Writes the golden folders as an official model directory of version 2.0 (flat layout) below `dir`.
///
/// `tiny.model` stands in for `bpe.model`: the goldens have no tokenizer, and the tiny GPT has room for 100 text tokens.
pub fn official_directory(dir: &Path) {
    let configs = serde_json::json!({
        "gpt": json("gpt_v2/config.json")["gpt"],
        "semantic_codec": json("semantic_codec/config.json"),
        "s2mel": json("s2mel/config.json"),
        "emo_num": json("e2e/config.json")["emo_num"],
        "w2v_layer": json("e2e/config.json")["w2v_layer"],
        "version": 2.0,
    });
    for sub in ["hf_cache/bigvgan", "hf_cache/w2v-bert-2.0"] {
        std::fs::create_dir_all(dir.join(sub)).unwrap();
    }
    // JSON is YAML.
    std::fs::write(dir.join("config.yaml"), configs.to_string()).unwrap();
    let pieces = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tokenizer/tiny.model");
    std::fs::copy(pieces, dir.join("bpe.model")).unwrap();
    for (from, to) in [
        ("gpt_v2/gpt.pth", "gpt.pth"),
        ("s2mel/s2mel.pth", "s2mel.pth"),
        ("w2v_bert/wav2vec2bert_stats.pt", "wav2vec2bert_stats.pt"),
        ("e2e/feat1.pt", "feat1.pt"),
        ("e2e/feat2.pt", "feat2.pt"),
        ("semantic_codec/model.safetensors", "hf_cache/semantic_codec_model.safetensors"),
        ("campplus/campplus_cn_common.bin", "hf_cache/campplus_cn_common.bin"),
        ("bigvgan/bigvgan_generator.pt", "hf_cache/bigvgan/bigvgan_generator.pt"),
        ("bigvgan/config.json", "hf_cache/bigvgan/config.json"),
        ("w2v_bert/model.safetensors", "hf_cache/w2v-bert-2.0/model.safetensors"),
        ("w2v_bert/config.json", "hf_cache/w2v-bert-2.0/config.json"),
        ("audio/preprocessor_config.json", "hf_cache/w2v-bert-2.0/preprocessor_config.json"),
    ] {
        std::fs::copy(golden(from), dir.join(to)).unwrap_or_else(|e| panic!("{from}: {e}"));
    }
}

/// The text-to-emotion model of the goldens below `dir`, with a tokenizer that makes every text the golden's prompt, the
/// first token of the golden's answer `answer`, and the first that differs the end.
pub fn official_qwen(dir: &Path, answer: &str) {
    let io = Io::open("qwen_emo/io.safetensors");
    let (prompt, greedy) = (io.ints("input_ids"), io.ints("greedy"));
    let end = greedy.iter().find(|id| **id != greedy[0]).expect("an answer of more than one kind of token");
    let name = |id: i64| match id {
        _ if id == greedy[0] => answer.into(),
        _ if id == *end => "<|im_end|>".into(),
        _ => format!("t{id}"),
    };
    let words = json("qwen_emo/config.json")["vocab_size"].as_i64().unwrap();
    let vocabulary: serde_json::Map<String, serde_json::Value> = (0..words).map(|id| (name(id), id.into())).collect();
    let prompt: Vec<String> = prompt.iter().map(|id| name(*id)).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null, "decoder": null,
        "normalizer": { "type": "Replace", "pattern": { "Regex": "(?s)^.+$" }, "content": prompt.join(" ") },
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "t0" },
    });
    let folder = dir.join("qwen0.6bemo4-merge");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "generation_config.json", "model.safetensors"] {
        std::fs::copy(golden(&format!("qwen_emo/{file}")), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

/// Imports `official` into `target` as the command line does.
pub fn import(official: &Path, target: &Path, precision: Precision) -> Result<(), indextts_import::Error> {
    let mut options = ImportOptions {
        precision,
        quantize: None,
        overwrite: false,
        schema: &|config| Ok(ModelConfig::parse(&config.to_string())?.schema()),
        progress: &mut |_| {},
    };
    Import::plan(official, &options)?.write(target, &mut options)
}

/// The file of a voice without its clip, as the first version wrote it.
pub fn without_clip(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let header = metadata.metadata().clone().unwrap().into_iter().filter(|(name, _)| name != "clip_rate").collect();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let kept = tensors.tensors().into_iter().filter(|(name, _)| name != "clip");
    std::fs::write(path, safetensors::serialize(kept, Some(header)).unwrap()).unwrap();
}
