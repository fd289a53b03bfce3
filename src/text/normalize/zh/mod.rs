//! Mandarin Chinese.
mod codes;
mod dates;
mod numbers;
mod quantities;
mod units;
mod words;

use std::sync::LazyLock;

use super::en;
use super::rules::{Rule, rewrite};

/// In the order in which they apply: what has the most marks around it first, plain numbers last.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let groups = [
        words::addresses(),
        dates::rules(),
        codes::rules(),
        units::rules(),
        quantities::rules(),
        words::rules(),
        quantities::rest(),
    ];
    groups.into_iter().flatten().collect()
});

/// Words in a row that make a passage of English, and how many of them are in small letters: names do not.
const PASSAGE: (usize, usize) = (3, 2);

/// Chinese as it is spoken; passages of English in it by the rules of English.
pub fn speak(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_chinese).unwrap_or(rest.len());
        let (passage, tail) = rest.split_at(end);
        if is_passage(passage) {
            out.push_str(&en::speak(passage));
            rest = tail;
            continue;
        }
        // Up to the next passage: figures are read with the Chinese around them.
        let end = next_passage(rest);
        out.push_str(&rewrite(&RULES, &rest[..end]));
        rest = &rest[end..];
    }
    out
}

/// Where the next passage of English begins.
fn next_passage(text: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        let start = at + text[at..].find(|c| !is_chinese(c)).unwrap_or(text.len() - at);
        let end = start + text[start..].find(is_chinese).unwrap_or(text.len() - start);
        if start > 0 && is_passage(&text[start..end]) {
            return start;
        }
        at = end.max(start + 1).min(text.len());
    }
    text.len()
}

fn is_passage(text: &str) -> bool {
    let words = || text.split_whitespace().map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()));
    let count =
        |holds: fn(&u8) -> bool| words().filter(|word| word.len() > 1 && word.bytes().all(|b| holds(&b))).count();
    count(u8::is_ascii_alphabetic) >= PASSAGE.0 && count(u8::is_ascii_lowercase) >= PASSAGE.1
}

/// Chinese characters and their punctuation.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}' | '“' | '”')
}
