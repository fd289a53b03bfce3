//! Official configuration sections -> canonical configuration and the sizes that key tables need.
pub mod bigvgan;
pub mod campplus;
pub mod codec;
pub mod gpt;
pub mod qwen;
pub mod s2mel;
pub mod w2v_bert;

use serde_json::Value;

/// An official configuration that lacks a field or holds something unusable there.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[error("configuration field `{field}`: expected {expected}, got {got}")]
pub struct ConfigError {
    pub field: String,
    pub expected: String,
    pub got: String,
}

fn at<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(root, |v, key| v.get(key))
}

fn wrong(path: &str, expected: &str, got: Option<&Value>) -> ConfigError {
    let got = got.map_or("nothing".into(), |v| v.to_string().chars().take(80).collect());
    ConfigError { field: path.into(), expected: expected.into(), got }
}

/// The value at a dotted path.
pub fn value_at<'a>(root: &'a Value, path: &str) -> Result<&'a Value, ConfigError> {
    at(root, path).ok_or_else(|| wrong(path, "a value", None))
}

/// A positive size at a dotted path; bounded so that products of a few sizes cannot overflow.
pub fn usize_at(root: &Value, path: &str) -> Result<usize, ConfigError> {
    let value = at(root, path);
    match value.and_then(Value::as_u64) {
        Some(n) if (1..=1 << 20).contains(&n) => Ok(n as usize),
        _ => Err(wrong(path, "a whole number from 1 to 1048576", value)),
    }
}

/// A token id or count that may be zero.
pub fn index_at(root: &Value, path: &str) -> Result<usize, ConfigError> {
    let value = at(root, path);
    match value.and_then(Value::as_u64) {
        Some(n) if n <= 1 << 20 => Ok(n as usize),
        _ => Err(wrong(path, "a whole number from 0 to 1048576", value)),
    }
}

/// A finite number at a dotted path.
pub fn f64_at(root: &Value, path: &str) -> Result<f64, ConfigError> {
    let value = at(root, path);
    value.and_then(Value::as_f64).filter(|v| v.is_finite()).ok_or_else(|| wrong(path, "a finite number", value))
}

/// A list of positive sizes at a dotted path.
pub fn sizes_at(root: &Value, path: &str) -> Result<Vec<usize>, ConfigError> {
    let value = at(root, path);
    let items = value.and_then(Value::as_array).ok_or_else(|| wrong(path, "a list of whole numbers", value))?;
    items
        .iter()
        .map(|v| match v.as_u64() {
            Some(n) if (1..=1 << 20).contains(&n) => Ok(n as usize),
            _ => Err(wrong(path, "a list of whole numbers from 1 to 1048576", value)),
        })
        .collect()
}
