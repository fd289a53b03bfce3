//! Key tables: which official keys a file must hold, what they are called in the canonical model, and what is ignored
//! and why. A table is data; with the sizes of a configuration it expands to the exact list of keys.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};

/// Named sizes that a table's index ranges refer to.
#[derive(Debug, Clone, Default)]
pub struct Vars(BTreeMap<String, usize>);

impl Vars {
    pub fn new<'a>(vars: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        Self(vars.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
    }

    /// Adds one size.
    pub fn with(mut self, name: &str, value: usize) -> Self {
        self.0.insert(name.into(), value);
        self
    }
}

/// One official file's table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The official file, for messages.
    pub file: String,
    /// Dictionary keys that lead to the tensors.
    #[serde(default)]
    pub root: Vec<String>,
    /// As `root`, but used only when the file has it.
    #[serde(default)]
    pub optional_root: Vec<String>,
    /// Prefixes dropped from the start of a key's parts, such as `module.`.
    #[serde(default)]
    pub strip: Vec<String>,
    #[serde(default)]
    layer: Vec<Layer>,
    #[serde(default)]
    ignore: Vec<Ignore>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    kind: Kind,
    from: String,
    to: String,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default = "yes")]
    affine: bool,
    #[serde(default = "norm_epsilon")]
    eps: f64,
    #[serde(default)]
    shape: Vec<Count>,
    #[serde(default)]
    op: Option<TensorOp>,
    i: Option<Range>,
    j: Option<Range>,
    k: Option<Range>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ignore {
    keys: String,
    reason: String,
    i: Option<Range>,
    j: Option<Range>,
    k: Option<Range>,
}

type Ranges<'a> = [&'a Option<Range>; 3];

impl Layer {
    fn ranges(&self) -> Ranges<'_> {
        [&self.i, &self.j, &self.k]
    }
}

