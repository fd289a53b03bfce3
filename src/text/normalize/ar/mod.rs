//! Arabic.
pub mod numbers;

use std::sync::LazyLock;

use super::rules::{Rule, any_of, rewrite};
use numbers::Gender::{Feminine, Masculine};
use numbers::{NUMBER, Noun, cardinal, counted, described, each, genitive, hour, number, ordinal, quantity, whole};

const MONTHS: [&str; 12] =
    ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"];

const fn masculine(one: &'static str, two: &'static str, few: &'static str, many: &'static str) -> Noun {
    Noun { gender: Masculine, one, two, few, many }
}

const fn feminine(one: &'static str, two: &'static str, few: &'static str) -> Noun {
    // Behind eleven to ninety-nine nouns with ة are written as behind one.
    Noun { gender: Feminine, one, two, few, many: one }
}

const MINUTE: Noun = feminine("دقيقة", "دقيقتان", "دقائق");
const SECOND: Noun = feminine("ثانية", "ثانيتان", "ثوان");
const METRE: Noun = masculine("متر", "متران", "أمتار", "مترا");
const KILOMETRE: Noun = masculine("كيلومتر", "كيلومتران", "كيلومترات", "كيلومترا");
const DOLLAR: Noun = masculine("دولار", "دولاران", "دولارات", "دولارا");
const EURO: Noun = masculine("يورو", "يورو", "يورو", "يورو");
const CENT: Noun = masculine("سنت", "سنتان", "سنتات", "سنتا");

/// What follows the noun of a unit.
#[derive(Debug, Clone, Copy)]
enum Behind {
    Nothing,
    Words(&'static str),
    /// Agrees with the noun; as with one masculine thing.
    Adjective(&'static str),
}

use Behind::{Adjective, Nothing, Words};

/// Written, noun, and what follows it.
const UNITS: &[(&str, Noun, Behind)] = &[
    ("km/h", KILOMETRE, Words("في الساعة")),
    ("كم/س", KILOMETRE, Words("في الساعة")),
    ("m/s", METRE, Words("في الثانية")),
    ("km²", KILOMETRE, Adjective("مربع")),
    ("كم²", KILOMETRE, Adjective("مربع")),
    ("m²", METRE, Adjective("مربع")),
    ("م²", METRE, Adjective("مربع")),
    ("m³", METRE, Adjective("مكعب")),
    ("م³", METRE, Adjective("مكعب")),
    ("km", KILOMETRE, Nothing),
    ("كم", KILOMETRE, Nothing),
    ("cm", masculine("سنتيمتر", "سنتيمتران", "سنتيمترات", "سنتيمترا"), Nothing),
    ("سم", masculine("سنتيمتر", "سنتيمتران", "سنتيمترات", "سنتيمترا"), Nothing),
    ("mm", masculine("مليمتر", "مليمتران", "مليمترات", "مليمترا"), Nothing),
    ("ملم", masculine("مليمتر", "مليمتران", "مليمترات", "مليمترا"), Nothing),
    ("m", METRE, Nothing),
    ("kg", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), Nothing),
    ("كغ", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), Nothing),
    ("كجم", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), Nothing),
    ("mg", masculine("مليغرام", "مليغرامان", "مليغرامات", "مليغراما"), Nothing),
    ("g", masculine("غرام", "غرامان", "غرامات", "غراما"), Nothing),
    ("ml", masculine("مليلتر", "مليلتران", "مليلترات", "مليلترا"), Nothing),
    ("مل", masculine("مليلتر", "مليلتران", "مليلترات", "مليلترا"), Nothing),
    ("L", masculine("لتر", "لتران", "لترات", "لترا"), Nothing),
    ("l", masculine("لتر", "لتران", "لترات", "لترا"), Nothing),
    ("h", feminine("ساعة", "ساعتان", "ساعات"), Nothing),
    ("min", MINUTE, Nothing),
    ("s", SECOND, Nothing),
    ("GB", masculine("غيغابايت", "غيغابايت", "غيغابايت", "غيغابايت"), Nothing),
    ("MB", masculine("ميغابايت", "ميغابايت", "ميغابايت", "ميغابايت"), Nothing),
    ("GHz", masculine("غيغاهرتز", "غيغاهرتز", "غيغاهرتز", "غيغاهرتز"), Nothing),
    ("MHz", masculine("ميغاهرتز", "ميغاهرتز", "ميغاهرتز", "ميغاهرتز"), Nothing),
    ("Hz", masculine("هرتز", "هرتز", "هرتز", "هرتز"), Nothing),
    ("kW", masculine("كيلوواط", "كيلوواط", "كيلوواط", "كيلوواط"), Nothing),
    ("W", masculine("واط", "واط", "واط", "واط"), Nothing),
    ("V", masculine("فولت", "فولت", "فولت", "فولت"), Nothing),
    ("°C", feminine("درجة", "درجتان", "درجات"), Adjective("مئوي")),
    ("°م", feminine("درجة", "درجتان", "درجات"), Adjective("مئوي")),
    ("°F", feminine("درجة", "درجتان", "درجات"), Words("فهرنهايت")),
    ("°", feminine("درجة", "درجتان", "درجات"), Nothing),
];

