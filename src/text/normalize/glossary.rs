//! Words with a fixed reading: `glossary.yaml`, a table from a term to its reading, or to one reading per language.
//!
//! Source: text specification A.3 and D.
use serde::Deserialize;
use std::collections::BTreeMap;

/// Terms and their readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glossary {
    /// Longest term first.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    term: String,
    lower: String,
    reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Reading {
    Always(String),
    /// By language code; a language without an entry keeps the term.
    PerLanguage(BTreeMap<String, String>),
}

impl Reading {
    fn of(&self, language: &str) -> Option<&str> {
        match self {
            Self::Always(reading) => Some(reading),
            Self::PerLanguage(table) => table.get(language).map(String::as_str),
        }
    }
}

impl Glossary {
    /// From the text of a YAML file.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        let table: Option<BTreeMap<String, Reading>> = serde_yaml_ng::from_str(yaml)
            .map_err(|e| format!("not a glossary (term: reading, or term: {{en: reading, zh: reading}}): {e}"))?;
        let terms = table.unwrap_or_default().into_iter();
        let mut entries: Vec<_> = terms
            .filter(|(term, _)| !term.trim().is_empty())
            .map(|(term, reading)| Entry { term: term.trim().into(), lower: term.trim().to_lowercase(), reading })
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.lower.chars().count()));
        Ok(Self { entries })
    }

    /// Terms in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The term at the start of `text`, whatever its case: its length in bytes, and its reading. A term of Latin letters
    /// has to be a whole word; `before` is the character in front of it.
    pub(super) fn at<'a>(&'a self, text: &'a str, before: Option<char>, language: &str) -> Option<(usize, &'a str)> {
        self.entries.iter().find_map(|entry| {
            let length = prefix(text, &entry.lower)?;
            let inner = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            let starts = inner(entry.lower.chars().next()) && inner(before);
            let ends = inner(entry.lower.chars().next_back()) && inner(text[length..].chars().next());
            let reading = entry.reading.of(language).unwrap_or(&text[..length]);
            (!starts && !ends).then_some((length, reading))
        })
    }

    /// As the reference does it: each term, the longest first, is replaced wherever its letters stand, also in the readings
    /// that came of the terms before it; one without a reading in `language` is replaced by itself.
    pub(super) fn replace(&self, text: &str, language: &str) -> String {
        let mut text = text.to_string();
        for entry in &self.entries {
            let reading = entry.reading.of(language).unwrap_or(&entry.term);
            let (mut out, mut at) = (String::with_capacity(text.len()), 0);
            while let Some(c) = text[at..].chars().next() {
                match prefix(&text[at..], &entry.lower) {
                    Some(length) => {
                        out.push_str(reading);
                        at += length;
                    }
                    None => {
                        out.push(c);
                        at += c.len_utf8();
                    }
                }
            }
            text = out;
        }
        text
    }
}

/// Bytes of `text` that are `term`, which is in lower case.
fn prefix(text: &str, term: &str) -> Option<usize> {
    let mut rest = text.char_indices();
    let mut wanted = term.chars();
    let mut next = wanted.next()?;
    loop {
        let (at, c) = rest.next()?;
        for lower in c.to_lowercase() {
            if lower != next {
                return None;
            }
            match wanted.next() {
                Some(c) => next = c,
                None => return Some(at + c.len_utf8()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_as_written_down() {
        let glossary = Glossary::parse("M.2: {en: M two, zh: M 二}\nGPT: 机器\nGPT-4: {en: the model}\n").unwrap();
        assert_eq!(glossary.len(), 3);
        assert_eq!(glossary.at("gpt-4!", None, "en"), Some((5, "the model")));
        assert_eq!(glossary.at("gpt-4!", None, "zh"), Some((5, "gpt-4")));
        assert_eq!(glossary.at("GPTs", None, "en"), None);
        assert_eq!(glossary.at("GPT的", Some('用'), "zh"), Some((3, "机器")));
        assert_eq!(glossary.at("m.2", None, "zh"), Some((3, "M 二")));
    }

    #[test]
    fn what_is_not_a_table_is_refused() {
        assert!(Glossary::parse("- a\n- b").unwrap_err().contains("not a glossary"));
        assert!(Glossary::parse("a: [1]").is_err());
        assert!(Glossary::parse("").unwrap().is_empty());
    }
}
