//! The networks. Each knows its configuration and its shapes, none knows a file.
pub mod bigvgan;
pub mod campplus;
pub mod codec;
pub mod dit;
pub mod emotion_bank;
pub mod flow;
pub mod gpt;
pub mod length_regulator;
pub mod qwen;
pub mod s2mel;
pub mod w2v_bert;
