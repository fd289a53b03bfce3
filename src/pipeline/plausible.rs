//! Whether a segment's codes can be the speech of its text.

/// Codes that a text token takes at least and at most: 0.04 s and 1.2 s.
const LEAST: f64 = 2.0;
const MOST: f64 = 60.0;
/// Codes that are never too many: pauses and breath of 3 s.
const SPARE: f64 = 150.0;
/// A pattern of codes that is repeated for this long, in codes, is a loop: 3 s.
const LOOP: usize = 150;
/// Longest pattern that is looked for: 1 s.
const PATTERN: usize = 50;

/// What is wrong with `codes` (50 Hz) as the speech of `tokens` text tokens; `ended` says whether the model ended them.
pub fn doubt(codes: &[u32], tokens: usize, ended: bool) -> Option<&'static str> {
    let (count, tokens) = (codes.len() as f64, tokens as f64);
    if loops(codes) {
        Some("repeats itself")
    } else if ended && count < LEAST * tokens {
        Some("is too short for its text")
    } else if count > MOST * tokens + SPARE {
        Some("is too long for its text")
    } else {
        None
    }
}

/// Whether the codes end in one pattern over and over. One code alone is silence or a long vowel, which takes longer to
/// be a fault.
fn loops(codes: &[u32]) -> bool {
    let ends_in = |period: usize, length: usize| {
        codes.len() >= length + period
            && codes[codes.len() - length..].iter().zip(&codes[codes.len() - length - period..]).all(|(a, b)| a == b)
    };
    let one = ends_in(1, PATTERN);
    ends_in(1, 2 * LOOP) || (!one && (2..=PATTERN).any(|period| ends_in(period, LOOP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varied(count: usize) -> Vec<u32> {
        // Thue and Morse's sequence has no pattern three times in a row.
        (0..count as u32).map(|i| i.count_ones() % 2).collect()
    }

    #[test]
    fn speech_of_every_usual_speed_passes() {
        for (tokens, codes) in [(1, 20), (10, 30), (10, 100), (10, 500), (120, 900), (5, 400)] {
            assert_eq!(doubt(&varied(codes), tokens, true), None, "{codes} codes for {tokens} tokens");
        }
    }

    #[test]
    fn doubts_are_told() {
        assert_eq!(doubt(&varied(15), 10, true), Some("is too short for its text"));
        assert_eq!(doubt(&varied(15), 10, false), None);
        assert_eq!(doubt(&varied(800), 10, true), Some("is too long for its text"));
        let mut looping = varied(100);
        looping.extend((0..200).map(|i| [7, 8, 9][i % 3]));
        assert_eq!(doubt(&looping, 60, true), Some("repeats itself"));
        let mut silence = varied(100);
        silence.extend([4; 200]);
        assert_eq!(doubt(&silence, 60, true), None);
        silence.extend([4; 200]);
        assert_eq!(doubt(&silence, 60, true), Some("repeats itself"));
    }
}
