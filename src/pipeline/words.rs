//! When each word of a segment is spoken.
//!
//! Only a model whose GPT was trained to look at the text where it is spoken can tell: the cheapest path through that
//! attention, from code to code never back in the text, says which token each code belongs to.
use std::ops::Range;

use super::options::Options;
use super::segment::SegmentInWork;
use super::synthesize::{Conditioning, Synthesizer};
use crate::Result;
use crate::readback::values;
use crate::text::Reading;
use crate::text::tokenizer::Piece;

/// Attention that counts as none.
const NONE: f32 = 1e-3;
/// What it costs to leave out a token, as minus the logarithm of a share of attention.
const LEFT_OUT: f32 = 0.3;

/// A word of a speech.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As it is spoken.
    pub text: String,
    /// Seconds from the first sample of its segment's speech, the silence before it left out.
    pub start: f64,
    pub end: f64,
}

impl Synthesizer {
    /// Text tokens that the GPT never sees inside a text.
    pub(super) fn silent_tokens(&self) -> [u32; 2] {
        let tokens = self.networks.gpt.tokens();
        [tokens.start_text, tokens.stop_text]
    }

    /// When the `words` of a segment that is over are spoken, if the model can tell.
    pub(super) async fn words(
        &self,
        segment: &SegmentInWork,
        conditioning: &Conditioning,
        options: &Options,
        words: &[(String, Range<usize>)],
    ) -> Result<Vec<Word>> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let (gpt, codes) = (&self.networks.gpt, segment.decoding.settled());
        let tokens = segment.ids.iter().filter(|id| !self.silent_tokens().contains(id)).count();
        let prefix = gpt.prefix(conditioning.0.clone(), &segment.ids, self.language(options))?;
        let first = options.decode.positions.of(1);
        let Some(attention) = gpt.attention_to_text(prefix, tokens, codes, first) else { return Ok(Vec::new()) };
        let attention = values(attention).await?;
        let frame = self.config.mel.hop_length as f64 / f64::from(self.sample_rate());
        let length = segment.frames() as f64 * frame;
        Ok(times(words, &path(&attention, tokens), segment.frames_per_code * frame, length))
    }
}

/// The words of a segment, each with its tokens; none if tokens and words cannot be told to belong together, as where words
/// have no space between them.
pub(super) fn of_segment(reading: &Reading, segment: usize, dropped: &[u32]) -> Vec<(String, Range<usize>)> {
    let (Some(pieces), Some(text)) = (reading.segments.get(segment), reading.texts.get(segment)) else {
        return Vec::new();
    };
    let words: Vec<&str> = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    let tokens = tokens_of_words(pieces.iter().filter(|piece| !dropped.contains(&piece.id)));
    match words.len() == tokens.len() {
        true => words.into_iter().map(String::from).zip(tokens).collect(),
        false => Vec::new(),
    }
}

/// Ranges of pieces between spaces, punctuation at their ends left out.
fn tokens_of_words<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for (at, piece) in pieces.enumerate() {
        open &= !piece.text.starts_with('▁');
        if !piece.text.chars().any(char::is_alphanumeric) {
            continue;
        }
        match words.last_mut().filter(|_| open) {
            Some(word) => word.end = at + 1,
            None => words.push(at..at + 1),
        }
        open = true;
    }
    words
}

/// Times of `words` by the token that each code belongs to; a code lasts `seconds`, the whole `length`.
fn times(words: &[(String, Range<usize>)], places: &[usize], seconds: f64, length: f64) -> Vec<Word> {
    let time = |code: usize| (code as f64 * seconds).min(length);
    let first = |token: usize| places.partition_point(|place| *place < token);
    words
        .iter()
        .map(|(text, tokens)| Word {
            text: text.clone(),
            start: time(first(tokens.start)),
            end: time(first(tokens.end)),
        })
        .collect()
}

