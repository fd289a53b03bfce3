//! Text front end: normalise, tokenise, split into segments. Which tokenizer a model has is read from its directory;
//! everything in front of it is shared.
//!
//! Source: text specification.
mod charsmap;
mod divide;
pub mod emotion_text;
mod japanese;
mod language;
mod lexicon;
pub mod normalize;
mod pack;
mod pronunciation;
pub mod segment;
pub mod tokenizer;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use japanese::{Segmenter, install as install_japanese_dictionary};
pub use language::Language;
pub use normalize::Glossary;

use crate::{Error, ModelFiles, Result};
use lexicon::Lexicon;
use normalize::{faithful, map_all_punctuation, map_punctuation, normalize};
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
    /// Sets Japanese words apart, in place of the model's own dictionary; without either Japanese is passed on as it is.
    pub segmenter: Option<Arc<Segmenter>>,
    /// Repeat what the reference does to a text even where it harms it (quirks Q8 and Q59 to Q67b of the specification):
    /// its decision between Chinese and English by single syllables and addresses, its places for pinyin, terms and names
    /// that collide, its glossary inside of words, contractions behind any letters, a single character without its case or
    /// its reading, a quote behind a sentence that occurs in both segments, its splitters; in models with a tag for each
    /// language also punctuation that is replaced before numbers are read (so that `8:00` is no time any more), an
    /// exclamation mark that is lost because it has the id of the start token, marked readings that Japanese word
    /// boundaries tear apart, and numbers of Spanish, Japanese and Arabic that are passed on.
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
    tokenizer: Tokenizer,
    glossary: Arc<Glossary>,
    lexicon: Option<Lexicon>,
    /// Where a Japanese dictionary may be: it is large, and read when a Japanese text comes.
    files: ModelFiles,
    segmenter: OnceLock<Option<Arc<Segmenter>>>,
    /// Ids the GPT has embeddings for.
    rows: usize,
    /// Longest segment that it has positions for.
    longest: usize,
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
    /// The part of the text that each segment speaks.
    pub texts: Vec<String>,
    /// Pieces of the text that the vocabulary does not have.
    pub unknown: Vec<String>,
    /// What the listener should know.
    pub warnings: Vec<String>,
}

/// The text of `pieces`, without the marks of the vocabulary.
fn joined(pieces: &[Piece]) -> String {
    plain(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>().replace('▁', " "))
}

/// `text` without special tokens.
fn plain(mut text: String) -> String {
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
    match language {
        _ if !faithful => map_all_punctuation(&normalize(text, language.rules(), glossary)),
        // The reference decides between these two by the text, whichever is given (text specification C.3) ..
        Language::ENGLISH | Language::CHINESE => faithful::read(text, glossary),
        // .. and has no rules for other languages.
        _ => map_punctuation(text, false),
    }
}

impl TextFrontEnd {
    /// The front end of a model, for a GPT that knows `rows` text tokens and `positions` of them in a row, start and stop
    /// included.
    pub fn load(files: &ModelFiles, rows: usize, positions: usize) -> Result<Self> {
        let tokenizer = Tokenizer::load(files)?;
        let glossary = if files.contains(GLOSSARY) { read_glossary(files, GLOSSARY)? } else { Glossary::default() };
        Ok(Self {
            tokenizer,
            glossary: Arc::new(glossary),
            lexicon: Lexicon::of(files)?,
            files: files.clone(),
            segmenter: OnceLock::new(),
            rows,
            longest: positions.saturating_sub(2),
        })
    }

