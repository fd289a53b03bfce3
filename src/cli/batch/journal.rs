//! What a batch has finished: written as it goes, so that a run that was killed is continued, not repeated.
//!
//! One JSON object a line, only ever appended to. A line that a crash left unfinished is dropped.
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use indextts::Error;
use serde::{Deserialize, Serialize};

use super::super::Failure;

/// What happened to an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// A file of this name is ours from here on, whole or not.
    Started,
    /// Complete, with this hash and length.
    Done { sha256: String, samples: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    output: PathBuf,
    /// Hash of everything that decides what is in the file.
    key: String,
    #[serde(flatten)]
    state: State,
}

/// The journal of one batch.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// The last that is known of each output.
    known: HashMap<PathBuf, (String, State)>,
}

impl Journal {
    /// Opens or begins the journal; two batches cannot have the same one open.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io("write", path))?;
        file.try_lock().map_err(|_| {
            Failure::Usage(format!("{}: another batch with this journal is running; wait for it", path.display()))
        })?;
        let (mut known, mut whole) = (HashMap::new(), 0);
        let mut lines = BufReader::new(&mut file);
        let mut text = Vec::new();
        loop {
            text.clear();
            let n = lines.read_until(b'\n', &mut text).map_err(Error::io("read", path))?;
            if n == 0 || !text.ends_with(b"\n") {
                break;
            }
            let Ok(line) = serde_json::from_slice::<Line>(&text) else { break };
            known.insert(line.output, (line.key, line.state));
            whole += n as u64;
        }
        drop(lines);
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(Error::io("write", path))?;
        Ok(Self { file, path: path.into(), known })
    }

    pub fn get(&self, output: &Path) -> Option<&(String, State)> {
        self.known.get(output)
    }

    /// On the disk when this returns.
    pub fn note(&mut self, output: &Path, key: &str, state: State) -> Result<(), Failure> {
        let line = Line { output: output.into(), key: key.into(), state };
        let mut text = serde_json::to_vec(&line).map_err(|e| {
            Failure::Usage(format!("{}: this name cannot be recorded ({e}); use UTF-8 names", output.display()))
        })?;
        text.push(b'\n');
        let io = Error::io("write", &self.path);
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(io)?;
        self.known.insert(line.output, (line.key, line.state));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_dropped_and_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.jsonl");
        let done = State::Done { sha256: "ab".into(), samples: 3 };
        let mut journal = Journal::open(&path).unwrap();
        journal.note("ä.wav".as_ref(), "1", done.clone()).unwrap();
        journal.note("b.wav".as_ref(), "2", State::Started).unwrap();
        assert!(Journal::open(&path).is_err(), "two batches with one journal");
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..30 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(journal.get("ä.wav".as_ref()), Some(&("1".into(), done.clone())));
            assert_eq!(journal.get("b.wav".as_ref()), None, "{cut}");
            journal.note("b.wav".as_ref(), "2", State::Started).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }
}
