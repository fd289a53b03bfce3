//! `manifest.json` of a model directory: what must be in it, to the byte.
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, ModelFiles, Result};

const NAME: &str = "manifest.json";
/// Manifests are a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 16 << 20;

/// Every file of a model directory with its size, hash, contents and origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub importer: String,
    /// `f32` or `f16`, and `+q8` or `+q4` with the GPT in few bits.
    pub precision: String,
    pub files: Vec<FileEntry>,
}

/// One file of the directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path relative to the directory.
    pub path: String,
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    #[serde(default)]
    pub weights: Option<WeightSummary>,
    #[serde(default)]
    pub origin: Vec<Origin>,
}

/// What a weight file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WeightSummary {
    pub tensors: usize,
    pub parameters: usize,
    pub dtypes: Vec<String>,
    pub largest: String,
}

/// An official file that a file was made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of `dir`; paths that lead out of the directory are refused.
    pub fn read(dir: &Path) -> Result<Self> {
        Self::of(&dir.into())
    }

    /// As [`Manifest::read`], of a model that may be in memory.
    pub fn of(files: &ModelFiles) -> Result<Self> {
        let path = files.path(NAME);
        let bad = |what: String| Error::Format {
            path: path.clone(),
            what,
            hint: "this is not a model directory of `indextts models import`, or it is damaged: import the model again"
                .into(),
        };
        let bytes = files.read(NAME, MAX_BYTES)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| bad(format!("not a manifest ({e})")))?;
        if manifest.format != crate::config::FORMAT {
            return Err(bad(format!(
                "its format is {}, this version reads {}",
                manifest.format,
                crate::config::FORMAT
            )));
        }
        let inside = |p: &str| !p.is_empty() && Path::new(p).components().all(|c| matches!(c, Component::Normal(_)));
        match manifest.files.iter().find(|f| !inside(&f.path)) {
            Some(file) => Err(bad(format!("it names {:?}, which is not inside the directory", file.path))),
            None => Ok(manifest),
        }
    }

    /// One hash, lower-case hexadecimal, for the contents of `names`; says which of them is missing.
    pub fn fingerprint(&self, names: &[&str]) -> Result<String, String> {
        let mut hash = Sha256::new();
        for name in names {
            let file = self.files.iter().find(|file| file.path == *name);
            let file = file.ok_or_else(|| format!("it does not name {name}"))?;
            hash.update(format!("{name} {}\n", file.sha256));
        }
        Ok(hex(hash.finalize().as_slice()))
    }

    /// Compares every file with its size and hash; returns all differences, an empty list if there are none.
    pub fn verify(&self, dir: &Path, progress: &mut dyn FnMut(&FileEntry)) -> Vec<String> {
        let mut problems = Vec::new();
        for file in &self.files {
            progress(file);
            match check(&dir.join(&file.path), file) {
                Ok(None) => {}
                Ok(Some(problem)) => problems.push(format!("{}: {problem}", file.path)),
                Err(e) => problems.push(format!("{}: {e}", file.path)),
            }
        }
        problems
    }
}

fn check(path: &Path, entry: &FileEntry) -> std::io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes != entry.bytes {
        return Ok(Some(format!("expected {} bytes, got {bytes}", entry.bytes)));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    let got = hex(hash.finalize().as_slice());
    Ok((got != entry.sha256).then(|| format!("expected SHA-256 {}, got {got}", entry.sha256)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
