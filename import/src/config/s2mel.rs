//! The `s2mel` section of `config.yaml`.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ConfigError, at, f64_at, sizes_at, usize_at, wrong};
use crate::Vars;

/// Feed-forward sizes are rounded up to a multiple of this.
const FFN_MULTIPLE: usize = 256;
/// Convolution blocks of the length regulator that the key table knows.
const REGULATOR_BLOCKS: usize = 4;

/// IndexTTS-2: with the projection of GPT latents, whose sizes no configuration states; `shapes` are those of
/// `s2mel.pth`.
pub fn s2mel_v2(official: &Value, shapes: &BTreeMap<String, Vec<usize>>) -> Result<(Value, Vars), ConfigError> {
    let sizes = projection(shapes)?;
    let (mut config, vars) = s2mel(official)?;
    config["gpt_projection"] = json!({ "sizes": sizes });
    Ok((config, vars.with("projections", sizes.len() - 1)))
}

/// IndexTTS-2.5: without a projection of GPT latents, even where the file still holds one.
pub fn s2mel_v2_5(official: &Value) -> Result<(Value, Vars), ConfigError> {
    s2mel(official)
}

fn s2mel(official: &Value) -> Result<(Value, Vars), ConfigError> {
    supported(official)?;
    let size = |path: &str| usize_at(official, path);
    let layers = size("DiT.depth")?;
    let wavenet_layers = size("wavenet.num_layers")?;
    let (hidden, heads) = (size("DiT.hidden_dim")?, size("DiT.num_heads")?);
    if hidden % (2 * heads) != 0 {
        let expected = format!("a multiple of 2 x DiT.num_heads = {}", 2 * heads);
        return Err(wrong("DiT.hidden_dim", &expected, at(official, "DiT.hidden_dim")));
    }
    // The head is modulated by the transformer's time embedding, so both have one width.
    equal(official, "wavenet.hidden_dim", "DiT.hidden_dim")?;
    equal(official, "DiT.content_dim", "length_regulator.channels")?;
    let content = size("length_regulator.channels")?;
    // Not among the official fields: models of our own training work on normalised mels.
    let number = |name: &str, identity: f64| match at(official, &format!("preprocess_params.spect_params.{name}")) {
        None => Ok(identity),
        Some(_) => f64_at(official, &format!("preprocess_params.spect_params.{name}")),
    };
    let dilation_rate = size("wavenet.dilation_rate")?;
    if dilation_rate.checked_pow(wavenet_layers as u32).is_none_or(|widest| widest > 1 << 20) {
        return Err(wrong("wavenet.dilation_rate", "1, or few layers", at(official, "wavenet.dilation_rate")));
    }
    let config = json!({
        "length_regulator": {
            "input": size("length_regulator.in_channels")?,
            "channels": content,
            "blocks": REGULATOR_BLOCKS,
        },
        "dit": {
            "mel_bins": size("DiT.in_channels")?,
            "content": content,
            "style": size("style_encoder.dim")?,
            "hidden": hidden,
            "layers": layers,
            "heads": heads,
            "ffn": (8 * hidden / 3).next_multiple_of(FFN_MULTIPLE),
            "wavenet": {
                "hidden": hidden,
                "layers": wavenet_layers,
                "kernel": size("wavenet.kernel_size")?,
                "dilation_rate": dilation_rate,
            },
        },
        "gpt_projection": null,
        "mel_scale": { "mean": number("mean", 0.0)?, "deviation": number("std", 1.0)? },
    });
    // A middle block of an odd number neither gives nor takes a skip connection.
    let first_skip = layers / 2 + 1;
    Ok((config, Vars::new([("layers", layers), ("first_skip", first_skip), ("wavenet_layers", wavenet_layers)])))
}

