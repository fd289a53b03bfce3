//! Zero-shot voice cloning with emotion control: IndexTTS-2 and 2.5 on Burn.
pub mod audio;
pub mod models;
pub mod nn;
pub mod pipeline;
pub mod text;
pub mod weights;

mod error;

pub use burn::tensor::Device;
pub use error::{Error, Result};
