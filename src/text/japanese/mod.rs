//! Japanese in words: 2.5 was trained on text with a space between morphemes.
//!
//! Source: text specification C.6. The reference uses MeCab with UniDic 2.1.2, whose dictionary is far too large to build in;
//! it is read from a file in the format of the vibrato crate, and made of MeCab's.
mod mecab;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use vibrato::{Dictionary, SystemDictionaryBuilder, Tokenizer};

use crate::{Error, ModelFiles, Result};

/// The dictionary of a model directory.
pub const FILE: &str = "ja.dic";
/// Characters of one kind that MeCab takes together as an unknown word.
const LONGEST_UNKNOWN: usize = 24;

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
        Self(Tokenizer::new(dictionary).max_grouping_len(LONGEST_UNKNOWN))
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
        hint: "give the folder of a MeCab dictionary, best that of the PyPI package unidic-lite, or an unpacked system.dic"
            .into(),
    })
}

/// Gives a model its Japanese dictionary, which it has when it is complete. `from` is the folder of a MeCab dictionary, as
/// compiled by MeCab (`sys.dic`, `unk.dic`, `char.bin`, `matrix.bin`) or its sources in UTF-8 (`*.csv`, `matrix.def`,
/// `char.def`, `unk.def`), or a file that vibrato has compiled.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] if it is none of them.
pub fn install(from: &Path, model: &Path) -> Result<()> {
    let dictionary = match from.is_dir() {
        true if from.join(mecab::FILES[0]).exists() => convert(from)?,
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

/// A dictionary that MeCab has compiled.
fn convert(folder: &Path) -> Result<Dictionary> {
    let load = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(Error::io("read", path))
    };
    let bad = |name: &str, what: String| Error::Format {
        path: folder.join(name),
        what,
        hint: "give the folder of a whole MeCab dictionary, such as that of the PyPI package unidic-lite".into(),
    };
    let [system, unknown, characters, matrix] = mecab::FILES;
    let words = mecab::words(&load(system)?).map_err(|what| bad(system, what))?;
    let others = mecab::words(&load(unknown)?).map_err(|what| bad(unknown, what))?;
    let kinds = mecab::characters(&load(characters)?).map_err(|what| bad(characters, what))?;
    let costs = load(matrix)?;
    let costs = mecab::Matrix::new(&costs).map_err(|what| bad(matrix, what))?;
    SystemDictionaryBuilder::from_readers(words.as_bytes(), costs, kinds.as_bytes(), others.as_bytes())
        .map_err(|e| bad("", format!("it cannot be compiled ({e})")))
}

/// The sources of a dictionary.
fn compile(folder: &Path) -> Result<Dictionary> {
    let bad = |what: String| {
        Error::Format {
        path: folder.into(),
        what,
        hint: "give the folder of a MeCab dictionary, compiled (sys.dic and so on) or its sources in UTF-8 (iconv -f EUC-JP \
               -t UTF-8 converts older ones)"
            .into(),
    }
    };
    let load = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(Error::io("read", path))
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
    let (matrix, characters, unknown) = (load("matrix.def")?, load("char.def")?, load("unk.def")?);
    if matrix.is_empty() {
        return Err(bad("its matrix.def is empty".into()));
    }
    SystemDictionaryBuilder::from_readers(
        words.as_slice(),
        matrix.as_slice(),
        characters.as_slice(),
        unknown.as_slice(),
    )
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
        write("matrix.def", "");
        assert!(install(sources.path(), model.path()).unwrap_err().to_string().contains("empty"));
        write("matrix.def", "no numbers");
        assert!(install(sources.path(), model.path()).unwrap_err().to_string().contains("compiled"));
        assert_eq!(std::fs::read_dir(model.path()).unwrap().count(), 1);
        assert_eq!(Segmenter::of(&files).unwrap().unwrap().separate("今日は"), "今日 は");
    }

    /// Every line of `tests/japanese/lines.tsv` as MeCab sets its words apart with the dictionary next to it.
    #[test]
    fn words_are_set_apart_as_mecab_does() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/japanese");
        let model = tempfile::tempdir().unwrap();
        install(&folder, model.path()).unwrap();
        let segmenter = Segmenter::of(&ModelFiles::from(model.path())).unwrap().unwrap();
        let lines = include_str!("../../../tests/japanese/lines.tsv").lines();
        let rows: Vec<(&str, &str)> = lines.map(|line| line.split_once('\t').unwrap()).collect();
        assert_eq!(rows.len(), 400);
        for (text, words) in rows {
            assert_eq!(segmenter.separate(text), words, "{text}");
        }
    }

    /// The same with the dictionary of the reference, on any text.
    #[test]
    #[ignore = "needs the PyPI package unidic-lite: tests/japanese/compare.py says how it is run"]
    fn words_are_set_apart_with_unidic() {
        let path = |name| std::env::var_os(name).expect("UNIDIC and UNIDIC_LINES, as tests/japanese/compare.py says");
        let (folder, lines) = (path("UNIDIC"), std::fs::read_to_string(path("UNIDIC_LINES")).unwrap());
        let model = tempfile::tempdir().unwrap();
        install(Path::new(&folder), model.path()).unwrap();
        let segmenter = Segmenter::of(&ModelFiles::from(model.path())).unwrap().unwrap();
        for line in lines.lines() {
            let (text, words) = line.split_once('\t').unwrap();
            assert_eq!(segmenter.separate(text), words, "{text}");
        }
    }

    #[test]
    fn a_damaged_dictionary_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/japanese");
        for name in mecab::FILES {
            let whole = std::fs::read(folder.join(name)).unwrap();
            let copy = tempfile::tempdir().unwrap();
            for other in mecab::FILES {
                std::fs::copy(folder.join(other), copy.path().join(other)).unwrap();
            }
            for keep in [0, 3, 4, 72, 100, whole.len() / 2, whole.len() - 1] {
                if keep < whole.len() {
                    std::fs::write(copy.path().join(name), &whole[..keep]).unwrap();
                    let model = tempfile::tempdir().unwrap();
                    let error = install(copy.path(), model.path()).unwrap_err().to_string();
                    assert!(error.contains(name), "{name} cut to {keep}: {error}");
                }
            }
            std::fs::remove_file(copy.path().join(name)).unwrap();
            let model = tempfile::tempdir().unwrap();
            assert!(install(copy.path(), model.path()).is_err(), "{name}");
        }
        // Numbers that lead anywhere end in an error or in other words, never in a loop or a panic.
        let words = std::fs::read(folder.join("sys.dic")).unwrap();
        for at in (72..words.len()).step_by(7) {
            let mut words = words.clone();
            words[at] ^= 0x55;
            let _ = mecab::words(&words);
        }
    }

    #[test]
    fn a_file_that_is_no_dictionary_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not a dictionary at all, only a text that is long enough to be read").unwrap();
        assert!(Segmenter::open(file.path()).unwrap_err().to_string().contains("vibrato"));
    }
}
