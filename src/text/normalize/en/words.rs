//! Abbreviations, acronyms, Roman numerals, words with figures, signs between words.
use super::dates::ends_sentence;
use super::numbers::{cardinal, each, number, ordinal};
use crate::text::normalize::rules::{Found, Rule, any_of};

/// Written with a dot, read as.
const TITLES: &[(&str, &str)] = &[
    ("Mr", "Mister"),
    ("Mrs", "Missus"),
    ("Ms", "Miz"),
    ("Dr", "Doctor"),
    ("Prof", "Professor"),
    ("Gov", "Governor"),
    ("Gen", "General"),
    ("Capt", "Captain"),
    ("Col", "Colonel"),
    ("Lt", "Lieutenant"),
    ("Sgt", "Sergeant"),
    ("Sen", "Senator"),
    ("Rep", "Representative"),
    ("Rev", "Reverend"),
    ("Hon", "Honorable"),
    ("Pres", "President"),
    ("Mt", "Mount"),
    ("Ft", "Fort"),
];

const ABBREVIATIONS: &[(&str, &str)] = &[
    ("Jr", "Junior"),
    ("Sr", "Senior"),
    ("Inc", "Incorporated"),
    ("Ltd", "Limited"),
    ("Co", "Company"),
    ("Corp", "Corporation"),
    ("Ave", "Avenue"),
    ("Rd", "Road"),
    ("Blvd", "Boulevard"),
    ("vs", "versus"),
    ("etc", "et cetera"),
    ("approx", "approximately"),
    ("dept", "department"),
    ("Dept", "Department"),
    ("est", "established"),
    ("ext", "extension"),
    ("Fig", "Figure"),
    ("fig", "figure"),
    ("Vol", "Volume"),
    ("vol", "volume"),
    ("Ch", "Chapter"),
    ("ch", "chapter"),
    ("Sec", "Section"),
    ("sec", "section"),
    ("Eq", "Equation"),
    ("ed", "edition"),
];

const DAYS: &[(&str, &str)] = &[
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Tues", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Thur", "Thursday"),
    ("Thurs", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Sun", "Sunday"),
];

/// Acronyms that are spelled although they could be read as a word.
const SPELLED: &[&str] = &[
    "AI", "API", "ATM", "BBC", "CEO", "CFO", "CIA", "CPU", "CTO", "DIY", "DNA", "EU", "FAQ", "FBI", "GPU", "HIV",
    "IBM", "ID", "IOS", "IP", "IQ", "IRS", "ISO", "IT", "LED", "MBA", "MIT", "NBA", "NFL", "OS", "PhD", "PPT", "RNA",
    "SUV", "TTS", "UAE", "UCLA", "UFO", "UI", "UK", "UN", "URL", "US", "USA", "USB", "UV", "VIP", "AM", "PM", "AC",
    "DC", "GPA", "ETA", "EV", "IPO", "OCR", "SDK", "SEO", "USD", "USSR", "VPN", "WHO", "WTO", "IMF", "HR", "IDE",
    "ASR", "ISBN",
];
/// Acronyms without a vowel that are not spelled.
const SAID: &[&str] = &["MR", "MRS", "MS", "DR", "ST", "HMM", "SHH", "PSST", "BRR", "TSK", "PFFT", "NTH", "GRR", "ZZZ"];
/// Acronyms that collide with words; they are spelled only in a text that also has small letters.
const AMBIGUOUS: &[&str] = &["US", "IT", "WHO", "AM", "ID", "LED"];

/// Names before a Roman numeral that number kings and popes.
const REIGNS: &[&str] = &[
    "henry",
    "louis",
    "elizabeth",
    "charles",
    "george",
    "edward",
    "richard",
    "james",
    "william",
    "pope",
    "napoleon",
    "paul",
    "benedict",
    "pius",
    "ramses",
    "catherine",
    "peter",
    "alexander",
    "nicholas",
    "philip",
    "francis",
    "frederick",
    "wilhelm",
    "mary",
    "leo",
    "gregory",
    "innocent",
    "ivan",
    "otto",
    "queen",
    "king",
    "felipe",
    "margrethe",
];
/// Words before a Roman numeral that count things.
const COUNTED: &[&str] = &[
    "chapter", "part", "volume", "book", "act", "scene", "section", "phase", "type", "war", "title", "article",
    "appendix", "level", "episode", "season", "grade", "class", "stage", "mark", "fantasy", "rocky", "bowl", "vol.",
    "no.", "figure", "table", "unit", "lesson", "group", "division", "factor", "tier",
];
/// Words before a single capital and a full stop that keep the stop: it ends the sentence.
const LETTERED: &[&str] = &[
    "plan",
    "vitamin",
    "option",
    "type",
    "class",
    "grade",
    "section",
    "part",
    "team",
    "group",
    "hepatitis",
    "and",
    "or",
];

