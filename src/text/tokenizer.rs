//! SentencePiece tokens, as 2.0 makes them.
//!
//! Source: text specification B.
use std::path::Path;

use crate::text::normalize::Normalizer;
use crate::{Error, Result};

/// Vocabularies are a few megabytes; anything larger is not one.
const MAX_BYTES: u64 = 64 << 20;

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub id: u32,
    pub text: String,
}

/// A tokenizer of a model directory.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    unknown: Option<u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`.
    pub fn load(path: &Path) -> Result<Self> {
        let length = path.metadata().map_err(Error::io("read", path))?.len();
        let bad = |what: String| Error::Format {
            path: path.into(),
            what,
            hint: "run `indextts models verify`, or import the model again".into(),
        };
        if length > MAX_BYTES {
            return Err(bad(format!("{length} bytes are too many for a tokenizer")));
        }
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::from_bytes(&bytes).map_err(bad)
    }

    /// From the contents of a `tokenizer.json`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| format!("not a readable tokenizer ({e})"))?;
        let unknown = inner.token_to_id("<unk>");
        Ok(Self { inner, unknown })
    }

    /// Tokens of `text`: normalised, Chinese characters apart, upper-cased.
    ///
    /// A single character goes to the vocabulary as it is, as in the reference.
    pub fn encode(&self, text: &str, normalizer: &dyn Normalizer) -> Result<Vec<Piece>> {
        if text.trim().chars().count() == 1 {
            return self.encode_raw(text);
        }
        self.encode_raw(&separate(&normalizer.normalize(text)))
    }

    /// Tokens of `text` as it is.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<Piece>> {
        let encoding = self.inner.encode(text, false).map_err(|e| Error::Input {
            name: "text".into(),
            got: text.chars().take(40).collect(),
            expected: format!("a text that can be tokenised ({e})"),
        })?;
        let pieces = encoding.get_ids().iter().zip(encoding.get_tokens());
        Ok(pieces.map(|(id, text)| Piece { id: *id, text: text.clone() }).collect())
    }

    pub fn is_unknown(&self, piece: &Piece) -> bool {
        Some(piece.id) == self.unknown
    }
}

/// Each Chinese, Japanese or Korean character by itself, runs of anything else together, upper-cased, single spaces
/// between.
pub fn separate(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut run = String::new();
    let flush = |run: &mut String, parts: &mut Vec<String>| {
        if !run.trim().is_empty() {
            parts.push(run.trim().to_uppercase());
        }
        run.clear();
    };
    for c in text.trim().chars() {
        if is_cjk(c) {
            flush(&mut run, &mut parts);
            parts.push(c.to_uppercase().collect());
        } else {
            run.push(c);
        }
    }
    flush(&mut run, &mut parts);
    parts.join(" ")
}

fn is_cjk(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x11ff | 0x2e80..=0xa4cf | 0xa840..=0xd7af | 0xf900..=0xfaff
        | 0xfe30..=0xfe4f | 0xff65..=0xffdc | 0x20000..=0x2ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_the_east_stand_alone() {
        assert_eq!(separate(" 你好 hello world，再见 "), "你 好 HELLO WORLD， 再 见");
        assert_eq!(separate("a"), "A");
        assert_eq!(separate(""), "");
    }
}
