//! Fractions, sums, ranges, measure words, signs, and whatever is left.
use super::numbers::{NUMBER, code, counting, each, number, whole};
use crate::text::normalize::rules::{Found, Rule, any_of};

/// Between the ends of a range.
pub const RANGE: &str = " ?(?:-|—|–|~|～|至|到) ?";

/// Words behind a number that make a lone two 两.
const MEASURES: &[&str] = &[
    "个", "位", "只", "条", "张", "本", "件", "名", "天", "年", "小时", "分钟", "秒钟", "次", "周", "倍", "人", "元",
    "岁", "米", "公里", "公斤", "千克", "斤", "块", "台", "辆", "部", "份", "杯", "瓶", "家", "座", "棵", "头", "匹",
    "双", "对", "副", "套", "场", "顿", "句", "段", "篇", "首", "支", "根", "把", "种", "类", "样", "项", "笔", "间",
    "层", "排", "组", "批", "群", "袋", "盒", "包", "箱", "颗", "粒", "滴", "片", "朵", "点", "万", "亿", "千", "百",
    "厘米", "毫米", "升", "毫升", "克", "吨", "度", "美元", "欧元", "英镑", "美金", "块钱", "刻钟", "口", "门", "节",
    "届", "盘", "碗", "架", "艘", "枚", "封", "幅", "扇", "公顷", "平方", "立方", "英里", "英尺", "英寸", "秒", "趟",
    "遍", "回", "步", "边", "者", "国", "队", "军", "期", "代",
];
/// Words before a number that make it an ordinal, so that two stays 二.
const ORDINALS: [&str; 12] = ["第", "周", "星期", "礼拜", "初", "老", "高", "大", "小", "其", "之", "星"];

const OPERATORS: &[(&str, &str)] = &[
    ("+", "加"),
    ("＋", "加"),
    ("=", "等于"),
    ("×", "乘"),
    ("*", "乘"),
    ("÷", "除以"),
    ("<", "小于"),
    (">", "大于"),
    ("≤", "小于等于"),
    ("<=", "小于等于"),
    ("≥", "大于等于"),
    (">=", "大于等于"),
    ("≠", "不等于"),
    ("≈", "约等于"),
    ("±", "正负"),
    ("-", "减"),
    ("−", "减"),
];

pub fn rules() -> Vec<Rule> {
    let measures = any_of(MEASURES.iter().copied());
    let operators = any_of(OPERATORS.iter().map(|o| o.0));
    let sum = format!("({NUMBER}|[A-Za-z]|平方|立方|次方|[零一二三四五六七八九十]) ?({operators}) ?");
    vec![
        Rule::new("([0-9]{1,6}) ([0-9]{1,6})/([0-9]{1,6})", |m| {
            Some(format!("{}又{}分之{}", whole(m.get(1)), whole(m.get(3)), whole(m.get(2))))
        }),
        Rule::new("([-−]?)([0-9]{1,6})/([0-9]{1,6})", |m| {
            let lone = !m.before.ends_with('/') && !m.after.starts_with('/');
            lone.then(|| signed(m, format!("{}分之{}", whole(m.get(3)), whole(m.get(2)))))
        }),
        // Sums come before ranges: "5-3=2", "7 - 3".
        Rule::new(&format!("({NUMBER})( ?)[-−]( ?)({NUMBER})( ?[=＝])"), |m| {
            Some(format!("{}减{}{}", number(m.get(1)), number(m.get(4)), m.get(5).trim()))
        }),
        Rule::new(&format!("({NUMBER}) [-−] ({NUMBER})"), |m| {
            Some(format!("{}减{}", number(m.get(1)), number(m.get(2))))
        }),
        Rule::new(r"([0-9]{1,5}) ?[x×*] ?([0-9]{1,5})(?: ?[x×*] ?([0-9]{1,5}))?", |m| {
            let parts = [1, 2, 3].map(|group| m.get(group));
            Some(parts.iter().filter(|p| !p.is_empty()).map(|p| number(p)).collect::<Vec<_>>().join("乘"))
        }),
        // The height of a person.
        Rule::new("([0-9])米([0-9]{2})", |m| {
            let unit = m.after.starts_with(['厘', '毫', '公', '米', '多']);
            (!unit).then(|| format!("{}米{}", counting(m.get(1)), each(m.get(2))))
        }),
        Rule::new(r"([0-9]+|[A-Za-z])([²³]|\^[0-9]{1,4})", |m| {
            let power = match m.get(2) {
                "²" | "^2" => "平方".into(),
                "³" | "^3" => "立方".into(),
                other => format!("{}次方", number(&other[1..])),
            };
            Some(format!(
                "{}的{power}",
                if m.get(1).len() > 1 || m.get(1).starts_with(|c: char| c.is_ascii_digit()) {
                    number(m.get(1))
                } else {
                    m.get(1).into()
                }
            ))
        }),
        // A value between two signs belongs to both: it is not part of the match behind the sign.
        Rule::within(&sum, operator),
        Rule::within(&sum, operator),
        // Ranges, measure words, signs.
        Rule::new(&format!("({NUMBER})([十百千万亿]*){RANGE}({NUMBER})([十百千万亿]*)({measures})?"), |m| {
            let chain = m.before.ends_with(['-', '/', '.', '–']) || m.after.starts_with(['-', '/']);
            let code_ = m.get(3).len() > 1 && m.get(3).starts_with('0') && !m.get(3).contains('.');
            if chain || code_ {
                return None;
            }
            let (first, second) = if m.get(5).is_empty() && m.get(4).is_empty() || m.follows(&ORDINALS) {
                (number(m.get(1)), number(m.get(3)))
            } else {
                (counting(m.get(1)), if m.get(3) == "2" { counting(m.get(3)) } else { number(m.get(3)) })
            };
            Some(format!("{first}{}到{second}{}{}", m.get(2), m.get(4), m.get(5)))
        }),
        Rule::new(&format!("2(多|余)?({measures})"), |m| {
            (!m.follows(&ORDINALS) && !m.before.ends_with(['.', '-', '/']))
                .then(|| format!("两{}{}", m.get(1), m.get(2)))
        }),
        Rule::new(&format!("([-−+＋±~～≈])({NUMBER})"), |m| {
            let sign = match m.get(1) {
                "-" | "−" => "负",
                "+" | "＋" => "正",
                "±" => "正负",
                _ => "约",
            };
            free(m).then(|| format!("{sign}{}", number(m.get(2))))
        }),
        Rule::new(r"([0-9]+)\+", |m| Some(format!("{}多", number(m.get(1))))),
        Rule::new(&format!("([<>≤≥])({NUMBER})"), |m| {
            let (_, name) = OPERATORS.iter().find(|(sign, _)| *sign == m.get(1))?;
            Some(format!("{name}{}", number(m.get(2))))
        }),
    ]
}