/// Sign, noun, its hundredth.
const CURRENCIES: &[(&str, Noun, Option<Noun>)] = &[
    ("$", DOLLAR, Some(CENT)),
    ("US$", DOLLAR, Some(CENT)),
    ("USD", DOLLAR, Some(CENT)),
    ("€", EURO, Some(CENT)),
    ("EUR", EURO, Some(CENT)),
    ("£", masculine("جنيه", "جنيهان", "جنيهات", "جنيها"), Some(masculine("بنس", "بنسان", "بنسات", "بنسا"))),
    ("¥", masculine("ين", "ينان", "ينات", "ينا"), None),
    ("SAR", masculine("ريال", "ريالان", "ريالات", "ريالا"), Some(feminine("هللة", "هللتان", "هللات"))),
    ("ر.س", masculine("ريال", "ريالان", "ريالات", "ريالا"), Some(feminine("هللة", "هللتان", "هللات"))),
    ("AED", masculine("درهم", "درهمان", "دراهم", "درهما"), Some(masculine("فلس", "فلسان", "فلوس", "فلسا"))),
    ("د.إ", masculine("درهم", "درهمان", "دراهم", "درهما"), Some(masculine("فلس", "فلسان", "فلوس", "فلسا"))),
    ("EGP", masculine("جنيه", "جنيهان", "جنيهات", "جنيها"), Some(masculine("قرش", "قرشان", "قروش", "قرشا"))),
    ("ج.م", masculine("جنيه", "جنيهان", "جنيهات", "جنيها"), Some(masculine("قرش", "قرشان", "قروش", "قرشا"))),
];

/// Nouns whose number stands in figures before them, in any of their forms.
const NOUNS: &[Noun] = &[
    masculine("يوم", "يومان", "أيام", "يوما"),
    masculine("شهر", "شهران", "أشهر", "شهرا"),
    masculine("عام", "عامان", "أعوام", "عاما"),
    masculine("أسبوع", "أسبوعان", "أسابيع", "أسبوعا"),
    masculine("كتاب", "كتابان", "كتب", "كتابا"),
    masculine("شخص", "شخصان", "أشخاص", "شخصا"),
    masculine("طالب", "طالبان", "طلاب", "طالبا"),
    masculine("رجل", "رجلان", "رجال", "رجلا"),
    masculine("طفل", "طفلان", "أطفال", "طفلا"),
    masculine("بيت", "بيتان", "بيوت", "بيتا"),
    masculine("ريال", "ريالان", "ريالات", "ريالا"),
    masculine("درهم", "درهمان", "دراهم", "درهما"),
    masculine("جنيه", "جنيهان", "جنيهات", "جنيها"),
    DOLLAR,
    METRE,
    KILOMETRE,
    feminine("ساعة", "ساعتان", "ساعات"),
    MINUTE,
    SECOND,
    feminine("سنة", "سنتان", "سنوات"),
    feminine("قطة", "قطتان", "قطط"),
    feminine("سيارة", "سيارتان", "سيارات"),
    feminine("مدينة", "مدينتان", "مدن"),
    feminine("دولة", "دولتان", "دول"),
    feminine("صفحة", "صفحتان", "صفحات"),
    feminine("مرة", "مرتان", "مرات"),
    feminine("ليلة", "ليلتان", "ليال"),
    feminine("غرفة", "غرفتان", "غرف"),
    feminine("درجة", "درجتان", "درجات"),
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(rules);

/// Arabic as it is spoken.
pub fn speak(text: &str) -> String {
    rewrite(&RULES, &plain(text))
}

/// Arabic and Persian figures and their signs as European ones.
fn plain(text: &str) -> String {
    let figure = |c: char, zero: char| char::from(b'0' + (u32::from(c) - u32::from(zero)) as u8);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        out.push(match c {
            '٠'..='٩' => figure(c, '٠'),
            '۰'..='۹' => figure(c, '۰'),
            '٪' => '%',
            '٫' => '.',
            '٬' => ',',
            // Lengthens a letter to the eye alone.
            'ـ' => continue,
            _ => c,
        });
    }
    out
}

