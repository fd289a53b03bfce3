//! Text as it is spoken.
//!
//! A text is cut into what is read as it is (pinyin, marked pronunciations, words of the glossary) and what the rules of its
//! language rewrite; the rules are tables of patterns, a file for each kind of thing. Nothing is put in place of anything
//! for a while, so that nothing can be lost or mistaken for something else.
//!
//! Source: text specification A; the readings are those of the languages (`tests/text`).
mod ar;
mod en;
mod es;
pub mod faithful;
mod glossary;
mod ja;
pub mod pinyin;
mod punctuation;
mod rules;
mod symbols;
mod zh;

use std::borrow::Cow;
use std::collections::HashSet;

pub use glossary::Glossary;
pub use punctuation::{map as map_punctuation, map_all as map_all_punctuation};

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    English,
    Chinese,
    Spanish,
    Japanese,
    Arabic,
    /// Words, figures and signs are passed on.
    None,
}

/// A part of a text.
enum Part<'a> {
    /// For the rules of the language.
    Open(Cow<'a, str>),
    /// Read as it is.
    Fixed(String),
}

/// `text` as it is spoken. Punctuation is kept; [`map_all_punctuation`] makes it the vocabulary's.
pub fn normalize(text: &str, rules: Rules, glossary: &Glossary) -> String {
    let text = symbols::plain(text.trim_end());
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for part in parts(&text, rules, glossary) {
        match part {
            Part::Fixed(reading) => out.push_str(&reading),
            Part::Open(text) => out.push_str(&match rules {
                Rules::English => en::speak(&expand_is(&text)),
                Rules::Chinese => zh::speak(&expand_is(&text)),
                Rules::Spanish => es::speak(&text),
                Rules::Japanese => ja::speak(&text),
                Rules::Arabic => ar::speak(&text),
                Rules::None => text.into_owned(),
            }),
        }
    }
    out
}

/// The words that numbers are made of, in lower case; none where numbers are written without spaces.
pub fn number_words(rules: Rules) -> HashSet<String> {
    let read: fn(u64) -> String = match rules {
        Rules::English => en::numbers::cardinal,
        Rules::Spanish => |n| es::numbers::cardinal(n, es::numbers::Counted::Nothing),
        Rules::Arabic => |n| ar::numbers::cardinal(n, ar::numbers::Gender::Masculine),
        Rules::Chinese | Rules::Japanese | Rules::None => return HashSet::new(),
    };
    let large = [2_000, 1_000_000, 3_000_000, 1_000_000_000, 3_000_000_000];
    let phrases = (0..=1_001).chain(large).map(read);
    phrases.flat_map(|phrase| phrase.split([' ', '-']).map(str::to_lowercase).collect::<Vec<_>>()).collect()
}

/// Whether a text is read with Chinese rules: it has Chinese characters, or no Latin letter at all, or is mostly pinyin.
pub fn is_chinese(text: &str) -> bool {
    if text.chars().any(is_han) || !text.chars().any(|c| c.is_ascii_alphabetic()) {
        return true;
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != 'ü' && c != 'Ü').filter(|w| w.len() > 1);
    2 * pinyin::find(text).len() > words.count()
}

fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Cuts out marked pronunciations (`<word|reading>`), terms of the glossary, and pinyin.
fn parts<'a>(text: &'a str, rules: Rules, glossary: &Glossary) -> Vec<Part<'a>> {
    let language = match rules {
        Rules::English => "en",
        Rules::Chinese => "zh",
        Rules::Spanish => "es",
        Rules::Japanese => "ja",
        Rules::Arabic => "ar",
        Rules::None => "",
    };
    let mut syllables = match rules {
        Rules::English | Rules::Chinese => pinyin::find(text),
        Rules::Spanish | Rules::Japanese | Rules::Arabic | Rules::None => Vec::new(),
    };
    // A single letter with a figure is a size of paper or a version far more often than a syllable.
    syllables.retain(|(start, end)| end - start > 2);
    let mut syllables = syllables.into_iter().peekable();
    let mut parts = Vec::new();
    let (mut open, mut at) = (0, 0);
    let mut before = None;
    while let Some(c) = text[at..].chars().next() {
        while syllables.next_if(|(start, _)| *start < at).is_some() {}
        let fixed = if let Some(length) = annotation(&text[at..]) {
            Some((length, text[at..at + length].to_string()))
        } else if let Some((length, reading)) = glossary.at(&text[at..], before, language) {
            Some((length, reading.to_string()))
        } else {
            syllables
                .next_if(|(start, _)| *start == at)
                .filter(|(_, end)| is_syllable_end(text, *end))
                .map(|(start, end)| (end - start, pinyin::correct(&text[start..end])))
        };
        let Some((length, reading)) = fixed else {
            at += c.len_utf8();
            before = Some(c);
            continue;
        };
        if open < at {
            parts.push(Part::Open(text[open..at].into()));
        }
        parts.push(Part::Fixed(reading));
        before = text[..at + length].chars().next_back();
        at += length;
        open = at;
    }
    if open < text.len() {
        parts.push(Part::Open(text[open..].into()));
    }
    parts
}

/// `de5` followed by another figure is not pinyin.
fn is_syllable_end(text: &str, end: usize) -> bool {
    !text[end..].starts_with(|c: char| c.is_ascii_digit())
}

/// Length of the marked pronunciation at the start of `text`.
fn annotation(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('<')?;
    // Marks are short; without a limit, many opening brackets would be searched again and again.
    let limit = inner.char_indices().nth(200).map_or(inner.len(), |(at, _)| at);
    let (word, rest) = inner[..limit].split_once('|')?;
    let (reading, _) = rest.split_once('>')?;
    let plain = |s: &str| !s.is_empty() && !s.contains(['<', '>', '\n']);
    (plain(word) && !word.contains('|') && plain(reading)).then_some(word.len() + reading.len() + 3)
}

/// `what's` -> `what is`, for the words after which 's can only mean that.
fn expand_is(text: &str) -> String {
    const WORDS: &[&str] =
        &["what", "where", "who", "which", "how", "there", "here", "it", "she", "he", "that", "this"];
    let mut out = String::with_capacity(text.len() + 8);
    let mut copied = 0;
    for (at, mark) in text.match_indices(['\'', '’']) {
        let tail = &text[at + mark.len()..];
        let word = text[copied..at].rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphabetic());
        if tail.strip_prefix(['s', 'S']).is_some_and(ends) && WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            out.push_str(&text[copied..at]);
            out.push_str(" is");
            copied = at + mark.len() + 1;
        }
    }
    out.push_str(&text[copied..]);
    out
}
