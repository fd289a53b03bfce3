//! Text front end: normalise, tokenise, split into segments. Which tokenizer a model has is read from its directory;
//! everything in front of it is shared.
//!
//! Source: text specification.
mod charsmap;
pub mod emotion_text;
mod japanese;
mod language;
pub mod normalize;
mod pack;
mod pronunciation;
pub mod segment;
pub mod tiktoken;
pub mod tokenizer;

use std::path::Path;
use std::sync::Arc;

pub use japanese::Segmenter;
pub use language::Language;
pub use normalize::Glossary;

use crate::{Error, ModelFiles, Result};
use normalize::{is_chinese_to_reference, map_all_punctuation, map_punctuation, normalize};
use tiktoken::Tiktoken;
use tokenizer::{Piece, Tokenizer};

/// Terms with a fixed reading that a model brings along.
const GLOSSARY: &str = "glossary.yaml";
/// Glossaries are written by hand; anything larger is not one.
const MAX_GLOSSARY: u64 = 16 << 20;

/// How a text is read.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    /// The language of the text; found out when not given.
    pub language: Option<Language>,
    /// Terms with a fixed reading, in place of the model's own.
    pub glossary: Option<Arc<Glossary>>,
    /// Sets Japanese words apart; without it Japanese is passed on as it is.
    pub segmenter: Option<Arc<Segmenter>>,
    /// Repeat what the reference does to a text even where it harms it: punctuation is replaced before numbers are read
    /// (so that `8:00` is no time any more) in models of the 2.5 layout, single letters with a figure count as pinyin, an
    /// address alone is read as Chinese, an exclamation mark that has the id of the start token is lost, a quote behind a
    /// sentence occurs in both segments.
    pub faithful: bool,
}

impl TextOptions {
    /// Reads a glossary from a YAML file.
    pub fn read_glossary(path: &Path) -> Result<Glossary> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        read_glossary(&ModelFiles::Directory(folder.into()), &name)
    }
}

fn read_glossary(files: &ModelFiles, name: &str) -> Result<Glossary> {
    let bytes = files.read(name, MAX_GLOSSARY)?;
    Glossary::parse(&String::from_utf8_lossy(&bytes)).map_err(|what| Error::Format {
        path: files.path(name),
        what,
        hint: "write one term a line".into(),
    })
}

/// From text to the token ids of each segment.
pub struct TextFrontEnd {
    vocabulary: Vocabulary,
    glossary: Arc<Glossary>,
    /// Ids the GPT has embeddings for.
    rows: usize,
    /// Longest segment that it has positions for.
    longest: usize,
}

/// The tokenizer that a model was trained with.
enum Vocabulary {
    /// `tokenizer.json`: IndexTTS-2.
    SentencePiece(Box<Tokenizer>),
    /// `tokenizer.tiktoken`: IndexTTS-2.5.
    Tiktoken(Tiktoken),
}

/// A text, ready for the GPT.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The language given or found.
    pub language: Language,
    /// The text as it will be spoken.
    pub spoken: String,
    /// Tokens of each segment, without start and stop.
    pub segments: Vec<Vec<Piece>>,
    /// Pieces of the text that the vocabulary does not have.
    pub unknown: Vec<String>,
    /// What the listener should know.
    pub warnings: Vec<String>,
}

/// The text of `pieces`, without the marks of the vocabulary.
pub fn joined(pieces: &[Piece]) -> String {
    let mut text: String = pieces.iter().map(|piece| piece.text.as_str()).collect::<String>().replace('▁', " ");
    while let Some(from) = text.find("<|")
        && let Some(length) = text[from..].find("|>")
    {
        text.replace_range(from..from + length + 2, "");
    }
    text.trim().into()
}

/// The spoken form of `text` and its language, without any model.
pub fn spoken(text: &str, options: &TextOptions) -> (Language, String) {
    let language = options.language.unwrap_or_else(|| Language::detect(text));
    let empty = Glossary::default();
    let glossary = options.glossary.as_deref().unwrap_or(&empty);
    (language, read(text, language, glossary, options.faithful))
}

/// `text` as it is spoken, with the punctuation that the vocabularies have.
fn read(text: &str, language: Language, glossary: &Glossary, faithful: bool) -> String {
    use normalize::Rules;
    let mut rules = language.rules();
    if !faithful {
        return map_all_punctuation(&normalize(text, rules, glossary, false));
    }
    // The reference decides between its two sets of rules by the text, whatever the language is said to be.
    if matches!(rules, Rules::English | Rules::Chinese) {
        rules = if is_chinese_to_reference(text) { Rules::Chinese } else { Rules::English };
    }
    map_punctuation(&normalize(text, rules, glossary, true), rules == Rules::Chinese)
}

impl TextFrontEnd {
    /// The front end of a model, for a GPT that knows `rows` text tokens and `positions` of them in a row, start and stop
    /// included.
    pub fn load(files: &ModelFiles, rows: usize, positions: usize) -> Result<Self> {
        let vocabulary = if !files.contains("tokenizer.json") && files.contains(tiktoken::FILE) {
            Vocabulary::Tiktoken(Tiktoken::load(files)?)
        } else {
            Vocabulary::SentencePiece(Box::new(Tokenizer::load(files)?))
        };
        let glossary = if files.contains(GLOSSARY) { read_glossary(files, GLOSSARY)? } else { Glossary::default() };
        Ok(Self { vocabulary, glossary: Arc::new(glossary), rows, longest: positions.saturating_sub(2) })
    }

