//! Odd characters: full-width forms, ligatures and signs that stand for several characters, emoji, invisible characters.

use std::borrow::Cow;

/// Signs that are written out before anything else looks at a text.
const WRITTEN_OUT: &[(char, &str)] = &[
    ('℃', "°C"),
    ('℉', "°F"),
    ('㎏', "kg"),
    ('㎎', "mg"),
    ('㎜', "mm"),
    ('㎝', "cm"),
    ('㎞', "km"),
    ('㎡', "m²"),
    ('㎥', "m³"),
    ('㏄', "cc"),
    ('№', "No. "),
    ('㈱', "株式会社"),
    ('㈲', "有限会社"),
    ('½', " 1/2"),
    ('⅓', " 1/3"),
    ('⅔', " 2/3"),
    ('¼', " 1/4"),
    ('¾', " 3/4"),
    ('⅕', " 1/5"),
    ('⅛', " 1/8"),
    ('⅜', " 3/8"),
    ('⅝', " 5/8"),
    ('⅞', " 7/8"),
    ('￥', "¥"),
    ('￡', "£"),
    ('％', "%"),
    ('∶', ":"),
    ('∕', "/"),
    ('⁄', "/"),
    ('✕', "×"),
    ('➕', "+"),
    ('™', ""),
    ('®', ""),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('ﬀ', "ff"),
    ('ﬃ', "ffi"),
    ('→', ", "),
    ('•', ", "),
    ('●', ", "),
    ('■', ", "),
    ('◆', ", "),
];

/// Faces made of punctuation; they stand behind a space or start a text, and a space or the end follows.
const FACES: [&str; 13] = [":-)", ":-(", ";-)", ":-D", ":-P", ":-/", ":)", ":(", ";)", ":D", ":P", ":'(", "^_^"];

/// `text` without faces.
fn without_faces(text: &str) -> Cow<'_, str> {
    if !FACES.iter().any(|face| text.contains(face)) {
        return text.into();
    }
    // Spaces are kept, each with the word in front of it.
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        if FACES.contains(&bare) { &word[bare.len()..] } else { word }
    });
    words.collect::<String>().into()
}

/// A text with ordinary characters only; nothing that is read is lost.
pub fn plain(text: &str) -> String {
    let text = without_faces(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // The whole block of full-width ASCII but for the punctuation that Chinese uses.
            '！' | '，' | '：' | '；' | '？' | '（' | '）' => out.push(c),
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(c) - 0xfee0)),
            '\u{3000}' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\t' | '\r' => out.push(' '),
            '①'..='⑳' => out.push_str(&(u32::from(c) - u32::from('①') + 1).to_string()),
            '⑴'..='⒇' => out.push_str(&(u32::from(c) - u32::from('⑴') + 1).to_string()),
            'Ⅰ'..='Ⅻ' => out.push_str(ROMAN[(u32::from(c) - u32::from('Ⅰ')) as usize]),
            '⁴'..='⁹' => out.extend(['^', char::from(b'0' + (u32::from(c) - u32::from('⁰')) as u8)]),
            '₀'..='₉' => out.push(char::from(b'0' + (u32::from(c) - u32::from('₀')) as u8)),
            _ if is_invisible(c) => {}
            _ if is_pictograph(c) => out.push(' '),
            _ => match WRITTEN_OUT.iter().find(|(sign, _)| *sign == c) {
                Some((_, text)) => {
                    // " 1/2" follows a number with a space, anything else without one.
                    let after_digit = out.ends_with(|c: char| c.is_ascii_digit());
                    out.push_str(if after_digit { text } else { text.trim_start() });
                }
                None => out.push(c),
            },
        }
    }
    out
}

const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Zero-width characters, joiners, variation selectors, direction marks, controls.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{e0000}'..='\u{e007f}' | '\u{fffd}')
        || c.is_control() && c != '\n'
}

/// Emoji and pictures of text: they are not read.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{2500}'..='\u{25ff}'
        | '\u{23e9}'..='\u{23fa}' | '\u{2190}'..='\u{21ff}' | '\u{e000}'..='\u{f8ff}')
        && !WRITTEN_OUT.iter().any(|(sign, _)| *sign == c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_forms_become_plain() {
        for (written, expected) in [
            ("ＡＢＣ１２３％", "ABC123%"),
            ("你好，（世界）！", "你好，（世界）！"),
            ("3½ and ½", "3 1/2 and 1/2"),
            ("25℃ ①Ⅳ", "25°C 1IV"),
            ("a\u{200b}b\u{feff}", "ab"),
            ("Hi 😀👍🏽!", "Hi    !"),
            ("x⁵", "x^5"),
            ("1️⃣", "1"),
            (":) fun :-D but :)) and a:)", " fun  but :)) and a:)"),
        ] {
            let plain = plain(written);
            assert_eq!(plain, expected, "{written}");
        }
    }
}
