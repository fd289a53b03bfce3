//! Japanese in words: 2.5 was trained on text with a space between morphemes.
//!
//! Source: text specification C.6. The reference uses MeCab with UniDic 2.1.2, whose dictionary is far too large to build in;
//! it is read from a file in the format of the vibrato crate.
use std::path::Path;

use vibrato::{Dictionary, Tokenizer};

use crate::{Error, Result};

/// A morphological analyser with its dictionary.
pub struct Segmenter(Tokenizer);

impl std::fmt::Debug for Segmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Segmenter")
    }
}

impl Segmenter {
    /// Reads a dictionary (`system.dic`) that vibrato has compiled.
    pub fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
        let dictionary = Dictionary::read(std::io::BufReader::new(file)).map_err(|e| Error::Format {
            path: path.into(),
            what: format!("not a vibrato dictionary ({e})"),
            hint: "give an unpacked system.dic, best of UniDic 2.1.2".into(),
        })?;
        Ok(Self::new(dictionary))
    }

    fn new(dictionary: Dictionary) -> Self {
        Self(Tokenizer::new(dictionary))
    }

    /// Words with a space between; runs of spaces stay as they are.
    pub fn separate(&self, text: &str) -> String {
        let mut worker = self.0.new_worker();
        let mut out = String::with_capacity(text.len() * 4 / 3);
        let mut rest = text;
        while !rest.is_empty() {
            let spaces = rest.find(|c| c != ' ').unwrap_or(rest.len());
            out.push_str(&rest[..spaces]);
            rest = &rest[spaces..];
            let end = rest.find(' ').unwrap_or(rest.len());
            worker.reset_sentence(&rest[..end]);
            worker.tokenize();
            for (index, token) in worker.token_iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(token.surface());
            }
            rest = &rest[end..];
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use vibrato::SystemDictionaryBuilder;

    use super::*;

    #[test]
    fn words_are_set_apart_and_spaces_kept() {
        let lexicon = "今日,0,0,1,*\nは,0,0,1,*\nいい,0,0,1,*\n天気,0,0,1,*\n";
        let characters = "DEFAULT 0 1 0\nSPACE 0 1 0\n0x0020 SPACE\n";
        let dictionary = SystemDictionaryBuilder::from_readers(
            lexicon.as_bytes(),
            "1 1\n0 0 0\n".as_bytes(),
            characters.as_bytes(),
            "DEFAULT,0,0,100,*\nSPACE,0,0,100,*\n".as_bytes(),
        )
        .unwrap();
        let segmenter = Segmenter::new(dictionary);
        assert_eq!(segmenter.separate("今日はいい天気"), "今日 は いい 天気");
        assert_eq!(segmenter.separate("今日  は "), "今日  は ");
        assert_eq!(segmenter.separate(""), "");
    }

    #[test]
    fn a_file_that_is_no_dictionary_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not a dictionary at all, only a text that is long enough to be read").unwrap();
        assert!(Segmenter::open(file.path()).unwrap_err().to_string().contains("vibrato"));
    }
}
