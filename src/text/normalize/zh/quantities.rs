//! Money, percentages, units, fractions, ranges, measure words, codes, sums, and whatever is left.
use super::numbers::{NUMBER, code, counting, each, number, whole};
use crate::text::normalize::rules::{Found, Rule, any_of};

const CURRENCIES: &[(&str, &str)] = &[
    ("¥", "元"),
    ("$", "美元"),
    ("US$", "美元"),
    ("HK$", "港元"),
    ("NT$", "新台币"),
    ("A$", "澳元"),
    ("C$", "加元"),
    ("S$", "新加坡元"),
    ("€", "欧元"),
    ("£", "英镑"),
    ("₩", "韩元"),
    ("₽", "卢布"),
    ("₹", "卢比"),
    ("USD", "美元"),
    ("EUR", "欧元"),
    ("GBP", "英镑"),
    ("JPY", "日元"),
    ("HKD", "港元"),
    ("CNY", "元"),
];

/// Written, read. Single letters must follow the number directly.
const UNITS: &[(&str, &str)] = &[
    ("mm", "毫米"),
    ("cm", "厘米"),
    ("dm", "分米"),
    ("km", "公里"),
    ("nm", "纳米"),
    ("μm", "微米"),
    ("µm", "微米"),
    ("mg", "毫克"),
    ("kg", "千克"),
    ("KG", "千克"),
    ("Kg", "千克"),
    ("ml", "毫升"),
    ("mL", "毫升"),
    ("ms", "毫秒"),
    ("min", "分钟"),
    ("Hz", "赫兹"),
    ("kHz", "千赫"),
    ("MHz", "兆赫"),
    ("GHz", "吉赫"),
    ("kW", "千瓦"),
    ("MW", "兆瓦"),
    ("kWh", "千瓦时"),
    ("mAh", "毫安时"),
    ("mA", "毫安"),
    ("kV", "千伏"),
    ("kPa", "千帕"),
    ("MPa", "兆帕"),
    ("hPa", "百帕"),
    ("kcal", "千卡"),
    ("kJ", "千焦"),
    ("dB", "分贝"),
    ("rpm", "转每分钟"),
    ("fps", "帧每秒"),
    ("mph", "英里每小时"),
    ("ha", "公顷"),
    ("cc", "毫升"),
    ("Ω", "欧姆"),
    ("°C", "摄氏度"),
    ("°F", "华氏度"),
    ("°", "度"),
    ("m", "米"),
    ("g", "克"),
    ("t", "吨"),
    ("L", "升"),
    ("l", "升"),
    ("s", "秒"),
    ("h", "小时"),
    ("V", "伏"),
    ("W", "瓦"),
];

/// What a rate may be taken per.
const PER: &[(&str, &str)] = &[
    ("s", "秒"),
    ("min", "分钟"),
    ("h", "小时"),
    ("d", "天"),
    ("kg", "千克"),
    ("g", "克"),
    ("L", "升"),
    ("l", "升"),
    ("ml", "毫升"),
    ("mL", "毫升"),
    ("m²", "平方米"),
    ("m³", "立方米"),
    ("cm³", "立方厘米"),
    ("m", "米"),
    ("km", "公里"),
];

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

