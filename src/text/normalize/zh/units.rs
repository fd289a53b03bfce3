//! Money, percentages, temperatures and other units.
use super::numbers::{NUMBER, counting, number};
use super::quantities::{RANGE, free, signed};
use crate::text::normalize::rules::{Rule, any_of};

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

pub fn rules() -> Vec<Rule> {
    let currencies = any_of(CURRENCIES.iter().map(|c| c.0));
    let symbols = any_of(CURRENCIES.iter().map(|c| c.0).filter(|c| c.ends_with(['¥', '$', '€', '£', '₩', '₽', '₹'])));
    let units = any_of(UNITS.iter().map(|u| u.0));
    let per = any_of(PER.iter().map(|p| p.0));
    let value = format!("([-−]?)({NUMBER})");
    vec![
        // Money.
        Rule::new(
            &format!("(-?)({symbols}) ?({NUMBER})(?:{RANGE}({symbols})? ?({NUMBER}))?([十百千万亿]*)"),
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
        Rule::new(&format!("{value}([%‰])?{RANGE}{value}([%‰])"), |m| {
            let (first, second) = (percent(m.get(1), m.get(2), m.get(6)), percent(m.get(4), m.get(5), m.get(6)));
            Some(format!("{first}到{second}"))
        }),
        Rule::new(&format!("{value} ?([%‰])"), |m| Some(signed(m, percent("", m.get(2), m.get(3))))),
        // Temperatures and other units.
        Rule::new(&format!("{value}(?:°C)?{RANGE}{value} ?(?:°C|摄氏度)"), |m| {
            let below = |sign: &str| if sign.is_empty() { "" } else { "零下" };
            let first = format!("{}{}", below(m.get(1)), number(m.get(2)));
            Some(format!("{first}到{}{}摄氏度", below(m.get(3)), number(m.get(4))))
        }),
        Rule::new(&format!("[-−]({NUMBER}) ?(?:°C|摄氏度)"), |m| {
            free(m).then(|| format!("零下{}摄氏度", number(m.get(1))))
        }),
        Rule::new(&format!("({NUMBER})(?:{RANGE}({NUMBER}))? ?(k?m|cm|mm|dm)(²|³|2|3)"), |m| {
            let power = if m.get(4).ends_with(['²', '2']) { "平方" } else { "立方" };
            Some(format!("{}{power}{}", to(m.get(1), m.get(2)), unit(m.get(3))?))
        }),
        Rule::new(&format!("({NUMBER})(?:{RANGE}({NUMBER}))? ?({units})/({per})"), |m| {
            let (_, per) = PER.iter().find(|(written, _)| *written == m.get(4))?;
            Some(format!("每{per}{}{}", to(m.get(1), m.get(2)), unit(m.get(3))?))
        }),
        Rule::new(&format!("({NUMBER})(?:{RANGE}({NUMBER}))?( ?)({units})"), |m| {
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
    ]
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
