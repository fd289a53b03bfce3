//! Punctuation as the vocabularies have it.
//!
//! Source: text specification A.1, in one pass; and the marks it forgets.

/// The reference's character map, and `$` as it maps it in Chinese. Marked pronunciations stay as they are.
pub fn map(text: &str, chinese: bool) -> String {
    replace(text, |rest, c| match c {
        '$' if chinese => Some((1, ".")),
        _ => reference(rest, c),
    })
}

/// [`map`], and every other mark that ends a sentence, makes a pause or quotes; runs of spaces and pauses become one.
pub fn map_all(text: &str) -> String {
    let mapped = replace(text, |rest, c| {
        reference(rest, c).or_else(|| {
            Some(match c {
                '–' | '―' | '‒' | '‐' | '‑' | '−' | '〜' => (c.len_utf8(), "-"),
                '„' | '‚' | '«' | '»' | '‹' | '›' | '〈' | '〉' | '『' | '』' | '〔' | '〕' | '｛' | '｝' | '{'
                | '}' | '`' | '´' => (c.len_utf8(), "'"),
                '\u{ff61}' | '।' | '۔' => (c.len_utf8(), "."),
                '،' | '؛' | '\u{ff64}' | '|' => (c.len_utf8(), ","),
                '؟' => (c.len_utf8(), "?"),
                '¿' | '¡' | '*' | '^' | '\\' | '_' | '#' | '<' | '>' => (c.len_utf8(), " "),
                _ => return None,
            })
        })
    });
    tidy(&mapped)
}

fn reference(rest: &str, c: char) -> Option<(usize, &'static str)> {
    Some(match c {
        '.' if rest.starts_with("...") => (3, "…"),
        ',' if rest.starts_with(",,,") => (3, "…"),
        '…' if rest.starts_with("……") => ("……".len(), "…"),
        '：' | '；' | '，' | '、' | ';' | ':' => (c.len_utf8(), ","),
        '。' => (c.len_utf8(), "."),
        '！' => (c.len_utf8(), "!"),
        '？' => (c.len_utf8(), "?"),
        '\n' => (1, " "),
        '·' | '—' | '～' | '~' => (c.len_utf8(), "-"),
        '“' | '”' | '"' | '‘' | '’' | '（' | '）' | '(' | ')' | '《' | '》' | '【' | '】' | '[' | ']' | '「' | '」' => {
            (c.len_utf8(), "'")
        }
        _ => return None,
    })
}

fn replace(text: &str, map: impl Fn(&str, char) -> Option<(usize, &'static str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = super::annotation(&text[at..]) {
            out.push_str(&text[at..at + length]);
            at += length;
            continue;
        }
        match map(&text[at..], c) {
            Some((taken, mapped)) => {
                out.push_str(mapped);
                at += taken;
            }
            None => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    out
}

/// Single spaces, none before a mark, and no mark at the start.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = super::annotation(&text[at..]) {
            out.push_str(&text[at..at + length]);
            at += length;
            continue;
        }
        at += c.len_utf8();
        match c {
            ' ' if out.is_empty() || out.ends_with(' ') => {}
            ',' | '.' | '!' | '?' | '…' if out.ends_with(' ') => {
                out.pop();
                push_mark(&mut out, c);
            }
            ',' | '.' | '!' | '?' | '…' => push_mark(&mut out, c),
            _ => out.push(c),
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out
}

/// A comma next to another mark says nothing; two sentence ends are kept ("?!").
fn push_mark(out: &mut String, mark: char) {
    match mark {
        ',' if out.is_empty() || out.ends_with([',', '.', '!', '?', '…']) => {}
        _ if out.ends_with(',') => {
            out.pop();
            out.push(mark);
        }
        _ => out.push(mark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_of_the_reference() {
        assert_eq!(map("你好：“世界”；（好）……。！", true), "你好,'世界','好'….!");
        assert_eq!(map("a...b,,,c~d\ne: $5", false), "a…b…c-d e, $5");
        assert_eq!(map("$5", true), ".5");
    }

    #[test]
    fn other_marks_and_doubled_ones() {
        assert_eq!(map_all(" « Bonjour »  –  dit-il , ,  puis . "), "' Bonjour ' - dit-il, puis.");
        assert_eq!(map_all("Really?! ... Yes"), "Really?!… Yes");
    }
}
