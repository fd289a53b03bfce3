//! Numbers in their surroundings: ordinals, fractions, ranges, scores, signs, and whatever is left.
use super::numbers::{NUMBER, each, fraction, number, ordinal};
use crate::text::normalize::rules::{Found, Rule, any_of};

/// Signs between two values, and what is said.
const OPERATORS: &[(&str, &str)] = &[
    ("+", "plus"),
    ("=", "equals"),
    ("×", "times"),
    ("*", "times"),
    ("÷", "divided by"),
    ("/", "divided by"),
    ("<", "is less than"),
    (">", "is greater than"),
    ("≤", "is at most"),
    ("<=", "is at most"),
    ("≥", "is at least"),
    (">=", "is at least"),
    ("≠", "is not equal to"),
    ("!=", "is not equal to"),
    ("≈", "is approximately"),
    ("-", "minus"),
    ("−", "minus"),
    ("±", "plus or minus"),
];

/// Readings of two numbers with a slash that are names.
const NAMES: [(&str, &str); 4] =
    [("24/7", "twenty four seven"), ("9/11", "nine eleven"), ("50/50", "fifty fifty"), ("20/20", "twenty twenty")];

/// Signs in front of numbers, and ranges. They run before units and money, so that `10-20 km` has its unit read behind the
/// second number.
pub fn signs() -> Vec<Rule> {
    vec![
        Rule::within(r"(?-u:\b)(?:No|Nos|no)\. ?", |m| before_figure(m, "number ")),
        Rule::within("# ?", |m| before_figure(m, "number ")),
        Rule::within(r"(?-u:\b)pp\. ?", |m| before_figure(m, "pages ")),
        Rule::within(r"(?-u:\b)p\. ?", |m| before_figure(m, "page ")),
        Rule::within("[-−+±~≈]", |m| {
            let words = match m.all() {
                "-" | "−" => "minus ",
                "+" => "plus ",
                "±" => "plus or minus ",
                _ => "about ",
            };
            sign(m, words)
        }),
        Rule::new(&format!(r"([$£€¥]?)({NUMBER}) ?(?:-|–|—|~|～) ?([$£€¥]?)({NUMBER})"), |m| {
            let (first, second) = (m.get(2), m.get(4));
            let chain = m.before.ends_with(['-', '/', '^', '.', '–']) || m.after.starts_with(['-', '/', '–', ':']);
            // "5 - 3 = 2" is a subtraction; "555-0199" is a code.
            let sum = m.all().contains(" - ") || m.after.trim_start().starts_with('=');
            let code = second.len() > 1 && second.starts_with('0') && !second.contains('.');
            if chain || sum || code || m.get(1).is_empty() && !m.get(3).is_empty() {
                return None;
            }
            let sign = if m.get(1).is_empty() { m.get(3) } else { m.get(1) };
            // The second number keeps its figures: a unit or an amount may follow.
            Some(format!("{} to {sign}{second}", number(first)))
        }),
        Rule::new(&format!(r"({NUMBER}) ?(k?m|cm|mm|kg|g|%|°C|°F|°) ?(?:-|–) ?({NUMBER})"), |m| {
            Some(format!("{}{} to {}", m.get(1), m.get(2), m.get(3)))
        }),
    ]
}

