//! Japanese in words: 2.5 was trained on text with a space between morphemes.
//!
//! Source: text specification C.6. The reference uses MeCab with UniDic 2.1.2, whose dictionary is far too large to build in;
//! it is read from a file in the format of the vibrato crate.
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use vibrato::{Dictionary, SystemDictionaryBuilder, Tokenizer};

use crate::{Error, ModelFiles, Result};

/// The dictionary of a model directory.
pub const FILE: &str = "ja.dic";

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
        let file = File::open(path).map_err(Error::io("open", path))?;
        Ok(Self::new(read(BufReader::new(file), path)?))
    }

    /// The dictionary that a model brings along, if it does.
    pub fn of(files: &ModelFiles) -> Result<Option<Self>> {
        match files {
            _ if !files.contains(FILE) => Ok(None),
            ModelFiles::Directory(path) => Self::open(&path.join(FILE)).map(Some),
            ModelFiles::Memory { .. } => Ok(Some(Self::new(read(&*files.read(FILE, u64::MAX)?, &files.path(FILE))?))),
        }
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

fn read(source: impl Read, path: &Path) -> Result<Dictionary> {
    Dictionary::read(source).map_err(|e| Error::Format {
        path: path.into(),
        what: format!("not a vibrato dictionary ({e})"),
        hint: "give an unpacked system.dic, best of UniDic 2.1.2, or the folder of a MeCab dictionary's sources".into(),
    })
}

/// Gives a model its Japanese dictionary: `from` is one that vibrato has compiled, or the folder of a MeCab dictionary's
/// sources in UTF-8 (`*.csv`, `matrix.def`, `char.def`, `unk.def`), which is compiled. The model has it when it is complete.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] if it is neither.
pub fn install(from: &Path, model: &Path) -> Result<()> {
    let dictionary = match from.is_dir() {
        true => compile(from)?,
        false => read(BufReader::new(File::open(from).map_err(Error::io("open", from))?), from)?,
    };
    let to = model.join(FILE);
    let file = tempfile::NamedTempFile::new_in(model).map_err(Error::io("write", &to))?;
    let mut writer = BufWriter::new(file.as_file());
    dictionary.write(&mut writer).map_err(|e| Error::io("write", &to)(std::io::Error::other(e.to_string())))?;
    writer.flush().map_err(Error::io("write", &to))?;
    drop(writer);
    file.persist(&to).map(drop).map_err(|e| Error::io("write", &to)(e.error))
}

fn compile(folder: &Path) -> Result<Dictionary> {
    let bad = |what: String| Error::Format {
        path: folder.into(),
        what,
        hint: "give the folder of a MeCab dictionary's sources in UTF-8 (iconv -f EUC-JP -t UTF-8 converts older ones)"
            .into(),
    };
    let open = |name: &str| {
        let path = folder.join(name);
        File::open(&path).map(BufReader::new).map_err(Error::io("open", path))
    };
    let entries = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut lists: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    lists.sort();
    if lists.is_empty() {
        return Err(bad("it holds no list of words (*.csv)".into()));
    }
    let mut words = Vec::new();
    for path in lists {
        words.extend(std::fs::read(&path).map_err(Error::io("read", &path))?);
        if !words.ends_with(b"\n") {
            words.push(b'\n');
        }
    }
    let parts = (open("matrix.def")?, open("char.def")?, open("unk.def")?);
    SystemDictionaryBuilder::from_readers(words.as_slice(), parts.0, parts.1, parts.2)
        .map_err(|e| bad(format!("it cannot be compiled ({e})")))
}

#[cfg(test)]
mod tests {
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
    fn sources_are_compiled_for_a_model() {
        let (sources, model) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| std::fs::write(sources.path().join(name), text).unwrap();
        let files = ModelFiles::from(model.path());
        assert!(install(sources.path(), model.path()).unwrap_err().to_string().contains("*.csv"));
        write("b.csv", "は,0,0,1,*");
        write("a.csv", "今日,0,0,1,*\n");
        assert!(install(sources.path(), model.path()).unwrap_err().to_string().contains("matrix.def"));
        write("matrix.def", "1 1\n0 0 0\n");
        write("char.def", "DEFAULT 0 1 0\nSPACE 0 1 0\n0x0020 SPACE\n");
        write("unk.def", "DEFAULT,0,0,100,*\nSPACE,0,0,100,*\n");
        assert!(Segmenter::of(&files).unwrap().is_none());
        install(sources.path(), model.path()).unwrap();
        assert_eq!(Segmenter::of(&files).unwrap().unwrap().separate("今日は"), "今日 は");
        // A compiled one is as good, and a failure leaves what was there.
        let compiled = model.path().join(FILE);
        install(&compiled, model.path()).unwrap();
        write("matrix.def", "no numbers");
        assert!(install(sources.path(), model.path()).unwrap_err().to_string().contains("compiled"));
        assert_eq!(std::fs::read_dir(model.path()).unwrap().count(), 1);
        assert_eq!(Segmenter::of(&files).unwrap().unwrap().separate("今日は"), "今日 は");
    }

    #[test]
    fn a_file_that_is_no_dictionary_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not a dictionary at all, only a text that is long enough to be read").unwrap();
        assert!(Segmenter::open(file.path()).unwrap_err().to_string().contains("vibrato"));
    }
}
