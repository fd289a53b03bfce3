//! SentencePiece models (`bpe.model`) as a `tokenizer.json` for the `tokenizers` crate.
//!
//! SentencePiece's BPE merges the neighbours whose concatenation is the piece with the best score; `tokenizers` merges
//! listed pairs in the order of the list. The list of all pairs that concatenate to a piece, in the order of the pieces'
//! scores, makes both the same.
mod proto;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::checkpoint::format;
use crate::error::{Error, Result};
use proto::{Model, PieceKind};

/// The official model has 0.5 MB; a file of more than this is not one.
const MAX_BYTES: u64 = 32 << 20;

/// Marks a space in pieces.
const SPACE: char = '\u{2581}';

/// The `tokenizer.json` of a SentencePiece model file.
pub fn convert_file(path: &Path) -> Result<String> {
    let bad = |what: &str| format(path, what, "It should be a SentencePiece model; download it again");
    let length = path.metadata().map_err(Error::io("read", path))?.len();
    if length > MAX_BYTES {
        return Err(bad(&format!("{length} bytes are too many")));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    convert(&bytes).map_err(|what| bad(&what))
}

/// The `tokenizer.json` of a SentencePiece model of type BPE.
pub fn convert(bytes: &[u8]) -> Result<String, String> {
    let model = proto::read(bytes)?;
    if model.model_type != proto::BPE {
        return Err(format!("its type is {}; only BPE (2) is supported", model.model_type));
    }
    if model.suffix_whitespace {
        return Err("it marks spaces after words, which is not supported".into());
    }
    let unknown = model.pieces.iter().find(|p| p.kind == PieceKind::Unknown).ok_or("it has no unknown piece")?;
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(&model),
        "normalizer": { "type": "Sequence", "normalizers": normalizers(&model) },
        "pre_tokenizer": pre_tokenizer(&model),
        "post_processor": null,
        "decoder": { "type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": false },
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": unknown.text,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": model.byte_fallback,
            "ignore_merges": false,
            "vocab": vocabulary(&model)?,
            "merges": merges(&model),
        },
    });
    Ok(tokenizer.to_string())
}

fn vocabulary(model: &Model) -> Result<Value, String> {
    let mut vocabulary = serde_json::Map::new();
    for (id, piece) in model.pieces.iter().enumerate() {
        if vocabulary.insert(piece.text.clone(), json!(id)).is_some() {
            return Err(format!("the piece {:?} occurs twice", piece.text));
        }
    }
    Ok(Value::Object(vocabulary))
}

/// Pieces the user defined are taken whole wherever they occur.
fn added_tokens(model: &Model) -> Vec<Value> {
    let defined = model.pieces.iter().enumerate().filter(|(_, p)| p.kind == PieceKind::UserDefined);
    defined
        .map(|(id, piece)| {
            json!({
                "id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": true, "special": false,
            })
        })
        .collect()
}

/// What SentencePiece does to a text before it looks for pieces.
fn normalizers(model: &Model) -> Vec<Value> {
    let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    let mut steps = Vec::new();
    if !model.character_map.is_empty() {
        steps.push(json!({ "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(&model.character_map) }));
    }
    if model.remove_extra_whitespace {
        steps.push(json!({ "type": "Strip", "strip_left": true, "strip_right": true }));
        steps.push(replace(json!({ "Regex": " {2,}" }), " "));
    }
    steps
}

/// Marks spaces and the start of the text. Not a normaliser: those are applied to user-defined pieces too, which would
/// then be looked for at the start of words only.
fn pre_tokenizer(model: &Model) -> Value {
    match (model.escape_whitespace, model.add_dummy_prefix) {
        (false, _) => Value::Null,
        (true, prefix) => {
            let scheme = if prefix { "first" } else { "never" };
            json!({ "type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": false })
        }
    }
}

/// Every way to make a piece of two others, best pieces first.
fn merges(model: &Model) -> Vec<Value> {
    let ids: HashMap<&str, usize> =
        model.pieces.iter().enumerate().filter(|(_, p)| p.is_text()).map(|(id, p)| (p.text.as_str(), id)).collect();
    let mut order: Vec<usize> =
        (0..model.pieces.len()).filter(|id| model.pieces[*id].kind == PieceKind::Normal).collect();
    order.sort_by(|a, b| model.pieces[*b].score.total_cmp(&model.pieces[*a].score));
    let mut merges = Vec::new();
    for id in order {
        let text = model.pieces[id].text.as_str();
        for (at, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(at);
            if ids.contains_key(left) && ids.contains_key(right) {
                merges.push(json!([left, right]));
            }
        }
    }
    merges
}
