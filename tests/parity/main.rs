//! Every network and stage against the measured outputs of the reference (`tests/golden`, or `INDEXTTS_GOLDEN`).
//! Sizes come from each golden's own config, so another set of goldens runs through the same tests.
mod support;

mod audio;
#[path = "../backends/mod.rs"]
mod backends;
mod bigvgan;
mod campplus;
mod codec;
mod e2e;
mod gpt;
mod qwen;
mod s2mel;
mod streaming;
mod text;
mod together;
mod v2_5;
mod w2v_bert;

mod emotion_bank;
