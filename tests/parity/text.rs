//! Tokens against the SentencePiece and tiktoken packages.
use indextts::text::tiktoken::Tiktoken;
use indextts::text::tokenizer::{Piece, Tokenizer};
use indextts_import::sentencepiece;
use serde_json::Value;

fn tokenizer(name: &str) -> Tokenizer {
    let path = format!("{}/tests/tokenizer/{name}", env!("CARGO_MANIFEST_DIR"));
    let json = sentencepiece::convert_file(path.as_ref()).unwrap();
    Tokenizer::from_bytes(json.as_bytes()).unwrap()
}

/// FNV-1a over the ids, as `tests/tokenizer/make_lines.py` computes it.
fn hash(pieces: &[Piece]) -> String {
    let bytes = pieces.iter().flat_map(|piece| piece.id.to_le_bytes());
    let hash = bytes.fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

/// Every line of `tests/tokenizer/lines.jsonl` has exactly the ids that the Python package gave it.
fn compare(name: &str, column: usize, encode: impl Fn(&str) -> Vec<Piece>) {
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in include_str!("../tokenizer/lines.jsonl").lines() {
        let row: [String; 3] = serde_json::from_str(line).unwrap();
        let pieces = encode(&row[0]);
        lines += 1;
        if hash(&pieces) != row[column] {
            wrong.push((row[0].clone(), pieces));
        }
    }
    println!("{name:14} {} of {lines} lines equal", lines - wrong.len());
    for (text, pieces) in wrong.iter().take(12) {
        println!("{text:?}: got {pieces:?}");
    }
    assert!(lines == 10_000 && wrong.is_empty(), "{} of {lines} lines differ", wrong.len());
}

#[test]
fn parity_sentencepiece() {
    let tokenizer = tokenizer("bpe.model");
    compare("sentencepiece", 1, |text| tokenizer.encode_raw(text).unwrap());
}

#[test]
fn parity_tiktoken() {
    let tokenizer = Tiktoken::from_bytes(include_bytes!("../tokenizer/ranks.tiktoken")).unwrap();
    compare("tiktoken", 2, |text| tokenizer.encode(text));
}

#[test]
fn a_damaged_model_is_refused() {
    let path = format!("{}/tests/tokenizer/bpe.model", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    for cut in [0, 1, 10, 1000, bytes.len() / 2, bytes.len() - 1] {
        // A cut between two pieces leaves a shorter vocabulary without type: refused as well.
        assert!(sentencepiece::convert(&bytes[..cut]).is_err(), "cut to {cut} bytes");
    }
    let json: Value = serde_json::from_str(&sentencepiece::convert(&bytes).unwrap()).unwrap();
    assert_eq!(json["model"]["type"], "BPE");
}
