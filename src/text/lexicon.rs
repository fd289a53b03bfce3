//! How a model wants its words: as phones, for those that it has a pronunciation of. The official models have none.
//!
//! Source: `train/gpt/lexicon.py`, which makes the file and reads texts in the same way.
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::{Error, ModelFiles, Result};

/// The lexicon of a model directory.
const FILE: &str = "lexicon.txt";
/// Lexicons are a few megabytes; anything larger is not one.
const MAX_BYTES: u64 = 64 << 20;

static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new("[A-Z]+(?:'[A-Z]+)*").expect("a valid pattern"));

/// Upper-case words with their phones, one character each.
#[derive(Debug)]
pub struct Lexicon {
    text: String,
    /// Where the lines of words begin in `text`, in the order of their words.
    lines: Vec<u32>,
}

impl Lexicon {
    /// The lexicon that a model brings along, if it does.
    pub fn of(files: &ModelFiles) -> Result<Option<Self>> {
        if !files.contains(FILE) {
            return Ok(None);
        }
        let text = String::from_utf8(files.read(FILE, MAX_BYTES)?.into_owned())
            .map_err(|_| bad(&files.path(FILE), "it is not UTF-8".into()))?;
        Self::parse(text).map_err(|what| bad(&files.path(FILE), what)).map(Some)
    }

    /// Lines of a word, a tab and phones, sorted by word; lines that begin with `#` are remarks.
    fn parse(text: String) -> Result<Self, String> {
        let mut lines: Vec<u32> = Vec::new();
        let (mut start, mut last) = (0, "");
        for (number, line) in text.split('\n').enumerate() {
            if !line.is_empty() && !line.starts_with('#') {
                let Some((word, _)) = line.split_once('\t').filter(|(_, phones)| !phones.is_empty()) else {
                    return Err(format!("line {}: expected a word, a tab and its phones, got {line:?}", number + 1));
                };
                if !lines.is_empty() && word <= last {
                    return Err(format!("line {}: {word:?} comes after {last:?}", number + 1));
                }
                last = word;
                lines.push(start);
            }
            start += line.len() as u32 + 1;
        }
        Ok(Self { lines, text })
    }

    fn entry(&self, start: u32) -> (&str, &str) {
        let line = self.text.get(start as usize..).and_then(|rest| rest.split('\n').next()).unwrap_or_default();
        line.split_once('\t').unwrap_or((line, ""))
    }

    fn phones(&self, word: &str) -> Option<&str> {
        let found = self.lines.binary_search_by(|start| self.entry(*start).0.cmp(word)).ok()?;
        Some(self.entry(self.lines[found]).1)
    }

    /// The phones of an upper-case word, or the word.
    fn word(&self, word: &str) -> String {
        if let Some(phones) = self.phones(word) {
            return phones.into();
        }
        // Plurals and possessives that are not listed.
        let stem = word.strip_suffix('S').map(|stem| stem.strip_suffix('\'').unwrap_or(stem));
        let Some(phones) = stem.filter(|stem| stem.len() > 2).and_then(|stem| self.phones(stem)) else {
            return word.into();
        };
        let ending = match phones.chars().last() {
            Some('s' | 'z' | 'ʃ' | 'ʒ' | 'ʧ' | 'ʤ') => "ɪz",
            Some('p' | 't' | 'k' | 'f' | 'θ') => "s",
            _ => "z",
        };
        format!("{phones}{ending}")
    }

    /// An upper-case text with its words as phones.
    pub fn read(&self, text: &str) -> String {
        WORD.replace_all(text, |found: &regex::Captures<'_>| self.word(&found[0])).into_owned()
    }
}

fn bad(path: &Path, what: String) -> Error {
    Error::Format { path: path.into(), what, hint: "run `indextts models verify`, or import the model again".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_are_phones_and_others_letters() {
        let text = "# remarks\nDON'T\tdˈōnt\nFORGET\tfɚɡˈɛt\nHORSE\thˈɔɹs\nTHE\tðə\nWOK\twˈɑk\n";
        let lexicon = Lexicon::parse(text.into()).unwrap();
        assert_eq!(
            lexicon.read("DON'T FORGET THE GNU'S WOK, 'THE' HORSES!"),
            "dˈōnt fɚɡˈɛt ðə GNU'S wˈɑk, 'ðə' hˈɔɹsɪz!"
        );
        assert_eq!(lexicon.read("WOKS WOK'S HORSE'S THES WOKSS"), "wˈɑks wˈɑks hˈɔɹsɪz ðəz WOKSS");
        assert_eq!(lexicon.read("你好 É ¡"), "你好 É ¡");
    }

    #[test]
    fn what_is_no_lexicon_is_refused_with_its_line() {
        for (text, what) in
            [("A\tə\nB", "line 2"), ("B\tbi\nA\tə", "line 2"), ("A\t\n", "line 1"), ("A\tə\nA\tə\n", "line 2")]
        {
            assert!(Lexicon::parse(text.into()).unwrap_err().contains(what), "{text:?}");
        }
        assert_eq!(Lexicon::parse(String::new()).unwrap().read("A"), "A");
    }
}
