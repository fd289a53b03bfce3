//! Tokens against the SentencePiece package, and the language of the text front end.
use indextts::text::tokenizer::Tokenizer;
use indextts_import::sentencepiece;
use serde_json::Value;

fn tokenizer(name: &str) -> Tokenizer {
    let path = format!("{}/tests/tokenizer/{name}", env!("CARGO_MANIFEST_DIR"));
    let json = sentencepiece::convert_file(path.as_ref()).unwrap();
    Tokenizer::from_bytes(json.as_bytes()).unwrap()
}

/// Every line of the corpus (`tests/tokenizer/make.py`) has exactly the ids that the SentencePiece package gave it.
#[test]
fn parity_sentencepiece() {
    let tokenizer = tokenizer("bpe.model");
    let corpus = include_str!("../tokenizer/corpus.jsonl");
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in corpus.lines() {
        let (text, want): (String, Vec<u32>) = serde_json::from_str(line).unwrap();
        let got: Vec<u32> = tokenizer.encode_raw(&text).unwrap().iter().map(|p| p.id).collect();
        lines += 1;
        if got != want {
            wrong.push((text, want, got));
        }
    }
    println!("text           {} of {lines} lines equal", lines - wrong.len());
    for (text, want, got) in wrong.iter().take(12) {
        println!("{text:?}\n  expected {want:?}\n  got      {got:?}");
    }
    assert!(lines >= 3000 && wrong.is_empty(), "{} of {lines} lines differ", wrong.len());
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
