//! What the first pull found, and every later one is held to.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

const FORMAT: u32 = 1;

/// Records are a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 1 << 20;

/// Commits, sizes and hashes of a model's official files, and the licences that were accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    pub model: String,
    /// Licences that were accepted, as they were shown.
    pub accepted: Vec<String>,
    pub repositories: BTreeMap<String, Pin>,
    /// By path below the directory of the official files.
    pub files: BTreeMap<String, Known>,
}

/// The commit that a branch pointed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    pub revision: String,
    pub commit: String,
}

/// What is known of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
}

impl Record {
    /// The record at `path`, or an empty one for `model`.
    pub fn read(path: &Path, model: &str) -> Result<Self> {
        let wrong = |what: String| Error::Record { path: path.into(), what };
        let length = match path.metadata() {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    format: FORMAT,
                    model: model.into(),
                    accepted: Vec::new(),
                    repositories: BTreeMap::new(),
                    files: BTreeMap::new(),
                });
            }
            Err(e) => return Err(Error::io("read", path)(e)),
        };
        if length > MAX_BYTES {
            return Err(wrong(format!("{length} bytes are too many for a record of a pull")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let record: Self = serde_json::from_str(&text).map_err(|e| wrong(format!("not a record of a pull ({e})")))?;
        if record.format != FORMAT {
            return Err(wrong(format!("expected format {FORMAT}, got {}", record.format)));
        }
        if record.model != model {
            return Err(wrong(format!("it belongs to {}, not to {model}", record.model)));
        }
        Ok(record)
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_whole(path, (text + "\n").as_bytes())
    }
}

/// Writes a file that appears under its name only when it is complete.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; a record has the permissions of any other new file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(parent).map_err(Error::io("write into", parent))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::io("write", path))?;
    file.persist(path).map_err(|e| Error::io("put in place", path)(e.error))?;
    Ok(())
}