fn rules() -> Vec<Rule> {
    let units = any_of(UNITS.iter().map(|u| u.0));
    let signs = any_of(CURRENCIES.iter().map(|c| c.0));
    let nouns = any_of(NOUNS.iter().flat_map(|noun| [noun.one, noun.two, noun.few, noun.many]));
    vec![
        Rule::new(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", |m| Some(address(m.all()))),
        Rule::new(r"(?i)https?://([a-z0-9][a-z0-9._~/?#=&%+-]*)", |m| Some(site(m.get(1)))),
        Rule::new(
            r"(?:www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+|(?:[a-z0-9][a-z0-9-]*\.)+(?:com|org|net|edu|gov|io))(?:/[A-Za-z0-9._~/?#=&%-]*)?",
            |m| Some(site(m.all())),
        ),
        Rule::new("([12][0-9]{3})[-/](0?[1-9]|1[0-2])[-/](3[01]|[12][0-9]|0?[1-9])", |m| {
            date(m.get(3), m.get(2), m.get(1))
        }),
        Rule::new("(3[01]|[12][0-9]|0?[1-9])[-/.](0?[1-9]|1[0-2])[-/.]([12][0-9]{3})", |m| {
            date(m.get(1), m.get(2), m.get(3))
        }),
        Rule::new(&format!("(3[01]|[12][0-9]|0?[1-9]) ({})(?: ([12][0-9]{{3}}))?", any_of(MONTHS)), |m| {
            let day = ordinal(m.get(1).parse().ok()?)?;
            Some(format!("{day} من {}{}", m.get(2), year(m.get(3))))
        }),
        Rule::new(
            "(?:(الساعة) ?)?([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?(?: ?(ص|م|صباحا|مساء)( |$|[.,،؟!]))?",
            |m| {
                let said = time(m.get(2).parse().ok()?, m.get(3).parse().ok()?, m.get(4).parse().ok(), m.get(5))?;
                Some(format!("الساعة {said}{}", m.get(6)))
            },
        ),
        Rule::new(r"\+[0-9]{1,3}(?:[ -][0-9]{2,4}){2,5}|0[0-9]{1,3}-[0-9]{3,4}-?[0-9]{3,4}|05[0-9]{8}", |m| {
            let plus = if m.all().starts_with('+') { "زائد " } else { "" };
            let groups = m.all().split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
            Some(plus.to_string() + &groups.map(each).collect::<Vec<_>>().join(", "))
        }),
        Rule::new("([0-9]{1,4}):([0-9]{1,4})", |m| {
            let chain = m.after.starts_with(':') || m.before.ends_with(':');
            let to = genitive(&whole(m.get(2), Masculine));
            (!chain).then(|| format!("{} إلى {to}", whole(m.get(1), Masculine)))
        }),
        // Behind "to" stands the genitive.
        Rule::new(&format!("({NUMBER}) ?[-–] ?({NUMBER}) ?%"), |m| {
            Some(format!("{} إلى {} بالمائة", number(m.get(1)), genitive(&number(m.get(2)))))
        }),
        Rule::new(&format!("({NUMBER}) ?[-–] ?({NUMBER}) ?({units})( |$|[.,،؛؟!)])"), |m| {
            let to = genitive(&unit(m.get(3), m.get(2))?);
            let feminine = UNITS.iter().any(|(written, noun, _)| *written == m.get(3) && noun.gender == Feminine);
            let from = whole(m.get(1), if feminine { Feminine } else { Masculine });
            Some(format!("{from} إلى {to}{}", m.get(4)))
        }),
        Rule::new(&format!("({NUMBER}) ?[-–] ?({NUMBER}) ({nouns})( |$|[.,،؛؟!)])"), |m| {
            let noun = noun(m.get(3))?;
            let to = genitive(&quantity(m.get(2), noun));
            Some(format!("{} إلى {to}{}", whole(m.get(1), noun.gender), m.get(4)))
        }),
        Rule::new(&format!("({NUMBER}) ?[-–] ?({NUMBER})"), |m| {
            let chain = m.before.ends_with(['-', '/', '.']) || m.after.starts_with(['-', '/']);
            let to = genitive(&number(m.get(2)));
            (!chain && !m.all().contains(" - ")).then(|| format!("{} إلى {to}", number(m.get(1))))
        }),
        Rule::new(&format!("([-−]?)({signs}) ?({NUMBER})(?: (ألف|مليون|مليار))?"), |m| {
            Some(minus(m.get(1)).to_string() + &money(m.get(2), m.get(3), m.get(4))?)
        }),
        Rule::new(&format!("([-−]?)({NUMBER})(?: (ألف|مليون|مليار))? ?({signs})"), |m| {
            Some(minus(m.get(1)).to_string() + &money(m.get(4), m.get(2), m.get(3))?)
        }),
        Rule::new("([0-9]{1,3}) (مليون|مليار) ", |m| {
            (!m.before.ends_with(['.', ','])).then(|| scaled(m.get(1), m.get(2)) + " ")
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?%|%({NUMBER})"), |m| {
            Some(format!("{}{}{} بالمائة", minus(m.get(1)), read(m.get(2)), read(m.get(3))))
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?({units})( |$|[.,،؛؟!)])"), |m| {
            Some(format!("{}{}{}", minus(m.get(1)), unit(m.get(3), m.get(2))?, m.get(4)))
        }),
        Rule::new(&format!("({NUMBER}) ({nouns})( |$|[.,،؛؟!)])"), |m| {
            Some(quantity(m.get(1), noun(m.get(2))?) + m.get(3))
        }),
        Rule::new("القرن (?:ال)?([0-9]{1,2})", |m| {
            let century = ordinal(m.get(1).parse().ok()?)?;
            let behind = ["في", "من", "خلال", "منذ"].iter().any(|word| m.before.trim_end().ends_with(word));
            Some(format!("القرن {}", if behind { genitive(&century) } else { century }))
        }),
        Rule::new("(عام|سنة) ([12][0-9]{3})", |m| {
            let gender = if m.get(1) == "سنة" { Feminine } else { Masculine };
            Some(format!("{} {}", m.get(1), genitive(&whole(m.get(2), gender))))
        }),
        Rule::new(r"(?:[vV]|الإصدار )([0-9]+(?:\.[0-9]+)+)", |m| {
            let parts = m.get(1).split('.').map(|part| whole(part, Masculine));
            Some(format!("الإصدار {}", parts.collect::<Vec<_>>().join(" نقطة ")))
        }),
        Rule::new("([0-9]{1,4})/([0-9]{1,4})", |m| {
            let chain = m.after.starts_with('/') || m.before.ends_with('/');
            if chain { None } else { fraction(m.get(1), m.get(2)) }
        }),
        Rule::new(r"[0-9]+(?:\.[0-9]+){2,}", |m| {
            Some(m.all().split('.').map(|part| whole(part, Masculine)).collect::<Vec<_>>().join(" نقطة "))
        }),
        Rule::new(r"([A-Za-z]|[0-9]+)([²³]|\^[23])", |m| {
            let power = if m.get(2).ends_with(['²', '2']) { "تربيع" } else { "تكعيب" };
            Some(format!("{} {power}", m.get(1)))
        }),
        Rule::within(" ([<>]) ", |m| {
            let value = m.after.starts_with(|c: char| c.is_ascii_alphanumeric());
            value.then(|| format!(" {} من ", if m.get(1) == "<" { "أصغر" } else { "أكبر" }))
        }),
        Rule::new(r"([0-9]+)\+", |m| {
            let more = !m.after.starts_with(|c: char| c.is_alphanumeric());
            more.then(|| format!("أكثر من {}", genitive(&whole(m.get(1), Masculine))))
        }),
        Rule::new(&format!("±({NUMBER})"), |m| Some(format!("زائد أو ناقص {}", m.get(1)))),
        Rule::new(&format!("({NUMBER}) - "), |m| {
            m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{} ناقص ", number(m.get(1))))
        }),
        Rule::new(&format!("({NUMBER}) ?([+×÷=]) ?"), |m| {
            let sign = match m.get(2) {
                "+" => "زائد",
                "×" => "ضرب",
                "÷" => "قسمة",
                _ => "يساوي",
            };
            m.after.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{} {sign} ", number(m.get(1))))
        }),
        Rule::new(&format!("[-−]({NUMBER})"), |m| {
            let free = m.previous().is_none_or(|c| c.is_whitespace() || "(\"«".contains(c));
            free.then(|| format!("سالب {}", m.get(1)))
        }),
        Rule::new("# ?([0-9]+)", |m| Some(format!("رقم {}", m.get(1)))),
        Rule::new("([A-Za-z]+)-?([0-9]+)([A-Za-z]*)", |m| {
            Some(format!("{} {} {}", m.get(1), whole(m.get(2), Masculine), m.get(3)).trim_end().into())
        }),
        Rule::new(NUMBER, |m| Some(number(m.all()))),
        Rule::within("[0-9]+", |m| {
            let spaced = |c: Option<char>| if c.is_some_and(char::is_alphanumeric) { " " } else { "" };
            let (before, after) = (spaced(m.previous()), spaced(m.after.chars().next()));
            Some(format!("{before}{}{after}", whole(m.all(), Masculine)))
        }),
        Rule::new(" ?& ?", |_| Some(" و ".into())),
        Rule::new(" ?@ ?", |_| Some(" آت ".into())),
        Rule::new(" ?[+] ?", |_| Some(" زائد ".into())),
        Rule::new(" ?= ?", |_| Some(" يساوي ".into())),
        Rule::new(" ?% ?", |_| Some(" بالمائة ".into())),
        Rule::new(r" ?\$ ?", |_| Some(" دولار ".into())),
        Rule::new(" ?€ ?", |_| Some(" يورو ".into())),
        Rule::new(" ?° ?", |_| Some(" درجة ".into())),
    ]
}

