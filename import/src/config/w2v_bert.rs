//! `w2v-bert-2.0/config.json`.
use serde_json::{Value, json};

use super::{ConfigError, f64_at, usize_at, value_at};
use crate::table::Vars;

/// The configuration of the first `layers` layers.
pub fn w2v_bert(official: &Value, layers: usize) -> Result<(Value, Vars), ConfigError> {
    let all = usize_at(official, "num_hidden_layers")?;
    if layers > all {
        let (expected, got) = (format!("at least {layers}, the layer in use"), all.to_string());
        return Err(ConfigError { field: "num_hidden_layers".into(), expected, got });
    }
    for (field, expected) in [("position_embeddings_type", "relative_key"), ("hidden_act", "swish")] {
        if value_at(official, field)? != expected {
            let got = value_at(official, field)?.to_string();
            return Err(ConfigError { field: field.into(), expected: expected.into(), got });
        }
    }
    let config = json!({
        "input_size": usize_at(official, "feature_projection_input_dim")?,
        "hidden_size": usize_at(official, "hidden_size")?,
        "layers": layers,
        "heads": usize_at(official, "num_attention_heads")?,
        "feed_forward": usize_at(official, "intermediate_size")?,
        "left_distances": usize_at(official, "left_max_position_embeddings")?,
        "right_distances": usize_at(official, "right_max_position_embeddings")?,
        "kernel": usize_at(official, "conv_depthwise_kernel_size")?,
        "norm_epsilon": f64_at(official, "layer_norm_eps")?,
    });
    Ok((config, Vars::new([("layers", layers), ("all_layers", all)])))
}
