//! Pinyin with tone digits, as users write it into a text to fix a pronunciation.
//!
//! Source: text specification A.2 and A.3.

const INITIALS: &[&str] = &[
    "zh", "ch", "sh", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "z", "c", "s", "r", "y",
    "w",
];
const FINALS: &[&str] = &[
    "a", "e", "i", "o", "u", "ü", "v", "ai", "ei", "ua", "ui", "uo", "ao", "ou", "ia", "iu", "ie", "ue", "üe", "ve",
    "uan", "uang", "van", "vang", "üan", "üang", "uai", "an", "en", "in", "un", "vn", "ang", "eng", "ing", "ong",
    "ian", "iao", "iang", "iong",
];
const WHOLE: &[&str] = &["ng", "er"];

/// Letters of the longest syllable, zhuang.
const LONGEST: usize = 6;

/// Length in bytes of the syllable with its tone at the start of `text`. Case does not matter.
pub fn syllable(text: &str) -> Option<usize> {
    let (letters, _) =
        text.char_indices().take(LONGEST + 1).find(|(_, c)| !c.is_ascii_alphabetic() && *c != 'ü' && *c != 'Ü')?;
    if letters == 0 || !matches!(text.as_bytes()[letters], b'1'..=b'5') {
        return None;
    }
    let syllable = text[..letters].to_lowercase();
    let is_final = |s: &str| FINALS.contains(&s);
    let known = WHOLE.contains(&syllable.as_str())
        || is_final(&syllable)
        || INITIALS.iter().any(|initial| syllable.strip_prefix(initial).is_some_and(is_final));
    known.then_some(letters + 1)
}

/// Places of the syllables of `text`. A syllable does not start behind a letter.
pub fn find(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut previous = ' ';
    while let Some(c) = text[at..].chars().next() {
        let starts = c.is_ascii_alphabetic() || c == 'ü' || c == 'Ü';
        match syllable(&text[at..]).filter(|_| starts && !previous.is_ascii_alphabetic()) {
            Some(length) => {
                found.push((at, at + length));
                at += length;
                previous = '1';
            }
            None => {
                at += c.len_utf8();
                previous = c;
            }
        }
    }
    found
}

/// As the vocabulary has it: after j, q and x the ü is written v, and the syllable is upper-cased; other syllables stay as
/// they are.
pub fn correct(syllable: &str) -> String {
    if !syllable.starts_with(['j', 'q', 'x', 'J', 'Q', 'X']) {
        return syllable.to_string();
    }
    let upper = syllable.to_uppercase();
    let (initial, rest) = upper.split_at(1);
    let umlaut = rest.strip_prefix(['U', 'Ü']).filter(|rest| {
        let ending = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        matches!(ending, "" | "N" | "E" | "AN")
    });
    umlaut.map_or_else(|| upper.clone(), |rest| format!("{initial}V{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_are_found_as_specified() {
        let texts = |text: &'static str| find(text).into_iter().map(|(a, b)| &text[a..b]).collect::<Vec<_>>();
        assert_eq!(
            texts("我在XING2, lü4 and zhuang4er2 beta1 ma6 a1b xiong2"),
            ["XING2", "lü4", "zhuang4", "er2", "a1", "xiong2"]
        );
        assert!(texts("ün3 DEX5 MP3 1 2").is_empty());
    }

    #[test]
    fn umlauts_after_jqx_are_written_v() {
        for (written, vocabulary) in
            [("xu4", "XV4"), ("jue2", "JVE2"), ("quan2", "QVAN2"), ("xün4", "XVN4"), ("jing1", "JING1"), ("lü4", "lü4")]
        {
            assert_eq!(correct(written), vocabulary);
        }
    }
}
