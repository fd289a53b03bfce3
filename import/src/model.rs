//! An official model directory as a whole: which version it is, which weight files it needs, and the canonical
//! configuration of its networks.
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::config::{self, ConfigError, f64_at, usize_at, value_at};
use crate::error::{Error, Result};
use crate::layout::{Layout, Role};
use crate::table::{Table, Vars};
use crate::{official, sentencepiece, tables, tiktoken};

/// The w2v-bert layer whose output the official pipeline uses; `w2v_layer` in `config.yaml` says otherwise for models of
/// other sizes.
const OFFICIAL_W2V_LAYER: usize = 17;

/// One official weight file with its table.
pub struct WeightFile {
    /// Stem of the canonical file.
    pub canonical: String,
    pub table: Table,
    pub vars: Vars,
    pub checkpoint: Checkpoint,
}

/// Everything an import needs to know, read from headers and configurations only.
pub struct Model {
    pub version: String,
    pub config: Value,
    pub files: Vec<WeightFile>,
    /// Files copied as they are: name in the model directory and origin.
    pub copies: Vec<(String, PathBuf)>,
    /// Files written from a conversion: name, contents, origin.
    pub texts: Vec<(&'static str, String, PathBuf)>,
    pub notes: Vec<String>,
}

impl Model {
    /// Reads the configuration below `dir` and opens every weight file it calls for.
    pub fn open(dir: &Path) -> Result<Self> {
        let layout = Layout::find(dir)?;
        let [path] = layout.require([Role::Config])?;
        let official = official::read(path)?;
        let version = version(&official).map_err(|source| Error::Config { path: path.into(), source })?;
        // All at once, so that one message lists everything that is missing.
        let common = [Role::Gpt, Role::S2Mel, Role::W2vStats, Role::SpeakerMatrix, Role::EmotionMatrix, Role::CampPlus];
        let auxiliary = [Role::BigVgan, Role::BigVganConfig, Role::W2vBert, Role::W2vBertConfig];
        let own =
            if version == "2.0" { [Role::SemanticCodec, Role::SentencePiece].as_slice() } else { &[Role::Codec25] };
        layout.require_all(common.iter().chain(&auxiliary).chain(own))?;
        let mut model = Self {
            version,
            config: json!({}),
            files: Vec::new(),
            copies: Vec::new(),
            texts: Vec::new(),
            notes: Vec::new(),
        };
        let mut networks = match model.version.as_str() {
            "2.0" => model.open_2(&layout, path, &official)?,
            _ => model.open_2_5(&layout, path, &official)?,
        };
        model.open_common(&layout, path, &official, &mut networks)?;
        model.open_qwen(&layout, &mut networks)?;
        model.copies.extend(voices(dir)?);
        // Of models of our own training; the official ones have neither.
        for name in ["lexicon.txt", "MODEL_CARD.md"] {
            let file = dir.join(name);
            if file.is_file() {
                model.copies.push((name.into(), file));
            }
        }
        let emotion_groups =
            config::sizes_at(&official, "emo_num").map_err(|source| Error::Config { path: path.into(), source })?;
        networks.insert("emotion_groups".into(), json!(emotion_groups));
        // Not among the official fields: how a model of our own training is meant to be used.
        if let Some(defaults) = official.get("defaults") {
            networks.insert("defaults".into(), defaults.clone());
        }
        networks.insert("format".into(), json!(1));
        networks.insert("version".into(), json!(model.version));
        model.config = Value::Object(networks);
        Ok(model)
    }

    fn add(&mut self, canonical: &str, table: Result<Table>, vars: Vars, checkpoint: Checkpoint) -> Result<()> {
        self.files.push(WeightFile { canonical: canonical.into(), table: table?, vars, checkpoint });
        Ok(())
    }

