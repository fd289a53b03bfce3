//! `config.json` and `generation_config.json` of the text-to-emotion model.
use serde_json::{Value, json};

use super::{ConfigError, f64_at, usize_at};
use crate::table::Vars;

/// The configuration of a Qwen3 model; without a generation configuration it decodes greedily, as Hugging Face does.
pub fn qwen(official: &Value, generation: Option<&Value>) -> Result<(Value, Vars), ConfigError> {
    for (field, expected) in [("attention_bias", json!(false)), ("tie_word_embeddings", json!(true))] {
        let got = official.get(field).cloned().unwrap_or(expected.clone());
        if got != expected {
            let (expected, got) = (expected.to_string(), got.to_string());
            return Err(ConfigError { field: field.into(), expected, got });
        }
    }
    let layers = usize_at(official, "num_hidden_layers")?;
    let sampling = generation.filter(|g| g.get("do_sample").and_then(Value::as_bool) == Some(true));
    let number = |name: &str, default: f64| match sampling.and_then(|g| g.get(name)) {
        Some(_) => sampling.map_or(Ok(default), |g| f64_at(g, name)),
        None => Ok(default),
    };
    let config = json!({
        "vocabulary": usize_at(official, "vocab_size")?,
        "hidden_size": usize_at(official, "hidden_size")?,
        "feed_forward": usize_at(official, "intermediate_size")?,
        "layers": layers,
        "heads": usize_at(official, "num_attention_heads")?,
        "key_value_heads": usize_at(official, "num_key_value_heads")?,
        "head_size": usize_at(official, "head_dim")?,
        "rope_base": f64_at(official, "rope_theta")?,
        "norm_epsilon": f64_at(official, "rms_norm_eps")?,
        "do_sample": sampling.is_some(),
        "temperature": number("temperature", 1.0)?,
        "top_k": number("top_k", 50.0)? as usize,
        "top_p": number("top_p", 1.0)?,
    });
    Ok((config, Vars::new([("layers", layers)])))
}
