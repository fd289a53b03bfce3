//! Japanese.
mod numbers;

use std::sync::LazyLock;

use super::rules::{Rule, any_of, rewrite};
use numbers::{NUMBER, each, number, whole};

/// Written, read behind the number.
const UNITS: &[(&str, &str)] = &[
    ("km²", "平方キロメートル"),
    ("cm²", "平方センチメートル"),
    ("m²", "平方メートル"),
    ("m³", "立方メートル"),
    ("km", "キロメートル"),
    ("cm", "センチメートル"),
    ("mm", "ミリメートル"),
    ("m", "メートル"),
    ("kg", "キログラム"),
    ("mg", "ミリグラム"),
    ("g", "グラム"),
    ("t", "トン"),
    ("ml", "ミリリットル"),
    ("mL", "ミリリットル"),
    ("l", "リットル"),
    ("L", "リットル"),
    ("cc", "シーシー"),
    ("ha", "ヘクタール"),
    ("h", "時間"),
    ("min", "分"),
    ("s", "秒"),
    ("ms", "ミリ秒"),
    ("TB", "テラバイト"),
    ("GB", "ギガバイト"),
    ("MB", "メガバイト"),
    ("KB", "キロバイト"),
    ("Mbps", "メガビーピーエス"),
    ("GHz", "ギガヘルツ"),
    ("MHz", "メガヘルツ"),
    ("kHz", "キロヘルツ"),
    ("Hz", "ヘルツ"),
    ("kWh", "キロワット時"),
    ("kW", "キロワット"),
    ("W", "ワット"),
    ("V", "ボルト"),
    ("A", "アンペア"),
    ("hPa", "ヘクトパスカル"),
    ("kcal", "キロカロリー"),
    ("cal", "カロリー"),
    ("dB", "デシベル"),
    ("px", "ピクセル"),
    ("°C", "度"),
    ("°F", "度華氏"),
    ("°", "度"),
];
/// Written, read before the number, read behind it.
const SPEEDS: &[(&str, &str, &str)] =
    &[("km/h", "時速", "キロメートル"), ("m/s", "秒速", "メートル"), ("m/min", "分速", "メートル")];
