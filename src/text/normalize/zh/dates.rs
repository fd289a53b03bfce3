//! Dates and times.
use super::numbers::{cardinal, counting, each};
use crate::text::normalize::rules::{Found, Rule};

const YEAR: &str = "([12][0-9]{3})";
const MONTH: &str = "(1[0-2]|0?[1-9])";
const DAY: &str = "(3[01]|[12][0-9]|0?[1-9])";
const CLOCK: &str = "([01]?[0-9]|2[0-4])[:：]([0-5][0-9])(?:[:：]([0-5][0-9]))?";

/// Words before two numbers with a colon that make them a score or a ratio.
const SCORES: [&str; 12] =
    ["比分", "比分为", "比分是", "以", "比例", "比例为", "比例是", "比率", "扳成", "改写为", "定格在", "战成"];
/// Words behind them that do.
const RESULTS: [&str; 9] = ["战胜", "击败", "大胜", "险胜", "获胜", "取胜", "领先", "落后", "的比分"];

pub fn rules() -> Vec<Rule> {
    let date = |pattern: &str| {
        pattern.replace("YEAR", YEAR).replace("MONTH", MONTH).replace("DAY", DAY).replace("CLOCK", CLOCK)
    };
    vec![
        Rule::new(&date("YEAR ?年 ?MONTH ?月 ?DAY ?([日号])"), |m| {
            Some(format!("{}年{}月{}{}", each(m.get(1)), part(m.get(2)), part(m.get(3)), m.get(4)))
        }),
        Rule::new(&date(r"YEAR[-/.]MONTH[-/.]DAY"), |m| {
            let lone = !m.before.ends_with(['-', '/', '.']) && !m.after.starts_with(['-', '/']);
            lone.then(|| format!("{}年{}月{}日", each(m.get(1)), part(m.get(2)), part(m.get(3))))
        }),
        Rule::new(&date("YEAR ?年?[-—–~～至到] ?YEAR ?(年|学年|赛季)"), |m| {
            Some(format!("{}到{}{}", each(m.get(1)), each(m.get(2)), m.get(3)))
        }),
        Rule::new("(公元前?)([0-9]{3,4})年", |m| Some(format!("{}{}年", m.get(1), each(m.get(2))))),
        Rule::new("([12][0-9]{3}) ?(年|年代|年度|届)", |m| {
            // "2000年的历史" is a span of time.
            let span = m.get(1).ends_with("000") && m.after.starts_with(['前', '后', '来', '间'])
                || m.after.starts_with("的历史");
            (!span).then(|| format!("{}{}", each(m.get(1)), m.get(2)))
        }),
        Rule::new("([0789][0-9])年([出毕生入结的][生业]?)?", |m| {
            // "98年出生" is a year, "98年的友谊" is not.
            let year = matches!(m.get(2), "出生" | "毕业" | "生" | "入" | "结") || m.get(1).starts_with('0');
            year.then(|| format!("{}年{}", each(m.get(1)), m.get(2)))
        }),
        Rule::new(&date("MONTH月DAY([日号])?[-—–~～至到](?:MONTH月)?DAY([日号])"), |m| {
            let month = if m.get(4).is_empty() { String::new() } else { format!("{}月", part(m.get(4))) };
            Some(format!("{}月{}{}到{month}{}{}", part(m.get(1)), part(m.get(2)), m.get(3), part(m.get(5)), m.get(6)))
        }),
        Rule::new(&date("MONTH月DAY([日号])?"), |m| {
            let day = if m.get(3).is_empty() { "日" } else { m.get(3) };
            Some(format!("{}月{}{day}", part(m.get(1)), part(m.get(2))))
        }),
        Rule::new("([0-9]{1,2})[-—–~～]([0-9]{1,2})月", |m| {
            Some(format!("{}到{}月", part(m.get(1)), part(m.get(2))))
        }),
        Rule::new(&date(r"(?i)CLOCK ?(am|pm|a\.m\.|p\.m\.)"), |m| {
            Some(half(m.get(4), m.get(1)) + &clock(m.get(1), m.get(2), m.get(3)))
        }),
        Rule::new(r"(?i)(1[0-2]|[1-9]) ?(am|pm|a\.m\.|p\.m\.)", |m| {
            Some(format!("{}{}点", half(m.get(2), m.get(1)), counting(m.get(1))))
        }),
        Rule::new(&date("CLOCK ?[-—–~～至到] ?CLOCK"), |m| {
            Some(format!("{}到{}", clock(m.get(1), m.get(2), m.get(3)), clock(m.get(4), m.get(5), m.get(6))))
        }),
        Rule::new(&date("CLOCK"), |m| {
            let score = m.follows(&SCORES) || RESULTS.iter().any(|word| m.after.trim_start().starts_with(word));
            let lone = !m.before.ends_with([':', '：']) && !m.after.starts_with([':', '：']);
            (lone && !score).then(|| clock(m.get(1), m.get(2), m.get(3)))
        }),
        Rule::new("([0-9]{1,4}) ?[:：] ?([0-9]{1,4})", score),
    ]
}

/// A score or a ratio.
fn score(m: &Found) -> Option<String> {
    let lone = !m.before.ends_with([':', '：']) && !m.after.starts_with([':', '：']);
    lone.then(|| format!("{}比{}", super::numbers::whole(m.get(1)), super::numbers::whole(m.get(2))))
}

/// A month or a day.
fn part(digits: &str) -> String {
    cardinal(digits.parse().unwrap_or(0))
}

fn clock(hour: &str, minute: &str, second: &str) -> String {
    let value = |digits: &str| digits.parse::<u64>().unwrap_or(0);
    let hour = value(hour);
    let mut words = if hour == 2 { "两点".to_string() } else { format!("{}点", cardinal(hour)) };
    let two = |n: u64| if n < 10 { format!("零{}", cardinal(n)) } else { cardinal(n) };
    match value(minute) {
        0 if second.is_empty() => {}
        0 => words.push_str("零分"),
        n => words.push_str(&format!("{}分", two(n))),
    }
    if !second.is_empty() {
        words.push_str(&format!("{}秒", if value(second) == 0 { "零".into() } else { two(value(second)) }));
    }
    words
}

/// Half of the day.
fn half(letters: &str, hour: &str) -> String {
    let evening = matches!(hour.parse(), Ok(6..12u8));
    match (letters.starts_with(['a', 'A']), evening) {
        (true, _) => "上午",
        (false, true) => "晚上",
        (false, false) => "下午",
    }
    .into()
}