    /// What only 2.0 has: the semantic codec's encoder side and SentencePiece.
    fn open_2(&mut self, layout: &Layout, config: &Path, official: &Value) -> Result<Networks> {
        let [codec, pieces] = layout.require([Role::SemanticCodec, Role::SentencePiece])?;
        let wrong = |source| Error::Config { path: config.into(), source };
        let mut networks = Networks::new();
        let (value, vars) =
            config::codec::semantic_codec(value_at(official, "semantic_codec").map_err(wrong)?).map_err(wrong)?;
        networks.insert("codec".into(), json!({ "semantic": value }));
        self.add("codec", tables::semantic_codec(), vars, Checkpoint::open(codec)?)?;
        self.texts.push(("tokenizer.json", sentencepiece::convert_file(pieces)?, pieces.into()));
        Ok(networks)
    }

    /// What only 2.5 has: its codec's decoder side and the tiktoken ranks.
    fn open_2_5(&mut self, layout: &Layout, config: &Path, official: &Value) -> Result<Networks> {
        let [codec] = layout.require([Role::Codec25])?;
        let wrong = |source| Error::Config { path: config.into(), source };
        let mut networks = Networks::new();
        let (value, vars) =
            config::codec::codec_decoder(value_at(official, "semantic_codec").map_err(wrong)?).map_err(wrong)?;
        networks.insert("codec".into(), json!({ "decoder": value }));
        self.add("codec", tables::codec_v2_5(), vars, Checkpoint::open(codec)?)?;
        // A model of the 2.5 layout with a SentencePiece vocabulary is as good as one with tiktoken ranks.
        if let Some(pieces) = layout.get(Role::SentencePiece) {
            self.texts.push(("tokenizer.json", sentencepiece::convert_file(pieces)?, pieces.into()));
        } else {
            let [ranks] = layout.require([Role::Tiktoken])?;
            self.texts.push(("tokenizer.json", tiktoken::convert_file(ranks)?, ranks.into()));
        }
        Ok(networks)
    }

    fn open_common(&mut self, layout: &Layout, config: &Path, official: &Value, networks: &mut Networks) -> Result<()> {
        let [gpt, s2mel, stats, speakers, emotions] =
            layout.require([Role::Gpt, Role::S2Mel, Role::W2vStats, Role::SpeakerMatrix, Role::EmotionMatrix])?;
        let [campplus, bigvgan, bigvgan_config, w2v, w2v_config] =
            layout.require([Role::CampPlus, Role::BigVgan, Role::BigVganConfig, Role::W2vBert, Role::W2vBertConfig])?;
        let wrong = |source| Error::Config { path: config.into(), source };
        let perceiver = self.version == "2.0";

        let layers = match official.get("w2v_layer") {
            Some(_) => usize_at(official, "w2v_layer").map_err(wrong)?,
            None => OFFICIAL_W2V_LAYER,
        };
        let (mut value, vars) = config::w2v_bert::w2v_bert(&official::read(w2v_config)?, layers)
            .map_err(|source| Error::Config { path: w2v_config.into(), source })?;
        networks.insert("w2v_bert".into(), value.take());
        self.add("w2v_bert", tables::w2v_bert(), vars, Checkpoint::open(w2v)?)?;
        self.add("w2v_stats", tables::w2v_stats(), Vars::default(), Checkpoint::open(stats)?)?;

        let checkpoint = Checkpoint::open(campplus)?;
        let (value, vars) = config::campplus::campplus(&checkpoint.shapes())
            .map_err(|source| Error::Config { path: campplus.into(), source })?;
        networks.insert("campplus".into(), value);
        self.add("campplus", tables::campplus(), vars, checkpoint)?;

        let checkpoint = Checkpoint::open(gpt)?;
        let (value, vars) = config::gpt::gpt(official, &checkpoint.shapes()).map_err(wrong)?;
        networks.insert("gpt".into(), value);
        let table = if perceiver { tables::gpt_v2() } else { tables::gpt_v2_5() };
        self.add("gpt", table, vars, checkpoint)?;

        let checkpoint = Checkpoint::open(s2mel)?;
        let section = value_at(official, "s2mel").map_err(wrong)?;
        let (config, table) = if perceiver {
            (config::s2mel::s2mel_v2(section, &checkpoint.shapes()), tables::s2mel_v2())
        } else {
            (config::s2mel::s2mel_v2_5(section), tables::s2mel_v2_5())
        };
        let (value, vars) = config.map_err(wrong)?;
        networks.insert("s2mel".into(), value);
        self.add("s2mel", table, vars, checkpoint)?;

        let (value, vars) = config::bigvgan::bigvgan(&official::read(bigvgan_config)?)
            .map_err(|source| Error::Config { path: bigvgan_config.into(), source })?;
        networks.insert("bigvgan".into(), value);
        self.add("bigvgan", tables::bigvgan(), vars, Checkpoint::open(bigvgan)?)?;

        self.add("emotion_bank", tables::feat1(), Vars::default(), Checkpoint::open(speakers)?)?;
        self.add("emotion_bank", tables::feat2(), Vars::default(), Checkpoint::open(emotions)?)?;

        networks.insert("mel".into(), mel(official).map_err(wrong)?);
        let padding = match layout.get(Role::W2vPreprocessor) {
            Some(path) => f64_at(&official::read(path)?, "padding_value")
                .map_err(|source| Error::Config { path: path.into(), source })?,
            None => 1.0,
        };
        networks.insert("feature_padding".into(), json!(padding));
        Ok(())
    }

