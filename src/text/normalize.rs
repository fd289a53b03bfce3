//! Text as it is spoken.
//!
//! [`Normalizer`] is what the tokenizer asks for; [`Basic`] makes plain Chinese and English sentences with whole numbers,
//! decimals and percentages work.
//!
//! Source: text specification A.1, A.2 and the contractions of A.3.

/// Turns written text into spoken words.
pub trait Normalizer: Send + Sync {
    /// Never loses words it does not understand: they are passed on.
    fn normalize(&self, text: &str) -> String;
}

/// Punctuation, contractions of "is", and numbers.
#[derive(Debug, Clone, Copy)]
pub struct Basic;

impl Normalizer for Basic {
    fn normalize(&self, text: &str) -> String {
        let chinese = is_chinese(text);
        let text = expand_is(text.trim_end());
        map_characters(&speak_numbers(&text, chinese), chinese)
    }
}

/// Whether a text is read with Chinese rules: it has Chinese characters, or no Latin letter at all.
pub fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) || !text.chars().any(|c| c.is_ascii_alphabetic())
}

/// `what's` -> `what is`, for the words after which 's can only mean that.
fn expand_is(text: &str) -> String {
    const WORDS: &[&str] =
        &["what", "where", "who", "which", "how", "there", "here", "it", "she", "he", "that", "this"];
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find("'s").or_else(|| rest.find("'S")) {
        let before = &rest[..at];
        let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        out.push_str(before);
        let ends = !rest[at + 2..].starts_with(|c: char| c.is_ascii_alphabetic());
        let known = WORDS.contains(&word.to_ascii_lowercase().as_str());
        out.push_str(if known && ends { " is" } else { &rest[at..at + 2] });
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

/// The reference's character map, in one pass.
fn map_characters(text: &str, chinese: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (taken, mapped) = match c {
            _ if rest.starts_with("...") => (3, "…"),
            _ if rest.starts_with(",,,") => (3, "…"),
            _ if rest.starts_with("……") => ("……".len(), "…"),
            '$' if chinese => (1, "."),
            '：' | '；' | '，' | '、' | ';' | ':' => (c.len_utf8(), ","),
            '。' => (c.len_utf8(), "."),
            '！' => (c.len_utf8(), "!"),
            '？' => (c.len_utf8(), "?"),
            '\n' => (1, " "),
            '·' | '—' | '～' | '~' => (c.len_utf8(), "-"),
            '“' | '”' | '"' | '‘' | '’' | '（' | '）' | '(' | ')' | '《' | '》' | '【' | '】' | '[' | ']' | '「'
            | '」' => (c.len_utf8(), "'"),
            _ => (c.len_utf8(), &rest[..c.len_utf8()]),
        };
        out.push_str(mapped);
        rest = &rest[taken..];
    }
    out
}

/// Numbers of up to this many digits are read as a quantity, longer ones digit by digit.
const QUANTITY: usize = 12;

/// Replaces numbers that stand alone (not within a word, such as the tones of pinyin) by words.
fn speak_numbers(text: &str, chinese: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let within_word = previous.is_ascii_alphanumeric();
        if !c.is_ascii_digit() || within_word {
            out.push(c);
            previous = c;
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (number, length) = Number::read(rest);
        let after = &rest[length..];
        if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // "3D", "2nd": left to the full front end.
            out.push_str(&rest[..length]);
        } else if chinese {
            out.push_str(&number.chinese());
        } else {
            out.push_str(&number.english());
        }
        previous = '0';
        rest = after;
    }
    out
}

/// A written number.
struct Number<'a> {
    whole: String,
    decimals: &'a str,
    percent: bool,
}

impl<'a> Number<'a> {
    /// The number at the start of `text` and its length: digits, groups of three after commas, decimals, percent.
    fn read(text: &'a str) -> (Self, usize) {
        let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
        let mut length = digits(text);
        let mut whole = text[..length].to_string();
        while length <= 12
            && text[length..].starts_with(',')
            && digits(&text[length + 1..]) == 3
            && whole.len() % 3 <= 3
        {
            whole.push_str(&text[length + 1..length + 4]);
            length += 4;
        }
        let mut decimals = "";
        if text[length..].starts_with('.') {
            let count = digits(&text[length + 1..]);
            decimals = &text[length + 1..length + 1 + count];
            length += if count > 0 { 1 + count } else { 0 };
        }
        let percent = text[length..].starts_with('%');
        (Self { whole, decimals, percent }, length + usize::from(percent))
    }

