//! What can go wrong while reading an official checkpoint.
use std::path::{Path, PathBuf};

use crate::config::ConfigError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A file that is not what its name promises.
    #[error("{}: {what}. {hint}", path.display())]
    Format { path: PathBuf, what: String, hint: String },

    /// Keys, shapes or types that do not fit; every problem of every file, not just the first.
    #[error("{} problem{} in the official files:\n{}\nNothing was written. Check that the files belong together and are complete (`sha256sum`), or download them again.", problems.len(), if problems.len() == 1 { "" } else { "s" }, problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
    Keys { problems: Vec<Problem> },

    #[error("{}: {source}", path.display())]
    Config { path: PathBuf, source: ConfigError },

    /// Files that an official model directory must hold.
    #[error("{} is not a complete IndexTTS model directory; missing:\n{}\nDownload the official files into this layout, or name another directory.", dir.display(), missing.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n"))]
    Layout { dir: PathBuf, missing: Vec<String> },

    /// A key table that contradicts itself: a defect of this program.
    #[error("key table {table}: {what}")]
    Table { table: String, what: String },

    #[error("{}: {what}. {hint}", path.display())]
    Target { path: PathBuf, what: String, hint: String },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// One key that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The official file.
    pub file: String,
    /// The official key.
    pub key: String,
    pub kind: ProblemKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The table expects the key, the file lacks it.
    Missing,
    /// The file holds the key, no table line maps or ignores it.
    Unexpected,
    /// Two official keys lead to one canonical name, or one key is used twice.
    Collision {
        with: String,
    },
    Shape {
        expected: String,
        got: String,
    },
    Type {
        expected: String,
        got: String,
    },
    /// A value that cannot be represented, or data that cannot be read.
    Value {
        what: String,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, key, kind } = self;
        match kind {
            ProblemKind::Missing => write!(f, "{file}: missing key {key}"),
            ProblemKind::Unexpected => write!(f, "{file}: unexpected key {key}"),
            ProblemKind::Collision { with } => write!(f, "{file}: key {key} collides with {with}"),
            ProblemKind::Shape { expected, got } => {
                write!(f, "{file}: wrong shape of {key}: expected {expected}, got {got}")
            }
            ProblemKind::Type { expected, got } => {
                write!(f, "{file}: wrong type of {key}: expected {expected}, got {got}")
            }
            ProblemKind::Value { what } => write!(f, "{file}: {key}: {what}"),
        }
    }
}