/// Sign, whole, hundredth.
const CURRENCIES: &[(&str, &str, &str)] = &[
    ("¥", "円", ""),
    ("JPY", "円", ""),
    ("$", "ドル", "セント"),
    ("US$", "ドル", "セント"),
    ("USD", "ドル", "セント"),
    ("€", "ユーロ", "セント"),
    ("EUR", "ユーロ", "セント"),
    ("£", "ポンド", "ペンス"),
    ("₩", "ウォン", ""),
    ("元", "元", ""),
];
const ROMAN: [&str; 21] = [
    "", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII",
    "XVIII", "XIX", "XX",
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(rules);

/// Japanese as it is spoken.
pub fn speak(text: &str) -> String {
    rewrite(&RULES, text)
}

fn rules() -> Vec<Rule> {
    let units = any_of(UNITS.iter().map(|u| u.0));
    let speeds = any_of(SPEEDS.iter().map(|s| s.0));
    let signs = any_of(CURRENCIES.iter().map(|c| c.0));
    vec![
        Rule::new(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", |m| Some(address(m.all()))),
        Rule::new(
            r"(?i)https?://([a-z0-9][a-z0-9._~/?#=&%+-]*)|((?:www\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|jp|net|org|co|io|dev|info)(?:/[a-z0-9._~/?#=&%-]*)?)",
            |m| {
                let written = if m.get(1).is_empty() { m.get(2) } else { m.get(1) };
                let end = written.trim_end_matches(['.', '/', '?']).len();
                Some(address(&written[..end]) + written[end..].trim_start_matches('/'))
            },
        ),
        Rule::new("〒 ?([0-9]{3})-([0-9]{4})", |m| Some(format!("郵便番号{}の{}", each(m.get(1)), each(m.get(2))))),
        Rule::new("([12][0-9]{3})[-/.](0?[1-9]|1[0-2])[-/.](3[01]|[12][0-9]|0?[1-9])", |m| {
            Some(format!("{}年{}月{}日", whole(m.get(1)), short(m.get(2)), short(m.get(3))))
        }),
        Rule::new("([12][0-9]{3})/(1[0-2]|0?[1-9])", |m| Some(format!("{}年{}月", whole(m.get(1)), short(m.get(2))))),
        Rule::new("([01]?[0-9]|2[0-4])[:：]([0-5][0-9])(?:[:：]([0-5][0-9]))?", |m| {
            let minute = if m.get(2) == "00" { String::new() } else { short(m.get(2)) + "分" };
            let second = if m.get(3).is_empty() { String::new() } else { short(m.get(3)) + "秒" };
            Some(format!("{}時{minute}{second}", short(m.get(1))))
        }),
        Rule::new("([0-9]+)[:：]([0-9]+)", |m| {
            let chain = m.after.starts_with([':', '：']) || m.before.ends_with([':', '：']);
            (!chain).then(|| format!("{}対{}", whole(m.get(1)), whole(m.get(2))))
        }),
        Rule::new(r"\+[0-9]{1,3}(?:[- ][0-9]{1,4}){2,4}|0[0-9]{1,4}-[0-9]{1,4}-[0-9]{3,4}", |m| {
            let plus = if m.all().starts_with('+') { "プラス" } else { "" };
            let groups = m.all().split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
            Some(plus.to_string() + &groups.map(each).collect::<Vec<_>>().join("の"))
        }),
        // Dates without a year, where something says that they are dates.
        Rule::new("(0?[1-9]|1[0-2])/(3[01]|[12][0-9]|0?[1-9])([(（][月火水木金土日][)）])", |m| {
            Some(format!("{}月{}日{}", short(m.get(1)), short(m.get(2)), m.get(3)))
        }),
        Rule::new("([0-9]{1,4})/([0-9]{1,4})", |m| {
            let chain = m.after.starts_with('/') || m.before.ends_with('/');
            (!chain).then(|| format!("{}分の{}", whole(m.get(2)), whole(m.get(1))))
        }),
        // Results, versions and addresses of machines.
        Rule::new("([0-9]{1,3})-([0-9]{1,3})(で|の)", |m| {
            let result =
                ["勝", "敗", "負", "引き分け", "逆転", "完封", "スコア"].iter().any(|word| m.after.starts_with(word));
            (result && !m.before.ends_with('-'))
                .then(|| format!("{}対{}{}", whole(m.get(1)), whole(m.get(2)), m.get(3)))
        }),
        Rule::new("[vV]([0-9]+(?:\\.[0-9]+)*)", |m| {
            Some(format!("バージョン{}", m.get(1).split('.').map(whole).collect::<Vec<_>>().join("点")))
        }),
        Rule::new(r"[0-9]+(?:\.[0-9]+){2,}", |m| Some(m.all().split('.').map(whole).collect::<Vec<_>>().join("点"))),
        Rule::new(&format!(r"({NUMBER})[ 　]?[〜～~\-–][ 　]?({NUMBER})"), |m| {
            let chain = m.before.ends_with(['-', '/', '.']) || m.after.starts_with('-');
            (!chain && !m.all().contains(" - ")).then(|| format!("{}から{}", number(m.get(1)), m.get(2)))
        }),
        Rule::new(&format!("([¥$€£₩])({NUMBER})[〜～~-]"), |m| {
            let same = m.after.trim_start_matches(m.get(1)).starts_with(|c: char| c.is_ascii_digit());
            same.then(|| format!("{}{}から", m.get(1), m.get(2)))
        }),
        Rule::new(&format!("({signs}) ?({NUMBER})([十百千万億兆]*)"), |m| money(m.get(1), m.get(2), m.get(3))),
        Rule::new(&format!("({NUMBER}) ?(USD|EUR|JPY|€|£|\\$)"), |m| money(m.get(2), m.get(1), "")),
        Rule::new(&format!("([-−]?)({NUMBER}) ?%"), |m| {
            Some(format!("{}{}パーセント", minus(m.get(1)), number(m.get(2))))
        }),
        Rule::new(&format!("({NUMBER}) ?({speeds})"), |m| {
            let (_, before, behind) = SPEEDS.iter().find(|(written, ..)| *written == m.get(2))?;
            Some(format!("{before}{}{behind}", number(m.get(1))))
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?({units})"), |m| {
            let (_, read) = UNITS.iter().find(|(written, _)| *written == m.get(3))?;
            Some(format!("{}{}{read}", minus(m.get(1)), number(m.get(2))))
        }),
        Rule::new("第 ?([IVX]+)", |m| {
            let value = ROMAN.iter().position(|numeral| *numeral == m.get(1))?;
            Some(format!("第{}", whole(&value.to_string())))
        }),
        Rule::new("(?:No\\. ?|№ ?|# ?)([0-9]+)", |m| Some(format!("ナンバー{}", m.get(1)))),
        Rule::new(&format!("({NUMBER}) - "), |m| {
            m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{}マイナス", number(m.get(1))))
        }),
        Rule::new(&format!("({NUMBER}) ?([+×÷=]) ?"), |m| {
            let sign = match m.get(2) {
                "+" => "プラス",
                "×" => "かける",
                "÷" => "割る",
                _ => "イコール",
            };
            m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{}{sign}", number(m.get(1))))
        }),
        Rule::new(&format!("[-−±]({NUMBER})"), |m| {
            let free = m.previous().is_none_or(|c| !c.is_ascii_alphanumeric());
            let sign = if m.all().starts_with('±') { "プラスマイナス" } else { "マイナス" };
            free.then(|| format!("{sign}{}", m.get(1)))
        }),
        Rule::new("([A-Za-z]|[0-9]+)(²|³|\\^[0-9]+)", |m| {
            let power = match m.get(2) {
                "²" => "二".into(),
                "³" => "三".into(),
                power => whole(&power[1..]),
            };
            let base = m.get(1);
            Some(format!(
                "{}の{power}乗",
                if base.starts_with(|c: char| c.is_ascii_digit()) { whole(base) } else { base.into() }
            ))
        }),
        Rule::new(r"([0-9]+)\+", |m| {
            let more = !m.after.starts_with(|c: char| c.is_alphanumeric());
            more.then(|| format!("{}以上", whole(m.get(1))))
        }),
        Rule::new("([A-Z])#", |m| Some(format!("{}シャープ", m.get(1)))),
        Rule::within("#", |m| m.after.starts_with(char::is_alphabetic).then(|| "ハッシュタグ".into())),
        Rule::new("([A-Za-z]{2,})-([0-9]{1,4})", |m| {
            let chain = m.before.ends_with('-') || m.after.starts_with('-');
            (!chain).then(|| format!("{}{}", m.get(1), whole(m.get(2))))
        }),
        // A thousand of ten thousands, and the like, keeps its one.
        Rule::new("1,?000([万億兆])", |m| Some(format!("一千{}", m.get(1)))),
        Rule::new(NUMBER, |m| Some(number(m.all()))),
        // Figures within words, such as A4 and iPhone15.
        Rule::within("[0-9]+", |m| Some(whole(m.all()))),
        Rule::new("&", |_| Some("アンド".into())),
        Rule::new("@", |_| Some("アット".into())),
        Rule::new(" ?[+] ?", |_| Some("プラス".into())),
        Rule::new(" ?= ?", |_| Some("イコール".into())),
        Rule::new("%", |_| Some("パーセント".into())),
        Rule::new("°C?", |_| Some("度".into())),
        Rule::new("[¥]", |_| Some("円".into())),
        Rule::new(r"\$", |_| Some("ドル".into())),
        Rule::new("€", |_| Some("ユーロ".into())),
        Rule::new("〒", |_| Some("郵便番号".into())),
    ]
}

fn minus(sign: &str) -> &'static str {
    if sign.is_empty() { "" } else { "マイナス" }
}

/// Of a clock or a calendar: without the zero in front.
fn short(digits: &str) -> String {
    match digits.trim_start_matches('0') {
        "" => whole("0"),
        digits => whole(digits),
    }
}

fn money(sign: &str, value: &str, magnitude: &str) -> Option<String> {
    let (_, whole_name, part) = CURRENCIES.iter().find(|(written, ..)| *written == sign)?;
    let cents = value.split_once('.').filter(|(_, cents)| cents.len() == 2 && !part.is_empty() && magnitude.is_empty());
    Some(match cents {
        Some((head, "00")) => format!("{}{whole_name}", number(head)),
        Some(("0", cents)) => format!("{}{part}", short(cents)),
        Some((head, cents)) => format!("{}{whole_name}{}{part}", number(head), short(cents)),
        None if magnitude.starts_with(['万', '億', '兆']) && value.replace(',', "") == "1000" => {
            format!("一千{magnitude}{whole_name}")
        }
        None => format!("{}{magnitude}{whole_name}", number(value)),
    })
}

fn address(written: &str) -> String {
    let mut out = String::new();
    for c in written.chars() {
        match c {
            '.' => out.push_str("ドット"),
            '@' => out.push_str("アットマーク"),
            '-' => out.push_str("ハイフン"),
            '_' => out.push_str("アンダーバー"),
            '+' => out.push_str("プラス"),
            '/' => out.push_str("スラッシュ"),
            '?' => out.push_str("クエスチョンマーク"),
            '=' => out.push_str("イコール"),
            '&' => out.push_str("アンド"),
            '%' => out.push_str("パーセント"),
            '#' => out.push_str("シャープ"),
            '~' => out.push_str("チルダ"),
            _ => out.push(c),
        }
    }
    out
}