pub fn abbreviations() -> Vec<Rule> {
    let titles = any_of(TITLES.iter().map(|(short, _)| *short));
    let days = any_of(DAYS.iter().map(|(short, _)| *short));
    let abbreviations = any_of(ABBREVIATIONS.iter().map(|(short, _)| *short));
    vec![
        Rule::new(&format!(r"({titles})\. ?"), |m| {
            let named = m.after.starts_with(char::is_uppercase);
            named.then(|| Some(format!("{} ", long(TITLES, m.get(1))?))).flatten()
        }),
        Rule::new("(Mr|Mrs|Ms|Dr|Prof) ", |m| {
            let named = m.after.starts_with(char::is_uppercase);
            named.then(|| Some(format!("{} ", long(TITLES, m.get(1))?))).flatten()
        }),
        Rule::new(&format!("({days}) ?[-–] ?({days})"), |m| {
            let end = m.after.strip_prefix('.').unwrap_or(m.after);
            let words = !end.starts_with(|c: char| c.is_alphanumeric() || c == '-');
            words.then(|| Some(format!("{} to {}", day(m.get(1))?, day(m.get(2))?))).flatten()
        }),
        Rule::new(&format!("({days})\\."), |m| {
            // "Sun." and "Sat." end sentences, too.
            let short = !matches!(m.get(1), "Sat" | "Sun") || m.after.starts_with(',');
            short.then(|| Some(format!("{}{}", day(m.get(1))?, stop(m)))).flatten()
        }),
        Rule::new(r"St\. ?", |m| {
            // Behind a name it is a street: "Main St. Then ...".
            let tail = m.before.char_indices().rev().nth(30).map_or(0, |(at, _)| at);
            let street = m.before[tail..].trim_end().rsplit(' ').next().is_some_and(|word| {
                m.before.ends_with(' ')
                    && word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
                    && word.len() > 2
            });
            let named = m.after.starts_with(char::is_uppercase);
            Some(match (named, street) {
                (true, false) => "Saint ".into(),
                (true, true) => "Street. ".into(),
                (false, _) => format!("Street{}{}", stop(m), &m.all()[3..]),
            })
        }),
        Rule::new(r"(?:e\.g\.|eg\.),?", |_| Some("for example,".into())),
        Rule::new(r"i\.e\.,?", |_| Some("that is,".into())),
        Rule::new(r"Ph\.? ?D\.", |m| Some(format!("P H D{}", stop(m)))),
        Rule::new(r"w/o ", |_| Some("without ".into())),
        Rule::new(r"w/ ", |_| Some("with ".into())),
        Rule::new(&format!(r"({abbreviations})\."), |m| Some(format!("{}{}", long(ABBREVIATIONS, m.get(1))?, stop(m)))),
        Rule::new(r"(?:[A-Z]\. ?){2,}", |m| {
            let letters: Vec<String> = m.all().chars().filter(|c| c.is_alphabetic()).map(String::from).collect();
            let space = if m.all().ends_with(' ') { " " } else { "" };
            Some(letters.join(" ") + if ends_sentence(m) { "." } else { space })
        }),
        Rule::new(r"([A-Z][a-z]+) ([A-Z])\. ", |m| {
            let lettered = LETTERED.contains(&m.get(1).to_lowercase().as_str());
            let name = !lettered && m.get(2) != "I" && m.after.starts_with(char::is_uppercase);
            name.then(|| format!("{} {} ", m.get(1), m.get(2)))
        }),
    ]
}

