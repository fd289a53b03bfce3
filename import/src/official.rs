//! The official `config.yaml` and JSON configurations as JSON values.
use std::path::Path;

use serde_json::Value;

use crate::checkpoint::format;
use crate::error::{Error, Result};

/// Configurations are a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 4 << 20;

/// Reads a YAML or JSON configuration file.
pub fn read(path: &Path) -> Result<Value> {
    let length = path.metadata().map_err(Error::io("read", path))?.len();
    if length > MAX_BYTES {
        return Err(format(
            path,
            &std::format!("{length} bytes are too many for a configuration"),
            "Is it the right file?",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let value: Result<Value, String> = if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|e| e.to_string())
    } else {
        serde_yaml_ng::from_str(&text).map_err(|e| e.to_string())
    };
    value.map_err(|e| format(path, &std::format!("not a readable configuration ({e})"), "Download it again"))
}
