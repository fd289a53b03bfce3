//! Dividing a long text into segments: at sentences rather than clauses, at clauses rather than words; never inside a
//! number or a bracket if there is another way; and evenly, so that no short rest is left over.
//!
//! This is our own way. The reference's, which fill segments from the front, are in [`super::segment`] (2.0) and
//! [`super::pack`] (2.5).
use std::collections::{HashMap, HashSet};

use super::normalize::{Rules, number_words};
use super::pronunciation::regions;
use super::tokenizer::is_cjk;

/// What a division costs: at the end of a sentence, of a clause, behind a comma, between words, between characters of a
/// script without spaces, inside a number or a bracket, inside a word. In the scale of [`uneven`].
const SENTENCE: f64 = 0.0;
const CLAUSE: f64 = 0.4;
const COMMA: f64 = 0.6;
const WORDS: f64 = 2.0;
const CHARACTERS: f64 = 2.5;
const INSIDE: f64 = 8.0;
const TORN: f64 = 20.0;
/// What every segment costs.
const SEGMENT: f64 = 0.3;

const SENTENCE_ENDS: &str = ".!?…。！？؟";
const CLAUSE_ENDS: &str = ";:—–；：؛";
const COMMAS: &str = ",，、،";
const PAIRS: [(char, char); 12] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('（', '）'),
    ('【', '】'),
    ('《', '》'),
    ('「', '」'),
    ('『', '』'),
    ('“', '”'),
    ('‘', '’'),
    ('«', '»'),
    ('¿', '?'),
];
/// Figures of scripts without spaces.
const FIGURES: &str = "零〇一二三四五六七八九十百千万萬亿億两點点";

/// A piece of the text that is not divided: with the space before it.
#[derive(Debug, Clone, Copy)]
struct Atom<'a> {
    text: &'a str,
    /// Where it begins, bytes.
    at: usize,
    tokens: usize,
    /// What a division behind it costs.
    end: f64,
}

/// Divides `text` into segments of at most `budget` tokens, as `count` counts them. Marked readings stay whole. Together the
/// segments hold everything but the spaces between them.
pub fn divide(text: &str, budget: usize, rules: Rules, count: impl Fn(&str) -> usize) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let budget = budget.max(1);
    // Longer texts are surely too long: they need not be counted at once.
    if text.len() <= 64 * budget && count(text) <= budget {
        return vec![text.into()];
    }
    let mut atoms = atoms(text, budget, &count);
    price(&mut atoms, text, rules);
    // Tokens of a part may be more than those of its atoms, where tokens reach over spaces.
    let mut segments = Vec::new();
    for least in (budget.div_ceil(2)..=budget).rev().step_by(budget.div_ceil(10)) {
        segments = best(&atoms, least, text);
        if segments.iter().all(|segment| count(segment) <= budget) {
            break;
        }
    }
    segments
}

/// Words with the spaces before them, characters of scripts without spaces, marked readings; parts of what is too long.
fn atoms<'a>(text: &'a str, budget: usize, count: &impl Fn(&str) -> usize) -> Vec<Atom<'a>> {
    let mut atoms = Vec::new();
    let mut put = |at: usize, end: usize, torn: bool| {
        let text = &text[at..end];
        let tokens = count(text.trim()).max(1);
        let end = if torn { TORN } else { WORDS };
        atoms.push(Atom { text, at, tokens, end });
    };
    // Where the atom begins, and where the region does: spaces at the end of one region belong to the first atom of the next.
    let (mut at, mut start) = (0, 0);
    for (region, whole) in regions(text) {
        let (from, until) = (start, start + region.len());
        start = until;
        if whole {
            put(at, until, false);
            at = until;
            continue;
        }
        let mut letters = region.char_indices().map(|(i, c)| (from + i, c)).peekable();
        let mut seen = false;
        while let Some((_, c)) = letters.next() {
            seen |= !c.is_whitespace();
            let Some(&(next_at, next)) = letters.peek() else { break };
            // Marks stay with what they end.
            let word_ends = next.is_whitespace() && !c.is_whitespace();
            let character_ends = (is_cjk(c) || is_cjk(next)) && next.is_alphanumeric();
            if seen && (word_ends || character_ends) {
                divided(text, at, next_at, budget, count, &mut put);
                (at, seen) = (next_at, false);
            }
        }
        if seen {
            divided(text, at, until, budget, count, &mut put);
            at = until;
        }
    }
    atoms
}

