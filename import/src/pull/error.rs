//! What can go wrong while official files are fetched.
use std::path::PathBuf;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("no model is called {name:?}; known are {}, or name a registry file (.toml)", known.join(", "))]
    Unknown { name: String, known: Vec<String> },

    /// A registry entry that contradicts itself or cannot be read.
    #[error("registry entry {origin}: {what}")]
    Registry { origin: String, what: String },

    #[error("{}: {what}; remove the file to record the official files anew, or restore it", path.display())]
    Record { path: PathBuf, what: String },

    #[error("the licences of {model} were not accepted, so nothing was fetched:\n{}\nRead them, then type the command with --accept-license.", licences.iter().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n"))]
    Licence { model: String, licences: Vec<String> },

    #[error("--offline, but these files are not here (or not whole) in {}:\n{}\nRun without --offline, or copy them there.", dir.display(), missing.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n"))]
    Offline { dir: PathBuf, missing: Vec<String> },

    #[error("{}: {free} free, {needed} needed; make room or choose another directory. Nothing was fetched", path.display(), free = gigabytes(*free), needed = gigabytes(*needed))]
    Space { path: PathBuf, free: u64, needed: u64 },

    #[error("another pull works in {}; wait for it to end", dir.display())]
    Busy { dir: PathBuf },

    #[error("endpoint {endpoint:?}: {what}; set HF_ENDPOINT (or --endpoint) to something like https://huggingface.co")]
    Endpoint { endpoint: String, what: String },

    /// 401 or 403.
    #[error("{url}: access denied ({status}). {repository} may be gated: open its page, log in and accept its licence, then set HF_TOKEN to a token that can read it ({token})", token = if *with_token { "HF_TOKEN is set, but is not enough" } else { "HF_TOKEN is not set" })]
    Denied { repository: String, url: String, status: u16, with_token: bool },

    #[error(
        "{url}: not found. {repository} has no such file at this revision, or the mirror does not carry it; check HF_ENDPOINT, or try --update"
    )]
    NotFound { repository: String, url: String },

    #[error("{url}: the server answered {status}; try again later, or another HF_ENDPOINT")]
    Status { url: String, status: u16 },

    #[error("{url}: too many requests; the server asks to wait {} s. Run the command again then, finished parts are kept", wait.as_secs())]
    RateLimited { url: String, wait: Duration },

    #[error("{url}: {what}")]
    Redirect { url: String, what: String },

    #[error("{url}: {what}; check the network, then run the command again: it goes on where it stopped")]
    Network { url: String, what: String },

    #[error("{url}: not the description of a model repository ({what}); check HF_ENDPOINT")]
    Description { url: String, what: String },

    #[error(
        "{file}: expected {expected} bytes, got {got}; the server or the mirror is at fault. Run the command again, or try another HF_ENDPOINT"
    )]
    Size { file: String, expected: u64, got: u64 },

    #[error(
        "{file}: expected SHA-256 {expected}, got {got}; it was not kept. Run the command again, or try another HF_ENDPOINT"
    )]
    Hash { file: String, expected: String, got: String },

    /// Another file of the same pull failed first.
    #[error("stopped")]
    Stopped,
}

impl Error {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}
