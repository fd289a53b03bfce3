//! Arabic.
pub mod numbers;

use std::sync::LazyLock;

use super::rules::{Rule, any_of, rewrite};
use numbers::Gender::{Feminine, Masculine};
use numbers::{NUMBER, Noun, cardinal, counted, each, hour, number, ordinal, quantity, whole};

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

/// Written, noun, and what follows it.
const UNITS: &[(&str, Noun, &str)] = &[
    ("km/h", KILOMETRE, " في الساعة"),
    ("كم/س", KILOMETRE, " في الساعة"),
    ("m/s", METRE, " في الثانية"),
    ("km²", KILOMETRE, " مربع"),
    ("كم²", KILOMETRE, " مربع"),
    ("m²", METRE, " مربع"),
    ("م²", METRE, " مربع"),
    ("m³", METRE, " مكعب"),
    ("م³", METRE, " مكعب"),
    ("km", KILOMETRE, ""),
    ("كم", KILOMETRE, ""),
    ("cm", masculine("سنتيمتر", "سنتيمتران", "سنتيمترات", "سنتيمترا"), ""),
    ("سم", masculine("سنتيمتر", "سنتيمتران", "سنتيمترات", "سنتيمترا"), ""),
    ("mm", masculine("مليمتر", "مليمتران", "مليمترات", "مليمترا"), ""),
    ("ملم", masculine("مليمتر", "مليمتران", "مليمترات", "مليمترا"), ""),
    ("m", METRE, ""),
    ("kg", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), ""),
    ("كغ", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), ""),
    ("كجم", masculine("كيلوغرام", "كيلوغرامان", "كيلوغرامات", "كيلوغراما"), ""),
    ("mg", masculine("مليغرام", "مليغرامان", "مليغرامات", "مليغراما"), ""),
    ("g", masculine("غرام", "غرامان", "غرامات", "غراما"), ""),
    ("ml", masculine("مليلتر", "مليلتران", "مليلترات", "مليلترا"), ""),
    ("مل", masculine("مليلتر", "مليلتران", "مليلترات", "مليلترا"), ""),
    ("L", masculine("لتر", "لتران", "لترات", "لترا"), ""),
    ("l", masculine("لتر", "لتران", "لترات", "لترا"), ""),
    ("h", feminine("ساعة", "ساعتان", "ساعات"), ""),
    ("min", MINUTE, ""),
    ("s", SECOND, ""),
    ("GB", masculine("غيغابايت", "غيغابايت", "غيغابايت", "غيغابايت"), ""),
    ("MB", masculine("ميغابايت", "ميغابايت", "ميغابايت", "ميغابايت"), ""),
    ("GHz", masculine("غيغاهرتز", "غيغاهرتز", "غيغاهرتز", "غيغاهرتز"), ""),
    ("MHz", masculine("ميغاهرتز", "ميغاهرتز", "ميغاهرتز", "ميغاهرتز"), ""),
    ("Hz", masculine("هرتز", "هرتز", "هرتز", "هرتز"), ""),
    ("kW", masculine("كيلوواط", "كيلوواط", "كيلوواط", "كيلوواط"), ""),
    ("W", masculine("واط", "واط", "واط", "واط"), ""),
    ("V", masculine("فولت", "فولت", "فولت", "فولت"), ""),
    ("°C", feminine("درجة", "درجتان", "درجات"), " مئوية"),
    ("°م", feminine("درجة", "درجتان", "درجات"), " مئوية"),
    ("°F", feminine("درجة", "درجتان", "درجات"), " فهرنهايت"),
    ("°", feminine("درجة", "درجتان", "درجات"), ""),
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
        Rule::new(r"(?i)(?:https?://)?(www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+)", |m| Some(address(m.get(1)))),
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
            "(?:(الساعة) ?)?([01]?[0-9]|2[0-4]):([0-5][0-9])(?::[0-5][0-9])?(?: ?(ص|م|صباحا|مساء)( |$|[.,،؟!]))?",
            |m| {
                let said = time(m.get(2).parse().ok()?, m.get(3).parse().ok()?, m.get(4))?;
                Some(format!("الساعة {said}{}", m.get(5)))
            },
        ),
        Rule::new(r"\+[0-9]{1,3}(?:[ -][0-9]{2,4}){2,5}|0[0-9]{1,3}-[0-9]{3,4}-?[0-9]{3,4}|05[0-9]{8}", |m| {
            let plus = if m.all().starts_with('+') { "زائد " } else { "" };
            let groups = m.all().split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
            Some(plus.to_string() + &groups.map(each).collect::<Vec<_>>().join(", "))
        }),
        Rule::new(&format!("({NUMBER}) ?[-–] ?({NUMBER})"), |m| {
            let chain = m.before.ends_with(['-', '/', '.']) || m.after.starts_with(['-', '/']);
            (!chain && !m.all().contains(" - ")).then(|| format!("{} إلى {}", number(m.get(1)), m.get(2)))
        }),
        Rule::new(&format!("({signs}) ?({NUMBER})(?: (ألف|مليون|مليار))?"), |m| {
            money(m.get(1), m.get(2), m.get(3))
        }),
        Rule::new(&format!("({NUMBER})(?: (ألف|مليون|مليار))? ?({signs})"), |m| {
            money(m.get(3), m.get(1), m.get(2))
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?%"), |m| {
            Some(format!("{}{} بالمائة", minus(m.get(1)), number(m.get(2))))
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?({units})( |$|[.,،؛؟!)])"), |m| {
            let (_, noun, behind) = UNITS.iter().find(|(written, ..)| *written == m.get(3))?;
            Some(format!("{}{}{behind}{}", minus(m.get(1)), quantity(m.get(2), noun), m.get(4)))
        }),
        Rule::new(&format!("({NUMBER}) ({nouns})( |$|[.,،؛؟!)])"), |m| {
            let written = m.get(2);
            let noun = NOUNS.iter().find(|noun| [noun.one, noun.two, noun.few, noun.many].contains(&written))?;
            Some(quantity(m.get(1), noun) + m.get(3))
        }),
        Rule::new("([0-9]{1,4})/([0-9]{1,4})", |m| {
            let chain = m.after.starts_with('/') || m.before.ends_with('/');
            if chain { None } else { fraction(m.get(1), m.get(2)) }
        }),
        Rule::new(r"[0-9]+(?:\.[0-9]+){2,}", |m| {
            Some(m.all().split('.').map(|part| whole(part, Masculine)).collect::<Vec<_>>().join(" نقطة "))
        }),
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