pub fn rules() -> Vec<Rule> {
    let operators = any_of(OPERATORS.iter().map(|(sign, _)| *sign));
    let sum = format!(r"([0-9.]|(?-u:\b)[A-Za-z]|squared|cubed) ?({operators}) ?([-−]?[0-9.]|[A-Za-z](?-u:\b))");
    vec![
        Rule::new(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:st|nd|rd|th|ST|ND|RD|TH)", |m| Some(ordinal(m.get(1)))),
        Rule::new(r"([0-9]+) ([0-9]{1,3})/([0-9]{1,4})", |m| {
            let (top, bottom): (u32, u32) = (m.get(2).parse().ok()?, m.get(3).parse().ok()?);
            let proper = 0 < top && top < bottom && !m.after.starts_with('/');
            let part = fraction(m.get(2), m.get(3));
            let part = part.strip_prefix("one ").filter(|_| top == 1).map(article).unwrap_or(part);
            proper.then(|| format!("{} and {part}", number(m.get(1))))
        }),
        // A mark: "4.5/5".
        Rule::new(r"([0-9]{1,3}\.[0-9]{1,2})/([0-9]{1,3})", |m| {
            let lone = !m.before.ends_with(['/', '.']) && !m.after.starts_with('/');
            lone.then(|| format!("{} out of {}", number(m.get(1)), number(m.get(2))))
        }),
        Rule::new(r"([0-9]{1,6})/([0-9]{1,6})", |m| {
            if let Some((_, words)) = NAMES.iter().find(|(written, _)| *written == m.all()) {
                return Some((*words).into());
            }
            let lone = !m.before.ends_with('/') && !m.after.starts_with('/');
            lone.then(|| fraction(m.get(1), m.get(2)))
        }),
        Rule::new(r"([0-9]{1,4}) ?: ?([0-9]{1,4})", |m| {
            let lone = !m.before.ends_with(':') && !m.after.starts_with(':') && !m.all().ends_with(' ');
            lone.then(|| format!("{} to {}", number(m.get(1)), number(m.get(2))))
        }),
        Rule::new(&format!(r"({NUMBER}) ?(?:[x×*·] ?10\^|[eE])([-−+]?)([0-9]{{1,3}})"), |m| {
            let sign = if matches!(m.get(2), "-" | "−") { "minus " } else { "" };
            Some(format!("{} times ten to the power of {sign}{}", number(m.get(1)), number(m.get(3))))
        }),
        Rule::new(r"([0-9]{1,5}) ?[x×] ?([0-9]{1,5})(?: ?[x×] ?([0-9]{1,5}))?", |m| {
            let parts = [1, 2, 3].map(|group| m.get(group));
            let link = if m.after.trim_start().starts_with('=') { " times " } else { " by " };
            Some(parts.iter().filter(|p| !p.is_empty()).map(|p| number(p)).collect::<Vec<_>>().join(link))
        }),
        Rule::new(r"([0-9]+|[A-Za-z]+)(\^2|²|\^3|³)", |m| {
            Some(format!("{} {}", m.get(1), if m.get(2).ends_with(['2', '²']) { "squared" } else { "cubed" }))
        }),
        Rule::new(r"([0-9]+|[A-Za-z])\^([-−]?)([0-9]+)", |m| {
            let sign = if m.get(2).is_empty() { "" } else { "minus " };
            Some(format!("{} to the power of {sign}{}", m.get(1), number(m.get(3))))
        }),
        Rule::within(&sum, operator),
        // Once more: a value between two signs belongs to both.
        Rule::within(&sum, operator),
        Rule::within("[<>≤≥] ?", |m| {
            let words = match m.all().trim_end() {
                "<" => "less than ",
                ">" => "more than ",
                "≤" => "at most ",
                _ => "at least ",
            };
            sign(m, words)
        }),
        Rule::new(&format!(r"({NUMBER})\+"), |m| Some(format!("{} plus", number(m.get(1))))),
    ]
}

/// A sign between a gap and a number.
fn sign(m: &Found, words: &str) -> Option<String> {
    let free = m.previous().is_none_or(|c| c.is_whitespace() || "([\"'“‘,=".contains(c));
    before_figure(m, words).filter(|_| free)
}

fn before_figure(m: &Found, word: &str) -> Option<String> {
    m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| word.into())
}

fn operator(m: &Found) -> Option<String> {
    let (_, name) = OPERATORS.iter().find(|(sign, _)| *sign == m.get(2))?;
    let spaced = m.all().contains(&format!(" {} ", m.get(2)));
    let digits = m.get(1).ends_with(|c: char| c.is_ascii_digit()) && m.get(3).starts_with(|c: char| c.is_ascii_digit());
    // "A-B", "and/or", "x-ray": only figures, or signs set apart, are sums.
    let sum = match m.get(2) {
        "-" | "−" | "/" => spaced,
        "*" | "<" | ">" | "+" => spaced || digits,
        _ => true,
    };
    sum.then(|| format!("{} {name} {}", m.get(1), m.get(3)))
}

/// `half` -> `a half`, `eighth` -> `an eighth`.
fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Numbers that nothing else has read.
pub fn rest() -> Vec<Rule> {
    vec![
        Rule::new(NUMBER, |m| {
            // "1.2.3" in an odd place, or more digits after a comma: piece by piece.
            let piece =
                m.before.ends_with(|c: char| c.is_ascii_digit()) || m.all().starts_with('.') && joined(m.previous());
            Some(if piece { format!(" point {}", each(m.all())) } else { number(m.all()) })
        }),
        Rule::new(r"[0-9]+", |m| Some(number(m.all()))),
    ]
}

fn joined(previous: Option<char>) -> bool {
    previous.is_some_and(char::is_alphanumeric)
}
