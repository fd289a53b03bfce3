//! Text front end: normalise, tokenise, split into segments.
pub mod emotion_text;
pub mod normalize;
pub mod segment;
pub mod tokenizer;
