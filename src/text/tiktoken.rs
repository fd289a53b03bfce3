//! Byte-pair tokens by ranks, as 2.5 makes them.
//!
//! Source: text specification C.2. The file has one token a line, its bytes in base64 and its rank; the special tokens follow
//! the ranks in a fixed order.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::language::{CODES, TAGGED};
use super::tokenizer::Piece;
use crate::{Error, ModelFiles, Result};

/// The name of the file in a model directory.
pub const FILE: &str = "tokenizer.tiktoken";
/// Ranks are a few megabytes; anything larger is not them.
const MAX_BYTES: u64 = 64 << 20;
/// No special token is longer.
const LONGEST_SPECIAL: usize = 32;

/// Words, numbers and other signs, each with a space in front; white space. The last alternative of the original pattern,
/// `\s+(?!\S)`, is done by hand: see [`Tiktoken::words`].
const PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";

/// A tokenizer of ranks.
pub struct Tiktoken {
    ranks: HashMap<Vec<u8>, u32>,
    specials: HashMap<String, u32>,
    pattern: Regex,
}

impl Tiktoken {
    /// Reads the ranks of a model directory.
    pub fn load(files: &ModelFiles) -> Result<Self> {
        let bytes = files.read(FILE, MAX_BYTES)?;
        Self::from_bytes(&bytes).map_err(|what| Error::Format {
            path: files.path(FILE),
            what,
            hint: "run `indextts models verify`, or import the model again".into(),
        })
    }

    /// From the contents of a rank file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
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
        let specials = (ranks.len() as u32..).zip(specials()).map(|(id, special)| (special, id)).collect();
        let pattern = Regex::new(PATTERN).map_err(|e| e.to_string())?;
        Ok(Self { ranks, specials, pattern })
    }

    /// Tokens with their ids: ranks and specials.
    pub fn size(&self) -> usize {
        self.ranks.len() + self.specials.len()
    }

    /// Characters of `text` with a byte that the ranks lack; [`Tiktoken::encode`] leaves such bytes out.
    pub fn unknown(&self, text: &str) -> Vec<String> {
        let known =
            |c: &char| c.encode_utf8(&mut [0; 4]).bytes().all(|byte| self.ranks.contains_key([byte].as_slice()));
        text.chars().filter(|c| !known(c)).map(String::from).collect()
    }

    /// Tokens of `text`; special tokens in it count as such.
    pub fn encode(&self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut open, mut at) = (0, 0);
        while let Some(found) = text[at..].find("<|").map(|offset| at + offset) {
            let end =
                text.as_bytes()[found..].iter().take(LONGEST_SPECIAL).position(|b| *b == b'>').map(|n| found + n + 1);
            match end.and_then(|end| Some((end, *self.specials.get(&text[found..end])?))) {
                Some((end, id)) => {
                    self.encode_ordinary(&text[open..found], &mut pieces);
                    pieces.push(Piece { id, text: text[found..end].into() });
                    (open, at) = (end, end);
                }
                None => at = found + 2,
            }
        }
        self.encode_ordinary(&text[open..], &mut pieces);
        pieces
    }

    fn encode_ordinary(&self, text: &str, pieces: &mut Vec<Piece>) {
        for word in self.words(text) {
            self.merge(word.as_bytes(), pieces);
        }
    }

    /// The parts of a text that tokens do not cross.
    fn words<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.pattern.find_at(text, at)?;
            let word = found.as_str();
            let last = word.chars().next_back()?;
            // White space in front of a word leaves its last character to the word, unless it is all there is.
            let inner = last.is_whitespace() && word.len() > last.len_utf8() && found.end() < text.len();
            at = found.end() - if inner { last.len_utf8() } else { 0 };
            Some(&text[found.start()..at])
        })
    }

    /// Joins the neighbours of lowest rank until none are left to join.
    fn merge(&self, word: &[u8], pieces: &mut Vec<Piece>) {
        let push = |pieces: &mut Vec<Piece>, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            pieces.extend(self.ranks.get(bytes).map(|id| Piece { id: *id, text }));
        };
        if self.ranks.contains_key(word) {
            return push(pieces, word);
        }
        // Parts as a linked list: where each one ends, and where the one before it starts.
        let mut ends: Vec<usize> = (1..=word.len()).collect();
        let mut starts: Vec<Option<usize>> = (0..word.len()).map(|at| at.checked_sub(1)).collect();
        let joined = |ends: &[usize], start: usize| {
            let middle = ends[start];
            let end = *ends.get(middle)?;
            Some(Reverse((*self.ranks.get(&word[start..end])?, start, end)))
        };
        let mut heap: BinaryHeap<_> = (0..word.len()).filter_map(|start| joined(&ends, start)).collect();
        let mut dead = vec![false; word.len()];
        while let Some(Reverse((_, start, end))) = heap.pop() {
            // Entries of parts that have changed since.
            if dead[start] || ends.get(ends[start]) != Some(&end) {
                continue;
            }
            let middle = ends[start];
            dead[middle] = true;
            ends[start] = end;
            if end < word.len() {
                starts[end] = Some(start);
            }
            heap.extend(joined(&ends, start));
            heap.extend(starts[start].and_then(|before| joined(&ends, before)));
        }
        let mut at = 0;
        while at < word.len() {
            push(pieces, &word[at..ends[at]]);
            at = ends[at];
        }
    }
}

/// The special tokens in their order.
fn specials() -> impl Iterator<Item = String> {
    const EVENTS: [&str; 11] =
        ["ASR", "AED", "SER", "Speech", "/Speech", "BGM", "/BGM", "Laughter", "/Laughter", "Applause", "/Applause"];
    const EMOTIONS: [&str; 4] = ["HAPPY", "SAD", "ANGRY", "NEUTRAL"];
    const TASKS: [&str; 6] = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"];
    const VOCAL: [&str; 7] = ["B", "O", "Q", "A", "CO", "CL", "H"];
    let names = ["endoftext", "startoftranscript"].into_iter().chain(CODES.into_iter().take(TAGGED));
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

    /// All single bytes, and `tokens` behind them.
    fn tokenizer(tokens: &[&str]) -> Tiktoken {
        let bytes = (0..=255u8).map(|b| vec![b]).chain(tokens.iter().map(|t| t.as_bytes().to_vec()));
        let lines: Vec<String> =
            bytes.enumerate().map(|(rank, token)| format!("{} {rank}", STANDARD.encode(token))).collect();
        Tiktoken::from_bytes(lines.join("\n").as_bytes()).unwrap()
    }

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

    #[test]
    fn lower_ranks_are_joined_first() {
        let tokenizer = tokenizer(&["lo", "el", "ell", "hell", " w"]);
        let texts = |text| tokenizer.encode(text).into_iter().map(|p| p.text).collect::<Vec<_>>();
        assert_eq!(texts("hello wo"), ["h", "el", "lo", " w", "o"]);
        assert_eq!(texts("a  b"), ["a", " ", " ", "b"]);
        assert_eq!(texts("<|en|> a<|xx|>")[..3], ["<|en|>", " ", "a"]);
    }

    #[test]
    fn what_is_no_rank_file_is_refused() {
        for (text, message) in [
            ("", "count up"),
            ("QQ== 1", "count up"),
            ("QQ==", "line 1"),
            ("QQ== 0\nQQ== 1", "line 2 repeats"),
            ("?? 0", "line 1"),
        ] {
            assert!(Tiktoken::from_bytes(text.as_bytes()).err().unwrap().contains(message), "{text}");
        }
    }
}
