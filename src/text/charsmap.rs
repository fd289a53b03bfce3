//! Checks a SentencePiece character map before the tokenizer walks it.
//!
//! The map is a double-array trie over UTF-8 bytes followed by replacement texts that end in zero bytes (format:
//! darts-clone, as SentencePiece writes it). The library that walks it trusts every index in it, so a damaged file would
//! stop the program in the middle of a text.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Reports the first thing in the normaliser of a `tokenizer.json` that could not be walked safely.
pub fn check(tokenizer: &Value) -> Result<(), String> {
    maps(&tokenizer["normalizer"]).into_iter().try_for_each(|text| {
        let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
        check_map(&bytes.ok_or("its character map is not base64")?)
    })
}

/// Every character map below `value`.
fn maps(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields) => {
            let inner = fields.iter().filter(|(name, _)| *name != "precompiled_charsmap").flat_map(|(_, v)| maps(v));
            fields.get("precompiled_charsmap").into_iter().chain(inner).collect()
        }
        Value::Array(rows) => rows.iter().flat_map(maps).collect(),
        _ => Vec::new(),
    }
}

fn check_map(map: &[u8]) -> Result<(), String> {
    let damaged = |what: &str| Err(format!("its character map is damaged ({what})"));
    let Some((size, rest)) = map.split_first_chunk() else { return damaged("no size") };
    let size = u32::from_le_bytes(*size) as usize;
    if size == 0 || !size.is_multiple_of(4) || size > rest.len() {
        return damaged("the trie does not fit");
    }
    let (trie, texts) = rest.split_at(size);
    let Ok(texts) = std::str::from_utf8(texts) else { return damaged("the texts are not UTF-8") };
    let units: Vec<u32> = trie.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    for (at, unit) in units.iter().enumerate() {
        // The sign bit marks a value; it is never entered.
        if unit >> 31 == 1 {
            continue;
        }
        let next = at ^ ((*unit as usize >> 10) << ((unit & (1 << 9)) >> 6));
        if next | 0xff >= units.len() {
            return damaged("the trie leads out of itself");
        }
        let has_value = unit >> 8 & 1 == 1;
        if has_value && !texts.is_char_boundary((units[next] & 0x7fff_ffff) as usize) {
            return damaged("a replacement lies outside the texts");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A trie of one block whose root has the child `a` with the value `text`.
    fn map(root: u32, text: u32) -> Vec<u8> {
        let mut units = [0u32; 256];
        units[0] = root;
        // Child `a` of the root: label, a value, which lies at its own place xor 1.
        units[0x61] = 0x61 | 1 << 8 | 1 << 10;
        units[0x60] = 1 << 31 | text;
        let mut bytes = 1024u32.to_le_bytes().to_vec();
        units.iter().for_each(|unit| bytes.extend(unit.to_le_bytes()));
        bytes.extend("ä\0".as_bytes());
        bytes
    }

    fn tokenizer(map: &[u8]) -> Value {
        json!({ "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(map) }
        ] } })
    }

    #[test]
    fn a_walkable_map_is_accepted_and_damage_is_named() {
        check(&tokenizer(&map(0, 0))).unwrap();
        check(&json!({ "normalizer": null })).unwrap();
        for (map, message) in [
            (map(1 << 18, 0), "leads out"),
            (map(0, 1), "outside"),
            (map(0, 4), "outside"),
            (map(0, 0)[..600].to_vec(), "does not fit"),
            (vec![0xff, 0xff, 0xff, 0xff, 1], "does not fit"),
            (Vec::new(), "no size"),
        ] {
            let error = check(&tokenizer(&map)).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
