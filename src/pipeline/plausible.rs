//! Whether a segment's codes can be the speech of its text.

/// Seconds that a text token takes at least, and at most.
const LEAST: f64 = 0.04;
const MOST: f64 = 1.2;
/// Pauses and breath of this many seconds are never too long.
const SPARE: f64 = 2.0;
/// A vocabulary smaller than this has letters or phones only, of which so many make up a token of a larger one.
const LETTERS: (usize, f64) = (256, 4.0);
/// A pattern that is repeated for this many seconds is a loop.
const LOOP: f64 = 3.0;
/// Longest pattern that is looked for, seconds.
const PATTERN: f64 = 1.0;

/// What is wrong with `codes`, of which a second has `rate`, as the speech of `tokens` text tokens; `ended` says whether
/// the model ended them.
///
/// The tokens are of a vocabulary of `vocabulary`.
pub fn doubt(codes: &[u32], rate: f64, tokens: usize, vocabulary: usize, ended: bool) -> Option<&'static str> {
    let (seconds, tokens) = (codes.len() as f64 / rate, words(tokens, vocabulary));
    if loops(codes, rate) {
        Some("repeats itself")
    } else if ended && seconds < LEAST * tokens {
        Some("is too short for its text")
    } else if seconds > longest(tokens) {
        Some("is too long for its text")
    } else {
        None
    }
}

/// Codes from which on no speech of `tokens` text tokens can be so long: with so many [`doubt`] is sure.
pub fn too_many(rate: f64, tokens: usize, vocabulary: usize) -> usize {
    (longest(words(tokens, vocabulary)) * rate).floor() as usize + 1
}

/// Tokens of a large vocabulary that say as much.
fn words(tokens: usize, vocabulary: usize) -> f64 {
    tokens as f64 / if vocabulary < LETTERS.0 { LETTERS.1 } else { 1.0 }
}

/// Seconds that so many tokens take at most.
fn longest(tokens: f64) -> f64 {
    MOST * tokens + SPARE
}

/// Whether the codes end in one pattern over and over. One code alone is silence or a long vowel, which takes longer to
/// be a fault.
fn loops(codes: &[u32], rate: f64) -> bool {
    let (length, longest) = ((LOOP * rate) as usize, (PATTERN * rate) as usize);
    let ends_in = |period: usize, length: usize| {
        codes.len() >= length + period
            && codes[codes.len() - length..].iter().zip(&codes[codes.len() - length - period..]).all(|(a, b)| a == b)
    };
    let one = ends_in(1, longest);
    ends_in(1, 2 * length) || (!one && (2..=longest).any(|period| ends_in(period, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 12_000;

    /// "Really?" in phones is seven tokens and takes half a second.
    #[test]
    fn letters_are_shorter_than_words() {
        assert_eq!(doubt(&varied(20), 25.0, 7, 79, true), None);
        assert_eq!(doubt(&varied(100), 25.0, 7, 79, true), None);
        assert_eq!(doubt(&varied(110), 25.0, 7, 79, true), Some("is too long for its text"));
        assert_eq!(doubt(&varied(110), 25.0, 7, LARGE, true), None);
        // A sentence of a hundred letters in two seconds is quick, in half a second impossible.
        assert_eq!(doubt(&varied(50), 25.0, 100, 79, true), None);
        assert_eq!(doubt(&varied(12), 25.0, 100, 79, true), Some("is too short for its text"));
    }

    fn varied(count: usize) -> Vec<u32> {
        // Thue and Morse's sequence has no pattern three times in a row.
        (0..count as u32).map(|i| i.count_ones() % 2).collect()
    }

    #[test]
    fn speech_of_every_usual_speed_passes() {
        for (tokens, codes) in [(1, 20), (10, 30), (10, 100), (10, 500), (120, 900), (5, 400)] {
            assert_eq!(doubt(&varied(codes), 50.0, tokens, LARGE, true), None, "{codes} codes for {tokens} tokens");
        }
    }

    /// The first number of codes that is too long is the one at which decoding stops.
    #[test]
    fn too_many_codes_are_the_first_doubtful_ones() {
        for (rate, tokens, vocabulary) in
            [(50.0, 1, LARGE), (50.0, 10, LARGE), (25.0, 7, 79), (25.0, 23, 79), (21.5, 3, 79)]
        {
            let many = too_many(rate, tokens, vocabulary);
            let doubted = |codes: usize| doubt(&varied(codes), rate, tokens, vocabulary, false);
            assert_eq!(doubted(many), Some("is too long for its text"));
            assert_eq!(doubted(many - 1), None);
        }
    }

    #[test]
    fn doubts_are_told() {
        assert_eq!(doubt(&varied(15), 50.0, 10, LARGE, true), Some("is too short for its text"));
        assert_eq!(doubt(&varied(15), 50.0, 10, LARGE, false), None);
        assert_eq!(doubt(&varied(800), 50.0, 10, LARGE, true), Some("is too long for its text"));
        let mut looping = varied(100);
        looping.extend((0..200).map(|i| [7, 8, 9][i % 3]));
        assert_eq!(doubt(&looping, 50.0, 60, LARGE, true), Some("repeats itself"));
        let mut silence = varied(100);
        silence.extend([4; 200]);
        assert_eq!(doubt(&silence, 50.0, 60, LARGE, true), None);
        silence.extend([4; 200]);
        assert_eq!(doubt(&silence, 50.0, 60, LARGE, true), Some("repeats itself"));
    }
}