impl Ignore {
    fn ranges(&self) -> Ranges<'_> {
        [&self.i, &self.j, &self.k]
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Range {
    To(Count),
    FromTo(Count, Count),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(usize),
    Name(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Linear,
    LinearT,
    Conv,
    Conv1,
    Norm,
    Embedding,
    Tensor,
    WeightNormConv,
    WeightNormLinear,
    WeightNormConv1,
    BatchNorm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TensorOp {
    Sqrt,
}

fn yes() -> bool {
    true
}

fn norm_epsilon() -> f64 {
    1e-5
}

/// How a canonical tensor is made from its official keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Copy,
    /// `[out, in] -> [in, out]`
    Transpose,
    /// `[out, in, 1] -> [in, out]`
    PointwiseTranspose,
    Reshape(Vec<usize>),
    Sqrt,
    /// `g * v / |v|`, the norm over every axis but the first, then the second operation.
    WeightNorm(Box<Op>),
    /// `weight / sqrt(var + eps)`; inputs: var and, if affine, weight.
    BatchNormScale {
        eps: f64,
    },
    /// `bias - mean * scale`; inputs: var, mean and, if affine, weight, bias.
    BatchNormShift {
        eps: f64,
    },
}

/// A canonical tensor and the official keys it comes from.
#[derive(Debug, Clone)]
pub struct Planned {
    pub name: String,
    pub op: Op,
    pub inputs: Vec<String>,
    /// Used in place of `op` and `inputs` by a file in which weight norm is already removed, or kept in PyTorch's newer
    /// form.
    pub alternatives: Vec<(Op, Vec<String>)>,
    /// Whether it is the weight `[inputs, outputs]` of a linear layer.
    pub linear: bool,
}

/// A table expanded with sizes.
#[derive(Debug, Clone)]
pub struct Plan {
    pub tensors: Vec<Planned>,
    /// Patterns (`*` = any characters) and the reason they are ignored.
    pub ignored: Vec<(String, String)>,
}

impl Table {
    /// Parses a table's TOML.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text)
            .map_err(|e| Error::Table { table: text.lines().next().unwrap_or("").into(), what: e.to_string() })
    }

    /// The exact keys this table stands for at the sizes `vars`.
    pub fn expand(&self, vars: &Vars) -> Result<Plan> {
        let mut plan = Plan { tensors: Vec::new(), ignored: Vec::new() };
        for layer in &self.layer {
            for index in self.indices(layer.ranges(), &[&layer.from, &layer.to], vars)? {
                let (from, to) = (index.fill(&layer.from), index.fill(&layer.to));
                self.expand_layer(layer, &from, &to, vars, &mut plan.tensors)?;
            }
            if layer.kind == Kind::BatchNorm {
                let pattern = format!("{}.num_batches_tracked", layer.from);
                for index in self.indices(layer.ranges(), &[&pattern], vars)? {
                    plan.ignored.push((index.fill(&pattern), "a counter of training steps".into()));
                }
            }
        }
        for ignore in &self.ignore {
            for index in self.indices(ignore.ranges(), &[&ignore.keys], vars)? {
                plan.ignored.push((index.fill(&ignore.keys), ignore.reason.clone()));
            }
        }
        Ok(plan)
    }

    fn expand_layer(&self, layer: &Layer, from: &str, to: &str, vars: &Vars, out: &mut Vec<Planned>) -> Result<()> {
        let one = |suffix: &str, op: Op, key: &str| Planned {
            name: format!("{to}.{suffix}"),
            op,
            inputs: vec![format!("{from}.{key}")],
            alternatives: Vec::new(),
            linear: false,
        };
        let weight_norm = |then: Op| Planned {
            alternatives: vec![
                (
                    Op::WeightNorm(Box::new(then.clone())),
                    vec![
                        format!("{from}.parametrizations.weight.original0"),
                        format!("{from}.parametrizations.weight.original1"),
                    ],
                ),
                (then.clone(), vec![format!("{from}.weight")]),
            ],
            op: Op::WeightNorm(Box::new(then)),
            name: format!("{to}.weight"),
            inputs: vec![format!("{from}.weight_g"), format!("{from}.weight_v")],
            linear: false,
        };
        let linear = |planned: Planned| Planned { linear: true, ..planned };
        match layer.kind {
            Kind::Linear => out.push(linear(one("weight", Op::Transpose, "weight"))),
            Kind::LinearT => out.push(linear(one("weight", Op::Copy, "weight"))),
            Kind::Conv => out.push(one("weight", Op::Copy, "weight")),
            Kind::Conv1 => out.push(linear(one("weight", Op::PointwiseTranspose, "weight"))),
            Kind::WeightNormLinear => out.push(linear(weight_norm(Op::Transpose))),
            Kind::WeightNormConv => out.push(weight_norm(Op::Copy)),
            Kind::WeightNormConv1 => out.push(linear(weight_norm(Op::PointwiseTranspose))),
            Kind::Norm => {
                out.push(one("gamma", Op::Copy, "weight"));
                if layer.bias {
                    out.push(one("beta", Op::Copy, "bias"));
                }
                return Ok(());
            }
            Kind::Embedding => {
                out.push(one("weight", Op::Copy, "weight"));
                return Ok(());
            }
            Kind::Tensor => {
                let op = match (layer.op, layer.shape.as_slice()) {
                    (Some(TensorOp::Sqrt), []) => Op::Sqrt,
                    (None, []) => Op::Copy,
                    (None, shape) => Op::Reshape(shape.iter().map(|c| self.count(c, vars)).collect::<Result<_>>()?),
                    _ => return Err(self.wrong(format!("{from}: `op` and `shape` together"))),
                };
                let inputs = vec![from.to_string()];
                out.push(Planned { name: to.into(), op, inputs, alternatives: Vec::new(), linear: false });
                return Ok(());
            }
            Kind::BatchNorm => {
                let key = |suffix: &str| format!("{from}.{suffix}");
                let mut scale = vec![key("running_var")];
                let mut shift = vec![key("running_var"), key("running_mean")];
                if layer.affine {
                    scale.push(key("weight"));
                    shift.extend([key("weight"), key("bias")]);
                }
                let eps = layer.eps;
                for (suffix, op, inputs) in
                    [("scale", Op::BatchNormScale { eps }, scale), ("shift", Op::BatchNormShift { eps }, shift)]
                {
                    out.push(Planned {
                        name: format!("{to}.{suffix}"),
                        op,
                        inputs,
                        alternatives: Vec::new(),
                        linear: false,
                    });
                }
                return Ok(());
            }
        }
        if layer.bias {
            out.push(one("bias", Op::Copy, "bias"));
        }
        Ok(())
    }

    fn count(&self, count: &Count, vars: &Vars) -> Result<usize> {
        match count {
            Count::Number(n) => Ok(*n),
            Count::Name(name) => {
                vars.0.get(name).copied().ok_or_else(|| self.wrong(format!("the size `{name}` was not given")))
            }
        }
    }

    /// Every combination of the indices that occur in `patterns`.
    fn indices(&self, ranges: Ranges<'_>, patterns: &[&str], vars: &Vars) -> Result<Vec<Index>> {
        let mut all = vec![Index(Vec::new())];
        for (name, range) in ["{i}", "{j}", "{k}"].into_iter().zip(ranges) {
            if !patterns.iter().any(|p| p.contains(name)) {
                continue;
            }
            let (start, end) = match range {
                Some(Range::To(end)) => (0, self.count(end, vars)?),
                Some(Range::FromTo(start, end)) => (self.count(start, vars)?, self.count(end, vars)?),
                None => return Err(self.wrong(format!("{} uses {name} without a range", patterns[0]))),
            };
            all = all.iter().flat_map(|index| (start..end).map(move |n| index.and(name, n))).collect();
        }
        Ok(all)
    }

    fn wrong(&self, what: String) -> Error {
        Error::Table { table: self.file.clone(), what }
    }
}

/// Values of the indices of one expansion.
#[derive(Clone)]
struct Index(Vec<(&'static str, usize)>);

impl Index {
    fn and(&self, name: &'static str, n: usize) -> Self {
        let mut values = self.0.clone();
        values.push((name, n));
        Self(values)
    }

    /// `{i}` is the index, `{i-1}` its predecessor (for official names that count from one).
    fn fill(&self, pattern: &str) -> String {
        self.0.iter().fold(pattern.to_string(), |s, (name, n)| {
            let previous = name.replace('}', "-1}");
            s.replace(name, &n.to_string()).replace(&previous, &n.saturating_sub(1).to_string())
        })
    }
}

/// Whether `key` matches `pattern`, in which `*` stands for any characters.
pub fn matches(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| key.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(previous) = last.replace(part) {
            match rest.find(previous) {
                Some(at) => rest = &rest[at + str::len(previous)..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(end) => rest.ends_with(end),
    }
}
