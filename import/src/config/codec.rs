//! The `semantic_codec` section of `config.yaml`, for either half of the codec.
use serde_json::{Value, json};

use super::{ConfigError, usize_at};
use crate::table::Vars;

/// The encoder side, of 2.0.
pub fn semantic_codec(official: &Value) -> Result<(Value, Vars), ConfigError> {
    sizes(official)
}

/// The decoder side, of 2.5.
pub fn codec_decoder(official: &Value) -> Result<(Value, Vars), ConfigError> {
    sizes(official)
}

fn sizes(official: &Value) -> Result<(Value, Vars), ConfigError> {
    let blocks = usize_at(official, "vocos_num_layers")?;
    let config = json!({
        "codebook_size": usize_at(official, "codebook_size")?,
        "codebook_dim": usize_at(official, "codebook_dim")?,
        "hidden_size": usize_at(official, "hidden_size")?,
        "width": usize_at(official, "vocos_dim")?,
        "feed_forward": usize_at(official, "vocos_intermediate_dim")?,
        "blocks": blocks,
    });
    Ok((config, Vars::new([("blocks", blocks)])))
}
