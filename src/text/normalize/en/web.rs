//! Addresses, versions, telephone numbers: what is read piece by piece.
use super::numbers::{each, whole};
use crate::text::normalize::rules::{Found, Rule, any_of};

const SUFFIXES: [&str; 21] = [
    "com", "org", "net", "edu", "gov", "io", "ai", "co", "uk", "de", "fr", "es", "jp", "cn", "eu", "info", "dev",
    "app", "tv", "ca", "au",
];
/// Endings that are read as a word.
const SPOKEN: [&str; 7] = ["com", "org", "net", "gov", "info", "dev", "app"];
const EXTENSIONS: [&str; 26] = [
    "txt", "pdf", "doc", "docx", "xls", "xlsx", "csv", "json", "xml", "yaml", "toml", "html", "htm", "css", "js", "py",
    "rs", "md", "zip", "exe", "jpg", "png", "gif", "mp3", "mp4", "wav",
];
const CALLS: [&str; 17] = [
    "call",
    "dial",
    "phone",
    "tel",
    "fax",
    "hotline",
    "text",
    "extension",
    "ext.",
    "zip code",
    "zip code is",
    "pin",
    "pin is",
    "passcode",
    "passcode is",
    "password is",
    "code is",
];

pub fn rules() -> Vec<Rule> {
    let suffixes = any_of(SUFFIXES);
    let extensions = any_of(EXTENSIONS);
    vec![
        Rule::new(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", |m| Some(address(m.all()))),
        Rule::new(r"(?i)(?:https?|ftp)://([A-Za-z0-9][A-Za-z0-9._~:/?#@!$&*+,;=%-]*)", |m| {
            let (address_, tail) = without_punctuation(m.get(1));
            Some(address(address_) + tail)
        }),
        Rule::new(
            &format!(
                r"(?:www\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:{suffixes}))(?:/[A-Za-z0-9._~/?#&=%-]*)?"
            ),
            |m| {
                // "Hello.In" is a missing space, not an address.
                let domain = m.all().split('/').next().unwrap_or_default();
                let last = domain.rsplit('.').next().unwrap_or_default();
                if last.starts_with(char::is_uppercase) {
                    return None;
                }
                let (address_, tail) = without_punctuation(m.all());
                Some(address(address_) + tail)
            },
        ),
        Rule::new(&format!(r"([A-Za-z0-9_-]+)\.({extensions})"), |m| {
            Some(format!("{} dot {}", m.get(1), letters(m.get(2))))
        }),
        Rule::new(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})", |m| {
            let groups: Vec<String> = (1..=4).map(|group| each(m.get(group))).collect();
            (!m.before.ends_with(['v', '.'])).then(|| groups.join(" dot "))
        }),
        Rule::new(
            r"(?:[vV](?:er|ersion)?\.? ?)?[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}|[vV][0-9]{1,3}(?:\.[0-9]{1,4})?",
            version,
        ),
        Rule::new(r"(\+[0-9]{1,3})[ -]?(?:\(([0-9]{1,4})\)[ -]?)?([0-9]{2,5}(?:[ .-][0-9]{2,4}){0,4})", |m| {
            let mut groups = vec![format!("plus {}", each(m.get(1)))];
            groups.extend(
                [m.get(2)].into_iter().chain(m.get(3).split([' ', '.', '-'])).filter(|g| !g.is_empty()).map(each),
            );
            (groups.len() > 2).then(|| groups.join(", "))
        }),
        Rule::new(r"(?:1-)?(?:\(([0-9]{3})\) ?|([0-9]{3})[-. ])([0-9]{3})[-. ]([0-9]{4})", |m| groups(m.all())),
        Rule::new(r"[0-9]+(?:-[0-9]+){2,6}", |m| groups(m.all())),
        Rule::new(r"([0-9]{3})-([0-9]{4})", |m| {
            (m.get(2).starts_with('0') || m.follows(&CALLS) || m.follows(&["number", "at"]))
                .then(|| groups(m.all()))
                .flatten()
        }),
        Rule::new(r"[0-9]{3,}", |m| m.follows(&CALLS).then(|| each(m.all()))),
    ]
}

/// Digits of each group, a pause between the groups.
fn groups(written: &str) -> Option<String> {
    let groups = written.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    Some(groups.map(each).collect::<Vec<_>>().join(", "))
}

fn version(m: &Found) -> Option<String> {
    let digits = m.all().trim_start_matches(|c: char| !c.is_ascii_digit());
    let parts: Vec<String> = digits.split('.').map(whole).collect();
    let name = if digits.len() < m.all().len() && !m.follows(&["version"]) { "version " } else { "" };
    Some(name.to_string() + &parts.join(" point "))
}

/// The address, and punctuation that belongs to the sentence.
fn without_punctuation(address: &str) -> (&str, &str) {
    let end = address.trim_end_matches(['.', ',', '!', '?', ';', ':', '/']).len();
    let tail = &address[end..];
    (&address[..end], tail.trim_start_matches('/'))
}

/// `www.example.co.uk/a_b` -> `W W W dot example dot co dot U K slash a underscore b`; figures are left for later.
fn address(written: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let domain_end = written.find('/').unwrap_or(written.len());
    for (at, c) in written.char_indices().chain([(written.len(), ' ')]) {
        if c.is_alphanumeric() {
            if word.ends_with(|last: char| last.is_ascii_digit() != c.is_ascii_digit() && !word.is_empty()) {
                words.push(std::mem::take(&mut word));
            }
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let last_of_domain = at == domain_end && written[..at].ends_with(&format!(".{word}"));
            let short = last_of_domain && word.len() <= 3 && !SPOKEN.contains(&word.to_lowercase().as_str());
            words.push(if short || word == "www" { letters(&word) } else { word.clone() });
            word.clear();
        }
        let name = match c {
            '.' => "dot",
            '@' => "at",
            '/' => "slash",
            '-' => "dash",
            '_' => "underscore",
            ':' => "colon",
            '?' => "question mark",
            '=' => "equals",
            '&' => "and",
            '#' => "hash",
            '%' => "percent",
            '+' => "plus",
            '~' => "tilde",
            _ => continue,
        };
        words.push(name.into());
    }
    words.join(" ")
}

/// `uk` -> `U K`; what has a vowel inside and three letters or more is a word.
fn letters(word: &str) -> String {
    const WORDS: [&str; 8] = ["doc", "zip", "toml", "yaml", "json", "gif", "wav", "text"];
    if WORDS.contains(&word) {
        return word.into();
    }
    let mut out: Vec<String> = Vec::new();
    for c in word.chars() {
        out.push(if c.is_ascii_digit() { each(&c.to_string()) } else { c.to_uppercase().collect() });
    }
    out.join(" ")
}
