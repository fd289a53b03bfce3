//! Binding a key table to a file: every problem found at once, then canonical tensors whose data are made on demand.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use burn_pack::{Bytes, DType, Tensor as PackTensor};

use crate::checkpoint::{Checkpoint, SourceTensor};
use crate::error::{Error, Problem, ProblemKind, Result};
use crate::panels;
use crate::quantize::Quantize;
use crate::table::{Op, Table, Vars, matches};

/// How weights are stored. Vectors (biases, norms) always stay f32: they are small and their rounding is heard first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    #[default]
    F32,
    F16,
}

/// A canonical tensor bound to the official tensors it comes from.
#[derive(Clone)]
pub struct Bound {
    pub name: String,
    pub shape: Vec<usize>,
    /// Official keys, in the order the operation takes them.
    pub keys: Vec<String>,
    /// Whether it is the weight `[inputs, outputs]` of a linear layer.
    pub linear: bool,
    op: Op,
    inputs: Vec<SourceTensor>,
}

/// What became of every key of one official file.
pub struct Binding {
    pub file: String,
    pub tensors: Vec<Bound>,
    /// Keys not used, each with the reason.
    pub ignored: Vec<(String, String)>,
}

/// Converts one official file: the canonical tensors in f32, or every problem.
pub fn convert(table: &Table, vars: &Vars, path: &Path) -> Result<Vec<PackTensor>> {
    let binding = bind(table, vars, &Checkpoint::open(path)?)?.map_err(|problems| Error::Keys { problems })?;
    Ok(binding.tensors.iter().map(|t| t.pack(Precision::F32)).collect())
}

/// Assigns every key of `checkpoint` to a canonical tensor or to an ignore line.
pub fn bind(table: &Table, vars: &Vars, checkpoint: &Checkpoint) -> Result<Result<Binding, Vec<Problem>>> {
    let plan = table.expand(vars)?;
    let file = checkpoint.file();
    let mut problems = Vec::new();
    let mut problem = |key: &str, kind| problems.push(Problem { file: file.clone(), key: key.into(), kind });
    let mut source: BTreeMap<String, (&str, &SourceTensor)> = BTreeMap::new();
    for (official, tensor) in scope(table, &checkpoint.tensors) {
        let key = strip(official, &table.strip);
        if let Some((other, _)) = source.insert(key, (official, tensor)) {
            problem(official, ProblemKind::Collision { with: format!("{other} (the same but for a prefix)") });
        }
    }

    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut names: HashMap<String, String> = HashMap::new();
    let mut tensors = Vec::new();
    for planned in &plan.tensors {
        let choices =
            std::iter::once((&planned.op, &planned.inputs)).chain(planned.alternatives.iter().map(|(o, i)| (o, i)));
        let present = choices.into_iter().find(|(_, inputs)| inputs.iter().any(|k| source.contains_key(k)));
        let (op, keys) = present.unwrap_or((&planned.op, &planned.inputs));
        let missing: Vec<_> = keys.iter().filter(|k| !source.contains_key(*k)).collect();
        used.extend(keys.iter().cloned());
        if !missing.is_empty() {
            missing.into_iter().for_each(|key| problem(key, ProblemKind::Missing));
            continue;
        }
        if let Some(other) = names.insert(planned.name.clone(), keys[0].clone()) {
            problem(&keys[0], ProblemKind::Collision { with: format!("{other}: both become {}", planned.name) });
        }
        let inputs: Vec<SourceTensor> = keys.iter().map(|k| source[k].1.clone()).collect();
        for (key, input) in keys.iter().zip(&inputs) {
            if !input.is_float() {
                let got = input.dtype.name().into();
                problem(key, ProblemKind::Type { expected: "f32, f16, bf16 or f64".into(), got });
            }
        }
        let shapes: Vec<&[usize]> = inputs.iter().map(|t| t.shape.as_slice()).collect();
        match op.shape(&shapes) {
            Ok(shape) => {
                let (name, op, keys) = (planned.name.clone(), op.clone(), keys.clone());
                tensors.push(Bound { name, shape, keys, linear: planned.linear, op, inputs });
            }
            Err((expected, got)) => problem(&keys[0], ProblemKind::Shape { expected, got }),
        }
    }
    let mut ignored = Vec::new();
    for key in source.keys().filter(|k| !used.contains(*k)) {
        match plan.ignored.iter().find(|(pattern, _)| matches(pattern, key)) {
            Some((_, reason)) => ignored.push((key.clone(), reason.clone())),
            None => problem(key, ProblemKind::Unexpected),
        }
    }
    problems.sort();
    problems.dedup();
    Ok(if problems.is_empty() { Ok(Binding { file, tensors, ignored }) } else { Err(problems) })
}

/// The tensors below the table's root.
fn scope<'a>(table: &Table, tensors: &'a BTreeMap<String, SourceTensor>) -> Vec<(&'a str, &'a SourceTensor)> {
    let below = |root: &[String]| -> Vec<(&'a str, &'a SourceTensor)> {
        let prefix = root.iter().map(|part| format!("{part}.")).collect::<String>();
        tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(&prefix)?, t))).collect()
    };
    for root in [&table.root, &table.optional_root] {
        let found = below(root);
        if !root.is_empty() && (!found.is_empty() || root == &table.root) {
            return found;
        }
    }
    below(&[])
}

/// `cfm.module.estimator.x` and `module.cfm.estimator.x` name what `cfm.estimator.x` names.
fn strip(key: &str, prefixes: &[String]) -> String {
    for prefix in prefixes {
        if let Some(rest) = key.strip_prefix(prefix.as_str()) {
            return rest.to_string();
        }
        if let Some((part, rest)) = key.split_once('.')
            && let Some(rest) = rest.strip_prefix(prefix.as_str())
        {
            return format!("{part}.{rest}");
        }
    }
    key.to_string()
}

