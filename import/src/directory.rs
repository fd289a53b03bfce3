//! From a directory of official files to a model directory.
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn_pack::Writer;
use serde_json::{Value, json};

use crate::convert::{Binding, Bound, Precision, bind, check_schema};
use crate::error::{Error, Problem, Result};
use crate::large_pages;
use crate::manifest::{FileEntry, Manifest, Origin, WeightSummary, sha256};
use crate::model::{Model, WeightFile};
use crate::quantize::Quantize;
use crate::report::{FileReport, Report};

/// Directories of other processes that an import moves aside before it gives up.
const ATTEMPTS: usize = 8;

/// Names and shapes a model expects, by canonical file.
pub type Schema = BTreeMap<String, BTreeMap<String, Vec<usize>>>;

/// How to import.
pub struct ImportOptions<'a> {
    pub precision: Precision,
    /// Store the linear layers of the GPT and of the text-to-emotion model in few bits, and those that hear the clip in eight.
    pub quantize: Option<Quantize>,
    /// Replace an existing target.
    pub overwrite: bool,
    /// From the canonical configuration to the shapes its model has.
    pub schema: &'a dyn Fn(&Value) -> std::result::Result<Schema, String>,
    /// Called with the name of each file before it is worked on.
    pub progress: &'a mut dyn FnMut(&str),
}

/// An import whose every key has been checked, before anything is written.
pub struct Import {
    model: Model,
    bindings: Vec<(WeightFile, Binding)>,
    precision: Precision,
    quantize: Option<Quantize>,
}

impl Import {
    /// Reads the configuration and the headers of all official files below `dir`, and checks every key of every file.
    pub fn plan(dir: &Path, options: &ImportOptions<'_>) -> Result<Self> {
        let mut model = Model::open(dir)?;
        let schema = (options.schema)(&model.config).map_err(|what| Error::Format {
            path: dir.join("config.yaml"),
            what,
            hint: "The official configuration describes a model that this version does not know".into(),
        })?;
        let mut problems: Vec<Problem> = Vec::new();
        let mut bindings: Vec<(WeightFile, Binding)> = Vec::new();
        for file in std::mem::take(&mut model.files) {
            match bind(&file.table, &file.vars, &file.checkpoint)? {
                Ok(binding) => bindings.push((file, binding)),
                Err(found) => problems.extend(found),
            }
        }
        // A canonical file can have several sources; the model's shapes are compared with all of them together.
        for (canonical, expected) in &schema {
            let parts: Vec<&Binding> =
                bindings.iter().filter(|(f, _)| f.canonical == *canonical).map(|(_, b)| b).collect();
            if let Some(first) = parts.first()
                && problems.iter().all(|p| parts.iter().all(|b| b.file != p.file))
            {
                let tensors = parts.iter().flat_map(|b| b.tensors.iter().cloned()).collect();
                let joined = Binding { file: first.file.clone(), tensors, ignored: Vec::new() };
                problems.extend(check_schema(&joined, expected));
            }
        }
        if !problems.is_empty() {
            problems.sort();
            return Err(Error::Keys { problems });
        }
        Ok(Self { model, bindings, precision: options.precision, quantize: options.quantize })
    }

    /// The full account, for `--dry-run`.
    pub fn report(&self) -> Report {
        let file = |(file, binding): &(WeightFile, Binding)| FileReport {
            official: file.checkpoint.path.display().to_string(),
            canonical: format!("{}.bpk", file.canonical),
            mapped: binding.tensors.iter().map(|t| (t.name.clone(), t.shape.clone(), t.keys.clone())).collect(),
            ignored: binding.ignored.clone(),
        };
        Report {
            version: self.model.version.clone(),
            files: self.bindings.iter().map(file).collect(),
            notes: self.model.notes.clone(),
        }
    }

    /// Writes the model directory: into a temporary directory beside `target`, renamed when complete.
    pub fn write(self, target: &Path, options: &mut ImportOptions<'_>) -> Result<()> {
        let parent = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
            _ => PathBuf::from("."),
        };
        std::fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
        if target.exists() && !options.overwrite {
            return Err(taken(target));
        }
        let staging = tempfile::Builder::new()
            .prefix(".indextts-import-")
            .tempdir_in(&parent)
            .map_err(Error::io("create a temporary directory in", &parent))?;
        self.write_files(staging.path(), options)?;
        publish(staging, target, options.overwrite)
    }

    fn write_files(self, dir: &Path, options: &mut ImportOptions<'_>) -> Result<()> {
        let mut files = Vec::new();
        let mut canonical: Vec<String> = self.bindings.iter().map(|(f, _)| f.canonical.clone()).collect();
        canonical.dedup();
        for name in canonical {
            (options.progress)(&name);
            let parts: Vec<_> = self.bindings.iter().filter(|(f, _)| f.canonical == name).collect();
            files.push(write_weights(dir, &name, &parts, self.precision, self.quantize)?);
        }
        for (name, origin) in &self.model.copies {
            (options.progress)(name);
            let target = dir.join(name);
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            }
            std::fs::copy(origin, &target).map_err(Error::io("copy", origin))?;
            files.push(entry(dir, name, None, vec![describe(origin)?])?);
        }
        let config = serde_json::to_string_pretty(&self.model.config).unwrap_or_default();
        for (name, text, origin) in self.model.texts.iter().map(|(n, t, o)| (*n, t.as_str(), Some(o))).chain([(
            "config.json",
            config.as_str(),
            None,
        )]) {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(Error::io("write", &path))?;
            let origin = origin.map(|o| describe(o)).transpose()?.into_iter().collect();
            files.push(entry(dir, name, None, origin)?);
        }
        let precision = match self.precision {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
        };
        let precision = match self.quantize {
            Some(bits) => format!("{precision}+{}", bits.name()),
            None => precision.into(),
        };
        let importer = format!("indextts {}", env!("CARGO_PKG_VERSION"));
        let manifest = Manifest { format: 1, importer, precision, files };
        let path = dir.join("manifest.json");
        std::fs::write(&path, json!(manifest).to_string() + "\n").map_err(Error::io("write", &path))
    }
}