/// Words before figures that are read one by one.
const CODES: [&str; 37] = [
    "电话",
    "手机",
    "手机号",
    "号码",
    "热线",
    "拨打",
    "拨",
    "致电",
    "打",
    "尾号",
    "编号",
    "工号",
    "学号",
    "房号",
    "房间",
    "房间号",
    "验证码",
    "密码",
    "邮编",
    "邮政编码",
    "账号",
    "帐号",
    "卡号",
    "代码",
    "股票代码",
    "编码",
    "车牌号",
    "qq",
    "qq号",
    "报警",
    "客服",
    "传真",
    "分机",
    "电话是",
    "密码是",
    "验证码是",
    "尾号为",
];

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
    let currencies = any_of(CURRENCIES.iter().map(|c| c.0));
    let symbols = any_of(CURRENCIES.iter().map(|c| c.0).filter(|c| c.ends_with(['¥', '$', '€', '£', '₩', '₽', '₹'])));
    let units = any_of(UNITS.iter().map(|u| u.0));
    let per = any_of(PER.iter().map(|p| p.0));
    let measures = any_of(MEASURES.iter().copied());
    let operators = any_of(OPERATORS.iter().map(|o| o.0));
    let range = r" ?(?:-|—|–|~|～|至|到) ?";
    let value = format!("([-−]?)({NUMBER})");
    let sum = format!("({NUMBER}|[A-Za-z]|平方|立方|次方|[零一二三四五六七八九十]) ?({operators}) ?");
    vec![
        // Codes.
        Rule::new(r"[0-9]{3,}(?:[- ][0-9]+){0,5}", |m| m.follows(&CODES).then(|| phone(m.all()))),
        Rule::new(r"(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}", |m| Some(phone(m.all()))),
        Rule::new(r"\+[0-9]{1,3}(?:[- ][0-9]{2,5}){1,5}", |m| Some(phone(m.all()))),
        Rule::new(r"0[0-9]{2,3}-[0-9]{7,8}|[48]00-[0-9]{3,4}-[0-9]{3,4}", |m| Some(phone(m.all()))),
        Rule::new(r"[0-9]+(?:-[0-9]+){2,6}", |m| Some(phone(m.all()))),
        Rule::new("([0-9]{3,4})(室|号房|房间|路公交|路车|航班)", |m| Some(code(m.get(1)) + m.get(2))),
        Rule::new(r"[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}", |m| {
            // Four groups are an address of the internet.
            let groups = m.all().split('.');
            let read = if groups.clone().count() == 4 { each } else { whole };
            Some(groups.map(read).collect::<Vec<_>>().join("点"))
        }),
        Rule::new(r"([vV])([0-9]{1,4}(?:\.[0-9]{1,4}){0,5})", |m| {
            Some(m.get(1).to_uppercase() + &m.get(2).split('.').map(whole).collect::<Vec<_>>().join("点"))
        }),
        // Money.
        Rule::new(
            &format!("(-?)({symbols}) ?({NUMBER})(?:{range}({symbols})? ?({NUMBER}))?([十百千万亿]*)"),
            |m| {
                let name = currency(m.get(2))?;
                let minus = if m.get(1).is_empty() { "" } else { "负" };
                let to = if m.get(5).is_empty() { String::new() } else { format!("到{}", amount(m.get(5))) };
                Some(format!("{minus}{}{to}{}{name}", amount(m.get(3)), m.get(6)))
            },
        ),
        Rule::new(&format!("({NUMBER})([十百千万亿]*) ?({currencies})"), |m| {
            Some(format!("{}{}{}", amount(m.get(1)), m.get(2), currency(m.get(3))?))
        }),
        Rule::new(&format!("(USD|EUR|GBP|JPY|HKD|CNY|RMB) ?({NUMBER})([十百千万亿]*)"), |m| {
            Some(format!("{}{}{}", amount(m.get(2)), m.get(3), currency(m.get(1)).unwrap_or("元人民币")))
        }),
        // Percentages.
        Rule::new(&format!("{value}([%‰])?{range}{value}([%‰])"), |m| {
            let (first, second) = (percent(m.get(1), m.get(2), m.get(6)), percent(m.get(4), m.get(5), m.get(6)));
            Some(format!("{first}到{second}"))
        }),
        Rule::new(&format!("{value} ?([%‰])"), |m| Some(signed(m, percent("", m.get(2), m.get(3))))),
        // Temperatures and other units.
        Rule::new(&format!("{value}(?:°C)?{range}{value} ?(?:°C|摄氏度)"), |m| {
            let below = |sign: &str| if sign.is_empty() { "" } else { "零下" };
            let first = format!("{}{}", below(m.get(1)), number(m.get(2)));
            Some(format!("{first}到{}{}摄氏度", below(m.get(3)), number(m.get(4))))
        }),
        Rule::new(&format!("[-−]({NUMBER}) ?(?:°C|摄氏度)"), |m| {
            free(m).then(|| format!("零下{}摄氏度", number(m.get(1))))
        }),
        Rule::new(&format!("({NUMBER})(?:{range}({NUMBER}))? ?(k?m|cm|mm|dm)(²|³|2|3)"), |m| {
            let power = if m.get(4).ends_with(['²', '2']) { "平方" } else { "立方" };
            Some(format!("{}{power}{}", to(m.get(1), m.get(2)), unit(m.get(3))?))
        }),
        Rule::new(&format!("({NUMBER})(?:{range}({NUMBER}))? ?({units})/({per})"), |m| {
            let (_, per) = PER.iter().find(|(written, _)| *written == m.get(4))?;
            Some(format!("每{per}{}{}", to(m.get(1), m.get(2)), unit(m.get(3))?))
        }),
        Rule::new(&format!("({NUMBER})(?:{range}({NUMBER}))?( ?)({units})"), |m| {
            // "5 A座", "3 L": a single capital behind a space is a letter.
            let letter = !m.get(3).is_empty() && m.get(4).len() == 1 && m.get(4).starts_with(char::is_uppercase);
            (!letter).then(|| Some(format!("{}{}", to(m.get(1), m.get(2)), unit(m.get(4))?))).flatten()
        }),
        Rule::new(
            &format!(
                "({NUMBER})(元|块|米|公里|升|度|美元)/(斤|公斤|千克|吨|人|天|月|年|次|个|小时|分钟|平方米|平米|晚|件|瓶)"
            ),
            |m| Some(format!("{}{}每{}", counting(m.get(1)), m.get(2), m.get(3))),
        ),
        // Fractions.
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
        Rule::new(&format!("({NUMBER})([十百千万亿]*){range}({NUMBER})([十百千万亿]*)({measures})?"), |m| {
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
fn free(m: &Found) -> bool {
    !m.previous().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ')' | '）'))
}

fn signed(m: &Found, words: String) -> String {
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

fn to(first: &str, second: &str) -> String {
    if second.is_empty() { counting(first) } else { format!("{}到{}", counting(first), counting(second)) }
}

fn unit(written: &str) -> Option<&'static str> {
    UNITS.iter().find(|(short, _)| *short == written).map(|(_, name)| *name)
}

fn currency(written: &str) -> Option<&'static str> {
    CURRENCIES.iter().find(|(short, _)| *short == written).map(|(_, name)| *name)
}

/// An amount of money, without zeros that only fill up the cents.
fn amount(written: &str) -> String {
    match written.split_once('.') {
        Some((head, decimals)) if decimals.ends_with('0') => match decimals.trim_end_matches('0') {
            "" => counting(head),
            decimals => number(&format!("{head}.{decimals}")),
        },
        _ => counting(written),
    }
}

fn percent(sign: &str, value: &str, mark: &str) -> String {
    let of = if mark == "‰" { "千分之" } else { "百分之" };
    format!("{}{of}{}", if sign.is_empty() { "" } else { "负" }, number(value))
}

/// Figures of a telephone number; the groups are set apart by pauses.
fn phone(written: &str) -> String {
    let plus = if written.starts_with('+') { "加" } else { "" };
    let groups = written.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    plus.to_string() + &groups.map(code).collect::<Vec<_>>().join("，")
}
