//! Zero-shot voice cloning with emotion control: IndexTTS-2 and 2.5 on Burn.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//! use indextts::{Emotion, Options, REFERENCE_SECONDS, Request, Synthesizer, audio, device_by_name};
//!
//! let synthesizer = Synthesizer::load(Path::new("models/indextts-2"), &device_by_name("cpu")?)?;
//! let clip = audio::decode::load_reference("voice.wav".as_ref(), REFERENCE_SECONDS)?;
//! let voice = synthesizer.voice(&clip)?;
//! let request = Request { text: "Hello world.", voice: &voice, emotion: Emotion::SameAsVoice, options: Options::default() };
//! let speech = synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(()))?;
//! audio::wav::write("hello.wav".as_ref(), &speech.samples, speech.sample_rate)?;
//! # Ok::<(), indextts::Error>(())
//! ```
pub mod audio;
pub mod kernels;
pub mod models;
pub mod nn;
pub mod pipeline;
#[cfg(feature = "serve")]
pub mod server;
pub mod text;
pub mod weights;

mod config;
mod device;
mod error;
mod files;
mod readback;
#[cfg(feature = "webgpu")]
mod webgpu;

pub use burn::tensor::Device;
pub use config::{CodecConfig, Defaults, ModelConfig};
#[cfg(all(feature = "gpu", not(target_family = "wasm")))]
pub use device::kernel_store;
pub use device::{Backend, DeviceReport, MatrixProduct, automatic_device, device_by_name, device_name};
pub use error::{Error, Result};
pub use files::ModelFiles;
pub use kernels::{Bits, WeightType};
pub use pipeline::{
    Chunk, Clock, Conditioning, Cost, Difference, Emotion, EmotionClip, EmotionVector, Noise, Observer, Options,
    Precision, Progress, REFERENCE_SECONDS, ReferenceFeatures, Request, Script, Segment, Speech, Stage, StageOutput,
    Streaming, Synthesizer, Timings, Trace, Utterance, Voice, VoiceInfo, VoiceStore, Word, Work,
};
pub use text::{Language, TextOptions};
#[cfg(feature = "webgpu")]
pub use webgpu::webgpu_device;
