//! Audio in and out: plain `f32` slices, no tensors and no model.
pub mod decode;
pub mod encode;
pub mod fbank;
pub mod loudness;
pub mod mel;
pub mod quality;
pub mod resample;
pub mod wav;