fn write_weights(
    dir: &Path,
    name: &str,
    parts: &[&(WeightFile, Binding)],
    precision: Precision,
    quantize: Option<Quantize>,
) -> Result<FileEntry> {
    let file = format!("{name}.bpk");
    let path = dir.join(&file);
    let bound: Vec<_> = parts.iter().flat_map(|(_, b)| &b.tensors).collect();
    let bits = |t: &Bound| quantize.filter(|_| t.linear).and_then(|bits| bits.of(name, &t.name));
    let tensors = bound.iter().flat_map(|t| t.stored(precision, bits(t))).collect();
    // The directory itself is temporary, so the file need not be.
    let draft = dir.join(format!("draft-{file}"));
    Writer::new(tensors).write_to_file_in_place(&draft).map_err(|e| Error::Target {
        path: path.clone(),
        what: e.to_string(),
        hint: "Nothing was written; check the official file and the free disk space".into(),
    })?;
    large_pages::copy(&draft, &path).map_err(Error::io("write", &path))?;
    std::fs::remove_file(&draft).map_err(Error::io("remove", &draft))?;
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let dtype = |t: &&Bound| match bits(t) {
        Some(bits) => bits.name().to_string(),
        None => format!("{:?}", t.dtype(precision)).to_lowercase(),
    };
    let mut dtypes: Vec<String> = bound.iter().map(dtype).collect();
    dtypes.sort();
    dtypes.dedup();
    let largest = bound.iter().max_by_key(|t| size(&t.shape));
    let weights = WeightSummary {
        tensors: bound.len(),
        parameters: bound.iter().map(|t| size(&t.shape)).sum(),
        dtypes,
        largest: largest.map_or(String::new(), |t| format!("{} {:?}", t.name, t.shape)),
    };
    let origin = parts.iter().map(|(f, _)| describe(&f.checkpoint.path)).collect::<Result<_>>()?;
    entry(dir, &file, Some(weights), origin)
}

fn describe(path: &Path) -> Result<Origin> {
    let (bytes, sha256) = sha256(path).map_err(Error::io("read", path))?;
    let file = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Origin { file, bytes, sha256 })
}

fn entry(dir: &Path, name: &str, weights: Option<WeightSummary>, origin: Vec<Origin>) -> Result<FileEntry> {
    let path = dir.join(name);
    let (bytes, sha256) = sha256(&path).map_err(Error::io("read back", &path))?;
    Ok(FileEntry { path: name.into(), bytes, sha256, weights, origin })
}

fn taken(target: &Path) -> Error {
    Error::Target {
        path: target.into(),
        what: "already exists".into(),
        hint: "Choose another directory, or replace it with --force".into(),
    }
}

/// Puts the finished directory in its place; one that may be overwritten is moved aside first and removed last. Other processes
/// may do the same meanwhile: no directory takes the place of one with files in it, so each of them succeeds or moves it aside.
fn publish(staging: tempfile::TempDir, target: &Path, overwrite: bool) -> Result<()> {
    let name = target.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut aside = Vec::new();
    loop {
        let old = target.with_file_name(format!(".{name}-replaced-{}-{}", std::process::id(), aside.len()));
        match overwrite.then(|| std::fs::rename(target, &old)) {
            Some(Ok(())) => aside.push(old),
            Some(Err(e)) if e.kind() != ErrorKind::NotFound => return Err(Error::io("move aside", target)(e)),
            _ => {}
        }
        match std::fs::rename(staging.path(), target) {
            Ok(()) => break,
            Err(_) if target.exists() && !overwrite => return Err(taken(target)),
            Err(_) if target.exists() && aside.len() < ATTEMPTS => {}
            Err(e) => {
                if let Some(old) = aside.pop() {
                    std::fs::rename(&old, target).map_err(Error::io("put back", target))?;
                }
                return Err(Error::io("put in place", target)(e));
            }
        }
    }
    // Renamed away: nothing is left for the guard to remove.
    let _ = staging.keep();
    for old in aside {
        std::fs::remove_dir_all(&old).map_err(Error::io("remove the replaced", &old))?;
    }
    Ok(())
}