/// [`number`] of what may be missing.
fn read(written: &str) -> String {
    if written.is_empty() { String::new() } else { number(written) }
}

/// The noun of which `written` is a form.
fn noun(written: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|noun| [noun.one, noun.two, noun.few, noun.many].contains(&written))
}

/// A number with its unit.
fn unit(written: &str, value: &str) -> Option<String> {
    let (_, noun, behind) = UNITS.iter().find(|(short, ..)| *short == written)?;
    Some(match behind {
        Nothing => quantity(value, noun),
        Words(words) => format!("{} {words}", quantity(value, noun)),
        Adjective(adjective) => described(value, noun, adjective),
    })
}

/// Millions and the like in front of what they count: `خمسة ملايين`, `خمسة عشر مليون`.
fn scaled(value: &str, scale: &str) -> String {
    let few = match (value.parse::<u64>(), scale) {
        (Ok(1), _) => return scale.into(),
        (Ok(2), _) => return format!("{scale}ا"),
        (Ok(n), "ألف") if matches!(n % 100, 3..=10) => "آلاف",
        (Ok(n), "مليون") if matches!(n % 100, 3..=10) => "ملايين",
        (Ok(n), "مليار") if matches!(n % 100, 3..=10) => "مليارات",
        _ => scale,
    };
    format!("{} {few}", number(value))
}

