//! Spanish.
pub mod numbers;

use std::sync::LazyLock;

use super::rules::{Found, Rule, any_of, rewrite};
use numbers::{Counted, NUMBER, cardinal, each, number, ordinal, whole};

const MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

/// Sign, one, many, many hundredths.
const CURRENCIES: &[(&str, &str, &str, &str)] = &[
    ("$", "dólar", "dólares", "centavos"),
    ("US$", "dólar", "dólares", "centavos"),
    ("€", "euro", "euros", "céntimos"),
    ("£", "libra", "libras", "peniques"),
    ("¥", "yen", "yenes", ""),
    ("EUR", "euro", "euros", "céntimos"),
    ("USD", "dólar", "dólares", "centavos"),
];

/// Written, one, many.
const UNITS: &[(&str, &str, &str)] = &[
    ("km/h", "kilómetro por hora", "kilómetros por hora"),
    ("m/s", "metro por segundo", "metros por segundo"),
    ("km²", "kilómetro cuadrado", "kilómetros cuadrados"),
    ("m²", "metro cuadrado", "metros cuadrados"),
    ("m³", "metro cúbico", "metros cúbicos"),
    ("km", "kilómetro", "kilómetros"),
    ("cm", "centímetro", "centímetros"),
    ("mm", "milímetro", "milímetros"),
    ("m", "metro", "metros"),
    ("kg", "kilogramo", "kilogramos"),
    ("mg", "miligramo", "miligramos"),
    ("g", "gramo", "gramos"),
    ("ml", "mililitro", "mililitros"),
    ("l", "litro", "litros"),
    ("L", "litro", "litros"),
    ("h", "hora", "horas"),
    ("min", "minuto", "minutos"),
    ("s", "segundo", "segundos"),
    ("GB", "gigabyte", "gigabytes"),
    ("MB", "megabyte", "megabytes"),
    ("Hz", "hercio", "hercios"),
    ("kHz", "kilohercio", "kilohercios"),
    ("MHz", "megahercio", "megahercios"),
    ("GHz", "gigahercio", "gigahercios"),
    ("W", "vatio", "vatios"),
    ("kW", "kilovatio", "kilovatios"),
    ("V", "voltio", "voltios"),
    ("°C", "grado Celsius", "grados Celsius"),
    ("°F", "grado Fahrenheit", "grados Fahrenheit"),
    ("°", "grado", "grados"),
];

const ABBREVIATIONS: &[(&str, &str)] = &[
    ("Sr", "Señor"),
    ("Sra", "Señora"),
    ("Srta", "Señorita"),
    ("Dr", "Doctor"),
    ("Dra", "Doctora"),
    ("Prof", "Profesor"),
    ("Ud", "usted"),
    ("Uds", "ustedes"),
    ("Vd", "usted"),
    ("Avda", "Avenida"),
    ("Av", "Avenida"),
    ("núm", "número"),
    ("pág", "página"),
    ("págs", "páginas"),
    ("tel", "teléfono"),
    ("aprox", "aproximadamente"),
    ("etc", "etcétera"),
];

/// Words behind a number that are not what it counts.
const NOT_COUNTED: &[&str] = &[
    "a", "al", "con", "de", "del", "e", "el", "en", "entre", "es", "hasta", "la", "las", "los", "más", "menos", "no",
    "o", "para", "pero", "por", "que", "se", "sin", "son", "u", "y", "ya", "como", "fue", "era", "está", "sobre",
    "desde",
];
/// Masculine although they end in -a or -as.
const MASCULINE: &[&str] = &[
    "día",
    "días",
    "mapa",
    "mapas",
    "problema",
    "problemas",
    "programa",
    "programas",
    "sistema",
    "sistemas",
    "tema",
    "temas",
    "idioma",
    "idiomas",
    "planeta",
    "planetas",
    "poema",
    "poemas",
];
/// Feminine although they do not.
const FEMININE: &[&str] = &[
    "mano",
    "manos",
    "foto",
    "fotos",
    "moto",
    "motos",
    "veces",
    "vez",
    "mujer",
    "mujeres",
    "noche",
    "noches",
    "tarde",
    "tardes",
    "clase",
    "clases",
    "calle",
    "calles",
    "flor",
    "flores",
    "parte",
    "partes",
    "imágenes",
];
/// Kings and centuries before a Roman numeral.
const CENTURIES: &[&str] = &["siglo", "siglos", "capítulo", "tomo", "volumen", "guerra", "acto", "fase"];
const REIGNS: &[&str] =
    &["felipe", "carlos", "alfonso", "fernando", "isabel", "enrique", "juan", "pablo", "luis", "pío"];