/// Refuses switches set to something this implementation does not do. A switch that is absent says nothing; the
/// weights, which are matched exactly, then decide.
fn supported(official: &Value) -> Result<(), ConfigError> {
    let switches = [
        ("dit_type", json!("DiT")),
        ("DiT.style_condition", json!(true)),
        ("DiT.final_layer_type", json!("wavenet")),
        ("DiT.target", json!("mel")),
        ("DiT.f0_condition", json!(false)),
        ("DiT.is_causal", json!(false)),
        ("DiT.long_skip_connection", json!(true)),
        ("DiT.zero_prompt_speech_token", json!(false)),
        ("DiT.time_as_token", json!(false)),
        ("DiT.style_as_token", json!(false)),
        ("DiT.uvit_skip_connection", json!(true)),
        ("DiT.add_resblock_in_transformer", json!(false)),
        ("wavenet.style_condition", json!(true)),
        ("length_regulator.is_discrete", json!(false)),
        ("length_regulator.vector_quantize", json!(false)),
        ("length_regulator.f0_condition", json!(false)),
    ];
    for (path, only) in switches {
        match at(official, path) {
            Some(value) if *value != only => return Err(wrong(path, &only.to_string(), Some(value))),
            _ => {}
        }
    }
    let ratios = "length_regulator.sampling_ratios";
    if sizes_at(official, ratios)? != [1; REGULATOR_BLOCKS] {
        return Err(wrong(ratios, "[1,1,1,1]", at(official, ratios)));
    }
    Ok(())
}

fn equal(official: &Value, path: &str, other: &str) -> Result<(), ConfigError> {
    if usize_at(official, path)? == usize_at(official, other)? {
        return Ok(());
    }
    Err(wrong(path, &format!("the same as {other}"), at(official, path)))
}

/// Sizes through the layers `gpt_layer.0`, `gpt_layer.1`, ...
fn projection(shapes: &BTreeMap<String, Vec<usize>>) -> Result<Vec<usize>, ConfigError> {
    let mut weights = BTreeMap::new();
    for (key, shape) in shapes {
        let key = key.replace("module.", "");
        let layer = key.strip_prefix("net.").unwrap_or(&key).strip_prefix("gpt_layer.");
        if let Some(layer) = layer.and_then(|l| l.strip_suffix(".weight")).and_then(|l| l.parse::<usize>().ok()) {
            weights.insert(layer, shape);
        }
    }
    let odd = |got: Option<&Vec<usize>>| ConfigError {
        field: "net.gpt_layer".into(),
        expected: "linear layers 0, 1, ... that follow each other".into(),
        got: got.map_or("nothing".into(), |shape| format!("{shape:?}")),
    };
    let mut sizes: Vec<usize> = Vec::new();
    for (place, (layer, shape)) in weights.into_iter().enumerate() {
        match (shape.as_slice(), sizes.last()) {
            ([output, input], last) if place == layer && last.is_none_or(|last| last == input) => {
                if last.is_none() {
                    sizes.push(*input);
                }
                sizes.push(*output);
            }
            _ => return Err(odd(Some(shape))),
        }
    }
    if sizes.is_empty() { Err(odd(None)) } else { Ok(sizes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(list: &[(&str, [usize; 2])]) -> BTreeMap<String, Vec<usize>> {
        list.iter().map(|(key, shape)| (key.to_string(), shape.to_vec())).collect()
    }

    #[test]
    fn projection_sizes_come_from_the_weights() {
        let found = projection(&shapes(&[
            ("net.gpt_layer.module.0.weight", [256, 1280]),
            ("net.gpt_layer.module.1.weight", [128, 256]),
            ("net.cfm.estimator.conv1.weight", [512, 512]),
        ]));
        assert_eq!(found, Ok(vec![1280, 256, 128]));
        assert!(projection(&shapes(&[])).is_err());
        assert!(projection(&shapes(&[("net.gpt_layer.1.weight", [4, 4])])).is_err());
        let broken = [("net.gpt_layer.0.weight", [256, 1280]), ("net.gpt_layer.1.weight", [128, 255])];
        assert!(projection(&shapes(&broken)).is_err());
    }

    #[test]
    fn an_unknown_switch_is_named() {
        let error = s2mel_v2_5(&json!({ "DiT": { "is_causal": true } })).map(|_| ());
        assert_eq!(error.map_err(|e| e.field), Err("DiT.is_causal".into()));
    }
}