fn minus(sign: &str) -> &'static str {
    if sign.is_empty() { "" } else { "سالب " }
}

fn date(day: &str, month: &str, written: &str) -> Option<String> {
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{} من {month}{}", ordinal(day.parse().ok()?)?, year(written)))
}

/// ` عام ألفين وستة وعشرين`: behind the noun a number takes the genitive.
fn year(written: &str) -> String {
    let read = |n| format!(" عام {}", genitive(&cardinal(n, Masculine)));
    written.parse().map_or(String::new(), read)
}

/// `half` is what is written behind: ص or م.
fn time(hours: u64, minutes: u64, seconds: Option<u64>, half: &str) -> Option<String> {
    let past = match minutes {
        0 => String::new(),
        15 => " والربع".into(),
        30 => " والنصف".into(),
        _ => format!(" و{}", counted(minutes, &MINUTE)),
    };
    let half = match (half, hours) {
        ("ص" | "صباحا", _) => " صباحا",
        ("م" | "مساء", _) | (_, 13..=23) => " مساء",
        _ => "",
    };
    let seconds = seconds.filter(|n| *n > 0).map_or(String::new(), |n| format!(" و{}", counted(n, &SECOND)));
    Some(format!("{}{past}{seconds}{half}", hour((hours + 11) % 12 + 1)?))
}