pub fn rules() -> Vec<Rule> {
    let spelled = any_of(SPELLED.iter().copied());
    vec![
        Rule::new(r"([A-Z][a-z]+|[A-Z]+|[a-z]+\.?) ([IVXL]+)(?-u:\b)", roman),
        // Figures in and behind words: MP3, GPT-4, H2O, iPhone15, 3D.
        Rule::new(r"[A-Za-z]*[A-Za-z0-9]*[0-9][A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z]+[0-9][A-Za-z0-9]*", |m| {
            Some(mixed(m.all()))
        }),
        Rule::new(r"([A-Za-z]{2,})-([0-9]{1,4}(?:\.[0-9]{1,3})?)", |m| {
            let lone = !m.after.starts_with('-') && !m.before.ends_with('-');
            lone.then(|| format!("{} {}", m.get(1), number(m.get(2))))
        }),
        Rule::new(r"([A-Za-z])-([0-9]{1,4})", |m| {
            (!m.before.ends_with('-')).then(|| format!("{} {}", m.get(1), number(m.get(2))))
        }),
        Rule::new(&format!(r"(?:(?:{spelled})s?|[B-DF-HJ-NP-TV-XZ]{{2,6}}s?)"), |m| {
            let word = m.all();
            let shouted = !m.before.chars().chain(m.after.chars()).take(400).any(char::is_lowercase);
            let kept = SAID.contains(&word) || shouted && AMBIGUOUS.contains(&word);
            (!kept).then(|| spell(word))
        }),
        Rule::new(r"([A-Za-z]+)\+\+", |m| Some(format!("{} plus plus", m.get(1)))),
        Rule::new(r"([A-Z])#", |m| Some(format!("{} sharp", m.get(1)))),
        Rule::new(r"([A-F])([+-])", |m| {
            let alone = m.after.is_empty() || m.after.starts_with([' ', '.', ',', '!', '?', ';']);
            alone.then(|| format!("{} {}", m.get(1), if m.get(2) == "+" { "plus" } else { "minus" }))
        }),
        Rule::within("#", |m| m.after.starts_with(char::is_alphabetic).then(|| "hashtag ".into())),
        Rule::within(" ?/ ?", |m| {
            let words = m.previous().is_some_and(char::is_alphabetic) && m.after.starts_with(char::is_alphabetic);
            words.then(|| " ".into())
        }),
        Rule::within(" ?& ?", |_| Some(" and ".into())),
        Rule::within(" [+] ", |_| Some(" plus ".into())),
        // Keys that are pressed together.
        Rule::within("[+]", |m| {
            let words = m.previous().is_some_and(char::is_alphabetic) && m.after.starts_with(char::is_alphanumeric);
            words.then(|| " plus ".into())
        }),
        Rule::within(" = ", |_| Some(" equals ".into())),
        Rule::within(" ?% ?", |_| Some(" percent ".into())),
        Rule::within(" ?° ?", |_| Some(" degrees ".into())),
        Rule::within("@", |_| Some(" at ".into())),
        Rule::within(r"\$", |_| Some(" dollar ".into())),
        Rule::within("£", |_| Some(" pound ".into())),
        Rule::within("€", |_| Some(" euro ".into())),
        Rule::within("©", |_| Some(" copyright ".into())),
        Rule::within("√", |_| Some(" the square root of ".into())),
        Rule::within("∞", |_| Some(" infinity ".into())),
        Rule::within("π", |_| Some(" pi ".into())),
    ]
}

fn long(table: &[(&str, &'static str)], short: &str) -> Option<&'static str> {
    table.iter().find(|(written, _)| *written == short).map(|(_, long)| *long)
}

fn day(short: &str) -> Option<&'static str> {
    long(DAYS, short)
}

/// The full stop of an abbreviation, where it also ends the sentence.
fn stop(m: &Found) -> &'static str {
    if ends_sentence(m) { "." } else { "" }
}

fn roman(m: &Found) -> Option<String> {
    let (word, numeral) = (m.get(1), m.get(2));
    let value = value(numeral)?;
    let name = word.to_lowercase();
    if REIGNS.contains(&name.as_str()) {
        // The single I is the pronoun unless a realm follows.
        let reigns = numeral != "I" || m.after.starts_with(" of ");
        return reigns.then(|| format!("{word} the {}", ordinal(&value.to_string())));
    }
    let counted = COUNTED.contains(&name.as_str());
    let plain = numeral.len() > 1 && !matches!(numeral, "XL" | "LI" | "LL") && word.starts_with(char::is_uppercase);
    (counted || plain).then(|| format!("{word} {}", cardinal(value)))
}

/// The value of a Roman numeral below ninety, if it is written as it should be.
fn value(numeral: &str) -> Option<u64> {
    let digits: Vec<u64> = numeral.chars().map(|c| "IVXL".find(c).map_or(0, |at| [1, 5, 10, 50][at])).collect();
    let next = digits.iter().skip(1).copied().chain([0]);
    let (plus, minus) =
        digits.iter().zip(next).fold(
            (0, 0),
            |(plus, minus), (&digit, next)| {
                if digit < next { (plus, minus + digit) } else { (plus + digit, minus) }
            },
        );
    let sum = u64::checked_sub(plus, minus)?;
    (sum < 90 && written(sum) == numeral).then_some(sum)
}

fn written(mut n: u64) -> String {
    let mut out = String::new();
    for (letters, value) in [("L", 50), ("XL", 40), ("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1)] {
        while n >= value {
            out.push_str(letters);
            n -= value;
        }
    }
    out
}

/// Letters and figures apart: `MP3` -> `MP three`; zeros in front are read.
fn mixed(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        if !out.is_empty() {
            out.push(' ');
        }
        match digits {
            true if run.len() > 4 => out.push_str(&each(run)),
            true => out.push_str(&number(run)),
            false => out.push_str(run),
        }
        rest = tail;
    }
    out
}

/// `APIs` -> `A P I's`.
fn spell(word: &str) -> String {
    let (letters, plural) = match word.strip_suffix('s') {
        Some(letters) => (letters, "s"),
        None => (word, ""),
    };
    let letters: Vec<String> = letters.chars().map(|c| c.to_ascii_uppercase().to_string()).collect();
    letters.join(" ") + plural
}
