//! CAMPPlus has no official configuration: its sizes are those of its tensors.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ConfigError;
use crate::table::Vars;

/// Sizes from the shapes of `campplus_cn_common.bin`.
pub fn campplus(shapes: &BTreeMap<String, Vec<usize>>) -> Result<(Value, Vars), ConfigError> {
    let size = |key: &str, axis: usize| {
        shapes.get(key).and_then(|shape| shape.get(axis)).copied().ok_or_else(|| ConfigError {
            field: key.into(),
            expected: format!("a tensor with at least {} axes", axis + 1),
            got: shapes.get(key).map_or("no such key".into(), |s| format!("{s:?}")),
        })
    };
    let count = |prefix: String, first: usize| {
        (first..).take_while(|i| shapes.keys().any(|k| k.starts_with(&format!("{prefix}{i}.")))).count()
    };
    let head_blocks: Vec<usize> = (1..=2).map(|n| count(format!("head.layer{n}."), 0)).collect();
    let layers: Vec<usize> = (1..=3).map(|n| count(format!("xvector.block{n}.tdnnd"), 1)).collect();
    let config = json!({
        "head_channels": size("head.conv1.weight", 0)?,
        "head_blocks": head_blocks,
        "initial_channels": size("xvector.tdnn.linear.weight", 0)?,
        "head_output": size("xvector.tdnn.linear.weight", 1)?,
        "bottleneck": size("xvector.block1.tdnnd1.linear1.weight", 0)?,
        "growth": size("xvector.block1.tdnnd1.cam_layer.linear_local.weight", 0)?,
        "squeeze": size("xvector.block1.tdnnd1.cam_layer.linear1.weight", 0)?,
        "layers": layers,
        "embedding_size": size("xvector.dense.linear.weight", 0)?,
    });
    let mut vars = Vars::default();
    for (n, blocks) in head_blocks.iter().enumerate() {
        vars = vars.with(&format!("head_blocks{}", n + 1), *blocks);
    }
    for (n, layers) in layers.iter().enumerate() {
        vars = vars.with(&format!("layers{}_end", n + 1), layers + 1);
    }
    Ok((config, vars))
}
