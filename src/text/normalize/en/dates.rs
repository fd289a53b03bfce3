//! Dates, times, years and decades.
use super::numbers::{cardinal, decade, ordinal, year};
use crate::text::normalize::rules::{Found, Rule};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAY: &str = r"(3[01]|[12][0-9]|0?[1-9])";
const YEAR: &str = r"([12][0-9]{3})";

/// Words before a number that make it a year.
const YEAR_WORDS: [&str; 22] = [
    "in", "since", "until", "till", "by", "from", "before", "after", "during", "year", "of", "circa", "around",
    "early", "late", "mid", "spring", "summer", "autumn", "fall", "winter", "©",
];
/// Words before two figures that make them a decade.
const DECADE_WORDS: [&str; 11] = ["the", "his", "her", "my", "your", "our", "their", "its", "early", "mid", "late"];
/// Words behind a number that make it a quantity.
const COUNTED: [&str; 8] = ["people", "men", "women", "children", "percent", "points", "times", "votes"];
/// Words before two numbers with a colon that make them a score or a ratio rather than a time.
const SCORES: [&str; 12] =
    ["won", "lost", "win", "score", "score was", "score is", "beat", "lead", "led", "ratio", "scored", "odds"];

/// A pattern with MONTH, DAY and YEAR put in.
fn date(pattern: &str) -> String {
    pattern.replace("MONTH", &format!("({})", months())).replace("DAY", DAY).replace("YEAR", YEAR)
}

/// Names and abbreviations of months. In small letters, march and may are more often words.
fn months() -> String {
    let mut forms = vec![r"Sept\.?".to_string()];
    for name in MONTHS {
        forms.extend([name.to_string(), name.to_uppercase(), format!(r"{}\.?", &name[..3])]);
        if !matches!(name, "March" | "May") {
            forms.push(name.to_lowercase());
        }
    }
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.join("|")
}

/// Dates in figures only: they run before telephone numbers and other chains of figures.
pub fn figures() -> Vec<Rule> {
    vec![
        Rule::new(&date(r"YEAR[-/.](1[0-2]|0?[1-9])[-/.]DAY"), |m| written(m, 2, 3, Some(1))),
        Rule::new(&date(r"(1[0-2]|0?[1-9])[/.-]DAY[/.-]YEAR"), |m| written(m, 1, 2, Some(3))),
        Rule::new(&date(r"DAY[/.-](1[0-2]|0?[1-9])[/.-]YEAR"), |m| written(m, 2, 1, Some(3))),
    ]
}

pub fn rules() -> Vec<Rule> {
    vec![
        Rule::new(&date(r"MONTH DAY(?:st|nd|rd|th)? ?(?:-|–|to) ?DAY(?:st|nd|rd|th)?(?:,? YEAR)?"), |m| {
            let tail = with_year(m.get(4));
            Some(format!("{} {} to {}{tail}", month(m.get(1)), ordinal(day(m.get(2))), ordinal(day(m.get(3)))))
        }),
        Rule::new(&date(r"MONTH DAY(?:st|nd|rd|th)?(?:,? YEAR)?"), |m| {
            // "May 10:30" is a time.
            let time = m.after.starts_with(':') || m.after.starts_with('.') && starts_with_digit(&m.after[1..]);
            (!time).then(|| format!("{} {}{}", month(m.get(1)), ordinal(day(m.get(2))), with_year(m.get(3))))
        }),
        Rule::new(&date(r"(?:([Tt]he) )?DAY(?:st|nd|rd|th)? (?:of )?MONTH(?:,? YEAR)?"), |m| {
            let the = if m.get(1).is_empty() { "the" } else { m.get(1) };
            Some(format!("{the} {} of {}{}", ordinal(day(m.get(2))), month(m.get(3)), with_year(m.get(4))))
        }),
        Rule::new(&date(r"MONTH,? (?:of )?YEAR"), |m| Some(format!("{} {}", month(m.get(1)), year(m.get(2))))),
        Rule::within(r"(?i)([ap]\.m\.|[ap]m) ?[-–—] ?", |m| {
            // "9am-5pm": the second time is read below.
            let time = m.previous().is_some_and(|c| c.is_ascii_digit() || c == ' ') && starts_with_digit(m.after);
            time.then(|| format!("{} to ", m.get(1)))
        }),
        Rule::new(r"(?i)([01]?[0-9]|2[0-4])(?::([0-5][0-9]))?(?::([0-5][0-9]))? ?(a\.m\.|p\.m\.|am|pm)", |m| {
            Some(
                clock(m.get(1), m.get(2), m.get(3), m.get(4))
                    + if m.all().ends_with('.') && ends_sentence(m) { "." } else { "" },
            )
        }),
        Rule::new(r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?", |m| {
            (!m.follows(&SCORES) && !m.after.starts_with(':')).then(|| clock(m.get(1), m.get(2), m.get(3), ""))
        }),
        Rule::new(r"(['’]?)([12][0-9]00|[12]?[0-9]?[1-9]0)['’]?s", |m| {
            // "30s" alone is a time.
            let decade_ = m.get(2).len() == 4 || !m.get(1).is_empty() || m.follows(&DECADE_WORDS);
            decade_.then(|| decade(m.get(2))).flatten()
        }),
        Rule::new(r"([12][0-9]{3}) ?[-–] ?([12][0-9]{3})", |m| {
            let (first, last) = (m.get(1), m.get(2));
            let lone = !m.before.ends_with(['-', '$', '£', '€', '.']) && !m.after.starts_with(['-', '%']);
            (lone && first < last && is_year(first, m)).then(|| format!("{} to {}", year(first), year(last)))
        }),
        Rule::new(r"([12][0-9]{3})[-–/]([0-9]{2})", |m| {
            let last = m.get(2);
            let follows = &m.get(1)[2..] < last && !m.after.starts_with(['-', '/', '.', ',']);
            (follows && is_year(m.get(1), m)).then(|| format!("{} to {}", year(m.get(1)), year(last)))
        }),
        Rule::new(r"([1-9][0-9]{2,3}) (AD|BC|CE|BCE|A\.D\.|B\.C\.)", |m| {
            Some(format!("{} {}", year(m.get(1)), spelled(m.get(2))))
        }),
        Rule::new(r"(AD) ?([1-9][0-9]{2,3})", |m| Some(format!("A D {}", year(m.get(2))))),
        Rule::new(r"([12][0-9]{3})(['’]s)?", |m| {
            let signs_before = ['$', '£', '€', '¥', '-', '–', '#', '+', '/', '.', '*', '×', '^', '='];
            let signs_after = ['%', '$', '€', '°', '-', '–', '/', '×', '*', '+'];
            let goes_on = m.after.starts_with(['.', ',']) && starts_with_digit(&m.after[1..]);
            let plain = !m.before.ends_with(signs_before) && !m.after.starts_with(signs_after) && !goes_on;
            (plain && is_year(m.get(1), m)).then(|| year(m.get(1)) + m.get(2))
        }),
    ]
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether nothing but the end of a sentence follows.
pub fn ends_sentence(m: &Found) -> bool {
    let rest = m.after.trim_start_matches(['"', '\'', '”', '’', ')']);
    rest.trim().is_empty() || rest.starts_with('\n')
}