    /// Text to emotion is optional: without the folder the directory simply cannot do it; half a folder is an error.
    fn open_qwen(&mut self, layout: &Layout, networks: &mut Networks) -> Result<()> {
        let parts = [Role::Qwen, Role::QwenConfig, Role::QwenTokenizer];
        if parts.iter().all(|role| layout.get(*role).is_none()) {
            networks.insert("qwen".into(), Value::Null);
            self.notes
                .push("no qwen0.6bemo4-merge folder: emotion from text (--emotion-text) will not be available".into());
            return Ok(());
        }
        let [weights, config, tokenizer] = layout.require(parts)?;
        let generation = layout.get(Role::QwenGeneration).map(official::read).transpose()?;
        let (value, vars) = config::qwen::qwen(&official::read(config)?, generation.as_ref())
            .map_err(|source| Error::Config { path: config.into(), source })?;
        networks.insert("qwen".into(), value);
        self.copies.push(("qwen_tokenizer.json".into(), tokenizer.into()));
        self.add("qwen", tables::qwen(), vars, Checkpoint::open(weights)?)
    }
}

/// Clips that a model brings along as voices, `voices/NAME.flac` or `.wav`. The official models have none.
fn voices(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folder = dir.join("voices");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        let clip = path.extension().is_some_and(|e| e == "flac" || e == "wav");
        if let (true, Some(name)) = (clip, path.file_name().and_then(|n| n.to_str())) {
            found.push((std::format!("voices/{name}"), path));
        }
    }
    found.sort();
    Ok(found)
}

type Networks = serde_json::Map<String, Value>;

fn version(official: &Value) -> Result<String, ConfigError> {
    let value = f64_at(official, "version")?;
    match (value * 10.0).round() as i64 {
        20 => Ok("2.0".into()),
        25 => Ok("2.5".into()),
        _ => Err(ConfigError { field: "version".into(), expected: "2.0 or 2.5".into(), got: value.to_string() }),
    }
}

/// The log-mel of the S2M stage.
fn mel(official: &Value) -> Result<Value, ConfigError> {
    let at = |name: &str| std::format!("s2mel.preprocess_params.{name}");
    let size = |name: &str| usize_at(official, &at(name));
    // The official value is the string "None": no limit but the Nyquist frequency.
    let fmax = match value_at(official, &at("spect_params.fmax"))? {
        Value::String(s) if s == "None" => Value::Null,
        Value::Null => Value::Null,
        _ => json!(f64_at(official, &at("spect_params.fmax"))?),
    };
    Ok(json!({
        "sample_rate": size("sr")?,
        "n_fft": size("spect_params.n_fft")?,
        "win_length": size("spect_params.win_length")?,
        "hop_length": size("spect_params.hop_length")?,
        "n_mels": size("spect_params.n_mels")?,
        "fmin": f64_at(official, &at("spect_params.fmin"))?,
        "fmax": fmax,
    }))
}
