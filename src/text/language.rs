//! The languages of the models: their codes, their places in the language table, and which one a text is in.
//!
//! Source: text specification C.1 and C.2 (the table is that of the Whisper tokenizer, with dialects behind it).
use std::fmt;
use std::str::FromStr;

use super::normalize::Rules;
use crate::Error;

/// Codes in the order of the language table. The first 99 have a token of their own.
#[rustfmt::skip]
pub(super) const CODES: [&str; 106] = [
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it", "id", "hi", "fi", "vi",
    "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk",
    "te", "fa", "lv", "bn", "sr", "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw",
    "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo",
    "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su",
    "yue", "minnan", "wuyu", "dialect", "zh/en", "en/zh", "common",
];

/// A language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(u8);

impl Language {
    pub const ENGLISH: Self = Self(0);
    pub const CHINESE: Self = Self(1);
    pub const SPANISH: Self = Self(3);
    pub const JAPANESE: Self = Self(7);
    pub const ARABIC: Self = Self(13);

    /// Its code, such as `en`.
    pub fn code(self) -> &'static str {
        CODES[usize::from(self.0)]
    }

    /// Its row in the language table of a model.
    pub fn row(self) -> usize {
        usize::from(self.0)
    }

    /// The language that a text is in, of the five that the models are made for: by its script, and for Latin letters by
    /// signs and short words.
    pub fn detect(text: &str) -> Self {
        let count = |range: &[(char, char)]| {
            text.chars().filter(|c| range.iter().any(|(first, last)| (first..=last).contains(&c))).count()
        };
        let arabic = count(&[
            ('\u{600}', '\u{6ff}'),
            ('\u{750}', '\u{77f}'),
            ('\u{fb50}', '\u{fdff}'),
            ('\u{fe70}', '\u{fefc}'),
        ]);
        let latin = text.chars().filter(char::is_ascii_alphabetic).count();
        if arabic > latin {
            return Self::ARABIC;
        }
        let kana = count(&[('\u{3041}', '\u{30fa}'), ('\u{30fc}', '\u{30ff}'), ('\u{ff66}', '\u{ff9d}')]);
        let han = count(&[('\u{4e00}', '\u{9fff}')]);
        // A brand in kana within a Chinese sentence does not make it Japanese; Japanese is never without them.
        if kana > 0 && kana * 8 >= han {
            return Self::JAPANESE;
        }
        match () {
            () if han > 0 || super::normalize::is_chinese(text) => Self::CHINESE,
            () if is_spanish(text) => Self::SPANISH,
            () => Self::ENGLISH,
        }
    }

    /// The rules by which a text in this language is read.
    pub(super) fn rules(self) -> Rules {
        match self.code() {
            "en" => Rules::English,
            "zh" | "yue" | "minnan" | "wuyu" | "dialect" | "zh/en" | "en/zh" | "common" => Rules::Chinese,
            "es" => Rules::Spanish,
            "ja" => Rules::Japanese,
            "ar" => Rules::Arabic,
            _ => Rules::None,
        }
    }
}

/// Marks that only Spanish has, or more of its short words than of the English ones.
fn is_spanish(text: &str) -> bool {
    const SPANISH: [&str; 24] = [
        "el", "la", "los", "las", "de", "del", "que", "y", "en", "un", "una", "es", "por", "con", "para", "su", "se",
        "lo", "como", "más", "pero", "muy", "está", "hola",
    ];
    const ENGLISH: [&str; 16] =
        ["the", "of", "and", "to", "in", "is", "it", "you", "that", "was", "for", "on", "are", "with", "this", "i"];
    if text.contains(['ñ', 'Ñ', '¿', '¡']) {
        return true;
    }
    let (mut spanish, mut english) = (0, 0);
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase) {
        spanish += usize::from(SPANISH.contains(&word.as_str()));
        english += usize::from(ENGLISH.contains(&word.as_str()));
    }
    spanish > 1 && spanish > english
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(code: &str) -> Result<Self, Error> {
        let lower = code.to_lowercase();
        CODES.iter().position(|known| *known == lower).map(|row| Self(row as u8)).ok_or_else(|| Error::Input {
            name: "language".into(),
            got: code.into(),
            expected: "zh, en, ja, es, ar, or another code of the model's language table such as de or fr".into(),
        })
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_specification() {
        for (code, row) in
            [("en", 0), ("ZH", 1), ("es", 3), ("ja", 7), ("ar", 13), ("su", 98), ("yue", 99), ("common", 105)]
        {
            let language: Language = code.parse().unwrap();
            assert_eq!(language.row(), row);
        }
        assert!("klingon".parse::<Language>().unwrap_err().to_string().contains("zh, en, ja, es, ar"));
    }

    #[test]
    fn texts_are_told_apart() {
        for (text, code) in [
            ("The cat sat on the mat.", "en"),
            ("今天天气很好。", "zh"),
            ("我用iPhone打电话", "zh"),
            ("今日はいい天気ですね。", "ja"),
            ("カタカナ", "ja"),
            ("مرحبا بالعالم", "ar"),
            ("¿Cómo estás?", "es"),
            ("La casa de mi madre es grande.", "es"),
            ("Los Angeles is in the west of the country.", "en"),
            ("ni3 hao3 ma5", "zh"),
            ("Print it on A4 paper.", "en"),
            ("", "zh"),
        ] {
            assert_eq!(Language::detect(text).code(), code, "{text}");
        }
    }
}
