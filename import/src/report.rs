//! What an import does with every official key.
use std::fmt;

use serde::Serialize;

/// The full account of an import, printed by `--dry-run`.
#[derive(Debug, Serialize)]
pub struct Report {
    pub version: String,
    pub files: Vec<FileReport>,
    /// What the directory will not be able to do, and why.
    pub notes: Vec<String>,
}

/// One official weight file.
#[derive(Debug, Serialize)]
pub struct FileReport {
    pub official: String,
    pub canonical: String,
    /// Canonical name, shape and the official keys it is made from.
    pub mapped: Vec<(String, Vec<usize>, Vec<String>)>,
    /// Official key and the reason it is not used.
    pub ignored: Vec<(String, String)>,
}

impl FileReport {
    fn parameters(&self) -> usize {
        self.mapped.iter().map(|(_, shape, _)| shape.iter().product::<usize>()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "IndexTTS {}", self.version)?;
        for file in &self.files {
            let (mapped, ignored) = (file.mapped.len(), file.ignored.len());
            let millions = file.parameters() as f64 / 1e6;
            let (official, canonical) = (&file.official, &file.canonical);
            writeln!(
                f,
                "{official} -> {canonical}: {mapped} tensors, {millions:.2} M parameters, {ignored} keys ignored"
            )?;
            for (name, shape, keys) in &file.mapped {
                writeln!(f, "  {name} {shape:?} <- {}", keys.join(" + "))?;
            }
            for (key, reason) in &file.ignored {
                writeln!(f, "  ignored {key}: {reason}")?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}
