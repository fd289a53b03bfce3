//! Official IndexTTS checkpoints -> canonical model directory.
//!
//! Key tables (`tables/*.toml`, one per official file) say which official key becomes which canonical tensor and which
//! keys are ignored, with the reason. Nothing here knows a model: the sizes come from the official configuration, and
//! the caller hands over the shapes its model expects.
mod bare_tensor;
mod checkpoint;
pub mod config;
mod convert;
mod directory;
mod error;
mod large_pages;
mod layout;
mod manifest;
mod model;
mod official;
mod ops;
mod panels;
#[cfg(feature = "pull")]
pub mod pull;
mod quantize;
mod report;
pub mod sentencepiece;
mod table;
pub mod tables;
pub mod tiktoken;

pub use checkpoint::{Checkpoint, ElementType, SourceTensor};
pub use convert::{Binding, Bound, Precision, bind, check_manifest, check_schema, convert};
pub use directory::{Import, ImportOptions, Schema};
pub use error::{Error, Problem, ProblemKind, Result};
pub use quantize::Quantize;
pub use report::{FileReport, Report};
pub use table::{Table, Vars};