/// Of the years that are written without a comma, those of our time always are one, older ones with a word that says so.
fn is_year(digits: &str, m: &Found) -> bool {
    let counted = m.after.strip_prefix(' ').is_some_and(|rest| {
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
        let plural =
            word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && word.starts_with(char::is_lowercase);
        COUNTED.contains(&word.as_str()) || plural && word != "was" && word != "series"
    });
    match digits.parse() {
        Ok(1900..2100) => !counted,
        Ok(1000..1900) => !counted && m.follows(&YEAR_WORDS) || m.get(2).len() == 4,
        _ => false,
    }
}

fn month(written: &str) -> &'static str {
    let name = written.to_lowercase();
    MONTHS.iter().find(|month| name.as_bytes()[..3].eq_ignore_ascii_case(&month.as_bytes()[..3])).unwrap_or(&MONTHS[0])
}

/// Without a leading zero.
fn day(written: &str) -> &str {
    written.trim_start_matches('0')
}

fn with_year(written: &str) -> String {
    if written.is_empty() { String::new() } else { format!(", {}", year(written)) }
}

/// A date in figures.
fn written(m: &Found, month: usize, day_of: usize, year: Option<usize>) -> Option<String> {
    let index: usize = m.get(month).parse().ok()?;
    let lone = !m.before.ends_with(['-', '/', '.']) && !m.after.starts_with(['-', '/']);
    let tail = year.map_or(String::new(), |group| with_year(m.get(group)));
    lone.then(|| format!("{} {}{tail}", MONTHS[index - 1], ordinal(day(m.get(day_of)))))
}

/// `am`, `A.D.` -> `A M`, `A D`.
fn spelled(letters: &str) -> String {
    let letters: Vec<String> =
        letters.chars().filter(|c| c.is_alphabetic()).map(|c| c.to_ascii_uppercase().to_string()).collect();
    letters.join(" ")
}

fn clock(hour: &str, minute: &str, second: &str, half: &str) -> String {
    let value = |digits: &str| digits.parse::<u64>().unwrap_or(0);
    let mut words = cardinal(value(hour));
    match (minute, value(minute)) {
        ("", _) => {}
        (_, 0) if !half.is_empty() => {}
        (_, 0) => words.push_str(if second.is_empty() { " o'clock" } else { " hundred" }),
        (_, n @ 1..10) => words.push_str(&format!(" oh {}", cardinal(n))),
        (_, n) => words.push_str(&format!(" {}", cardinal(n))),
    }
    if !second.is_empty() {
        let seconds = value(second);
        words.push_str(&format!(" and {} second{}", cardinal(seconds), if seconds == 1 { "" } else { "s" }));
    }
    if !half.is_empty() {
        words.push_str(&format!(" {}", spelled(half)));
    }
    words
}
