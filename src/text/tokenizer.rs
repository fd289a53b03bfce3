//! Tokens of a vocabulary: SentencePiece pieces as 2.0 makes them, or pairs of bytes joined by rank as 2.5 does.
//!
//! Source: text specification B and C.2.
use std::collections::{HashMap, HashSet};

use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::{NormalizedString, Normalizer as _, NormalizerWrapper, PreTokenizerWrapper};

use crate::text::charsmap;
use crate::{Error, ModelFiles, Result};

/// Vocabularies are a few megabytes; anything larger is not one.
const MAX_BYTES: u64 = 64 << 20;

/// Marks a space, and the start of a text.
const SPACE: &str = "▁";

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub id: u32,
    pub text: String,
}

/// A tokenizer of a model directory.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Applied before the tokenizer sees a text: it would otherwise look for the start of the text at an offset that
    /// normalisation has moved.
    normalizer: Option<NormalizerWrapper>,
    unknown: Option<u32>,
    /// Pieces that are taken whole wherever they occur.
    defined: HashSet<u32>,
    /// The mark of the text's start.
    start: Option<Piece>,
    /// What the letters of a vocabulary of bytes stand for.
    bytes: Option<HashMap<char, u8>>,
}

/// A special token that vocabularies with a tag for each language have.
const TRANSCRIPT: &str = "<|startoftranscript|>";

impl Tokenizer {
    /// Reads `tokenizer.json`.
    pub fn load(files: &ModelFiles) -> Result<Self> {
        let bytes = files.read("tokenizer.json", MAX_BYTES)?;
        Self::from_bytes(&bytes).map_err(|what| Error::Format {
            path: files.path("tokenizer.json"),
            what,
            hint: "run `indextts models verify`, or import the model again".into(),
        })
    }

    /// From the contents of a `tokenizer.json`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let value = serde_json::from_slice(bytes).map_err(|e| format!("not JSON ({e})"))?;
        charsmap::check(&value)?;
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| format!("not a readable tokenizer ({e})"))?;
        let normalizer = inner.get_normalizer().cloned();
        inner.with_normalizer(None::<NormalizerWrapper>);
        let unknown = inner.token_to_id("<unk>");
        let defined = inner.get_added_tokens_decoder().into_keys().collect();
        let marks = matches!(inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::Metaspace(m)) if m.prepend_scheme != PrependScheme::Never);
        let start = inner.token_to_id(SPACE).filter(|_| marks).map(|id| Piece { id, text: SPACE.into() });
        let bytes = inner.token_to_id(TRANSCRIPT).map(|_| byte_letters());
        Ok(Self { inner, normalizer, unknown, defined, start, bytes })
    }

    /// Whether texts begin with a tag of their language, and are made of bytes: 2.5.
    pub fn has_language_tags(&self) -> bool {
        self.bytes.is_some()
    }

    /// Tokens of a normalised text: Chinese characters apart, upper-cased.
    pub fn encode(&self, spoken: &str) -> Result<Vec<Piece>> {
        self.encode_raw(&separate(spoken))
    }

    /// Tokens of `text` as it is.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<Piece>> {
        let failed = |e: tokenizers::Error| Error::Input {
            name: "text".into(),
            got: text.chars().take(40).collect(),
            expected: format!("a text that can be tokenised ({e})"),
        };
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = &self.normalizer {
            normalizer.normalize(&mut normalized).map_err(failed)?;
        }
        let encoding = self.inner.encode(normalized.get(), false).map_err(failed)?;
        let pieces = encoding.get_ids().iter().zip(encoding.get_tokens());
        let mut pieces: Vec<Piece> = pieces.map(|(id, token)| Piece { id: *id, text: self.shown(token) }).collect();
        // A piece that the vocabulary's author defined is taken whole and hides the mark of the text's start before it.
        if let Some(mark) = &self.start
            && pieces.first().is_some_and(|p| self.defined.contains(&p.id))
        {
            pieces.insert(0, mark.clone());
        }
        Ok(pieces)
    }

    /// A token as it stands in the text; what is only a part of a character is shown as �.
    fn shown(&self, token: &str) -> String {
        let bytes = self.bytes.as_ref().and_then(|table| token.chars().map(|c| table.get(&c).copied()).collect());
        bytes.map_or_else(|| token.to_string(), |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn is_unknown(&self, piece: &Piece) -> bool {
        Some(piece.id) == self.unknown
    }
}

/// The bytes that the letters of a vocabulary of bytes stand for: printable ones for themselves, the others, in their order,
/// for U+0100 and on (GPT-2).
fn byte_letters() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let own = (0..=255).filter(printable).map(|byte| (char::from(byte), byte));
    let others = (0..=255).filter(|byte| !printable(byte)).zip('\u{100}'..).map(|(byte, letter)| (letter, byte));
    own.chain(others).collect()
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

/// Whether `c` belongs to a script that is written without spaces.
pub(super) fn is_cjk(c: char) -> bool {
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
