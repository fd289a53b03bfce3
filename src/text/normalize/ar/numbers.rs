//! Arabic numbers in words: Modern Standard Arabic, nominative, as numbers are read aloud; not vocalised.
//!
//! One and two agree with what they count, three to ten go against its gender, and so does the noun change: one book, two
//! books in the dual, three to ten in the plural, from eleven on in the singular.

/// The gender of what is counted. A number by itself is read as with masculine nouns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    Masculine,
    Feminine,
}

use Gender::{Feminine, Masculine};

/// A noun that can be counted.
#[derive(Debug, Clone, Copy)]
pub struct Noun {
    pub gender: Gender,
    pub one: &'static str,
    pub two: &'static str,
    /// Behind three to ten.
    pub few: &'static str,
    /// Behind eleven to ninety-nine.
    pub many: &'static str,
}

const WITH_MASCULINE: [&str; 11] =
    ["", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة", "عشرة"];
const WITH_FEMININE: [&str; 11] = ["", "واحدة", "اثنتان", "ثلاث", "أربع", "خمس", "ست", "سبع", "ثماني", "تسع", "عشر"];
const TENS: [&str; 10] = ["", "", "عشرون", "ثلاثون", "أربعون", "خمسون", "ستون", "سبعون", "ثمانون", "تسعون"];
const HUNDREDS: [&str; 10] =
    ["", "مائة", "مئتان", "ثلاثمائة", "أربعمائة", "خمسمائة", "ستمائة", "سبعمائة", "ثمانمائة", "تسعمائة"];
const DIGITS: [&str; 10] = ["صفر", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة"];
/// Of the day of a month and of an hour, masculine: the first, the second ..
const ORDINALS: [&str; 11] =
    ["", "الأول", "الثاني", "الثالث", "الرابع", "الخامس", "السادس", "السابع", "الثامن", "التاسع", "العاشر"];

const SCALES: [(u64, Noun); 3] = [
    (
        1_000_000_000,
        Noun {
            gender: Masculine, one: "مليار", two: "ملياران", few: "مليارات", many: "مليارا"
        },
    ),
    (1_000_000, Noun { gender: Masculine, one: "مليون", two: "مليونان", few: "ملايين", many: "مليونا" }),
    (1_000, Noun { gender: Masculine, one: "ألف", two: "ألفان", few: "آلاف", many: "ألفا" }),
];

/// Longer numbers are read digit by digit.
const LONGEST: usize = 12;

/// A number as it is written, in European figures: groups of three after commas, decimals after a point.
pub const NUMBER: &str = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)";

/// `1234` -> `ألف ومئتان وأربعة وثلاثون`.
pub fn cardinal(n: u64, gender: Gender) -> String {
    if n == 0 {
        return DIGITS[0].into();
    }
    let mut parts = Vec::new();
    let mut rest = n;
    for (scale, noun) in SCALES {
        let count = rest / scale;
        rest %= scale;
        if count > 0 {
            parts.push(counted(count, &noun));
        }
    }
    hundreds(rest, gender, &mut parts);
    parts.join(" و")
}

/// The parts of a number below a thousand.
fn hundreds(n: u64, gender: Gender, parts: &mut Vec<String>) {
    if n >= 100 {
        parts.push(HUNDREDS[(n / 100) as usize].into());
    }
    let below = n % 100;
    let ones = match gender {
        Masculine => &WITH_MASCULINE,
        Feminine => &WITH_FEMININE,
    };
    let ten = if gender == Masculine { "عشر" } else { "عشرة" };
    match (below, gender) {
        (0, _) => {}
        (1..=10, _) => parts.push(ones[below as usize].into()),
        (11, Masculine) => parts.push("أحد عشر".into()),
        (11, Feminine) => parts.push("إحدى عشرة".into()),
        (12, Masculine) => parts.push("اثنا عشر".into()),
        (12, Feminine) => parts.push("اثنتا عشرة".into()),
        (13..=19, _) => parts.push(format!("{} {ten}", ones[below as usize - 10])),
        _ => {
            match (below % 10, gender) {
                (0, _) => {}
                (1, Feminine) => parts.push("إحدى".into()),
                // Eight keeps its ending only in front of what it counts.
                (8, Feminine) => parts.push("ثمان".into()),
                (digit, _) => parts.push(ones[digit as usize].into()),
            }
            parts.push(TENS[(below / 10) as usize].into());
        }
    }
}

/// A number with its noun: `كتاب واحد`, `كتابان`, `ثلاثة كتب`, `أحد عشر كتابا`, `مائة كتاب`.
pub fn counted(n: u64, noun: &Noun) -> String {
    match n {
        // A scale by itself needs no "one".
        1 if SCALES.iter().any(|(_, scale)| scale.one == noun.one) => noun.one.into(),
        1 => format!("{} {}", noun.one, if noun.gender == Masculine { "واحد" } else { "واحدة" }),
        2 => noun.two.into(),
        _ => {
            let form = match n % 100 {
                3..=10 => noun.few,
                11..=99 => noun.many,
                _ => noun.one,
            };
            // مئتان and the other duals lose their end before the noun that they count.
            let number = cardinal(n, noun.gender);
            let number = number.strip_suffix("مئتان").map_or(number.clone(), |head| format!("{head}مئتا"));
            format!("{number} {form}")
        }
    }
}

/// Digits of a whole number, one by one where they are a code rather than a quantity: leading zeros, or too many.
pub fn whole(digits: &str, gender: Gender) -> String {
    match digits.parse() {
        Ok(n) if digits.len() <= LONGEST && (digits == "0" || !digits.starts_with('0')) => cardinal(n, gender),
        _ => each(digits),
    }
}

/// Digit by digit.
pub fn each(digits: &str) -> String {
    let digits = digits.bytes().filter(u8::is_ascii_digit).map(|d| DIGITS[usize::from(d - b'0')]);
    digits.collect::<Vec<_>>().join(" ")
}

/// What [`NUMBER`] matches: `1,250.5` -> `ألف ومئتان وخمسون فاصلة خمسة`.
pub fn number(written: &str) -> String {
    let plain = written.replace(',', "");
    match plain.split_once('.') {
        Some((head, decimals)) => format!("{} فاصلة {}", whole(head, Masculine), each(decimals)),
        None => whole(&plain, Masculine),
    }
}

/// What [`NUMBER`] matches with what it counts.
pub fn quantity(written: &str, noun: &Noun) -> String {
    match written.replace(',', "").parse() {
        Ok(n) if n > 0 && written.len() <= LONGEST => counted(n, noun),
        _ => format!("{} {}", number(written), noun.one),
    }
}

/// What [`NUMBER`] matches with a noun and its adjective, given for one masculine thing: `خمسة أمتار مربعة`.
pub fn described(written: &str, noun: &Noun, adjective: &str) -> String {
    let feminine = format!("{}ة", adjective.trim_end_matches('ة'));
    let stem = if noun.gender == Masculine { adjective.to_string() } else { feminine.replace('ة', "ت") };
    let one = if noun.gender == Masculine { adjective } else { &feminine };
    let plain = format!("{} {one}", quantity(written, noun));
    match written.replace(',', "").parse::<u64>() {
        Ok(1) => format!("{} {one} {}", noun.one, if noun.gender == Masculine { "واحد" } else { "واحدة" }),
        Ok(2) => format!("{} {stem}ان", noun.two),
        Ok(n) if n > 0 && written.len() <= LONGEST => match n % 100 {
            3..=10 => format!("{} {feminine}", counted(n, noun)),
            11..=99 if noun.gender == Masculine => format!("{} {adjective}ا", counted(n, noun)),
            _ => plain,
        },
        _ => plain,
    }
}

/// Words of a number as they are behind a preposition or a noun: `ألفين وستة وعشرين`.
pub fn genitive(words: &str) -> String {
    let word = |word: &str| {
        let (and, word) = word.strip_prefix('و').filter(|_| word != "واحد").map_or(("", word), |rest| ("و", rest));
        let word = match word {
            "اثنان" => "اثنين",
            "اثنتان" => "اثنتين",
            "مئتان" => "مئتين",
            "مئتا" => "مئتي",
            "ألفان" => "ألفين",
            "اثنا" => "اثني",
            "اثنتا" => "اثنتي",
            _ => return format!("{and}{}", word.strip_suffix("ون").map_or(word.into(), |tens| format!("{tens}ين"))),
        };
        format!("{and}{word}")
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The day of a month: `الرابع والعشرون`.
pub fn ordinal(n: u64) -> Option<String> {
    Some(match n {
        1..=10 => ORDINALS[n as usize].into(),
        11 => "الحادي عشر".into(),
        12..=19 => format!("{} عشر", ORDINALS[n as usize - 10]),
        20 | 30 => format!("ال{}", TENS[n as usize / 10]),
        21 | 31 => format!("الحادي وال{}", TENS[n as usize / 10]),
        22..=29 => format!("{} وال{}", ORDINALS[n as usize - 20], TENS[2]),
        _ => return None,
    })
}

/// The hour of a clock with twelve: `الواحدة`, `الثانية عشرة`.
pub fn hour(n: u64) -> Option<String> {
    Some(match n {
        1 => "الواحدة".into(),
        2..=10 => format!("{}ة", ORDINALS[n as usize]),
        11 => "الحادية عشرة".into(),
        12 => "الثانية عشرة".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain numbers as the PyPI package num2words 0.5.14 has them, but for its space behind و and its lone مئتا.
    #[test]
    fn quantities_and_codes() {
        for (written, words) in [
            ("0", "صفر"),
            ("2", "اثنان"),
            ("10", "عشرة"),
            ("11", "أحد عشر"),
            ("15", "خمسة عشر"),
            ("21", "واحد وعشرون"),
            ("100", "مائة"),
            ("222", "مئتان واثنان وعشرون"),
            ("800", "ثمانمائة"),
            ("1001", "ألف وواحد"),
            ("1234", "ألف ومئتان وأربعة وثلاثون"),
            ("2026", "ألفان وستة وعشرون"),
            ("3000", "ثلاثة آلاف"),
            ("12345", "اثنا عشر ألفا وثلاثمائة وخمسة وأربعون"),
            ("100000", "مائة ألف"),
            ("200000", "مئتا ألف"),
            ("3,500,000", "ثلاثة ملايين وخمسمائة ألف"),
            ("1000000000", "مليار"),
            ("007", "صفر صفر سبعة"),
            ("3.14", "ثلاثة فاصلة واحد أربعة"),
        ] {
            assert_eq!(number(written), words, "{written}");
        }
    }

    /// Agreement as in Ryding, A Reference Grammar of Modern Standard Arabic, chapter 15.
    #[test]
    fn nouns_agree() {
        let day = Noun { gender: Masculine, one: "يوم", two: "يومان", few: "أيام", many: "يوما" };
        let hour = Noun { gender: Feminine, one: "ساعة", two: "ساعتان", few: "ساعات", many: "ساعة" };
        for (n, with_day, with_hour) in [
            (1, "يوم واحد", "ساعة واحدة"),
            (2, "يومان", "ساعتان"),
            (3, "ثلاثة أيام", "ثلاث ساعات"),
            (10, "عشرة أيام", "عشر ساعات"),
            (11, "أحد عشر يوما", "إحدى عشرة ساعة"),
            (12, "اثنا عشر يوما", "اثنتا عشرة ساعة"),
            (15, "خمسة عشر يوما", "خمس عشرة ساعة"),
            (21, "واحد وعشرون يوما", "إحدى وعشرون ساعة"),
            (24, "أربعة وعشرون يوما", "أربع وعشرون ساعة"),
            (28, "ثمانية وعشرون يوما", "ثمان وعشرون ساعة"),
            (100, "مائة يوم", "مائة ساعة"),
            (200, "مئتا يوم", "مئتا ساعة"),
            (103, "مائة وثلاثة أيام", "مائة وثلاث ساعات"),
        ] {
            assert_eq!(counted(n, &day), with_day);
            assert_eq!(counted(n, &hour), with_hour);
        }
    }

    /// An adjective agrees with its noun; things in the plural are feminine (Ryding, chapters 10 and 15).
    #[test]
    fn adjectives_agree() {
        let metre = Noun { gender: Masculine, one: "متر", two: "متران", few: "أمتار", many: "مترا" };
        let degree =
            Noun { gender: Feminine, one: "درجة", two: "درجتان", few: "درجات", many: "درجة" };
        for (written, squared, centigrade) in [
            ("1", "متر مربع واحد", "درجة مئوية واحدة"),
            ("2", "متران مربعان", "درجتان مئويتان"),
            ("5", "خمسة أمتار مربعة", "خمس درجات مئوية"),
            ("20", "عشرون مترا مربعا", "عشرون درجة مئوية"),
            ("100", "مائة متر مربع", "مائة درجة مئوية"),
        ] {
            assert_eq!(described(written, &metre, "مربع"), squared);
            assert_eq!(described(written, &degree, "مئوي"), centigrade);
        }
        assert_eq!(genitive("ألفان واثنا عشر"), "ألفين واثني عشر");
        assert_eq!(genitive("واحد وعشرون"), "واحد وعشرين");
    }

    #[test]
    fn days_and_hours() {
        assert_eq!(ordinal(1).unwrap(), "الأول");
        assert_eq!(ordinal(12).unwrap(), "الثاني عشر");
        assert_eq!(ordinal(24).unwrap(), "الرابع والعشرون");
        assert_eq!(ordinal(31).unwrap(), "الحادي والثلاثون");
        assert_eq!(ordinal(32), None);
        assert_eq!(hour(3).unwrap(), "الثالثة");
        assert_eq!(hour(12).unwrap(), "الثانية عشرة");
        assert_eq!(hour(13), None);
    }
}