/// Numbers that nothing else has read.
pub fn rest() -> Vec<Rule> {
    vec![
        // Figures in and behind words: three and more are a code.
        Rule::new(r"([A-Za-z]+)(-?)([0-9]+)([A-Za-z]*)", |m| {
            let digits = m.get(3);
            let year = digits.len() == 4 && digits.starts_with("20");
            let read = if digits.len() > 2 && !digits.ends_with("00") || year { code(digits) } else { number(digits) };
            Some(format!("{}{read}{}", m.get(1), m.get(4)))
        }),
        Rule::new(&format!("({NUMBER})([A-Za-z]+)"), |m| Some(format!("{}{}", number(m.get(1)), m.get(2)))),
        Rule::new(NUMBER, |m| {
            let piece =
                m.before.ends_with(|c: char| c.is_ascii_digit()) || m.all().starts_with('.') && inside(m.previous());
            Some(if piece { format!("点{}", each(m.all())) } else { number(m.all()) })
        }),
        Rule::new("[0-9]+", |m| Some(each(m.all()))),
    ]
}

fn inside(previous: Option<char>) -> bool {
    previous.is_some_and(char::is_alphanumeric)
}

/// Whether a sign in front of a number is not a hyphen between two words.
pub fn free(m: &Found) -> bool {
    !m.previous().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ')' | '）'))
}

pub fn signed(m: &Found, words: String) -> String {
    match m.get(1) {
        "" => words,
        _ if free(m) => format!("负{words}"),
        sign => format!("{sign}{words}"),
    }
}

fn operator(m: &Found) -> Option<String> {
    let (_, name) = OPERATORS.iter().find(|(sign, _)| *sign == m.get(2))?;
    // Something that can be a value has to follow: a number, a single letter, a sign.
    let mut rest = m.after.chars();
    let (first, second) = (rest.next()?, rest.next());
    let value = first.is_ascii_digit()
        || first.is_ascii_alphabetic() && !second.is_some_and(|c| c.is_ascii_alphabetic())
        || "?？-零一二三四五六七八九十".contains(first);
    let spaced = m.all().ends_with(' ');
    let letter = m.get(1).len() == 1 && m.get(1).starts_with(|c: char| c.is_ascii_alphabetic());
    let minus = matches!(m.get(2), "-" | "−");
    let word = letter && m.previous().is_some_and(|c| c.is_ascii_alphanumeric());
    if !value || word || minus && !spaced {
        return None;
    }
    let left = if letter || !m.get(1).is_ascii() { m.get(1).to_string() } else { number(m.get(1)) };
    Some(format!("{left}{name}"))
}