    /// Normalises, tokenises and splits `text` into segments of at most `max_tokens`.
    pub fn read(&self, text: &str, max_tokens: usize, options: &TextOptions) -> Result<Reading> {
        let language = options.language.unwrap_or_else(|| Language::detect(text));
        let mut warnings = Vec::new();
        let Parts { spoken, segments, texts, unknown } = match self.tokenizer.has_language_tags() {
            true => self.tagged(text, max_tokens, language, options, &mut warnings)?,
            false => self.untagged(text, max_tokens, language, options)?,
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
        Ok(Reading { language, spoken, segments, texts, unknown, warnings })
    }

    fn glossary<'a>(&'a self, options: &'a TextOptions) -> &'a Glossary {
        options.glossary.as_ref().unwrap_or(&self.glossary)
    }

    /// The dictionary of Japanese that was given, or the model's own.
    fn segmenter(&self, options: &TextOptions) -> Result<Option<Arc<Segmenter>>> {
        if let Some(given) = &options.segmenter {
            return Ok(Some(given.clone()));
        }
        if let Some(known) = self.segmenter.get() {
            return Ok(known.clone());
        }
        let own = Segmenter::of(&self.files)?.map(Arc::new);
        Ok(self.segmenter.get_or_init(|| own).clone())
    }

    /// Source: text specification B.
    fn untagged(&self, text: &str, max_tokens: usize, language: Language, options: &TextOptions) -> Result<Parts> {
        let tokenizer = &self.tokenizer;
        if options.faithful && text.trim().chars().count() == 1 {
            // A single character goes to the vocabulary as it is.
            return Ok(self.parts(text.into(), vec![tokenizer.encode_raw(text)?], vec![text.trim().into()]));
        }
        if options.faithful {
            // The reference knows no languages here: the text alone decides.
            let spoken = faithful::read(text, self.glossary(options));
            let segments = segment::split(&self.encode(&spoken)?, max_tokens, 0);
            let texts = segments.iter().map(|segment| joined(segment)).collect();
            return Ok(self.parts(spoken, segments, texts));
        }
        let spoken = pronunciation::plain(&read(text, language, self.glossary(options), false));
        let budget = max_tokens.min(self.longest);
        // What cannot be tokenised is found out below.
        let texts = divide::divide(&spoken, budget, language.rules(), |text| self.encode(text).map_or(0, |p| p.len()));
        let segments: Result<Vec<_>> = texts.iter().map(|text| self.encode(text)).collect();
        Ok(self.parts(spoken, segments?, texts))
    }

    /// Tokens of a normalised text.
    fn encode(&self, spoken: &str) -> Result<Vec<Piece>> {
        match &self.lexicon {
            Some(lexicon) => self.tokenizer.encode_raw(&lexicon.read(&tokenizer::separate(spoken))),
            None => self.tokenizer.encode(spoken),
        }
    }

    fn parts(&self, spoken: String, segments: Vec<Vec<Piece>>, texts: Vec<String>) -> Parts {
        let unknown =
            segments.iter().flatten().filter(|p| self.tokenizer.is_unknown(p)).map(|p| p.text.clone()).collect();
        Parts { spoken, segments, texts, unknown }
    }

    /// Source: text specification C.
    fn tagged(
        &self,
        text: &str,
        max_tokens: usize,
        language: Language,
        options: &TextOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Parts> {
        let tokenizer = &self.tokenizer;
        let mapped = if options.faithful { map_punctuation(text, false) } else { text.to_string() };
        let spoken = read(&mapped, language, self.glossary(options), options.faithful);
        let spoken = match language.code() {
            "ja" | "zh" | "en" => spoken.to_lowercase(),
            "es" => spoken.to_uppercase(),
            _ => spoken,
        };
        let spoken = pronunciation::expand(&spoken);
        let spoken = match language {
            Language::JAPANESE => match self.segmenter(options)? {
                Some(segmenter) if options.faithful => segmenter.separate(&spoken),
                Some(segmenter) => {
                    let parts = pronunciation::regions(&spoken).into_iter();
                    parts.map(|(part, whole)| if whole { part.into() } else { segmenter.separate(part) }).collect()
                }
                None => {
                    let missing = "Japanese words are not set apart, as the model would like: give it a dictionary with \
                                   `indextts models dictionary`";
                    warnings.push(missing.into());
                    spoken
                }
            },
            _ => spoken,
        };
        let spoken = pronunciation::raise_tokens(&spoken);
        // The GPT takes ids 0 and 1 out of its input: they are start and stop, but also signs of this vocabulary.
        let lost = tokenizer.encode_raw("!")?.iter().all(|piece| piece.id < 2);
        let spoken = if !options.faithful && lost { spoken.replace('!', ".") } else { spoken };
        let tag = format!("<|{}|> ", language.code());
        let budget = max_tokens.min(self.longest).saturating_sub(tokenizer.encode_raw(&tag)?.len()).max(1);
        // What cannot be tokenised is found out below.
        let count = |text: &str| tokenizer.encode_raw(text).map_or(0, |pieces| pieces.len());
        let fits = |part: &str| part.len() <= 64 * budget && count(part) <= budget;
        let opened = if options.faithful { None } else { pronunciation::open_long(&spoken, fits) };
        if opened.is_some() {
            warnings.push("a marked reading is longer than a segment and is read as ordinary text".into());
        }
        let spoken = opened.unwrap_or(spoken);
        let texts = match options.faithful {
            _ if spoken.trim().is_empty() => Vec::new(),
            true => pack::pack(&spoken, budget, count),
            false => divide::divide(&spoken, budget, language.rules(), count),
        };
        let segments: Result<Vec<Vec<Piece>>> =
            texts.iter().map(|segment| tokenizer.encode_raw(&format!("{tag}{segment}"))).collect();
        let texts = texts.into_iter().map(plain).collect();
        // The vocabulary has every byte, so nothing is unknown to it.
        Ok(Parts { spoken, segments: segments?, texts, unknown: Vec::new() })
    }
}

/// What becomes of a text.
struct Parts {
    spoken: String,
    segments: Vec<Vec<Piece>>,
    /// The part of the text that each segment speaks.
    texts: Vec<String>,
    /// Pieces that the vocabulary does not have.
    unknown: Vec<String>,
}

impl Reading {
    /// Token ids of each segment.
    pub fn ids(&self) -> Vec<Vec<u32>> {
        self.segments.iter().map(|segment| segment.iter().map(|piece| piece.id).collect()).collect()
    }
}
