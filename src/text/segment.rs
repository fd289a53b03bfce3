//! Splitting tokens into segments at sentence ends, commas and hyphens.
//!
//! Source: text specification B.2: a mark right at the start of a segment does not end it. The reference says a quote after
//! a sentence end twice, in both segments (quirk Q61); here it belongs to the first unless asked otherwise.
use crate::text::tokenizer::Piece;

const SENTENCE: &[&str] = &[".", "!", "?", "▁.", "▁?", "▁..."];
const COMMA: &[&str] = &[",", "▁,"];
const HYPHEN: &[&str] = &["-"];
const QUOTES: &[&str] = &["'", "▁'"];

/// Segments of at most `max` tokens (one more where a quote follows a sentence end). While no more than `quick` tokens
/// have been handed out, segments are joined only up to half of `max`, so that the first ones come soon. A quote behind the
/// end of a sentence is repeated, as the reference does.
pub fn split(pieces: &[Piece], max: usize, quick: usize) -> Vec<Vec<Piece>> {
    Splitter { max: max.max(1), quick }.split_at(pieces, SENTENCE)
}

struct Splitter {
    max: usize,
    quick: usize,
}

fn is(piece: &Piece, marks: &[&str]) -> bool {
    marks.contains(&piece.text.as_str())
}

impl Splitter {
    fn split_at(&self, pieces: &[Piece], marks: &[&str]) -> Vec<Vec<Piece>> {
        let max = self.max;
        let mut segments: Vec<Vec<Piece>> = Vec::new();
        let mut current: Vec<Piece> = Vec::new();
        let mut pieces = pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            current.push(piece.clone());
            let holds = |set: &[&str]| current.iter().any(|p| is(p, set));
            if marks != COMMA && holds(COMMA) {
                segments.extend(self.split_at(&current, COMMA));
            } else if marks != HYPHEN && holds(HYPHEN) {
                segments.extend(self.split_at(&current, HYPHEN));
            } else if current.len() <= max {
                if !is(piece, marks) || current.len() <= 2 {
                    continue;
                }
                if let Some(quote) = pieces.peek().filter(|next| is(next, QUOTES)) {
                    current.push((*quote).clone());
                }
                segments.push(std::mem::take(&mut current));
                continue;
            } else {
                tracing::warn!("a part of the text without any mark is longer than {max} tokens and is cut");
                segments.extend(current.chunks(max).map(<[Piece]>::to_vec));
            }
            current.clear();
        }
        if !current.is_empty() {
            segments.push(current);
        }
        merge(segments, max, self.quick)
    }
}

/// Joins neighbours as long as they fit.
fn merge(segments: Vec<Vec<Piece>>, max: usize, quick: usize) -> Vec<Vec<Piece>> {
    let mut merged: Vec<Vec<Piece>> = Vec::new();
    let mut total = 0;
    for segment in segments.into_iter().filter(|s| !s.is_empty()) {
        total += segment.len();
        match merged.last_mut() {
            Some(last) if fits(last.len() + segment.len(), max, total > quick) => last.extend(segment),
            _ => merged.push(segment),
        }
    }
    merged
}

fn fits(joined: usize, max: usize, settled: bool) -> bool {
    joined <= max / 2 || (settled && joined <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        text.split_whitespace().map(|t| Piece { id: 5, text: t.into() }).collect()
    }

    fn texts(segments: &[Vec<Piece>]) -> Vec<String> {
        segments.iter().map(|s| s.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join(" ")).collect()
    }

    fn check(text: &str, max: usize, expected: &[&str]) {
        assert_eq!(texts(&split(&pieces(text), max, 0)), expected, "{text} at {max}");
    }

    #[test]
    fn sentences_are_packed_up_to_the_limit() {
        check("a b . c d . e f .", 120, &["a b . c d . e f ."]);
        check("a b . c d . e f .", 6, &["a b . c d .", "e f ."]);
        check("a b . c d . e f .", 3, &["a b .", "c d .", "e f ."]);
    }

    #[test]
    fn commas_and_hyphens_split_what_is_too_long_for_sentences() {
        check("a b c , d e f .", 4, &["a b c ,", "d e f ."]);
        check("a b - c d e", 4, &["a b -", "c d e"]);
    }

    #[test]
    fn a_mark_right_at_the_start_does_not_end_a_segment() {
        check("a . b c .", 5, &["a . b c ."]);
        check(". . . a", 2, &[". .", ". a"]);
    }

    #[test]
    fn a_quote_after_a_sentence_end_occurs_twice_in_the_reference() {
        check("a b . ' c d", 4, &["a b . '", "' c d"]);
    }

    #[test]
    fn what_has_no_mark_is_cut() {
        // The token that makes it too long ends up alone: the count starts anew behind it.
        check("a b c d e f g", 3, &["a b c", "d", "e f g"]);
    }

    #[test]
    fn the_first_segments_are_short_when_asked() {
        let segments = split(&pieces("a b c . d e f . g h i . j k l ."), 8, 8);
        // Eight tokens have to be out before segments are joined beyond half of the limit.
        assert_eq!(texts(&segments), ["a b c .", "d e f . g h i .", "j k l ."]);
    }
}