/// An atom, or the parts of one that is too long by itself.
fn divided(
    text: &str,
    start: usize,
    end: usize,
    budget: usize,
    count: &impl Fn(&str) -> usize,
    put: &mut impl FnMut(usize, usize, bool),
) {
    let mut at = start;
    while at < end {
        let rest = &text[at..end];
        if rest.len() <= 64 * budget && count(rest.trim()) <= budget {
            break;
        }
        // The longest beginning that fits, a character at least: by doubling what is surely looked at, then by halving.
        let ends: Vec<usize> = rest.char_indices().skip(1).map(|(i, _)| i).take(64 * budget).collect();
        let fits = |length: &usize| count(rest[..*length].trim()) <= budget;
        let mut seen = budget.min(ends.len());
        while seen < ends.len() && fits(&ends[seen - 1]) {
            seen = (2 * seen).min(ends.len());
        }
        let fit = ends[..seen].partition_point(fits).max(1);
        let Some(length) = ends.get(fit - 1) else { break };
        put(at, at + length, true);
        at += length;
    }
    if at < end {
        put(at, end, false);
    }
}

/// What a division behind each atom costs.
fn price(atoms: &mut [Atom<'_>], text: &str, rules: Rules) {
    let numbers = number_words(rules);
    let mut inside = brackets(text);
    inside.sort_unstable();
    let mut inside = inside.into_iter().peekable();
    // Where the brackets that opened so far are all closed.
    let mut closed = 0;
    for i in 0..atoms.len().saturating_sub(1) {
        let (Atom { text: here, end, .. }, next) = (atoms[i], atoms[i + 1]);
        while let Some((_, close)) = inside.next_if(|(open, _)| *open < next.at) {
            closed = closed.max(close);
        }
        if end == TORN {
            continue;
        }
        let spaced = next.text.starts_with(char::is_whitespace);
        let line = next.text.trim_end().starts_with('\n');
        let closing = |c: char| "'\"”’»」』】》）)]}".contains(c);
        let last = here.trim_end_matches(closing).chars().last().unwrap_or(' ');
        let is = |marks: &str| marks.contains(last) && (spaced || !last.is_ascii());
        let cost = match () {
            () if line || is(SENTENCE_ENDS) => SENTENCE,
            () if is(CLAUSE_ENDS) => CLAUSE,
            () if is(COMMAS) => COMMA,
            () if spaced => WORDS,
            () => CHARACTERS,
        };
        let number = cost >= WORDS && is_number(here, &numbers) && is_number(next.text, &numbers);
        atoms[i].end = if next.at <= closed || number { cost.max(INSIDE) } else { cost };
    }
}

fn is_number(word: &str, numbers: &HashSet<String>) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let figures = |c: char| c.is_numeric() || FIGURES.contains(c);
    !bare.is_empty()
        && (bare.chars().all(figures) || bare.split('-').all(|part| numbers.contains(&part.to_lowercase())))
}

/// Brackets that are open, each with the sign that closes it.
#[derive(Default)]
struct Open {
    stack: Vec<(usize, char)>,
    /// How many wait for each sign: without it, every letter would be looked for among brackets that are never closed.
    waiting: HashMap<char, usize>,
}

impl Open {
    fn push(&mut self, at: usize, close: char) {
        self.stack.push((at, close));
        *self.waiting.entry(close).or_default() += 1;
    }

    /// Where the bracket that `close` closes began; what was opened behind it is none.
    fn close(&mut self, close: char) -> Option<usize> {
        if self.waiting.get(&close).is_none_or(|n| *n == 0) {
            return None;
        }
        while let Some((at, waits)) = self.stack.pop() {
            *self.waiting.entry(waits).or_insert(1) -= 1;
            if waits == close {
                return Some(at);
            }
        }
        None
    }
}

/// Where brackets and quotations open and close, bytes; one that is never closed is none.
fn brackets(text: &str) -> Vec<(usize, usize)> {
    let mut open = Open::default();
    let mut found = Vec::new();
    let mut before = ' ';
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let after = letters.peek().map_or(' ', |(_, c)| *c);
        // Straight quotation marks open behind a space and close before one; others are apostrophes.
        let straight = c == '\'' || c == '"';
        if let Some(start) = (!straight || !after.is_alphanumeric()).then(|| open.close(c)).flatten() {
            found.push((start, at));
        } else if straight && !before.is_alphanumeric() && after.is_alphanumeric() {
            open.push(at, c);
        } else if let Some((_, close)) = PAIRS.iter().find(|(first, _)| *first == c) {
            open.push(at, *close);
        }
        before = c;
    }
    found
}

/// How far a segment is from the length that all would have if they were equal.
fn uneven(tokens: usize, equal: f64) -> f64 {
    0.5 * (tokens as f64 / equal - 1.0).powi(2)
}

