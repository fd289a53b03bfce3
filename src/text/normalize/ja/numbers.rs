//! Japanese numbers in words, in kanji: the readings, which change with what is counted, are left to who reads.

const DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];

/// Longer numbers are read digit by digit.
const LONGEST: usize = 16;

/// A number as it is written: groups of three after commas, or plain digits; decimals.
pub const NUMBER: &str = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)";

/// `10086` -> `一万八十六`.
pub fn cardinal(n: u64) -> String {
    let mut out = String::new();
    for (unit, name) in [(1_0000_0000_0000u64, "兆"), (1_0000_0000, "億"), (1_0000, "万"), (1, "")] {
        let group = n / unit % 10_000;
        if group > 0 {
            // 一千万, but 千 and 一万千.
            below_ten_thousand(group, group == 1000 && unit > 1, &mut out);
            out.push_str(name);
        }
    }
    if out.is_empty() { DIGITS[0].into() } else { out }
}

fn below_ten_thousand(n: u64, one_thousand: bool, out: &mut String) {
    for (unit, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        match n / unit % 10 {
            0 => {}
            1 if unit > 1 && !one_thousand => out.push_str(name),
            digit => {
                out.push_str(DIGITS[digit as usize]);
                out.push_str(name);
            }
        }
    }
}

/// Digits of a whole number, one by one where they are a code rather than a quantity: leading zeros, or too many.
pub fn whole(digits: &str) -> String {
    match digits.parse() {
        Ok(n) if digits.len() <= LONGEST && (digits == "0" || !digits.starts_with('0')) => cardinal(n),
        _ => each(digits),
    }
}

/// As codes and telephone numbers are read: `03` -> `ゼロ三`.
pub fn each(digits: &str) -> String {
    let digits = digits.bytes().filter(u8::is_ascii_digit).map(|d| usize::from(d - b'0'));
    digits.map(|d| if d == 0 { "ゼロ" } else { DIGITS[d] }).collect()
}

/// What [`NUMBER`] matches: `1,250.05` -> `千二百五十点零五`.
pub fn number(written: &str) -> String {
    let plain = written.replace(',', "");
    match plain.split_once('.') {
        Some((head, decimals)) => {
            let decimals = decimals.bytes().filter(u8::is_ascii_digit).map(|d| DIGITS[usize::from(d - b'0')]);
            format!("{}点{}", whole(head), decimals.collect::<String>())
        }
        None => whole(&plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// But for 一千万, as the PyPI package num2words 0.5.14 has them.
    #[test]
    fn quantities_and_codes() {
        for (written, words) in [
            ("0", "零"),
            ("10", "十"),
            ("100", "百"),
            ("110", "百十"),
            ("1001", "千一"),
            ("2026", "二千二十六"),
            ("11,000", "一万千"),
            ("12,345", "一万二千三百四十五"),
            ("10,000,000", "一千万"),
            ("11,000,000", "千百万"),
            ("1000000000", "十億"),
            ("3.14", "三点一四"),
            ("0.05", "零点零五"),
            ("007", "ゼロゼロ七"),
        ] {
            assert_eq!(number(written), words, "{written}");
        }
        assert!(number("12345678901234567").starts_with("一二三四"));
    }
}
