//! Finding the official files in the directory layouts that users have.
//!
//! * flat: the model repository's files in one directory, the auxiliary models below `hf_cache/`;
//! * Hugging Face cache: `models--OWNER--NAME/snapshots/REVISION/...`, either below `hf_cache/` or as the whole directory.
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The role a file has in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Config,
    Gpt,
    S2Mel,
    W2vStats,
    SpeakerMatrix,
    EmotionMatrix,
    SentencePiece,
    Tiktoken,
    Codec25,
    SemanticCodec,
    CampPlus,
    BigVgan,
    BigVganConfig,
    W2vBert,
    W2vBertConfig,
    W2vPreprocessor,
    Qwen,
    QwenConfig,
    QwenGeneration,
    QwenTokenizer,
}

use Role::*;

/// Places of one file: paths in a flat directory (below the directory or its `hf_cache`), and paths in a repository of
/// the Hugging Face cache.
struct Place {
    role: Role,
    flat: &'static [&'static str],
    cached: &'static [(&'static str, &'static str)],
}

const MAIN_2: &str = "IndexTeam--IndexTTS-2";
const MAIN_25: &str = "IndexTeam--IndexTTS-2.5";

macro_rules! main_file {
    ($role:ident, $path:literal) => {
        Place { role: $role, flat: &[$path], cached: &[(MAIN_2, $path), (MAIN_25, $path)] }
    };
}

const PLACES: &[Place] = &[
    main_file!(Config, "config.yaml"),
    main_file!(Gpt, "gpt.pth"),
    main_file!(S2Mel, "s2mel.pth"),
    main_file!(W2vStats, "wav2vec2bert_stats.pt"),
    main_file!(SpeakerMatrix, "feat1.pt"),
    main_file!(EmotionMatrix, "feat2.pt"),
    main_file!(SentencePiece, "bpe.model"),
    main_file!(Tiktoken, "multilingual_zh_ja_yue_char_del.tiktoken"),
    main_file!(Codec25, "codec.pth"),
    main_file!(Qwen, "qwen0.6bemo4-merge/model.safetensors"),
    main_file!(QwenConfig, "qwen0.6bemo4-merge/config.json"),
    main_file!(QwenGeneration, "qwen0.6bemo4-merge/generation_config.json"),
    main_file!(QwenTokenizer, "qwen0.6bemo4-merge/tokenizer.json"),
    Place {
        role: SemanticCodec,
        flat: &["hf_cache/semantic_codec_model.safetensors", "hf_cache/semantic_codec/model.safetensors"],
        cached: &[("amphion--MaskGCT", "semantic_codec/model.safetensors")],
    },
    Place {
        role: CampPlus,
        flat: &["hf_cache/campplus_cn_common.bin"],
        cached: &[("funasr--campplus", "campplus_cn_common.bin")],
    },
    Place {
        role: BigVgan,
        flat: &["hf_cache/bigvgan/bigvgan_generator.pt"],
        cached: &[("nvidia--bigvgan_v2_22khz_80band_256x", "bigvgan_generator.pt")],
    },
    Place {
        role: BigVganConfig,
        flat: &["hf_cache/bigvgan/config.json"],
        cached: &[("nvidia--bigvgan_v2_22khz_80band_256x", "config.json")],
    },
    Place {
        role: W2vBert,
        flat: &["hf_cache/w2v-bert-2.0/model.safetensors"],
        cached: &[("facebook--w2v-bert-2.0", "model.safetensors")],
    },
    Place {
        role: W2vBertConfig,
        flat: &["hf_cache/w2v-bert-2.0/config.json"],
        cached: &[("facebook--w2v-bert-2.0", "config.json")],
    },
    Place {
        role: W2vPreprocessor,
        flat: &["hf_cache/w2v-bert-2.0/preprocessor_config.json"],
        cached: &[("facebook--w2v-bert-2.0", "preprocessor_config.json")],
    },
];

/// The official files found below one directory.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
    found: Vec<(Role, PathBuf)>,
}

impl Layout {
    /// Looks for every known file; which ones are needed is decided by [`Layout::require`].
    pub fn find(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            return Err(Error::Layout { dir: dir.into(), missing: vec!["the directory itself".into()] });
        }
        let found = PLACES.iter().filter_map(|place| Some((place.role, locate(dir, place)?))).collect();
        Ok(Self { dir: dir.into(), found })
    }

    pub fn get(&self, role: Role) -> Option<&Path> {
        self.found.iter().find(|(r, _)| *r == role).map(|(_, path)| path.as_path())
    }

    /// An error that lists all of `roles` that are missing and where they are looked for.
    pub fn require_all<'a>(&self, roles: impl Iterator<Item = &'a Role>) -> Result<()> {
        let missing: Vec<String> = roles.filter(|r| self.get(**r).is_none()).map(|r| describe(*r)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::Layout { dir: self.dir.clone(), missing }) }
    }

    /// The paths of `roles`.
    pub fn require<const N: usize>(&self, roles: [Role; N]) -> Result<[&Path; N]> {
        self.require_all(roles.iter())?;
        // Every role has a path now.
        Ok(roles.map(|role| self.get(role).unwrap_or(&self.dir)))
    }
}

fn describe(role: Role) -> String {
    PLACES.iter().find(|p| p.role == role).map_or_else(String::new, |place| {
        let cached = place
            .cached
            .first()
            .map_or(String::new(), |(repository, path)| format!(" (or models--{repository}/snapshots/*/{path})"));
        format!("{}{cached}", place.flat[0])
    })
}

fn locate(dir: &Path, place: &Place) -> Option<PathBuf> {
    let flat = place.flat.iter().map(|path| dir.join(path)).find(|p| p.is_file());
    flat.or_else(|| {
        let roots = [dir.to_path_buf(), dir.join("hf_cache"), dir.join("hub"), dir.join("hf_cache/hub")];
        roots
            .iter()
            .flat_map(|root| place.cached.iter().map(move |c| (root, c)))
            .find_map(|(root, (repository, path))| snapshot(&root.join(format!("models--{repository}")), path))
    })
}

/// A file of a cached repository: of the revision that `refs/main` names if it has the file, else of the newest one that
/// has it.
fn snapshot(repository: &Path, file: &str) -> Option<PathBuf> {
    let main = std::fs::read_to_string(repository.join("refs/main")).ok();
    if let Some(path) = main.map(|revision| repository.join("snapshots").join(revision.trim()).join(file))
        && path.is_file()
    {
        return Some(path);
    }
    let revisions = std::fs::read_dir(repository.join("snapshots")).ok()?;
    let mut found: Vec<_> = revisions
        .filter_map(|entry| {
            let path = entry.ok()?.path().join(file);
            let modified = path.metadata().ok()?.modified().ok()?;
            path.is_file().then_some((modified, path))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}
