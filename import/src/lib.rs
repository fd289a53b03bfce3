//! Official IndexTTS checkpoints -> canonical model directory.
//!
//! Key tables (`tables/*.toml`, one per official file) say which official key becomes which canonical tensor and which
//! keys are ignored, with the reason. Nothing here knows a model: the sizes come from the official configuration, and
//! the caller hands over the shapes its model expects.
mod bare_tensor;
mod checkpoint;
pub mod config;
mod convert;
mod error;
mod ops;
mod table;
pub mod tables;

pub use checkpoint::{Checkpoint, ElementType, SourceTensor};
pub use convert::{Binding, Bound, Precision, bind, check_manifest, check_schema, convert};
pub use error::{Error, Problem, ProblemKind, Result};
pub use table::{Table, Vars};
