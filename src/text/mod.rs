//! Text front end: normalise, tokenise, split into segments.
//!
//! Source: text specification A and B.
mod charsmap;
pub mod emotion_text;
pub mod normalize;
pub mod segment;
pub mod tokenizer;

use crate::{Error, ModelFiles, Result};
use normalize::{Basic, Normalizer};
use tokenizer::Tokenizer;

/// From text to the token ids of each segment.
pub struct TextFrontEnd {
    normalizer: Box<dyn Normalizer>,
    tokenizer: Tokenizer,
    /// Ids the GPT has embeddings for.
    vocabulary: usize,
}

/// A text, ready for the GPT.
#[derive(Debug, Clone, PartialEq)]
pub struct Segments {
    /// Token ids of each segment, without start and stop.
    pub ids: Vec<Vec<u32>>,
    /// What the listener should know.
    pub warnings: Vec<String>,
}

impl TextFrontEnd {
    /// The front end of a model, for a GPT that knows `vocabulary` text tokens.
    pub fn load(files: &ModelFiles, vocabulary: usize) -> Result<Self> {
        if !files.contains("tokenizer.json") && files.contains("tokenizer.tiktoken") {
            return Err(Error::Format {
                path: files.path("tokenizer.tiktoken"),
                what: "this model's text front end (IndexTTS-2.5, tiktoken) is not supported yet".into(),
                hint: "use an IndexTTS-2 model".into(),
            });
        }
        Ok(Self { normalizer: Box::new(Basic), tokenizer: Tokenizer::load(files)?, vocabulary })
    }

    /// Normalises, tokenises and splits `text` into segments of at most `max_tokens`.
    pub fn segments(&self, text: &str, max_tokens: usize) -> Result<Segments> {
        let pieces = self.tokenizer.encode(text, self.normalizer.as_ref())?;
        let mut warnings = Vec::new();
        let unknown = pieces.iter().filter(|p| self.tokenizer.is_unknown(p)).count();
        if unknown > 0 {
            warnings
                .push(format!("{unknown} token(s) of the text are unknown to the model and will not be spoken well"));
        }
        if let Some(piece) = pieces.iter().find(|p| p.id as usize >= self.vocabulary) {
            return Err(Error::Input {
                name: "text".into(),
                got: format!("token {:?} with id {}", piece.text, piece.id),
                expected: format!("ids below {}: the tokenizer does not belong to this model", self.vocabulary),
            });
        }
        let segments = segment::split(&pieces, max_tokens, 0);
        if segments.iter().all(|s| s.is_empty()) {
            return Err(Error::Input {
                name: "text".into(),
                got: format!("{:?}", text.chars().take(40).collect::<String>()),
                expected: "something to speak".into(),
            });
        }
        let ids = segments.into_iter().map(|s| s.into_iter().map(|p| p.id).collect()).collect();
        Ok(Segments { ids, warnings })
    }
}