    fn english(&self) -> String {
        const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        let digit = |d: u8| DIGITS[usize::from(d - b'0')];
        let mut words = match self.whole.parse::<u64>() {
            Ok(value) if self.whole.len() <= QUANTITY && (value == 0 || !self.whole.starts_with('0')) => english(value),
            _ => self.whole.bytes().map(digit).collect::<Vec<_>>().join(" "),
        };
        if !self.decimals.is_empty() {
            words.push_str(" point");
            self.decimals.bytes().for_each(|d| {
                words.push(' ');
                words.push_str(digit(d));
            });
        }
        if self.percent {
            words.push_str(" percent");
        }
        words
    }

    fn chinese(&self) -> String {
        const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
        let digit = |d: u8| DIGITS[usize::from(d - b'0')];
        let mut words = if self.percent { "百分之".to_string() } else { String::new() };
        match self.whole.parse::<u64>() {
            Ok(value) if self.whole.len() <= QUANTITY && (value == 0 || !self.whole.starts_with('0')) => {
                words.push_str(&chinese(value));
            }
            _ => words.extend(self.whole.bytes().map(digit)),
        }
        if !self.decimals.is_empty() {
            words.push('点');
            words.extend(self.decimals.bytes().map(digit));
        }
        words
    }
}

fn english(n: u64) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let with = |head: String, rest: u64, link: &str| if rest == 0 { head } else { head + link + &english(rest) };
    match n {
        0..20 => SMALL[n as usize].into(),
        20..100 => with(TENS[(n / 10) as usize].into(), n % 10, " "),
        100..1000 => with(english(n / 100) + " hundred", n % 100, " and "),
        1000..1_000_000 => with(english(n / 1000) + " thousand", n % 1000, " "),
        1_000_000..1_000_000_000 => with(english(n / 1_000_000) + " million", n % 1_000_000, " "),
        _ => with(english(n / 1_000_000_000) + " billion", n % 1_000_000_000, " "),
    }
}

fn chinese(n: u64) -> String {
    const DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    for (unit, name) in [(100_000_000u64, "亿"), (10_000, "万")] {
        if n >= unit {
            let rest = n % unit;
            let zero = if rest > 0 && rest < unit / 10 { "零" } else { "" };
            let tail = if rest > 0 { zero.to_string() + &below(rest, unit) } else { String::new() };
            return chinese(n / unit) + name + &tail;
        }
    }
    let mut out = String::new();
    let mut gap = false;
    for (unit, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = n / unit % 10;
        if digit == 0 {
            gap = !out.is_empty();
            continue;
        }
        if gap {
            out.push('零');
            gap = false;
        }
        // 十五, not 一十五, at the start of a number.
        if !(digit == 1 && unit == 10 && out.is_empty()) {
            out.push_str(DIGITS[digit as usize]);
        }
        out.push_str(name);
    }
    if out.is_empty() { DIGITS[0].into() } else { out }
}

/// The part of a number below a unit: inside a number ten is 一十.
fn below(n: u64, unit: u64) -> String {
    let text = chinese(n);
    if unit == 10_000 && (10..20).contains(&n) { "一".to_string() + &text } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Basic.normalize(text), expected);
    }

    #[test]
    fn english_sentences() {
        check("What's the time?", "What is the time?");
        check("The dog's bowl: empty; (really)", "The dog's bowl, empty, 'really'");
        check("I have 3 cats and 1,250 mice.", "I have three cats and one thousand two hundred and fifty mice.");
        check("Pi is 3.14, up 5%.", "Pi is three point one four, up five percent.");
        check("Call 0044 now", "Call zero zero four four now");
        check("GPT2 and 3D stay", "GPT2 and 3D stay");
    }

    #[test]
    fn chinese_sentences() {
        check("你好，世界！", "你好,世界!");
        check("今天有15个人。", "今天有十五个人.");
        check("共10086元", "共一万零八十六元");
        check("涨了12.5%", "涨了百分之十二点五");
        check("我们DE5家", "我们DE5家");
        check("110000", "十一万");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_is_lost(text in "\\PC{0,80}") {
            let letters = |s: &str| s.chars().filter(|c| c.is_alphabetic()).count();
            prop_assert!(letters(&Basic.normalize(&text)) >= letters(&text));
        }
    }
}
