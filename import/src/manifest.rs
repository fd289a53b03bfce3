//! What an imported model directory says about itself.
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// `manifest.json`: every file of the directory with its hash, contents and origin.
#[derive(Debug, Serialize)]
pub struct Manifest {
    pub format: u32,
    pub importer: String,
    /// `f32` or `f16`, and `+q8` or `+q4` with the GPT in few bits.
    pub precision: String,
    pub files: Vec<FileEntry>,
}

/// One file of the model directory.
#[derive(Debug, Clone, Serialize)]
pub struct FileEntry {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    /// Tensors and parameters by element type, of weight files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightSummary>,
    /// The official files it was made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origin: Vec<Origin>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WeightSummary {
    pub tensors: usize,
    pub parameters: usize,
    pub dtypes: Vec<String>,
    /// The largest tensor, `name [shape]`.
    pub largest: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

/// SHA-256 of a file, read in pieces.
pub fn sha256(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    Ok((bytes, hash.finalize().iter().map(|b| std::format!("{b:02x}")).collect()))
}
