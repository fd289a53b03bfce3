//! Chinese numbers in words.

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

/// Longer numbers are read digit by digit.
const LONGEST: usize = 16;

/// A number as it is written: groups of three after commas, or plain digits; decimals.
pub const NUMBER: &str = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)";

/// `10086` -> `一万零八十六`. A two at the head of the number is 两 before 百, 千, 万 and 亿.
pub fn cardinal(n: u64) -> String {
    let mut out = String::new();
    let mut gap = false;
    for (unit, name) in [(1_0000_0000_0000u64, "万亿"), (1_0000_0000, "亿"), (1_0000, "万"), (1, "")] {
        let group = n / unit % 10_000;
        if group == 0 {
            gap = !out.is_empty();
            continue;
        }
        if gap || !out.is_empty() && group < 1000 {
            out.push('零');
        }
        gap = false;
        if group == 2 && unit > 1 && out.is_empty() {
            out.push('两');
        } else {
            below_ten_thousand(group, &mut out);
        }
        out.push_str(name);
    }
    if out.is_empty() { DIGITS[0].into() } else { out }
}

fn below_ten_thousand(n: u64, out: &mut String) {
    let leading = out.is_empty();
    let mut started = false;
    let mut gap = false;
    for (unit, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = n / unit % 10;
        if digit == 0 {
            gap = started;
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push('零');
        }
        match (digit, unit) {
            // 十五, not 一十五, at the start of a number.
            (1, 10) if leading && !started => {}
            (2, 100 | 1000) if leading && !started => out.push('两'),
            _ => out.push(DIGITS[digit as usize]),
        }
        out.push_str(name);
        started = true;
    }
}

/// Digits of a whole number, one by one where they are a code rather than a quantity: leading zeros, or too many.
pub fn whole(digits: &str) -> String {
    match digits.parse() {
        Ok(n) if digits.len() <= LONGEST && (digits == "0" || !digits.starts_with('0')) => cardinal(n),
        _ => each(digits),
    }
}

/// `2024` -> `二零二四`.
pub fn each(digits: &str) -> String {
    digits.bytes().filter(u8::is_ascii_digit).map(|d| DIGITS[usize::from(d - b'0')]).collect()
}

/// As telephone numbers are read: one is 幺.
pub fn code(digits: &str) -> String {
    each(digits).replace('一', "幺")
}

/// What [`NUMBER`] matches: `1,250.5` -> `一千二百五十点五`.
pub fn number(written: &str) -> String {
    let plain = written.replace(',', "");
    match plain.split_once('.') {
        Some(("", decimals)) => format!("零点{}", each(decimals)),
        Some((head, decimals)) => format!("{}点{}", whole(head), each(decimals)),
        None => whole(&plain),
    }
}

/// A number in front of a measure word: a lone two is 两.
pub fn counting(written: &str) -> String {
    if written == "2" { "两".into() } else { number(written) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_codes() {
        for (written, words) in [
            ("0", "零"),
            ("10", "十"),
            ("15", "十五"),
            ("110", "一百一十"),
            ("200", "两百"),
            ("2222", "两千二百二十二"),
            ("10015", "一万零一十五"),
            ("20000", "两万"),
            ("120000", "十二万"),
            ("1002000", "一百万二千"),
            ("100002000", "一亿零二千"),
            ("10000000000", "一百亿"),
            ("1000000000000", "一万亿"),
            ("007", "零零七"),
            ("3.05", "三点零五"),
            ("1,250", "一千二百五十"),
        ] {
            assert_eq!(number(written), words, "{written}");
        }
        assert_eq!(code("110"), "幺幺零");
        assert_eq!(number("12345678901234567").chars().count(), 17);
    }
}
