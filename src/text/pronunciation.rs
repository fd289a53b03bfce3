//! Marked pronunciations, `<word|reading>`, as the special tokens of 2.5.
//!
//! Source: text specification C.5 and C.7.
use super::normalize::pinyin;

/// Around a reading in phonemes or of a word without Chinese characters.
const LATIN: &str = "<|SPECIAL_TOKEN_1|>";
/// Around the reading of a Chinese word.
const CHINESE: &str = "<|SPECIAL_TOKEN_2|>";

/// Longest mark that is looked for, in bytes.
const LONGEST: usize = 800;

/// Replaces every mark by its reading: kana by themselves, anything else upper-cased between special tokens.
pub fn expand(text: &str) -> String {
    replace(text, spoken)
}

fn replace(text: &str, read: impl Fn(&str, &str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match mark(rest) {
            Some((word, reading)) => {
                rest = &rest[word.len() + reading.len() + 3..];
                out.push_str(&read(word, reading));
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// For vocabularies without those tokens: pinyin in place of the word, and the word where they cannot spell the reading.
pub fn plain(text: &str) -> String {
    replace(text, |word, reading| {
        let pinyin = pinyin::find(reading);
        let length: usize = pinyin.iter().map(|(start, end)| end - start).sum();
        let only =
            !pinyin.is_empty() && length == reading.chars().filter(|c| *c != ' ').map(char::len_utf8).sum::<usize>();
        if only {
            reading.split(' ').map(pinyin::correct).collect::<Vec<_>>().join(" ").to_uppercase()
        } else {
            word.into()
        }
    })
}

/// The word and the reading of the mark at the start of `text`.
fn mark(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let end = inner.bytes().take(LONGEST).position(|b| b == b'>')?;
    let (word, reading) = inner[..end].split_once('|')?;
    // `<|en|>` has no word; it is a token.
    let whole = !word.is_empty() && !reading.is_empty() && !inner[..end].contains(['<', '\n']);
    whole.then_some((word, reading))
}

fn spoken(word: &str, reading: &str) -> String {
    let all = |first: char, last: char| reading.chars().all(|c| (first..=last).contains(&c) || c == 'ー');
    let reading = reading.to_uppercase();
    if all('\u{3041}', '\u{309f}') || all('\u{30a0}', '\u{30ff}') {
        return format!(" {reading} ");
    }
    let token = if word.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) { CHINESE } else { LATIN };
    format!("{token}{reading}{token}")
}

/// Special tokens are in upper case; the text around them may have been put in lower case with them.
pub fn raise_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<|") {
        let end = rest.as_bytes()[at + 2..].iter().take(40).position(|b| *b == b'|').map(|n| at + 2 + n);
        let Some(end) = end.filter(|end| rest[*end..].starts_with("|>")) else {
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        out.push_str(&rest[..at]);
        out.push_str(&rest[at..end].to_uppercase());
        out.push_str("|>");
        rest = &rest[end + 2..];
    }
    out + rest
}

/// The parts of a text: readings between two equal special tokens are one part each and are never taken apart.
pub fn regions(text: &str) -> Vec<(&str, bool)> {
    let mut regions = Vec::new();
    let (mut open, mut at) = (0, 0);
    while let Some(start) = text[at..].find("<|SPECIAL_TOKEN_").map(|offset| at + offset) {
        let token = text[start..].find("|>").map(|n| &text[start..start + n + 2]).filter(|token| token.len() < 24);
        let Some(token) = token else { break };
        let inner = start + token.len();
        let Some(length) = text[inner..].find("<|").filter(|n| text[inner + n..].starts_with(token)) else {
            at = inner;
            continue;
        };
        if open < start {
            regions.push((&text[open..start], false));
        }
        at = inner + length + token.len();
        regions.push((&text[start..at], true));
        open = at;
    }
    if open < text.len() {
        regions.push((&text[open..], false));
    }
    regions
}

/// `text` without the special tokens around readings that do not `fit` a segment: what no segment can hold has to be taken
/// apart, and half a pair of tokens is none. `None` where all fit.
pub fn open_long(text: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let long = |(part, whole): &(&str, bool)| *whole && !fits(part);
    let parts = regions(text);
    if !parts.iter().any(long) {
        return None;
    }
    let opened: String = parts.iter().map(|part| if long(part) { inner(part.0) } else { part.0 }).collect();
    // Tokens of no pair may have met around what was opened.
    let met = regions(&opened).iter().any(long);
    Some(if met { opened.replace(LATIN, "").replace(CHINESE, "") } else { opened })
}

/// What is between the two tokens of a region.
fn inner(region: &str) -> &str {
    let token = region.find("|>").map_or(0, |at| at + 2);
    region.get(token..region.len().saturating_sub(token)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_marked_by_what_they_are() {
        for (written, expected) in [
            ("银<行|hang2>业", "银<|SPECIAL_TOKEN_2|>HANG2<|SPECIAL_TOKEN_2|>业"),
            ("a <minute|m ih1 . n ah0 t>!", "a <|SPECIAL_TOKEN_1|>M IH1 . N AH0 T<|SPECIAL_TOKEN_1|>!"),
            ("彼は<上手|じょうず>だ", "彼は じょうず だ"),
            ("<国|コク>", " コク "),
            ("1 < 2 | 3", "1 < 2 | 3"),
            ("<|en|> x", "<|en|> x"),
            ("<a|b", "<a|b"),
        ] {
            assert_eq!(expand(written), expected);
        }
    }

    #[test]
    fn readings_that_no_segment_holds_are_opened() {
        let fits = |part: &str| part.len() <= 44;
        for (written, expected) in [
            (format!("a {LATIN}M IH1{LATIN} b"), None),
            (format!("a {LATIN}M IH1 N AH0 T{LATIN} b {CHINESE}HANG2{CHINESE}"), {
                Some(format!("a M IH1 N AH0 T b {CHINESE}HANG2{CHINESE}"))
            }),
            (format!("{LATIN}{CHINESE}M IH1 N AH0 T{CHINESE}{LATIN}"), Some("M IH1 N AH0 T".into())),
        ] {
            assert_eq!(open_long(&written, fits), expected, "{written}");
        }
    }

    #[test]
    fn other_vocabularies_get_pinyin_or_the_word() {
        for (written, expected) in [
            ("银<行|hang2>业", "银HANG2业"),
            ("<上海|shang4 hai3>", "SHANG4 HAI3"),
            ("a <minute|M IH1 . N AH0 T>!", "a minute!"),
            ("<上手|じょうず>", "上手"),
        ] {
            assert_eq!(plain(written), expected);
        }
    }

    #[test]
    fn tokens_are_upper_case_and_stay_whole() {
        let text = "a<|special_token_1|>x<|special_token_1|>b<|";
        let raised = raise_tokens(text);
        assert_eq!(raised, "a<|SPECIAL_TOKEN_1|>x<|SPECIAL_TOKEN_1|>b<|");
        let parts = regions(&raised);
        assert_eq!(parts, [("a", false), ("<|SPECIAL_TOKEN_1|>x<|SPECIAL_TOKEN_1|>", true), ("b<|", false)]);
    }
}
