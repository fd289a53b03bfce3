//! Official IndexTTS checkpoints -> canonical model directory. Knows files and key tables, no model.
pub mod config;
pub mod tables;
