//! Tokens against the SentencePiece and tiktoken packages.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indextts::text::tokenizer::{Piece, Tokenizer};
use indextts_import::{sentencepiece, tiktoken};
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
    let json = tiktoken::convert(include_bytes!("../tokenizer/ranks.tiktoken")).unwrap();
    let tokenizer = Tokenizer::from_bytes(json.as_bytes()).unwrap();
    assert!(tokenizer.has_language_tags());
    compare("tiktoken", 2, |text| tokenizer.encode_raw(text).unwrap());
}

/// Ranks by hand: of the neighbours those of the lowest rank are joined first, the first of them if there are several.
#[test]
fn lower_ranks_are_joined_first() {
    let tokens = ["lo", "el", "ell", "hell", " w", "aa", "aaa"];
    let all = (0..=255u8).map(|byte| vec![byte]).chain(tokens.map(|token| token.as_bytes().to_vec()));
    let lines: Vec<String> =
        all.enumerate().map(|(rank, token)| format!("{} {rank}", STANDARD.encode(token))).collect();
    let json = tiktoken::convert(lines.join("\n").as_bytes()).unwrap();
    let tokenizer = Tokenizer::from_bytes(json.as_bytes()).unwrap();
    let texts = |text| tokenizer.encode_raw(text).unwrap().into_iter().map(|p| p.text).collect::<Vec<_>>();
    assert_eq!(texts("hello wo"), ["h", "el", "lo", " w", "o"]);
    assert_eq!(texts("a  b"), ["a", " ", " ", "b"]);
    assert_eq!(texts("aaaaa"), ["aa", "aaa"]);
    assert_eq!(texts("hell"), ["hell"]);
    assert_eq!(texts("<|en|> a<|xx|>")[..3], ["<|en|>", " ", "a"]);
    assert_eq!(texts("é"), ["\u{fffd}", "\u{fffd}"]);
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
