//! What the reference does to a text around its grammars, with all that it harms: which of its two grammars reads it, what it
//! keeps from them, and how. The grammars themselves are not repeated (`Choices` of the README says why).
//!
//! The reference puts a mark in place of what it keeps and looks for the mark afterwards. Ours are parts of their own, so a
//! grammar cannot alter a mark (quirk Q67c), and none of our rules can fail, so no text is lost by that (quirk Q63).
//!
//! Source: text specification A.2 to A.4; quirks Q60, Q62, Q67 and Q67b.
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::rules::any_of;
use super::{Glossary, annotation, en, is_han, map_punctuation, pinyin, symbols, zh};

/// A pattern of this file.
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|e| panic!("a pattern of the normaliser is not valid: {e}"))
}

/// `what's`; also behind other letters, as in `ache's`.
static IS: LazyLock<Regex> = LazyLock::new(|| pattern("(?i)(what|where|who|which|how|t?here|it|s?he|that|this)'s"));
/// `state-of-the-art`, `GPT-4`: their hyphens are kept.
static TERM: LazyLock<Regex> = LazyLock::new(|| pattern("[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+"));
/// `约翰·史密斯`, and any two words of Chinese with a hyphen.
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern("[\u{4e00}-\u{9fff}]+(?:[-·—][\u{4e00}-\u{9fff}]+){1,2}"));

/// A part of a text.
enum Part {
    /// For the grammar.
    Open(String),
    /// Kept from it.
    Kept(String),
}

/// `text` as the reference reads it with our rules in place of its grammars, with the punctuation of its map.
pub fn read(text: &str, glossary: &Glossary) -> String {
    let chinese = is_chinese(text);
    let mut parts = annotations(text.trim_end());
    for part in &mut parts {
        if let Part::Open(text) = part {
            *text = glossary.replace(&IS.replace_all(text, "$1 is"), if chinese { "zh" } else { "en" });
        }
    }
    parts = keep(parts, &TERM, hyphens);
    if chinese {
        parts = keep_pinyin(parts);
        parts = keep(parts, &NAME, whole);
    }
    let speak = if chinese { zh::speak } else { en::speak };
    let spoken = parts.into_iter().map(|part| match part {
        Part::Open(text) => speak(&symbols::plain(&text)),
        Part::Kept(text) => text,
    });
    map_punctuation(&spoken.collect::<String>(), chinese)
}

/// Whether the Chinese grammar reads a text: it has Chinese characters, or no Latin letter, or is an e-mail address by
/// itself, or has anything that can be a syllable of pinyin, as `A4` can. Marked readings do not count.
fn is_chinese(text: &str) -> bool {
    // What the reference puts in place of a marked reading has letters, and no syllable.
    let parts = annotations(text).into_iter().map(|part| match part {
        Part::Open(text) => text,
        Part::Kept(_) => "PLACE".into(),
    });
    let text: String = parts.collect();
    let mail = text.split_once('@').is_some_and(|(name, rest)| {
        let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric());
        let letters = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphabetic());
        word(name) && rest.rsplit_once('.').is_some_and(|(domain, end)| word(domain) && letters(end))
    });
    text.chars().any(is_han)
        || !text.chars().any(|c| c.is_ascii_alphabetic())
        || mail
        || !pinyin::find(&text).is_empty()
}

/// Marked readings, and what lies between them.
fn annotations(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut open, mut at) = (0, 0);
    while let Some(start) = text[at..].find('<').map(|offset| at + offset) {
        let Some(length) = annotation(&text[start..]) else {
            at = start + 1;
            continue;
        };
        parts.push(Part::Open(text[open..start].into()));
        at = start + length;
        parts.push(Part::Kept(text[start..at].into()));
        open = at;
    }
    parts.push(Part::Open(text[open..].into()));
    parts
}

/// Keeps every match from the grammar, as `part` has it.
fn keep(parts: Vec<Part>, pattern: &Regex, part: fn(&str) -> Vec<Part>) -> Vec<Part> {
    let mut kept = Vec::new();
    for open in parts {
        let Part::Open(text) = open else {
            kept.push(open);
            continue;
        };
        let mut at = 0;
        for found in pattern.find_iter(&text) {
            kept.push(Part::Open(text[at..found.start()].into()));
            kept.extend(part(found.as_str()));
            at = found.end();
        }
        kept.push(Part::Open(text[at..].into()));
    }
    kept
}

/// The hyphens of a term; the grammar reads what is between them.
fn hyphens(term: &str) -> Vec<Part> {
    let words = term.split('-').map(|word| Part::Open(word.into()));
    let between = words.flat_map(|word| [Part::Kept("-".into()), word]);
    between.skip(1).collect()
}

fn whole(text: &str) -> Vec<Part> {
    vec![Part::Kept(text.into())]
}

/// Syllables with tones. One that is found anywhere is kept wherever the same letters stand, also inside of a word (quirk
/// Q67b); of several that could be kept at a place the longest is, where the reference leaves it to chance.
fn keep_pinyin(parts: Vec<Part>) -> Vec<Part> {
    let mut found = BTreeSet::new();
    for part in &parts {
        if let Part::Open(text) = part {
            found.extend(pinyin::find(text).into_iter().map(|(start, end)| text[start..end].to_string()));
        }
    }
    if found.is_empty() {
        return parts;
    }
    // A few thousand short words at the most.
    match Regex::new(&any_of(found.iter().map(String::as_str))) {
        Ok(syllables) => keep(parts, &syllables, |syllable| vec![Part::Kept(pinyin::correct(syllable))]),
        Err(_) => parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        super::read(text, &Glossary::default())
    }

    #[test]
    fn one_syllable_or_an_address_makes_a_text_chinese() {
        assert_eq!(read("Print 3 pages"), "Print three pages");
        assert_eq!(read("Print A4 on 3 pages"), "Print A4 on 三 pages");
        assert_eq!(read("john@x.com"), "john艾特x点com");
        assert_eq!(read("<x|A4> has 3"), "<x|A4> has three");
    }

    #[test]
    fn a_syllable_is_kept_wherever_its_letters_stand() {
        assert_eq!(read("a1 beta1 beta2"), "a1 beta1 beta二");
        assert_eq!(read("xu4 和xu4"), "XV4 和XV4");
    }

    #[test]
    fn terms_keep_their_hyphens_and_names_their_marks() {
        assert_eq!(read("GPT-4的能力"), "GPT-四的能力");
        assert_eq!(read("the COVID-19 test"), "the COVID-nineteen test");
        assert_eq!(read("约翰·史密斯"), "约翰-史密斯");
        assert_eq!(read("北京-上海"), "北京-上海");
    }

    #[test]
    fn contractions_are_expanded_behind_any_letters() {
        assert_eq!(read("What's his headache's name?"), "What is his headache is name?");
    }

    #[test]
    fn a_glossary_is_followed_inside_of_words_and_read_by_the_grammar() {
        let glossary = Glossary::parse("GPT: machine 5\nm: X\nmac: {zh: 苹果}\n").unwrap();
        // The longest term first, each over the whole text, readings of earlier ones included.
        assert_eq!(super::read("gpts here", &glossary), "Xachine five seconds here");
        assert_eq!(super::read("两台Mac", &glossary), "两台苹果");
    }
}
