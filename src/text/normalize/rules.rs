//! Rewriting by tables of patterns.
use regex::{Captures, Regex};

/// What a pattern found, with the text around it.
pub struct Found<'a> {
    captures: Captures<'a>,
    /// Everything before the match. Rules that ran before may have rewritten it.
    pub before: &'a str,
    /// Everything behind the match.
    pub after: &'a str,
}

impl<'a> Found<'a> {
    /// The whole match.
    pub fn all(&self) -> &'a str {
        self.captures.get(0).map_or("", |m| m.as_str())
    }

    /// A group of the pattern; empty where it took no part.
    pub fn get(&self, group: usize) -> &'a str {
        self.captures.get(group).map_or("", |m| m.as_str())
    }

    /// Whether the text before the match ends in one of `words` (lower case), spaces aside.
    pub fn follows(&self, words: &[&str]) -> bool {
        let before = self.before.trim_end().trim_end_matches([':', '：', '-', ',', '(']).trim_end();
        let start = before.char_indices().rev().nth(15).map_or(0, |(at, _)| at);
        let tail = before[start..].to_lowercase();
        words.iter().any(|word| {
            tail.strip_suffix(word).is_some_and(|rest| {
                !(word.starts_with(|c: char| c.is_ascii()) && rest.ends_with(|c: char| c.is_ascii_alphanumeric()))
            })
        })
    }

    /// Whether the match stands between an article and a noun, so that its unit is singular: "a 5 kg bag".
    pub fn attributive(&self) -> bool {
        const OTHERS: [&str; 10] = ["of ", "in ", "at ", "per ", "and ", "or ", "to ", "for ", "from ", "on "];
        let noun = |rest: &str| {
            rest.starts_with(|c: char| c.is_ascii_lowercase()) && !OTHERS.iter().any(|word| rest.starts_with(word))
        };
        self.after.strip_prefix(' ').is_some_and(noun) && self.follows(&["a", "an"])
    }

    /// The character before the match.
    pub fn previous(&self) -> Option<char> {
        self.before.chars().next_back()
    }
}

/// Gives the reading of a match, or declines it.
type Speak = fn(&Found) -> Option<String>;

/// A pattern and what becomes of its matches.
pub struct Rule {
    pattern: Regex,
    speak: Speak,
    /// Matches may begin and end within a word or a number.
    within: bool,
}

impl Rule {
    pub fn new(pattern: &str, speak: Speak) -> Self {
        let pattern = Regex::new(pattern).unwrap_or_else(|e| panic!("a pattern of the normaliser is not valid: {e}"));
        Self { pattern, speak, within: false }
    }

    /// A rule for signs, whose neighbours may be words.
    pub fn within(pattern: &str, speak: Speak) -> Self {
        Self { within: true, ..Self::new(pattern, speak) }
    }

    /// Rewrites every match that stands by itself: letters and digits are never taken out of the middle of a word or a
    /// number. What is declined is passed on as it is.
    fn apply(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for captures in self.pattern.captures_iter(text) {
            let Some(all) = captures.get(0).filter(|m| !m.is_empty()) else { continue };
            let (start, end) = (all.start(), all.end());
            if !self.within && (joined(text, start) || joined(text, end)) {
                continue;
            }
            let found = Found { captures, before: &text[..start], after: &text[end..] };
            if let Some(spoken) = (self.speak)(&found) {
                out.push_str(&text[copied..start]);
                out.push_str(&spoken);
                copied = end;
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }
}

/// Whether a word or number goes on across the position.
fn joined(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    at > 0 && at < bytes.len() && bytes[at - 1].is_ascii_alphanumeric() && bytes[at].is_ascii_alphanumeric()
}

/// Applies the rules one after the other.
pub fn rewrite(rules: &[Rule], text: &str) -> String {
    rules.iter().fold(text.to_string(), |text, rule| rule.apply(&text).unwrap_or(text))
}

/// The alternation of `words`, longest first, ready for a pattern.
pub fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words.into_iter().map(regex::escape).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_within_words_are_left_alone() {
        let rules = [Rule::new("[0-9]", |found| Some(format!("<{}>", found.all())))];
        assert_eq!(rewrite(&rules, "a1 1b 12 3 三4岁"), "a1 1b 12 <3> 三<4>岁");
    }

    #[test]
    fn words_before_a_match_are_whole_words() {
        let rules = [Rule::new("[0-9]+", |found| found.follows(&["in", "第"]).then(|| "x".into()))];
        assert_eq!(rewrite(&rules, "in 5 begin 6 In: 7 第8"), "in x begin 6 In: x 第x");
    }
}
