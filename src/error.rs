//! The library's one error type: every message says what failed, where, what was expected, what was found, and what to
//! do next.
use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong for a reason outside the code: a file, a user's input, a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A file is readable but is not what it should be.
    #[error("{}: {what}; {hint}", path.display())]
    Format { path: PathBuf, what: String, hint: String },

    /// A model's weights do not fit its configuration. Every mismatch of the file is listed.
    #[error("{}: the weights do not fit the model ({} problems):\n{}\nImport the model again with `indextts models import`.", path.display(), problems.len(), problems.join("\n"))]
    Weights { path: PathBuf, problems: Vec<String> },

    /// Reference audio that cannot be used.
    #[error("{origin}: {what}; {hint}")]
    Audio { origin: String, what: String, hint: String },

    /// A stored voice was made with another model.
    #[error("{}: this voice was made with another model (fingerprint {voice:.12}, this model's is {model:.12}), and its file holds no clip; make it again of one with `indextts voice create`, or use the model it was made with", path.display())]
    StaleVoice { path: PathBuf, voice: String, model: String },

    /// A value given by the user is out of range or does not fit the others.
    #[error("{name}: got {got}, expected {expected}")]
    Input { name: String, got: String, expected: String },

    /// A device that this build or this machine does not have.
    #[error("device {name}: {what}; {hint}")]
    Device { name: String, what: String, hint: String },

    /// The model did something that makes its output useless (an empty code list, an impossible code).
    #[error("{stage}: {what}; {hint}")]
    Generation { stage: &'static str, what: String, hint: String },

    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] with its path; for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
