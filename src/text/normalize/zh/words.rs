//! Addresses, Roman numerals, signs between words.
use super::numbers::cardinal;
use crate::text::normalize::rules::Rule;

const ROMAN: [(&str, u64); 19] = [
    ("II", 2),
    ("III", 3),
    ("IV", 4),
    ("VI", 6),
    ("VII", 7),
    ("VIII", 8),
    ("IX", 9),
    ("XI", 11),
    ("XII", 12),
    ("XIII", 13),
    ("XIV", 14),
    ("XV", 15),
    ("XVI", 16),
    ("XVII", 17),
    ("XVIII", 18),
    ("XIX", 19),
    ("I", 1),
    ("V", 5),
    ("X", 10),
];

pub fn addresses() -> Vec<Rule> {
    vec![
        Rule::new(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", |m| Some(address(m.all()))),
        Rule::new(r"(?i)(?:https?|ftp)://([A-Za-z0-9][A-Za-z0-9._~/?#=&%+-]*)", |m| {
            let end = m.get(1).trim_end_matches(['.', '/', '?']).len();
            let tail = m.get(1)[end..].trim_start_matches('/');
            Some(address(&m.get(1)[..end]) + tail)
        }),
        Rule::new(
            r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:com|cn|org|net|edu|gov|io|ai|co|tv|app|dev)(?:/[A-Za-z0-9._~/?#=&%-]*)?",
            |m| Some(address(m.all().trim_end_matches('/'))),
        ),
    ]
}

/// `a.b@c.com` -> `a点b艾特c点com`.
fn address(written: &str) -> String {
    let mut out = String::new();
    for c in written.chars() {
        match c {
            '.' => out.push('点'),
            '@' => out.push_str("艾特"),
            '/' => out.push_str("斜杠"),
            '-' => out.push('杠'),
            '_' => out.push_str("下划线"),
            '?' => out.push_str("问号"),
            '=' => out.push_str("等于"),
            '&' => out.push('和'),
            '#' => out.push_str("井号"),
            '%' => out.push_str("百分号"),
            '+' => out.push('加'),
            '~' => out.push_str("波浪号"),
            _ => out.push(c),
        }
    }
    out
}

pub fn rules() -> Vec<Rule> {
    vec![
        Rule::new("([IVX]+)", |m| {
            let (_, value) = ROMAN.iter().find(|(numeral, _)| *numeral == m.all())?;
            let counted =
                m.before.ends_with('第') || m.after.starts_with(['期', '型', '级', '类', '度', '世', '章', '卷', '部']);
            let apart = !m.before.ends_with([' ', '-']) && !m.after.starts_with([' ', '-']) || counted;
            (apart && (m.all().len() > 1 || counted)).then(|| cardinal(*value))
        }),
        Rule::within(r"(?i)(?-u:\b)No\. ?", |m| m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| "第".into())),
        Rule::within("/", |m| {
            let words = m.previous().is_some_and(char::is_alphabetic) && m.after.starts_with(char::is_alphabetic);
            words.then(|| "，".into())
        }),
        Rule::new(r"([A-Za-z])\+\+", |m| Some(format!("{}加加", m.get(1)))),
        Rule::within(" ?& ?", |_| Some("和".into())),
        Rule::within("@", |_| Some("艾特".into())),
        Rule::within(" ?[+＋] ?", |_| Some("加".into())),
        Rule::within(" ?[=＝] ?", |_| Some("等于".into())),
        Rule::within(" ?≥ ?", |_| Some("大于等于".into())),
        Rule::within(" ?≤ ?", |_| Some("小于等于".into())),
        Rule::within(" ?≈ ?", |_| Some("约等于".into())),
        Rule::within(" ?≠ ?", |_| Some("不等于".into())),
        Rule::within(" ?× ?", |_| Some("乘".into())),
        Rule::within(" ?÷ ?", |_| Some("除以".into())),
        Rule::within("±", |_| Some("正负".into())),
        Rule::within("%", |_| Some("百分号".into())),
        Rule::within("°", |_| Some("度".into())),
        Rule::within("√", |_| Some("根号".into())),
        Rule::within("π", |_| Some("派".into())),
        Rule::within("∞", |_| Some("无穷大".into())),
        Rule::within("¥", |_| Some("元".into())),
        Rule::within(r"\$", |_| Some("美元".into())),
        Rule::within("€", |_| Some("欧元".into())),
    ]
}
