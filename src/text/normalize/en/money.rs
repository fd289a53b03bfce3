//! Amounts of money.
use super::numbers::{NUMBER, cardinal, number};
use crate::text::normalize::rules::{Found, Rule, any_of};

/// A currency: how it is written, one, many, one hundredth, many hundredths.
struct Currency(&'static str, &'static str, &'static str, &'static str, &'static str);

const SYMBOLS: &[Currency] = &[
    Currency("$", "dollar", "dollars", "cent", "cents"),
    Currency("US$", "U S dollar", "U S dollars", "cent", "cents"),
    Currency("A$", "Australian dollar", "Australian dollars", "cent", "cents"),
    Currency("C$", "Canadian dollar", "Canadian dollars", "cent", "cents"),
    Currency("HK$", "Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    Currency("NZ$", "New Zealand dollar", "New Zealand dollars", "cent", "cents"),
    Currency("NT$", "new Taiwan dollar", "new Taiwan dollars", "cent", "cents"),
    Currency("S$", "Singapore dollar", "Singapore dollars", "cent", "cents"),
    Currency("R$", "real", "reais", "centavo", "centavos"),
    Currency("£", "pound", "pounds", "penny", "pence"),
    Currency("€", "euro", "euros", "cent", "cents"),
    Currency("¥", "yen", "yen", "", ""),
    Currency("CN¥", "yuan", "yuan", "", ""),
    Currency("₹", "rupee", "rupees", "paisa", "paise"),
    Currency("₩", "won", "won", "", ""),
    Currency("₽", "ruble", "rubles", "kopeck", "kopecks"),
    Currency("₿", "bitcoin", "bitcoins", "", ""),
];

const CODES: &[Currency] = &[
    Currency("USD", "U S dollar", "U S dollars", "cent", "cents"),
    Currency("EUR", "euro", "euros", "cent", "cents"),
    Currency("GBP", "British pound", "British pounds", "penny", "pence"),
    Currency("JPY", "Japanese yen", "Japanese yen", "", ""),
    Currency("CNY", "Chinese yuan", "Chinese yuan", "", ""),
    Currency("RMB", "R M B", "R M B", "", ""),
    Currency("CHF", "Swiss franc", "Swiss francs", "centime", "centimes"),
    Currency("AUD", "Australian dollar", "Australian dollars", "cent", "cents"),
    Currency("CAD", "Canadian dollar", "Canadian dollars", "cent", "cents"),
    Currency("HKD", "Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    Currency("INR", "Indian rupee", "Indian rupees", "paisa", "paise"),
    Currency("KRW", "Korean won", "Korean won", "", ""),
];

/// Magnitudes and their short forms.
const MAGNITUDES: [(&str, &str); 13] = [
    ("thousand", "thousand"),
    ("million", "million"),
    ("billion", "billion"),
    ("trillion", "trillion"),
    ("K", "thousand"),
    ("k", "thousand"),
    ("M", "million"),
    ("m", "million"),
    ("mn", "million"),
    ("B", "billion"),
    ("bn", "billion"),
    ("T", "trillion"),
    ("tn", "trillion"),
];

pub fn rules() -> Vec<Rule> {
    let magnitudes = any_of(MAGNITUDES.iter().map(|(written, _)| *written));
    let symbols = any_of(SYMBOLS.iter().map(|c| c.0));
    let codes = any_of(CODES.iter().map(|c| c.0));
    let magnitude = format!(r"(?: ?({magnitudes})(?-u:\b))?");
    vec![
        Rule::new(&format!(r"([-−]?)({symbols}) ?({NUMBER}){magnitude}"), |m| {
            amount(m, SYMBOLS, m.get(2), m.get(3), m.get(4)).map(|words| minus(m) + &words)
        }),
        Rule::new(&format!(r"({codes}) ?({NUMBER}){magnitude}"), |m| amount(m, CODES, m.get(1), m.get(2), m.get(3))),
        Rule::new(&format!(r"({NUMBER}){magnitude} ?({codes})"), |m| amount(m, CODES, m.get(3), m.get(1), m.get(2))),
        Rule::new(&format!(r"({NUMBER}){magnitude} ?([$£€₹₽])"), |m| {
            amount(m, SYMBOLS, m.get(3), m.get(1), m.get(2))
        }),
        Rule::new(&format!("({NUMBER})(k|K|M|B|bn)"), |m| {
            // "4K", "5k run" and "plan 2B" are names; "50k", "1.5M" and "1M tokens" are quantities.
            let (value, short) = (m.get(1), m.get(2));
            let noun = m.after.strip_prefix(' ').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            let race = [" run", " race", " resolution", " video"].iter().any(|word| m.after.starts_with(word));
            let quantity = match short {
                "K" => value.contains('.'),
                "k" => value.len() > 1 && !race,
                "bn" => true,
                _ => value.contains('.') || noun,
            };
            let (_, name) = MAGNITUDES.iter().find(|(written, _)| *written == short)?;
            quantity.then(|| format!("{} {name}", number(value)))
        }),
        Rule::new(r"([0-9]+) ?¢", |m| {
            Some(format!("{} cent{}", number(m.get(1)), if m.get(1) == "1" { "" } else { "s" }))
        }),
    ]
}

/// A sign, unless it is a hyphen between two words.
fn minus(m: &Found) -> String {
    let sign = !m.get(1).is_empty();
    match m.previous() {
        Some(c) if sign && (c.is_alphanumeric() || c == ')') => " ".into(),
        _ if sign => "minus ".into(),
        _ => String::new(),
    }
}

fn amount(m: &Found, table: &[Currency], written: &str, value: &str, magnitude: &str) -> Option<String> {
    let Currency(_, one, many, minor, minors) = table.iter().find(|c| c.0 == written)?;
    let per = if m.after.starts_with('/') && m.after[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        " per"
    } else {
        ""
    };
    // The slash itself becomes a space later.
    let done = |words: String| Some(words + per);
    let many = if m.attributive() { one } else { many };
    if let Some((_, name)) = MAGNITUDES.iter().find(|(short, _)| *short == magnitude) {
        return done(format!("{} {name} {many}", number(value)));
    }
    let plain = value.replace(',', "");
    let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, ""));
    let unit = if whole == "1" { one } else { many };
    let cents: u64 = match decimals.len() {
        _ if minor.is_empty() => 0,
        1 => decimals.parse::<u64>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => 0,
    };
    let exact = decimals.is_empty() || decimals.len() <= 2 && !minor.is_empty();
    if !exact {
        return done(format!("{} {many}", number(&plain)));
    }
    let minor = format!("{} {}", cardinal(cents), if cents == 1 { minor } else { minors });
    let zero = whole.trim_start_matches('0').is_empty();
    match (zero, cents) {
        (_, 0) => done(format!("{} {unit}", number(if whole.is_empty() { "0" } else { whole }))),
        (true, _) => done(minor),
        _ => done(format!("{} {unit} and {minor}", number(whole))),
    }
}