const ROMAN: [&str; 22] = [
    "", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII",
    "XVIII", "XIX", "XX", "XXI",
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(rules);

/// Spanish as it is spoken.
pub fn speak(text: &str) -> String {
    rewrite(&RULES, text)
}

fn rules() -> Vec<Rule> {
    let signs = any_of(CURRENCIES.iter().map(|c| c.0));
    let units = any_of(UNITS.iter().map(|u| u.0));
    let abbreviations = any_of(ABBREVIATIONS.iter().map(|a| a.0));
    vec![
        Rule::new(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", |m| Some(address(m.all()))),
        Rule::new(r"(?i)(?:https?://)?(www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+)", |m| Some(address(m.get(1)))),
        Rule::new("(?:EE\\. ?UU\\.|EEUU)", |_| Some("Estados Unidos".into())),
        Rule::new(r"p\. ?ej\.", |_| Some("por ejemplo".into())),
        Rule::new(&format!(r"({abbreviations})\.?( |$)"), |m| {
            let (_, long) = ABBREVIATIONS.iter().find(|(short, _)| *short == m.get(1))?;
            m.all().contains('.').then(|| format!("{long}{}", m.get(2)))
        }),
        Rule::new("([12][0-9]{3})[-/](0?[1-9]|1[0-2])[-/](3[01]|[12][0-9]|0?[1-9])", |m| {
            date(m.get(3), m.get(2), m.get(1))
        }),
        Rule::new("(3[01]|[12][0-9]|0?[1-9])[-/.](0?[1-9]|1[0-2])[-/.]([12][0-9]{3})", |m| {
            date(m.get(1), m.get(2), m.get(3))
        }),
        Rule::new("([01]?[0-9]|2[0-4]):([0-5][0-9])(?::[0-5][0-9])?(?: ?h)?", |m| {
            let (hour, minute): (u64, u64) = (m.get(1).parse().ok()?, m.get(2).parse().ok()?);
            let hour = cardinal(hour, Counted::Feminine);
            Some(if minute == 0 {
                format!("{hour} en punto")
            } else {
                format!("{hour} y {}", cardinal(minute, Counted::Nothing))
            })
        }),
        Rule::new(r"\+[0-9]{1,3}(?:[ -][0-9]{2,4}){2,5}|[0-9]{3}(?:[ -][0-9]{2,3}){2,3}", |m| {
            let plus = if m.all().starts_with('+') { "más " } else { "" };
            let groups = m.all().split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty());
            Some(plus.to_string() + &groups.map(each).collect::<Vec<_>>().join(", "))
        }),
        Rule::new(&format!(r"([$£€¥]?)({NUMBER}) ?[-–] ?([$£€¥]?)({NUMBER})"), |m| {
            let chain = m.before.ends_with(['-', '/', '.']) || m.after.starts_with(['-', '/']);
            let sum = m.all().contains(" - ");
            let sign = if m.get(1).is_empty() { m.get(3) } else { m.get(1) };
            (!chain && !sum).then(|| format!("{} a {sign}{}", number(m.get(2), Counted::Nothing), m.get(4)))
        }),
        Rule::new(&format!("({signs}) ?({NUMBER})(?: (millones|millón|mil))?"), |m| {
            money(m.get(1), m.get(2), m.get(3))
        }),
        Rule::new(&format!("({NUMBER})(?: (millones|millón|mil)(?: de)?)? ?({signs})"), |m| {
            money(m.get(3), m.get(1), m.get(2))
        }),
        Rule::new(&format!("({NUMBER}) ?%"), |m| Some(format!("{} por ciento", number(m.get(1), Counted::Nothing)))),
        Rule::new(&format!(r"([-−]?)({NUMBER}) ?({units})"), |m| {
            let (_, one, many) = UNITS.iter().find(|(short, _, _)| *short == m.get(3))?;
            let minus = if m.get(1).is_empty() { "" } else { "menos " };
            let counted = if many.starts_with("hora") { Counted::Feminine } else { Counted::Masculine };
            Some(format!("{minus}{} {}", number(m.get(2), counted), if m.get(2) == "1" { one } else { many }))
        }),
        Rule::new("([0-9]{1,2})(?:\\.?([ºª])|(er|ro|ra|do|da|to|ta|mo|ma|vo|va))", |m| {
            let feminine = m.get(2) == "ª" || m.get(3).ends_with('a');
            let word = ordinal(m.get(1), feminine)?;
            // Shortened before a noun: "primer piso", "tercer año".
            let short = m.get(3) == "er";
            Some(if short { word.trim_end_matches('o').to_string() } else { word })
        }),
        Rule::new("([0-9]{1,4})/([0-9]{1,4})", |m| fraction(m.get(1), m.get(2))),
        Rule::new("([A-Za-zÁÉÍÓÚáéíóúñ]+) ([IVX]+)", |m| {
            let value = ROMAN.iter().position(|numeral| *numeral == m.get(2))?.to_string();
            let name = m.get(1).to_lowercase();
            let read = if CENTURIES.contains(&name.as_str()) {
                whole(&value, Counted::Nothing)
            } else if REIGNS.contains(&name.as_str()) {
                ordinal(&value, name == "isabel").unwrap_or_else(|| whole(&value, Counted::Nothing))
            } else {
                return None;
            };
            Some(format!("{} {read}", m.get(1)))
        }),
        Rule::new(&format!(r"({NUMBER}) ?([+×x=÷]) ?"), |m| {
            let sign = match m.get(2) {
                "+" => "más",
                "=" => "igual a",
                "÷" => "dividido por",
                _ => "por",
            };
            m.after
                .starts_with(|c: char| c.is_ascii_digit())
                .then(|| format!("{} {sign} ", number(m.get(1), Counted::Nothing)))
        }),
        Rule::new(&format!("[-−]({NUMBER})"), |m| {
            let free = m.previous().is_none_or(|c| c.is_whitespace() || "(\"¿¡".contains(c));
            free.then(|| format!("menos {}", m.get(1)))
        }),
        Rule::new("(?:n\\.º|N\\.º|nº|Nº|#) ?([0-9]+)", |m| Some(format!("número {}", m.get(1)))),
        Rule::new("([A-Za-z]+)-?([0-9]+)([A-Za-z]*)", |m| {
            Some(format!("{} {} {}", m.get(1), whole(m.get(2), Counted::Nothing), m.get(3)).trim_end().into())
        }),
        Rule::new(NUMBER, |m| Some(number(m.all(), counted(m)))),
        Rule::new("([0-9]+)([A-Za-z]+)", |m| Some(format!("{} {}", whole(m.get(1), Counted::Nothing), m.get(2)))),
        Rule::new("[0-9]+", |m| Some(each(m.all()))),
        Rule::new(" ?& ?", |_| Some(" y ".into())),
        Rule::new("@", |_| Some(" arroba ".into())),
        Rule::new(" [+] ", |_| Some(" más ".into())),
        Rule::new(" ?= ?", |_| Some(" igual a ".into())),
        Rule::new(" ?% ?", |_| Some(" por ciento ".into())),
        Rule::new(" ?€", |_| Some(" euros ".into())),
        Rule::new(r" ?\$ ?", |_| Some(" dólares ".into())),
        Rule::new("°", |_| Some(" grados ".into())),
    ]
}

/// Whether a noun follows, and its gender, as far as the endings tell.
fn counted(m: &Found) -> Counted {
    let Some(rest) = m.after.strip_prefix(' ') else { return Counted::Nothing };
    let word: String = rest.chars().take_while(|c| c.is_alphabetic()).take(40).collect::<String>().to_lowercase();
    let feminine = FEMININE.contains(&word.as_str())
        || (word.ends_with(['a']) || word.ends_with("as") || word.ends_with("ciones") || word.ends_with("dades"))
            && !MASCULINE.contains(&word.as_str());
    // More than one is counted in the plural; "el autobús 21 llega".
    let agrees = m.all() == "1" || word.ends_with('s') || word == "mil";
    match word.as_str() {
        "" => Counted::Nothing,
        _ if !agrees => Counted::Nothing,
        word if NOT_COUNTED.contains(&word) => Counted::Nothing,
        _ if feminine => Counted::Feminine,
        _ => Counted::Masculine,
    }
}

fn date(day: &str, month: &str, year: &str) -> Option<String> {
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    let read = |digits: &str| whole(digits.trim_start_matches('0'), Counted::Nothing);
    Some(format!("{} de {month} de {}", read(day), read(year)))
}

fn money(sign: &str, value: &str, magnitude: &str) -> Option<String> {
    let (_, one, many, minor) = CURRENCIES.iter().find(|c| c.0 == sign)?;
    let gender = if sign == "£" { Counted::Feminine } else { Counted::Masculine };
    if !magnitude.is_empty() {
        let of = if magnitude == "mil" { "" } else { " de" };
        return Some(format!("{} {magnitude}{of} {many}", number(value, Counted::Masculine)));
    }
    let cents = value.rsplit_once([',', '.']).filter(|(_, cents)| cents.len() == 2 && !minor.is_empty());
    let Some((head, cents)) = cents else {
        return Some(format!("{} {}", number(value, gender), if value == "1" { one } else { many }));
    };
    let head = format!("{} {}", number(head, gender), if head == "1" { one } else { many });
    match cents.parse().ok()? {
        0 => Some(head),
        cents => Some(format!("{head} con {} {minor}", cardinal(cents, Counted::Masculine))),
    }
}

fn fraction(above: &str, below: &str) -> Option<String> {
    const PARTS: [&str; 11] =
        ["", "", "medio", "tercio", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo"];
    let part = PARTS.get(below.parse::<usize>().ok()?).filter(|part| !part.is_empty());
    let top = whole(above, Counted::Masculine);
    Some(match part {
        Some(part) if above == "1" => format!("{top} {part}"),
        Some(part) => format!("{top} {part}s"),
        None => format!("{} sobre {}", whole(above, Counted::Nothing), whole(below, Counted::Nothing)),
    })
}

fn address(written: &str) -> String {
    let mut out = String::new();
    for c in written.chars() {
        match c {
            '.' => out.push_str(" punto "),
            '@' => out.push_str(" arroba "),
            '-' => out.push_str(" guion "),
            '_' => out.push_str(" guion bajo "),
            '+' => out.push_str(" más "),
            _ => out.push(c),
        }
    }
    out.replace("www ", "uve doble uve doble uve doble ")
}