/// Shapes and names of the bound tensors against those a model has: both ways, all differences.
pub fn check_schema(binding: &Binding, schema: &BTreeMap<String, Vec<usize>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |key: &str, kind| problems.push(Problem { file: binding.file.clone(), key: key.into(), kind });
    let mut given = BTreeSet::new();
    for tensor in &binding.tensors {
        given.insert(tensor.name.as_str());
        match schema.get(&tensor.name) {
            Some(shape) if *shape == tensor.shape => {}
            Some(shape) => {
                let (expected, got) = (format!("{shape:?} ({})", tensor.name), format!("{:?}", tensor.shape));
                problem(&tensor.keys.join(" + "), ProblemKind::Shape { expected, got });
            }
            None => problem(&tensor.keys.join(" + "), ProblemKind::Unexpected),
        }
    }
    for name in schema.keys().filter(|n| !given.contains(n.as_str())) {
        problem(&format!("for {name}"), ProblemKind::Missing);
    }
    problems
}

/// Proves a table against a key manifest and a model's schema without any weights.
pub fn check_manifest(
    table: &Table,
    vars: &Vars,
    manifest: &Path,
    schema: &BTreeMap<String, Vec<usize>>,
) -> Result<(), Vec<String>> {
    let text = |e: Error| vec![e.to_string()];
    let mut checkpoint = Checkpoint::from_manifest(manifest).map_err(text)?;
    // Manifests list a file's keys with or without the nesting the file has around them.
    let prefix = table.root.iter().map(|part| format!("{part}.")).collect::<String>();
    if !checkpoint.tensors.keys().any(|k| k.starts_with(&prefix)) {
        checkpoint.tensors = checkpoint.tensors.into_iter().map(|(k, t)| (format!("{prefix}{k}"), t)).collect();
    }
    let problems = match bind(table, vars, &checkpoint).map_err(text)? {
        Ok(binding) => check_schema(&binding, schema),
        Err(problems) => problems,
    };
    if problems.is_empty() { Ok(()) } else { Err(problems.iter().map(Problem::to_string).collect()) }
}

impl Bound {
    /// Element type this tensor is stored in.
    pub fn dtype(&self, precision: Precision) -> DType {
        match precision {
            Precision::F16 if self.shape.len() > 1 => DType::F16,
            _ => DType::F32,
        }
    }

    /// The canonical tensor; its data are read and converted when the writer asks for them.
    pub fn pack(&self, precision: Precision) -> PackTensor {
        let dtype = self.dtype(precision);
        self.deferred(self.name.clone(), dtype, &self.shape, move |bound, values| bound.bytes(values, dtype))
    }

    /// As [`Bound::pack`], as it is stored. The weight of a linear layer lies in the order in which processors read it, so that
    /// they can use the file as it lies: as `NAME.panels`, or in few bits as `NAME.q8` or `NAME.q4` and `NAME.scales`.
    pub fn stored(&self, precision: Precision, bits: Option<Quantize>) -> Vec<PackTensor> {
        let (true, &[inputs, outputs]) = (self.linear, self.shape.as_slice()) else {
            return vec![self.pack(precision)];
        };
        let name = |suffix: &str| format!("{}.{suffix}", self.name);
        let Some(bits) = bits else {
            let dtype = self.dtype(precision);
            return vec![self.deferred(
                name("panels"),
                dtype,
                &panels::shape(inputs, outputs),
                move |bound, values| bound.bytes(panels::of_rows(&values, inputs, outputs), dtype),
            )];
        };
        let [values, scales] = bits.shapes(inputs, outputs);
        vec![
            self.deferred(name(bits.name()), DType::U8, &values, move |_, weight| {
                Ok(Bytes::from_elems(bits.round(&weight, inputs, outputs).0))
            }),
            self.deferred(name("scales"), DType::F16, &scales, move |_, weight| {
                Ok(Bytes::from_elems(bits.round(&weight, inputs, outputs).1))
            }),
        ]
    }

    fn deferred(
        &self,
        name: String,
        dtype: DType,
        shape: &[usize],
        bytes: impl Fn(&Self, Vec<f32>) -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> PackTensor {
        let length = shape.iter().product::<usize>() * dtype.size();
        let bound = self.clone();
        PackTensor::deferred(name, dtype, shape.to_vec(), None, length, move || {
            bound.floats().and_then(|values| bytes(&bound, values)).map_err(burn_pack::Error::IoError)
        })
    }

    fn floats(&self) -> Result<Vec<f32>, String> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (key, tensor) in self.keys.iter().zip(&self.inputs) {
            inputs.push(tensor.floats().map_err(|e| format!("{key}: {e}"))?);
        }
        let shapes: Vec<Vec<usize>> = self.inputs.iter().map(|t| t.shape.clone()).collect();
        let values = self.op.apply(inputs, &shapes);
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(format!("{}: value {at} is {}, not a finite number", self.keys.join(" + "), values[at]));
        }
        Ok(values)
    }

    fn bytes(&self, values: Vec<f32>, dtype: DType) -> Result<Bytes, String> {
        if dtype == DType::F32 {
            return Ok(Bytes::from_elems(values));
        }
        let limit = f32::from(half::f16::MAX);
        if let Some(big) = values.iter().find(|v| v.abs() > limit) {
            let keys = self.keys.join(" + ");
            return Err(format!("{keys}: {big} is beyond f16 (largest {limit}); import with --dtype f32"));
        }
        Ok(Bytes::from_elems(values.into_iter().map(half::f16::from_f32).collect()))
    }
}