fn money(sign: &str, value: &str, magnitude: &str) -> Option<String> {
    let (_, noun, part) = CURRENCIES.iter().find(|(written, ..)| *written == sign)?;
    if !magnitude.is_empty() {
        return Some(format!("{} {}", scaled(value, magnitude), noun.one));
    }
    let cents = value.split_once('.').filter(|(_, cents)| cents.len() == 2);
    let (Some((head, cents)), Some(part)) = (cents, part) else { return Some(quantity(value, noun)) };
    match cents.parse().ok()? {
        0 => Some(quantity(head, noun)),
        cents if head == "0" => Some(counted(cents, part)),
        cents => Some(format!("{} و{}", quantity(head, noun), counted(cents, part))),
    }
}

fn fraction(above: &str, below: &str) -> Option<String> {
    const PARTS: [(&str, &str, &str); 11] = [
        ("", "", ""),
        ("", "", ""),
        ("نصف", "نصفان", "أنصاف"),
        ("ثلث", "ثلثان", "أثلاث"),
        ("ربع", "ربعان", "أرباع"),
        ("خمس", "خمسان", "أخماس"),
        ("سدس", "سدسان", "أسداس"),
        ("سبع", "سبعان", "أسباع"),
        ("ثمن", "ثمنان", "أثمان"),
        ("تسع", "تسعان", "أتساع"),
        ("عشر", "عشران", "أعشار"),
    ];
    let (top, bottom): (u64, usize) = (above.parse().ok()?, below.parse().ok()?);
    Some(match PARTS.get(bottom) {
        Some((one, ..)) if top == 1 && !one.is_empty() => (*one).into(),
        Some((_, two, _)) if top == 2 && !two.is_empty() => (*two).into(),
        Some((.., few)) if (3..=10).contains(&top) && !few.is_empty() => format!("{} {few}", cardinal(top, Masculine)),
        _ => format!("{} على {}", whole(above, Masculine), genitive(&whole(below, Masculine))),
    })
}

/// An address of the web without the punctuation that ends its sentence.
fn site(written: &str) -> String {
    let end = written.trim_end_matches(['.', ',', '!', '?', ';', ':', '/']).len();
    address(&written[..end]) + written[end..].trim_start_matches('/')
}

fn address(written: &str) -> String {
    let mut out = String::new();
    for c in written.chars() {
        match c {
            '.' => out.push_str(" نقطة "),
            '@' => out.push_str(" آت "),
            '-' => out.push_str(" شرطة "),
            '_' => out.push_str(" شرطة سفلية "),
            '+' => out.push_str(" زائد "),
            '/' => out.push_str(" شرطة مائلة "),
            '?' => out.push_str(" علامة استفهام "),
            '=' => out.push_str(" يساوي "),
            '&' => out.push_str(" و "),
            '%' => out.push_str(" بالمائة "),
            _ => out.push(c),
        }
    }
    out
}
