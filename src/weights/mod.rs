//! Strict loading of canonical weight files (burnpack) into modules.
//!
//! A file must hold exactly the parameters of its module, each with exactly its shape: missing, unused and mis-shaped
//! tensors are all collected and reported together. Nothing is ever filled in.
mod manifest;
mod stored;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burn_pack::{Bytes, Reader, Tensor as PackTensor};

use crate::kernels::Bits;
use crate::{Error, ModelFiles, Result};
use stored::{Stored, collect};

pub use manifest::{FileEntry, Manifest, Origin, WeightSummary};

/// Loads `path` into `module`, whose parameters are still lazy and therefore cost nothing.
///
/// The file is read completely: later changes to it do not reach the module. Weights in fewer bits are widened to f32.
pub fn load<M: Module>(module: M, path: &Path) -> Result<M> {
    let tensors = Reader::from_file_exact(path).and_then(Reader::into_tensors).map_err(|e| unreadable(path, &e))?;
    apply(module, tensors).map_err(|problems| Error::Weights { path: path.to_path_buf(), problems })
}

/// As [`load`], from a model's files, which may be in memory.
pub fn load_file<M: Module>(module: M, files: &ModelFiles, name: &str) -> Result<M> {
    WeightFile::open(files, name)?.load(module, |module| module)
}

/// A weight file of which only the header has been read.
pub struct WeightFile {
    path: PathBuf,
    tensors: Vec<PackTensor>,
}

impl WeightFile {
    pub fn open(files: &ModelFiles, name: &str) -> Result<Self> {
        let path = files.path(name);
        let reader = match files {
            ModelFiles::Directory(_) => Reader::from_file_exact(&path),
            // The reader shares what it is given; parameters are widened from it one by one.
            ModelFiles::Memory { .. } => {
                Reader::from_bytes(Bytes::from_bytes_vec(files.read(name, u64::MAX)?.into_owned()))
            }
        };
        let tensors = reader.and_then(Reader::into_tensors).map_err(|e| unreadable(&path, &e))?;
        Ok(Self { path, tensors })
    }

    /// The bits in which its quantised weights are stored, if it has such.
    pub fn bits(&self) -> Option<Bits> {
        self.tensors.iter().find_map(|tensor| stored::bits(tensor.dtype))
    }

    /// As [`load`], brought into another form by `form`, which gets a module whose parameters are read one by one as they
    /// are asked for: a form of fewer bits is never in memory together with the whole of the plain one.
    pub fn load<M: Module, N: Module>(self, module: M, form: impl FnOnce(M) -> N) -> Result<N> {
        apply_as(module, self.tensors, form).map_err(|problems| Error::Weights { path: self.path, problems })
    }
}

fn unreadable(path: &Path, e: &burn_pack::Error) -> Error {
    Error::Format {
        path: path.to_path_buf(),
        what: format!("not a readable burnpack file ({e})"),
        hint: "run `indextts models verify`, or import the model again".into(),
    }
}

/// Puts `tensors` into `module`; on any mismatch returns every problem found and no module.
pub fn apply<M: Module>(module: M, tensors: Vec<PackTensor>) -> Result<M, Vec<String>> {
    apply_as(module, tensors, |module| module)
}

fn apply_as<M: Module, N: Module>(
    module: M,
    tensors: Vec<PackTensor>,
    form: impl FnOnce(M) -> N,
) -> Result<N, Vec<String>> {
    let expected = schema(&module);
    let (stored, mut problems) = collect(tensors);
    problems.extend(mismatches(&expected, &stored));
    if !problems.is_empty() {
        return Err(problems);
    }
    let failures = Failures::default();
    let stored = stored.into_iter().map(|tensor| (tensor.name().to_string(), tensor)).collect();
    let module = form(module.map(&mut Filler { stored, path: Vec::new(), failures: failures.clone() }));
    // What `form` has not asked for is read now, not in the middle of a synthesis.
    module.visit(&mut Reading);
    let failures = std::mem::take(&mut *failures.lock().unwrap_or_else(PoisonError::into_inner));
    if failures.is_empty() { Ok(module) } else { Err(failures) }
}

/// Parameters that could not be read, noted where nothing can be returned.
type Failures = Arc<Mutex<Vec<String>>>;

/// Makes every parameter one that is read from its file when it is first asked for.
struct Filler {
    stored: HashMap<String, Stored>,
    path: Vec<String>,
    failures: Failures,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // All names have been compared with those of the module.
        let Some(stored) = self.stored.remove(&self.path.join(".")) else { return param };
        let (device, shape, failures) = (param.lazy_device(), param.lazy_shape(), self.failures.clone());
        let of_file = shape.clone();
        let read = move |device: &Device, _: bool| {
            let values = stored.floats(of_file.clone()).unwrap_or_else(|what| {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {what}", stored.name()));
                // Is thrown away with the module.
                TensorData::zeros::<f32, _>(of_file)
            });
            Tensor::from_data(values, device)
        };
        Param::uninitialized(param.id, read, device, false, shape)
    }
}

/// Reads every parameter that has not been read yet.
struct Reading;

impl ModuleVisitor for Reading {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

/// Name and shape of every parameter of `module`, without allocating any of them.
pub fn schema<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.found
}

/// Collects shapes only. (`burn-store`'s collector would initialise every parameter with random numbers first.)
#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    found: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.lazy_shape().to_vec());
    }
}

fn mismatches(expected: &BTreeMap<String, Vec<usize>>, stored: &[Stored]) -> Vec<String> {
    let mut problems = Vec::new();
    for tensor in stored {
        let (name, shape) = (tensor.name(), tensor.shape());
        match expected.get(name) {
            None => problems.push(format!("not part of the model: {name} {shape:?}")),
            Some(expected) if !tensor.fits(expected) => {
                problems.push(format!("wrong shape: {name}: expected {expected:?}, got {shape:?}"))
            }
            Some(_) => {}
        }
    }
    let names: HashSet<&str> = stored.iter().map(Stored::name).collect();
    let missing = expected.iter().filter(|(name, _)| !names.contains(name.as_str()));
    problems.extend(missing.map(|(name, shape)| format!("missing: {name} {shape:?}")));
    problems
}