/// The cheapest way to join the atoms to segments of at most `budget` tokens.
fn best(atoms: &[Atom<'_>], budget: usize, text: &str) -> Vec<String> {
    let total: usize = atoms.iter().map(|atom| atom.tokens).sum();
    let equal = total as f64 / total.div_ceil(budget).max(1) as f64;
    // The cost of everything before each atom, and where the segment that ends there begins.
    let mut costs = vec![(0.0, 0)];
    for end in 1..=atoms.len() {
        let (mut tokens, mut cheapest) = (0, (f64::INFINITY, end - 1));
        for start in (0..end).rev() {
            tokens += atoms[start].tokens;
            if tokens > budget && start + 1 < end {
                break;
            }
            let cost = costs[start].0 + SEGMENT + uneven(tokens, equal);
            if cost < cheapest.0 {
                cheapest = (cost, start);
            }
        }
        let division = if end < atoms.len() { atoms[end - 1].end } else { 0.0 };
        costs.push((cheapest.0 + division, cheapest.1));
    }
    let mut segments = Vec::new();
    let mut end = atoms.len();
    while end > 0 {
        let start = costs[end].1;
        let until = atoms.get(end).map_or(text.len(), |atom| atom.at);
        segments.push(text[atoms[start].at..until].trim().to_string());
        end = start;
    }
    segments.reverse();
    segments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str, budget: usize) -> Vec<String> {
        divide(text, budget, Rules::English, |text| text.split_whitespace().count())
    }

    #[test]
    fn sentences_come_before_clauses_and_clauses_before_words() {
        assert_eq!(words("One two three. Four five, six.", 6), ["One two three. Four five, six."]);
        assert_eq!(words("One two three. Four five, six.", 5), ["One two three.", "Four five, six."]);
        assert_eq!(words("One two three, four five six.", 4), ["One two three,", "four five six."]);
        assert_eq!(words("a b c d e f", 4), ["a b c", "d e f"]);
        assert_eq!(words("a b, c d e f: g h", 6), ["a b, c d e f:", "g h"]);
        assert_eq!(words("v1.5 is out, just now\nor so", 5), ["v1.5 is out, just now", "or so"]);
        assert!(words("  ", 5).is_empty());
    }

    #[test]
    fn lengths_are_even() {
        let text = "a b c d e f. ".repeat(5);
        let lengths: Vec<usize> = words(&text, 24).iter().map(|s| s.split_whitespace().count()).collect();
        assert_eq!(lengths.len(), 2, "{lengths:?}");
        assert!(lengths.iter().all(|n| *n >= 12), "a short rest: {lengths:?}");
    }

    #[test]
    fn numbers_and_brackets_stay_whole() {
        let text = "they paid one hundred and twenty-three thousand dollars";
        assert_eq!(words(text, 7), ["they paid", "one hundred and twenty-three thousand dollars"]);
        assert_eq!(words("so he (the very old man) left", 6), ["so he", "(the very old man) left"]);
        assert_eq!(words("she said 'come in, my dear' and went", 6), ["she said 'come in, my dear'", "and went"]);
        // One that is never closed, and apostrophes, are in nobody's way.
        assert_eq!(words("(a b. don't c d", 4), ["(a b.", "don't c d"]);
        let chinese =
            divide("我们一共花了一百二十三万元买它", 8, Rules::Chinese, |text| text.chars().count());
        assert!(chinese.iter().any(|segment| segment.contains("一百二十三万")), "{chinese:?}");
        let spanish = divide("pagaron ciento veintitrés mil euros", 3, Rules::Spanish, |text| text.split(' ').count());
        assert_eq!(spanish, ["pagaron", "ciento veintitrés mil", "euros"]);
    }

    #[test]
    fn what_is_too_long_for_any_way_is_cut() {
        let long = "x".repeat(25);
        let parts = divide(&long, 10, Rules::English, str::len);
        assert_eq!(parts.concat(), long);
        assert!(parts.iter().all(|part| part.len() <= 10), "{parts:?}");
        let marked = "<|SPECIAL_TOKEN_1|>A B C D<|SPECIAL_TOKEN_1|>";
        assert_eq!(words(&format!("x y {marked} z"), 5), ["x y", &format!("{marked} z")]);
        let short = "<|SPECIAL_TOKEN_1|>A<|SPECIAL_TOKEN_1|>";
        assert_eq!(words(&format!("x {short} y"), 1), ["x", short, "y"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_long(text in "[ab,. ()'一二。\\n1-]{0,200}", budget in 1usize..30) {
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let count = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            let segments = divide(&text, budget, Rules::English, count);
            prop_assert_eq!(bare(&segments.concat()), bare(&text));
            prop_assert!(segments.iter().all(|segment| count(segment) <= budget && !segment.is_empty()));
        }

        #[test]
        fn any_text_can_be_divided(text in any::<String>(), budget in 1usize..5) {
            divide(&text, budget, Rules::None, str::len);
        }
    }
}
