//! Ranks of tiktoken (`*.tiktoken`) as a `tokenizer.json` for the `tokenizers` crate.
//!
//! tiktoken joins the neighbours whose concatenation has the lowest rank; `tokenizers` joins the pair that comes first in a
//! list of merges. So every way to cut a token in two tokens becomes a merge, in the order of the ranks. A word that is a token
//! is taken whole, by both.
//!
//! Source: text specification C.2.
use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Error, Result};

/// Ranks are a few megabytes; anything larger is not them.
const MAX_BYTES: u64 = 64 << 20;

/// Words, numbers and other signs, each with a space in front; white space, whose last character goes to a word behind it.
const PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Languages with a token of their own, in its order: those of the Whisper tokenizer.
const LANGUAGES: &str = "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur \
    hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka \
    be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su";

/// The `tokenizer.json` of a rank file.
pub fn convert_file(path: &Path) -> Result<String> {
    let bad = |what: &str| Error::Format {
        path: path.into(),
        what: what.into(),
        hint: "It should be a file of tiktoken ranks; download it again".into(),
    };
    let length = path.metadata().map_err(Error::io("read", path))?.len();
    if length > MAX_BYTES {
        return Err(bad(&format!("{length} bytes are too many")));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    convert(&bytes).map_err(|what| bad(&what))
}

/// The `tokenizer.json` of the contents of a rank file: a token a line, its bytes in base64 and its rank.
pub fn convert(bytes: &[u8]) -> Result<String, String> {
    let ranks = ranks(bytes)?;
    let letters = letters();
    let written = |token: &[u8]| token.iter().map(|byte| letters[usize::from(*byte)]).collect::<String>();
    let vocabulary: serde_json::Map<String, Value> =
        ranks.iter().map(|(token, rank)| (written(token), json!(rank))).collect();
    let mut merges = Vec::new();
    for (token, rank) in &ranks {
        for cut in 1..token.len() {
            let (left, right) = token.split_at(cut);
            if let (Some(a), Some(b)) = (ranks.get(left), ranks.get(right)) {
                merges.push(((*rank, *a, *b), [written(left), written(right)]));
            }
        }
    }
    merges.sort_unstable();
    let added: Vec<Value> = (ranks.len()..)
        .zip(specials())
        .map(|(id, content)| {
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let split = json!({ "type": "Split", "pattern": { "Regex": PATTERN }, "behavior": "Isolated", "invert": false });
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [split, byte_level] },
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": true,
            "vocab": vocabulary,
            "merges": merges.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>(),
        },
    });
    Ok(tokenizer.to_string())
}

fn ranks(bytes: &[u8]) -> Result<HashMap<Vec<u8>, u32>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a text file")?;
    let mut ranks = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let entry = line.trim().split_once(' ').and_then(|(token, rank)| {
            Some((STANDARD.decode(token).ok().filter(|token| !token.is_empty())?, rank.trim().parse::<u32>().ok()?))
        });
        let Some((token, rank)) = entry else {
            return Err(format!("line {} is not a base64 token and its rank", number + 1));
        };
        if ranks.insert(token, rank).is_some() {
            return Err(format!("line {} repeats a token", number + 1));
        }
    }
    let mut taken: Vec<u32> = ranks.values().copied().collect();
    taken.sort_unstable();
    if taken.is_empty() || taken.iter().zip(0..).any(|(rank, place)| *rank != place) {
        return Err("its ranks do not count up from 0".into());
    }
    // With all of them no text can hold anything unknown.
    match (0..=255u8).find(|byte| !ranks.contains_key([*byte].as_slice())) {
        Some(byte) => Err(format!("it has no token for the byte {byte:#04x}")),
        None => Ok(ranks),
    }
}

/// The letter that stands for each byte in a vocabulary of bytes: itself if it is printable, else one from U+0100 on (GPT-2).
fn letters() -> [char; 256] {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 0x100u32;
    std::array::from_fn(|byte| {
        if printable(byte as u8) {
            return char::from(byte as u8);
        }
        next += 1;
        char::from_u32(next - 1).unwrap_or_default()
    })
}

/// The special tokens in their order.
fn specials() -> impl Iterator<Item = String> {
    const EVENTS: [&str; 11] =
        ["ASR", "AED", "SER", "Speech", "/Speech", "BGM", "/BGM", "Laughter", "/Laughter", "Applause", "/Applause"];
    const EMOTIONS: [&str; 4] = ["HAPPY", "SAD", "ANGRY", "NEUTRAL"];
    const TASKS: [&str; 6] = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"];
    const VOCAL: [&str; 7] = ["B", "O", "Q", "A", "CO", "CL", "H"];
    let names = ["endoftext", "startoftranscript"].into_iter().chain(LANGUAGES.split_whitespace());
    let names = names.chain(EVENTS).chain(EMOTIONS).chain(TASKS).map(String::from);
    let names = names.chain((1..=30).map(|n| format!("SPECIAL_TOKEN_{n}")));
    let names = names.chain(VOCAL.into_iter().map(|name| format!("TTS/{name}")));
    let names = names.chain((1..=13).map(|n| format!("TTS/SP{n:02}")));
    // Every 20 ms of half a minute.
    let names = names.chain((0..=1500).map(|n| format!("{}.{:02}", n / 50, n % 50 * 2)));
    names.map(|name| format!("<|{name}|>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_lie_where_the_specification_puts_them() {
        let all: Vec<String> = specials().collect();
        assert_eq!(all.len(), 1673);
        // The offsets of the official vocabulary, whose 58836 ranks come first.
        for (special, id) in [
            ("<|endoftext|>", 58836),
            ("<|en|>", 58838),
            ("<|zh|>", 58839),
            ("<|es|>", 58841),
            ("<|ja|>", 58845),
            ("<|ar|>", 58851),
            ("<|30.00|>", 60508),
        ] {
            assert_eq!(all[id - 58836], special);
        }
        assert_eq!(all[all.len() - 1500], "<|0.02|>");
    }

    /// The table of GPT-2: a space is Ġ, a line feed is Ċ.
    #[test]
    fn bytes_have_letters() {
        let letters = letters();
        assert_eq!((letters[32], letters[10], letters[0], letters[0xad]), ('Ġ', 'Ċ', 'Ā', 'Ń'));
        let different: std::collections::HashSet<char> = letters.into_iter().collect();
        assert_eq!(different.len(), 256);
    }

    #[test]
    fn what_is_no_rank_file_is_refused() {
        for (text, message) in [
            ("", "count up"),
            ("QQ== 1", "count up"),
            ("QQ==", "line 1"),
            ("QQ== 0\nQQ== 1", "line 2 repeats"),
            ("?? 0", "line 1"),
            ("QQ== 0", "no token for the byte 0x00"),
        ] {
            assert!(convert(text.as_bytes()).unwrap_err().contains(message), "{text}");
        }
    }
}
