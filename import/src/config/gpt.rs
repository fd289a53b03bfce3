//! `gpt` section of the official configuration, completed by the shapes in `gpt.pth` (both versions).
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ConfigError, index_at, usize_at};
use crate::Vars;

type Shapes = BTreeMap<String, Vec<usize>>;

/// Official configuration and the shapes of `gpt.pth` -> canonical configuration and table sizes.
///
/// The shapes supply what the configuration does not say: rows of the position, latent and language tables, widths of
/// the features and of the speaker vector, kernel and head sizes. A file with `spk_emb_proj` is 2.5, any other 2.0.
pub fn gpt(official: &Value, shapes: &Shapes) -> Result<(Value, Vars), ConfigError> {
    let shapes = Checked(shapes);
    let layers = usize_at(official, "gpt.layers")?;
    let emotion = encoder(official, "gpt.emo_condition_module", &shapes, "emo_")?;
    let mut vars = Vars::new([("layers", layers)]);
    vars = emotion.vars(vars, "emotion");
    let conditioning = if shapes.has("spk_emb_proj.weight") {
        let style = shapes.size("spk_emb_proj.weight", 1)?;
        json!({ "vector": { "style": style, "languages": shapes.size("lang_embedding.weight", 0)? } })
    } else {
        let speaker = encoder(official, "gpt.condition_module", &shapes, "")?;
        vars = speaker.vars(vars, "speaker");
        json!({ "latents": speaker.config })
    };
    let mut config = json!({
        "dim": usize_at(official, "gpt.model_dim")?,
        "layers": layers,
        "heads": usize_at(official, "gpt.heads")?,
        // One row more than tokens for the stop token, two more positions for start and stop; for codes the
        // vocabulary counts both already, and the position table has a row to spare.
        "text_tokens": usize_at(official, "gpt.number_text_tokens")? + 1,
        "text_positions": usize_at(official, "gpt.max_text_tokens")? + 2,
        "start_text": index_at(official, "gpt.start_text_token")?,
        "stop_text": index_at(official, "gpt.stop_text_token")?,
        "codes": usize_at(official, "gpt.number_mel_codes")?,
        "code_positions": usize_at(official, "gpt.max_mel_tokens")? + 3,
        "start_code": index_at(official, "gpt.start_mel_token")?,
        "stop_code": index_at(official, "gpt.stop_mel_token")?,
        "emotion": emotion.config,
        "conditioning": conditioning,
    });
    // Not among the official fields: heads of a model of our own training.
    if let Some(alignment) = official.get("gpt").and_then(|gpt| gpt.get("alignment")) {
        config["alignment"] = alignment.clone();
    }
    Ok((config, vars))
}

/// A conformer with its perceiver.
struct Encoder {
    config: Value,
    dim: usize,
    blocks: usize,
    positions: usize,
    layers: usize,
}

impl Encoder {
    fn vars(&self, vars: Vars, part: &str) -> Vars {
        vars.with(&format!("{part}_blocks"), self.blocks)
            .with(&format!("{part}_dim"), self.dim)
            .with(&format!("{part}_positions"), self.positions)
            .with(&format!("{part}_layers"), self.layers)
    }
}

fn encoder(official: &Value, section: &str, shapes: &Checked, prefix: &str) -> Result<Encoder, ConfigError> {
    let field = |name: &str| usize_at(official, &format!("{section}.{name}"));
    let (conformer, perceiver) = (format!("{prefix}conditioning_encoder"), format!("{prefix}perceiver_encoder"));
    let (dim, blocks, heads) = (field("output_size")?, field("num_blocks")?, field("attention_heads")?);
    let positions = shapes.size(&format!("{conformer}.embed.pos_enc.pe"), 1)?;
    let latents = format!("{perceiver}.latents");
    let latent_dim = shapes.size(&latents, 1)?;
    // A convolution of width 3 and stride 2 leaves (features - 1) / 2 columns per channel: of the two widths that fit,
    // the even one, unless the configuration says.
    let columns = shapes.size(&format!("{conformer}.embed.out.0.weight"), 1)? / dim;
    let features = if official.get("feat_dim").is_some() { usize_at(official, "feat_dim")? } else { 2 * columns + 2 };
    let inner = shapes.size(&format!("{perceiver}.layers.0.0.to_q.weight"), 0)?;
    let layers = (0..).take_while(|i| shapes.has(&format!("{perceiver}.layers.{i}.0.to_q.weight"))).count();
    let config = json!({
        "conformer": {
            "features": features,
            "dim": dim,
            "hidden": field("linear_units")?,
            "heads": heads,
            "layers": blocks,
            "kernel": shapes.size(&format!("{conformer}.encoders.0.conv_module.depthwise_conv.weight"), 2)?,
            "positions": positions,
        },
        "perceiver": {
            "context": dim,
            "dim": latent_dim,
            "latents": shapes.size(&latents, 0)?,
            "layers": layers,
            "heads": heads,
            "head_dim": inner / heads,
            "hidden": latent_dim * field("perceiver_mult")? * 2 / 3,
        },
    });
    Ok(Encoder { config, dim, blocks, positions, layers })
}

/// Shapes by official key, with or without the wrapper that some files have.
struct Checked<'a>(&'a Shapes);

impl Checked<'_> {
    fn get(&self, key: &str) -> Option<&Vec<usize>> {
        self.0.get(key).or_else(|| self.0.get(&format!("model.{key}")))
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn size(&self, key: &str, axis: usize) -> Result<usize, ConfigError> {
        let shape = self.get(key);
        match shape.and_then(|shape| shape.get(axis)) {
            Some(&size) if (1..=1 << 30).contains(&size) => Ok(size),
            _ => Err(ConfigError {
                field: format!("tensor {key}"),
                expected: format!("a tensor of {} or more axes", axis + 1),
                got: shape.map_or("nothing".into(), |shape| format!("{shape:?}")),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_missing_field() {
        let official = json!({ "gpt": { "layers": 2 } });
        let error = gpt(&official, &Shapes::new()).unwrap_err();
        assert_eq!(error.field, "gpt.emo_condition_module.output_size");
    }

    #[test]
    fn names_the_missing_tensor() {
        let module = json!({ "output_size": 8, "linear_units": 8, "attention_heads": 2, "num_blocks": 1 });
        let error =
            gpt(&json!({ "gpt": { "layers": 2, "emo_condition_module": module } }), &Shapes::new()).unwrap_err();
        assert_eq!(error.field, "tensor emo_conditioning_encoder.embed.pos_enc.pe");
    }
}