fn minus(sign: &str) -> &'static str {
    if sign.is_empty() { "" } else { "سالب " }
}

fn date(day: &str, month: &str, written: &str) -> Option<String> {
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{} من {month}{}", ordinal(day.parse().ok()?)?, year(written)))
}

/// ` عام ألفين وستة وعشرين`: behind the noun a number takes the genitive.
fn year(written: &str) -> String {
    let Ok(n) = written.parse::<u64>() else { return String::new() };
    let genitive = |word: &str| {
        let (and, word) = word.strip_prefix('و').filter(|_| word != "واحد").map_or(("", word), |rest| ("و", rest));
        let word = match word {
            "اثنان" => "اثنين",
            "مئتان" => "مئتين",
            "ألفان" => "ألفين",
            "اثنا" => "اثني",
            _ => return format!("{and}{}", word.strip_suffix("ون").map_or(word.into(), |tens| format!("{tens}ين"))),
        };
        format!("{and}{word}")
    };
    let words: Vec<String> = cardinal(n, Masculine).split(' ').map(genitive).collect();
    format!(" عام {}", words.join(" "))
}

/// `half` is what is written behind: ص or م.
fn time(hours: u64, minutes: u64, half: &str) -> Option<String> {
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
    Some(format!("{}{past}{half}", hour((hours + 11) % 12 + 1)?))
}

fn money(sign: &str, value: &str, magnitude: &str) -> Option<String> {
    let (_, noun, part) = CURRENCIES.iter().find(|(written, ..)| *written == sign)?;
    if !magnitude.is_empty() {
        return Some(format!("{} {magnitude} {}", number(value), noun.one));
    }
    let cents = value.split_once('.').filter(|(_, cents)| cents.len() == 2);
    let (Some((head, cents)), Some(part)) = (cents, part) else { return Some(quantity(value, noun)) };
    match cents.parse().ok()? {
        0 => Some(quantity(head, noun)),
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
        _ => format!("{} على {}", whole(above, Masculine), whole(below, Masculine)),
    })
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
            _ => out.push(c),
        }
    }
    out
}