    /// Normalises, tokenises and splits `text` into segments of at most `max_tokens`.
    pub fn read(&self, text: &str, max_tokens: usize, options: &TextOptions) -> Result<Reading> {
        let language = options.language.unwrap_or_else(|| Language::detect(text));
        let mut warnings = Vec::new();
        let (spoken, segments, unknown) = match &self.vocabulary {
            Vocabulary::SentencePiece(tokenizer) => {
                self.sentence_piece(tokenizer, text, max_tokens, language, options)?
            }
            Vocabulary::Tiktoken(tokenizer) => {
                self.tiktoken(tokenizer, text, max_tokens, language, options, &mut warnings)
            }
        };
        if !unknown.is_empty() {
            let count = unknown.len();
            warnings.push(format!("{count} token(s) of the text are unknown to the model and will not be spoken well"));
        }
        if let Some(piece) = segments.iter().flatten().find(|p| p.id as usize >= self.rows) {
            return Err(Error::Input {
                name: "text".into(),
                got: format!("token {:?} with id {}", piece.text, piece.id),
                expected: format!("ids below {}: the tokenizer does not belong to this model", self.rows),
            });
        }
        if spoken.trim().is_empty() || segments.iter().all(Vec::is_empty) {
            return Err(Error::Input {
                name: "text".into(),
                got: format!("{:?}", text.chars().take(40).collect::<String>()),
                expected: "something to speak".into(),
            });
        }
        Ok(Reading { language, spoken, segments, unknown, warnings })
    }

    fn glossary<'a>(&'a self, options: &'a TextOptions) -> &'a Glossary {
        options.glossary.as_ref().unwrap_or(&self.glossary)
    }

    /// Source: text specification B.
    fn sentence_piece(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        max_tokens: usize,
        language: Language,
        options: &TextOptions,
    ) -> Result<Parts> {
        let (spoken, pieces) = if text.trim().chars().count() == 1 {
            // A single character goes to the vocabulary as it is.
            (text.to_string(), tokenizer.encode_raw(text)?)
        } else {
            let spoken = read(text, language, self.glossary(options), options.faithful);
            let spoken = if options.faithful { spoken } else { pronunciation::plain(&spoken) };
            let pieces = tokenizer.encode(&spoken)?;
            (spoken, pieces)
        };
        let unknown = pieces.iter().filter(|p| tokenizer.is_unknown(p)).map(|p| p.text.clone()).collect();
        Ok((spoken, segment::split(&pieces, max_tokens, 0, options.faithful), unknown))
    }

    /// Source: text specification C.
    fn tiktoken(
        &self,
        tokenizer: &Tiktoken,
        text: &str,
        max_tokens: usize,
        language: Language,
        options: &TextOptions,
        warnings: &mut Vec<String>,
    ) -> Parts {
        let mapped = if options.faithful { map_punctuation(text, false) } else { text.to_string() };
        let spoken = read(&mapped, language, self.glossary(options), options.faithful);
        let spoken = match language.code() {
            "ja" | "zh" | "en" => spoken.to_lowercase(),
            "es" => spoken.to_uppercase(),
            _ => spoken,
        };
        let spoken = pronunciation::expand(&spoken);
        let spoken = match &options.segmenter {
            Some(segmenter) if language == Language::JAPANESE && options.faithful => segmenter.separate(&spoken),
            Some(segmenter) if language == Language::JAPANESE => {
                let parts = pronunciation::regions(&spoken).into_iter();
                parts.map(|(part, whole)| if whole { part.into() } else { segmenter.separate(part) }).collect()
            }
            None if language == Language::JAPANESE => {
                warnings.push("Japanese words are not set apart, as the model would like: give a dictionary".into());
                spoken
            }
            _ => spoken,
        };
        let spoken = pronunciation::raise_tokens(&spoken);
        // The GPT takes ids 0 and 1 out of its input: they are start and stop, but also signs of this vocabulary.
        let lost = |text: &str| tokenizer.encode(text).iter().all(|piece| piece.id < 2);
        let spoken = if !options.faithful && lost("!") { spoken.replace('!', ".") } else { spoken };
        let tag = format!("<|{}|> ", language.code());
        let budget = max_tokens.min(self.longest).saturating_sub(tokenizer.encode(&tag).len()).max(1);
        let packed = if spoken.trim().is_empty() {
            Vec::new()
        } else {
            pack::pack(&spoken, budget, |text| tokenizer.encode(text).len())
        };
        let segments: Vec<Vec<Piece>> =
            packed.iter().map(|segment| tokenizer.encode(&format!("{tag}{segment}"))).collect();
        let unknown = tokenizer.unknown(&spoken);
        (spoken, segments, unknown)
    }
}

/// Spoken text, segments, unknown pieces.
type Parts = (String, Vec<Vec<Piece>>, Vec<String>);

impl Reading {
    /// Token ids of each segment.
    pub fn ids(&self) -> Vec<Vec<u32>> {
        self.segments.iter().map(|segment| segment.iter().map(|piece| piece.id).collect()).collect()
    }
}
