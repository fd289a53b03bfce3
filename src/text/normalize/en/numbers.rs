//! English numbers in words.

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
const GROUPS: [&str; 5] = ["", "thousand", "million", "billion", "trillion"];

/// Longer numbers are read digit by digit.
const LONGEST: usize = 15;

/// A number as it is written: groups of three after commas, or plain digits; decimals.
pub const NUMBER: &str = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)";

/// `205` -> `two hundred and five`.
pub fn cardinal(n: u64) -> String {
    let mut words = Vec::new();
    for (power, name) in GROUPS.iter().enumerate().rev() {
        let group = n / 1000u64.pow(power as u32) % 1000;
        if group == 0 {
            continue;
        }
        if power == 0 && group < 100 && n > 1000 {
            words.push("and");
        }
        below_thousand(group, &mut words);
        if power > 0 {
            words.push(name);
        }
    }
    if words.is_empty() { SMALL[0].into() } else { words.join(" ") }
}

fn below_thousand(n: u64, words: &mut Vec<&'static str>) {
    let rest = n % 100;
    if n >= 100 {
        words.extend([SMALL[(n / 100) as usize], "hundred"]);
        if rest > 0 {
            words.push("and");
        }
    }
    match rest {
        0 => {}
        1..20 => words.push(SMALL[rest as usize]),
        _ => {
            words.push(TENS[(rest / 10) as usize]);
            if !rest.is_multiple_of(10) {
                words.push(SMALL[(rest % 10) as usize]);
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

/// `107` -> `one zero seven`.
pub fn each(digits: &str) -> String {
    let words: Vec<&str> = digits.bytes().filter(u8::is_ascii_digit).map(|d| SMALL[usize::from(d - b'0')]).collect();
    words.join(" ")
}

/// What [`NUMBER`] matches: `1,250.5` -> `one thousand two hundred and fifty point five`.
pub fn number(written: &str) -> String {
    let plain = written.replace(',', "");
    match plain.split_once('.') {
        Some(("", decimals)) => format!("point {}", each(decimals)),
        Some((head, decimals)) => format!("{} point {}", whole(head), each(decimals)),
        None => whole(&plain),
    }
}

/// `21` -> `twenty first`.
pub fn ordinal(digits: &str) -> String {
    const IRREGULAR: [(&str, &str); 7] = [
        ("one", "first"),
        ("two", "second"),
        ("three", "third"),
        ("five", "fifth"),
        ("eight", "eighth"),
        ("nine", "ninth"),
        ("twelve", "twelfth"),
    ];
    let words = whole(&digits.replace(',', ""));
    let (head, last) = words.rsplit_once(' ').map_or(("", words.as_str()), |(head, last)| (head, last));
    let last = match IRREGULAR.iter().find(|(word, _)| *word == last) {
        Some((_, ordinal)) => (*ordinal).to_string(),
        None => match last.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{last}th"),
        },
    };
    if head.is_empty() { last } else { format!("{head} {last}") }
}

/// A year of three or four digits: `1905` -> `nineteen oh five`.
pub fn year(digits: &str) -> String {
    let Ok(n) = digits.parse::<u64>() else { return each(digits) };
    let (century, rest) = (n / 100, n % 100);
    match (digits.len(), rest) {
        (4, _) if century % 10 == 0 && rest < 10 => cardinal(n),
        (3 | 4, 0) if century > 0 => format!("{} hundred", cardinal(century)),
        (3 | 4, 1..10) if century > 0 => format!("{} oh {}", cardinal(century), cardinal(rest)),
        (4, _) if century > 0 => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => whole(digits),
    }
}

/// `1990s` -> `nineteen nineties`, of the digits before the s.
pub fn decade(digits: &str) -> Option<String> {
    let n: u64 = digits.parse().ok()?;
    let (century, rest) = (n / 100, n % 100);
    let tens = match rest {
        10 => "tens".into(),
        20..=90 if rest % 10 == 0 => format!("{}ies", TENS[(rest / 10) as usize].trim_end_matches('y')),
        0 if century % 10 == 0 && century > 0 => return Some(format!("{} thousands", cardinal(n / 1000))),
        0 if century > 0 => return Some(format!("{} hundreds", cardinal(century))),
        _ => return None,
    };
    match digits.len() {
        2 => Some(tens),
        4 => Some(format!("{} {tens}", cardinal(century))),
        _ => None,
    }
}

/// `3/4` -> `three quarters`.
pub fn fraction(above: &str, below: &str) -> String {
    let (top, bottom): (u64, u64) = match (above.parse(), below.parse()) {
        (Ok(top), Ok(bottom)) if above.len() <= LONGEST && below.len() <= LONGEST => (top, bottom),
        _ => return format!("{} over {}", each(above), each(below)),
    };
    let part = match bottom {
        2 => "half".into(),
        4 => "quarter".into(),
        3..=20 | 100 | 1000 if top < bottom || bottom <= 10 => {
            let ordinal = ordinal(below);
            ordinal.strip_prefix("one ").map(str::to_string).unwrap_or(ordinal)
        }
        _ => return format!("{} over {}", whole(above), whole(below)),
    };
    match (top, bottom) {
        (1, _) => format!("one {part}"),
        (_, 2) => format!("{} halves", cardinal(top)),
        _ => format!("{} {part}s", cardinal(top)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_codes() {
        for (written, words) in [
            ("0", "zero"),
            ("1000", "one thousand"),
            ("1001", "one thousand and one"),
            ("1250", "one thousand two hundred and fifty"),
            ("1000000", "one million"),
            ("2000015", "two million and fifteen"),
            ("007", "zero zero seven"),
            ("3.05", "three point zero five"),
            (".5", "point five"),
        ] {
            assert_eq!(number(written), words);
        }
        assert_eq!(number("1234567890123456").split(' ').count(), 16);
    }

    #[test]
    fn ordinals_years_decades_and_fractions() {
        assert_eq!(ordinal("112"), "one hundred and twelfth");
        assert_eq!(ordinal("40"), "fortieth");
        assert_eq!(ordinal("100"), "one hundredth");
        for (digits, words) in [
            ("1905", "nineteen oh five"),
            ("2000", "two thousand"),
            ("2009", "two thousand and nine"),
            ("1066", "ten sixty six"),
            ("476", "four hundred and seventy six"),
        ] {
            assert_eq!(year(digits), words);
        }
        assert_eq!(decade("1990").unwrap(), "nineteen nineties");
        assert_eq!(decade("2010").unwrap(), "twenty tens");
        assert_eq!(decade("2000").unwrap(), "two thousands");
        assert_eq!(decade("80").unwrap(), "eighties");
        assert_eq!(decade("1985"), None);
        assert_eq!(fraction("3", "4"), "three quarters");
        assert_eq!(fraction("1", "100"), "one hundredth");
        assert_eq!(fraction("12", "25"), "twelve over twenty five");
    }
}
