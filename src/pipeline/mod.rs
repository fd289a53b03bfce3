//! From text and a reference clip to a wave.
pub mod decode;