/// The token that each code belongs to, of the `attention` `[codes, tokens]`.
fn path(attention: &[f32], tokens: usize) -> Vec<usize> {
    if tokens == 0 {
        return Vec::new();
    }
    let mut came: Vec<Vec<usize>> = Vec::new();
    let mut total: Vec<f32> = Vec::new();
    for row in attention.chunks_exact(tokens) {
        let mut best = (f32::NEG_INFINITY, 0);
        let mut from = Vec::with_capacity(tokens);
        let mut next = Vec::with_capacity(tokens);
        for (at, share) in row.iter().enumerate() {
            // Every token passed on the way to this one, but for the first step, is left out.
            let passed = LEFT_OUT * at as f32;
            let stay = match total.get(at) {
                Some(stay) => *stay,
                None => -passed,
            };
            let (through, before) =
                if best.0 - passed + LEFT_OUT > stay { (best.0 - passed + LEFT_OUT, best.1) } else { (stay, at) };
            next.push(through + (share + NONE).ln());
            from.push(before);
            if let Some(total) = total.get(at)
                && total + passed > best.0
            {
                best = (total + passed, at);
            }
        }
        came.push(from);
        total = next;
    }
    let ending = |at: usize| total.get(at).copied().unwrap_or(f32::NEG_INFINITY) - LEFT_OUT * (tokens - 1 - at) as f32;
    let mut at = (0..tokens).max_by(|a, b| ending(*a).total_cmp(&ending(*b))).unwrap_or(0);
    let mut path = Vec::with_capacity(came.len());
    for from in came.iter().rev() {
        path.push(at);
        at = from.get(at).copied().unwrap_or(at);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(texts: &[&str]) -> Vec<Piece> {
        texts.iter().enumerate().map(|(id, text)| Piece { id: id as u32, text: (*text).into() }).collect()
    }

    #[test]
    fn words_are_what_stands_between_spaces() {
        for (texts, want) in [
            (&["▁", "h", "ˈ", "i", ",", "▁", "y", "u", "."][..], vec![1..4, 6..8]),
            (&["▁HE", "LLO", "▁WOR", "LD", "!"], vec![0..2, 2..4]),
            (&["▁", "\"", "A", "\"", "▁", "-", "▁B"], vec![2..3, 6..7]),
            (&["▁DON", "'", "T", "▁X"], vec![0..3, 3..4]),
            (&["▁", "."], vec![]),
        ] {
            let pieces = pieces(texts);
            let got = tokens_of_words(pieces.iter());
            assert_eq!(got, want, "{texts:?}");
        }
    }

    /// Attention that is sharp at `places`, with a little everywhere.
    fn attention(places: &[usize], tokens: usize) -> Vec<f32> {
        let share = |at: usize, place: usize| if at == place { 0.6 } else { 0.4 / tokens as f32 };
        places.iter().flat_map(|place| (0..tokens).map(move |at| share(at, *place))).collect()
    }

    #[test]
    fn the_path_follows_the_attention_and_never_goes_back() {
        let places = [0, 0, 1, 1, 1, 2, 4, 4, 5];
        assert_eq!(path(&attention(&places, 6), 6), places);
        // A look back, or far ahead, is not followed.
        let mut looked = places;
        looked[3] = 0;
        assert_eq!(path(&attention(&looked, 6), 6), places);
        looked[3] = 5;
        assert_eq!(path(&attention(&looked, 6), 6), places);
        assert_eq!(path(&[], 3), [0usize; 0]);
        assert_eq!(path(&[], 0), [0usize; 0]);
    }

    #[test]
    fn words_last_from_their_first_code_to_the_next_thing() {
        let words = [("one".to_string(), 1..3), ("two".to_string(), 4..5), ("three".to_string(), 6..7)];
        let got = times(&words, &[0, 1, 1, 2, 3, 4, 5, 5], 0.5, 3.8);
        let word = |text: &str, start: f64, end: f64| Word { text: text.into(), start, end };
        assert_eq!(got, [word("one", 0.5, 2.0), word("two", 2.5, 3.0), word("three", 3.8, 3.8)]);
    }
}
