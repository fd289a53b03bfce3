//! Strict loading of canonical weight files (burnpack) into modules.
//!
//! A file must hold exactly the parameters of its module, each with exactly its shape: missing, unused and mis-shaped
//! tensors are all collected and reported together. Nothing is ever filled in.
mod manifest;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use burn_pack::{Bytes, Reader, Tensor as PackTensor};
use burn_store::ModuleSnapshot;

use crate::{Error, ModelFiles, Result};

pub use manifest::{FileEntry, Manifest, Origin, WeightSummary};

/// Loads `path` into `module`, whose parameters are still lazy and therefore cost nothing.
///
/// The file is read completely: later changes to it do not reach the module. Half-precision tensors are widened to f32.
pub fn load<M: Module>(module: M, path: &Path) -> Result<M> {
    let tensors = Reader::from_file_exact(path).and_then(Reader::into_tensors).map_err(|e| unreadable(path, &e))?;
    apply(module, tensors).map_err(|problems| Error::Weights { path: path.to_path_buf(), problems })
}

/// As [`load`], from a model's files, which may be in memory.
pub fn load_file<M: Module>(module: M, files: &ModelFiles, name: &str) -> Result<M> {
    let path = files.path(name);
    let bytes = match files {
        ModelFiles::Directory(_) => return load(module, &path),
        // The reader shares what it is given; parameters are widened from it one by one.
        ModelFiles::Memory { .. } => files.read(name, u64::MAX)?,
    };
    let bytes = Bytes::from_bytes_vec(bytes.into_owned());
    let tensors = Reader::from_bytes(bytes).and_then(Reader::into_tensors).map_err(|e| unreadable(&path, &e))?;
    apply(module, tensors).map_err(|problems| Error::Weights { path, problems })
}

fn unreadable(path: &Path, e: &burn_pack::Error) -> Error {
    Error::Format {
        path: path.to_path_buf(),
        what: format!("not a readable burnpack file ({e})"),
        hint: "run `indextts models verify`, or import the model again".into(),
    }
}

/// Puts `tensors` into `module`; on any mismatch returns every problem found and no module.
pub fn apply<M: Module>(mut module: M, tensors: Vec<PackTensor>) -> Result<M, Vec<String>> {
    let problems = mismatches(&schema(&module), &tensors);
    if !problems.is_empty() {
        return Err(problems);
    }
    let tensors = tensors.into_iter().map(widened).collect();
    let result = module.apply(tensors, None, None, false);
    let mut problems: Vec<String> = result.errors.iter().map(|e| e.to_string()).collect();
    problems.extend(result.missing.iter().map(|(name, _)| format!("missing: {name}")));
    if problems.is_empty() { Ok(module) } else { Err(problems) }
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

/// `tensor` as f32 in memory, read when its parameter is filled.
///
/// Burn's file-backed bytes are read on first use, which would be in the middle of a synthesis, and panic where the file
/// has gone by then.
fn widened(tensor: PackTensor) -> PackTensor {
    let length = tensor.shape.num_elements() * size_of::<f32>();
    PackTensor::deferred(tensor.name.clone(), DType::F32, tensor.shape.clone(), None, length, move || {
        let bytes = tensor.to_bytes()?;
        let bytes = bytes.read(Default::default()).map_err(|e| burn_pack::Error::IoError(e.to_string()))?;
        let values: Vec<f32> = match tensor.dtype {
            DType::F16 => bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            DType::BF16 => bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        };
        Ok(Bytes::from_elems(values))
    })
}

fn mismatches(expected: &BTreeMap<String, Vec<usize>>, tensors: &[PackTensor]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    for tensor in tensors {
        if !seen.insert(tensor.name.as_str()) {
            problems.push(format!("stored twice: {}", tensor.name));
        }
        match expected.get(&tensor.name) {
            None => problems.push(format!("not part of the model: {} {:?}", tensor.name, tensor.shape.to_vec())),
            Some(shape) if *shape != tensor.shape.to_vec() => problems.push(format!(
                "wrong shape: {}: expected {shape:?}, got {:?}",
                tensor.name,
                tensor.shape.to_vec()
            )),
            Some(_) if !matches!(tensor.dtype, DType::F32 | DType::F16 | DType::BF16) => {
                problems.push(format!("wrong type: {}: expected f32, f16 or bf16, got {:?}", tensor.name, tensor.dtype))
            }
            Some(_) => {}
        }
    }
    problems.extend(
        expected.iter().filter(|(n, _)| !seen.contains(n.as_str())).map(|(n, s)| format!("missing: {n} {s:?}")),
    );
    problems
}
