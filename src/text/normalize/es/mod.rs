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

/// Sign, one, many, one hundredth; many of them have an s.
const CURRENCIES: &[(&str, &str, &str, &str)] = &[
    ("$", "dólar", "dólares", "centavo"),
    ("US$", "dólar", "dólares", "centavo"),
    ("€", "euro", "euros", "céntimo"),
    ("£", "libra", "libras", "penique"),
    ("¥", "yen", "yenes", ""),
    ("EUR", "euro", "euros", "céntimo"),
    ("USD", "dólar", "dólares", "centavo"),
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
    ("ms", "milisegundo", "milisegundos"),
    ("TB", "terabyte", "terabytes"),
    ("kB", "kilobyte", "kilobytes"),
    ("Mbps", "megabit por segundo", "megabits por segundo"),
    ("kWh", "kilovatio hora", "kilovatios hora"),
    ("mAh", "miliamperio hora", "miliamperios hora"),
    ("mA", "miliamperio", "miliamperios"),
    ("hPa", "hectopascal", "hectopascales"),
    ("kcal", "kilocaloría", "kilocalorías"),
    ("dB", "decibelio", "decibelios"),
    ("ha", "hectárea", "hectáreas"),
    ("t", "tonelada", "toneladas"),
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
    ("Sres", "Señores"),
    ("Dña", "Doña"),
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
    "a", "al", "con", "de", "del", "e", "el", "en", "entre", "es", "hasta", "la", "las", "los", "más", "menos",
    "antes", "después", "no", "o", "para", "pero", "por", "que", "se", "sin", "son", "u", "y", "ya", "como", "fue",
    "era", "está", "sobre", "desde",
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
const CENTURIES: &[&str] =
    &["siglo", "siglos", "capítulo", "tomo", "volumen", "guerra", "mundial", "acto", "fase", "título", "parte"];
const REIGNS: &[&str] =
    &["felipe", "carlos", "alfonso", "fernando", "isabel", "enrique", "juan", "pablo", "luis", "pío"];
/// Words before figures that are read one by one.
const CALLS: &[&str] =
    &["tel", "tel.", "teléfono", "móvil", "fax", "llama al", "llame al", "llámame al", "código postal"];
/// Acronyms with a vowel that are spelled all the same.
const SPELLED: &[&str] =
    &["ADN", "API", "CEO", "DNI", "EUR", "FBI", "IA", "ID", "IP", "ONG", "UE", "URL", "USB", "USD"];
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
        Rule::new(r"(?i)(?:https?://)([a-z0-9][a-z0-9._~/?#=&%+-]*)", |m| Some(site(m.get(1)))),
        Rule::new(
            r"(?:www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+|(?:[a-z0-9][a-z0-9-]*\.)+(?:com|es|org|net|edu|gob|mx|ar|io|info))(?:/[A-Za-z0-9._~/?#=&%-]*)?",
            |m| Some(site(m.all())),
        ),
        Rule::new("(?:EE\\. ?UU\\.|EEUU)", |_| Some("Estados Unidos".into())),
        Rule::new(r"([ad])\. ?C\.", |m| {
            Some(if m.get(1) == "a" { "antes de Cristo".into() } else { "después de Cristo".into() })
        }),
        Rule::new("D\\. ", |m| m.after.starts_with(char::is_uppercase).then(|| "Don ".into())),
        Rule::new("C/ ?", |m| m.after.starts_with(char::is_uppercase).then(|| "Calle ".into())),
        Rule::new(r"s\. ?([IVX]+)", |m| Some(format!("siglo {}", m.get(1)))),
        Rule::new(r"p\. ?ej\.", |_| Some("por ejemplo".into())),
        Rule::new(&format!(r"({abbreviations})\.?( |$)"), |m| {
            let (_, long) = ABBREVIATIONS.iter().find(|(short, _)| *short == m.get(1))?;
            // One that ends the text ends its sentence.
            let stop = if m.get(2).is_empty() { "." } else { m.get(2) };
            m.all().contains('.').then(|| format!("{long}{stop}"))
        }),
        Rule::new("([12][0-9]{3})[-/](0?[1-9]|1[0-2])[-/](3[01]|[12][0-9]|0?[1-9])", |m| {
            date(m.get(3), m.get(2), m.get(1))
        }),
        Rule::new("(3[01]|[12][0-9]|0?[1-9])[-/.](0?[1-9]|1[0-2])[-/.]([12][0-9]{3})", |m| {
            date(m.get(1), m.get(2), m.get(3))
        }),
        Rule::new("([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])(?: ?h)?", |m| {
            let hours = quantity(m.get(1), Counted::Feminine, "hora");
            let (minutes, seconds) = (quantity(m.get(2), Counted::Masculine, "minuto"), m.get(3));
            Some(format!("{hours}, {minutes} y {}", quantity(seconds, Counted::Masculine, "segundo")))
        }),
        Rule::new(r"([01]?[0-9]|2[0-4])(?::([0-5][0-9]))? ?([ap])\. ?m\.", |m| {
            let hour: u64 = m.get(1).parse().ok()?;
            let half = match (m.get(3), hour) {
                ("a", 12) | ("p", 8..12) => "noche",
                ("a", _) => "mañana",
                _ => "tarde",
            };
            let past = match m.get(2).parse().unwrap_or(0) {
                0 => String::new(),
                minutes => format!(" y {}", cardinal(minutes, Counted::Nothing)),
            };
            let stop = if m.after.is_empty() { "." } else { "" };
            Some(format!("{}{past} de la {half}{stop}", cardinal(hour, Counted::Feminine)))
        }),
        Rule::new("([01]?[0-9]|2[0-4]):([0-5][0-9])(?: ?h)?", |m| {
            let (hour, minute): (u64, u64) = (m.get(1).parse().ok()?, m.get(2).parse().ok()?);
            let hour = cardinal(hour, Counted::Feminine);
            Some(if minute == 0 {
                format!("{hour} en punto")
            } else {
                format!("{hour} y {}", cardinal(minute, Counted::Nothing))
            })
        }),
        Rule::new("([0-9]{1,4}):([0-9]{1,4})", |m| {
            let chain = m.after.starts_with(':') || m.before.ends_with(':');
            (!chain).then(|| format!("{} a {}", whole(m.get(1), Counted::Nothing), whole(m.get(2), Counted::Nothing)))
        }),
        Rule::new(
            r"\+[0-9]{1,3}(?:[ -][0-9]{2,4}){2,5}|[6-9][0-9]{1,2}(?: [0-9]{2}){3}|[89][0-9] [0-9]{3}(?: [0-9]{2}){2}|[6-9][0-9]{2}(?: [0-9]{3}){2}|[0-9]{3}(?:-[0-9]{2,3}){2,3}",
            |m| Some(phone(m.all())),
        ),
        Rule::new("[0-9]{4,12}", |m| m.follows(CALLS).then(|| each(m.all()))),
        // Large numbers in groups of three, as the Academy has them.
        Rule::new("[0-9]{1,3}(?: [0-9]{3})+", |m| {
            let digits = m.all().replace(' ', "");
            let lone = !m.before.ends_with(|c: char| c == ',' || c.is_ascii_digit());
            (lone && digits.len() > 4).then_some(digits)
        }),
        Rule::new(r"([vV]\.? ?|(?:V|v)ersión )?([0-9]{1,4}(?:\.[0-9]{1,4})+)", |m| {
            let groups = m.get(2).split('.').skip(1);
            let named = !m.get(1).is_empty() || m.follows(&["python", "windows", "android", "ios"]);
            let chain = groups.clone().count() > 1 && groups.clone().any(|group| group.len() != 3);
            let name = if m.get(1).len() > 4 { m.get(1) } else { "versión " };
            let name = if m.get(1).is_empty() { "" } else { name };
            let read: Vec<String> = m.get(2).split('.').map(|part| whole(part, Counted::Nothing)).collect();
            (named || chain).then(|| format!("{name}{}", read.join(" punto ")))
        }),
        Rule::new("([12][0-9]{3}) ?[-–] ?([12][0-9]{3})", |m| {
            let chain = m.before.ends_with(['-', '/']) || m.after.starts_with(['-', '/']);
            let read = |digits: &str| whole(digits, Counted::Nothing);
            (!chain && !m.all().contains(" - ")).then(|| format!("{} a {}", read(m.get(1)), read(m.get(2))))
        }),
        Rule::new(&format!(r"([$£€¥]?)({NUMBER}) ?[-–] ?([$£€¥]?)({NUMBER})"), |m| {
            let chain = m.before.ends_with(['-', '/', '.']) || m.after.starts_with(['-', '/']);
            let sum = m.all().contains(" - ");
            let sign = if m.get(1).is_empty() { m.get(3) } else { m.get(1) };
            (!chain && !sum).then(|| format!("{} a {sign}{}", number(m.get(2), Counted::Nothing), m.get(4)))
        }),
        Rule::new(&format!("([-−]?)({signs}) ?({NUMBER})(?: (mil millones|millones|millón|mil))?"), |m| {
            Some(minus(m) + &money(m.get(2), m.get(3), m.get(4))? + per(m))
        }),
        Rule::new(&format!("([-−]?)({NUMBER})(?: (mil millones|millones|millón|mil)(?: de)?)? ?({signs})"), |m| {
            Some(minus(m) + &money(m.get(4), m.get(2), m.get(3))? + per(m))
        }),
        Rule::new(&format!("([-−]?)({NUMBER}) ?([%‰])"), |m| {
            let of = if m.get(3) == "%" { "por ciento" } else { "por mil" };
            Some(format!("{}{} {of}", minus(m), number(m.get(2), Counted::Nothing)))
        }),
        Rule::new(&format!(r"(?:([0-9]+) )?([0-9]{{1,2}})/([0-9]{{1,2}}) ?({units})"), |m| {
            let (top, bottom): (u32, u32) = (m.get(2).parse().ok()?, m.get(3).parse().ok()?);
            if top == 0 || top >= bottom || m.before.ends_with('/') {
                return None;
            }
            let (_, one, many) = UNITS.iter().find(|(short, _, _)| *short == m.get(4))?;
            let feminine = one.split(' ').next().is_some_and(|noun| noun.ends_with('a'));
            let half = (top == 1 && bottom == 2).then_some(if feminine { "media" } else { "medio" });
            let part = || fraction(m.get(2), m.get(3));
            // "dos horas y media", "media hora", "tres cuartos de hora".
            Some(match (m.get(1), half) {
                ("", Some(half)) => format!("{half} {one}"),
                ("", None) => format!("{} de {one}", part()?),
                (count, half) => {
                    let noun = if count == "1" { one } else { many };
                    let counted = if feminine { Counted::Feminine } else { Counted::Masculine };
                    let part = half.map_or_else(part, |half| Some(half.into()))?;
                    format!("{} {noun} y {part}", whole(count, counted))
                }
            })
        }),
        Rule::new(&format!(r"([-−]?)({NUMBER}) ?({units})"), |m| {
            let (_, one, many) = UNITS.iter().find(|(short, _, _)| *short == m.get(3))?;
            let feminine = one.split(' ').next().is_some_and(|noun| noun.ends_with('a'));
            let counted = if feminine { Counted::Feminine } else { Counted::Masculine };
            let noun = if m.get(2) == "1" { one } else { many };
            Some(format!("{}{} {noun}{}", minus(m), number(m.get(2), counted), per(m)))
        }),
        Rule::new("([0-9]{1,3})\\.?(?:([ºª])|(er|ro|ra|do|da|to|ta|mo|ma|vo|va))", |m| {
            let feminine = m.get(2) == "ª" || m.get(3).ends_with('a');
            let word = ordinal(m.get(1), feminine)?;
            // Shortened before a noun: "primer piso", "tercer año".
            let short = m.get(3) == "er";
            Some(if short { word.trim_end_matches('o').to_string() } else { word })
        }),
        Rule::new("([0-9]+) ([0-9]{1,2})/([0-9]{1,2})", |m| {
            let (top, bottom): (u32, u32) = (m.get(2).parse().ok()?, m.get(3).parse().ok()?);
            let part = if top == 1 && bottom == 2 { "medio".into() } else { fraction(m.get(2), m.get(3))? };
            let mixed = 0 < top && top < bottom && !m.after.starts_with('/');
            mixed.then(|| format!("{} y {part}", whole(m.get(1), Counted::Nothing)))
        }),
        Rule::new("1/2 ", |m| {
            // "media taza", "medio litro".
            let half = match counted_as(m.after, true) {
                Counted::Nothing => return None,
                Counted::Masculine => "medio ",
                Counted::Feminine => "media ",
            };
            (!m.before.ends_with('/')).then(|| half.into())
        }),
        Rule::new("([0-9]{1,4})/([0-9]{1,4})", |m| {
            let chain = m.after.starts_with('/') || m.before.ends_with('/');
            if chain { None } else { fraction(m.get(1), m.get(2)) }
        }),
        Rule::new("(I|II|III) (Guerra|República|Internacional)", |m| {
            let place = ROMAN.iter().position(|numeral| *numeral == m.get(1))?.to_string();
            let first = ordinal(&place, true)?;
            Some(format!("{}{} {}", first[..1].to_uppercase(), &first[1..], m.get(2)))
        }),
        Rule::new("(siglos) ([IVX]+) (y|a|al|-) ?([IVX]+)", |m| {
            let read = |numeral: &str| {
                let value = ROMAN.iter().position(|known| *known == numeral)?;
                Some(whole(&value.to_string(), Counted::Nothing))
            };
            let link = if m.get(3) == "-" { "a" } else { m.get(3) };
            Some(format!("{} {} {link} {}", m.get(1), read(m.get(2))?, read(m.get(4))?))
        }),
        Rule::new("([A-Za-zÁÉÍÓÚáéíóúñ]+) ([IVX]+)(?-u:\\b)", |m| {
            let place = ROMAN.iter().position(|numeral| *numeral == m.get(2))?;
            let value = place.to_string();
            let name = m.get(1).to_lowercase();
            let read = if CENTURIES.contains(&name.as_str()) {
                whole(&value, Counted::Nothing)
            } else if REIGNS.contains(&name.as_str()) {
                // The eleventh and on are counted: "Alfonso doce".
                let named = ordinal(&value, name == "isabel").filter(|_| place <= 10);
                named.unwrap_or_else(|| whole(&value, Counted::Nothing))
            } else {
                return None;
            };
            Some(format!("{} {read}", m.get(1)))
        }),
        Rule::new(&format!("({NUMBER}) [-−] "), |m| {
            let sum = m.after.starts_with(|c: char| c.is_ascii_digit());
            sum.then(|| format!("{} menos ", number(m.get(1), Counted::Nothing)))
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
        Rule::new(&format!("([-−±≈~]) ?({NUMBER})"), |m| {
            let sign = match m.get(1) {
                "±" => "más menos",
                "≈" | "~" => "aproximadamente",
                _ if m.all().contains(' ') => return None,
                _ => "menos",
            };
            let free = m.previous().is_none_or(|c| c.is_whitespace() || "(\"¿¡".contains(c));
            free.then(|| format!("{sign} {}", m.get(2)))
        }),
        Rule::new(r"([A-Za-z]|[0-9]+)([²³]|\^[23])", |m| {
            let power = if m.get(2).ends_with(['²', '2']) { "al cuadrado" } else { "al cubo" };
            Some(format!("{} {power}", m.get(1)))
        }),
        Rule::within(" ([<>]) ?", |m| {
            let value = m.after.starts_with(|c: char| c.is_ascii_alphanumeric());
            value.then(|| format!(" {} que ", if m.get(1) == "<" { "menor" } else { "mayor" }))
        }),
        Rule::new(r"([0-9]+)\+", |m| Some(format!("{} más", whole(m.get(1), Counted::Nothing)))),
        Rule::new(r"([A-Z])\+\+", |m| Some(format!("{} más más", m.get(1)))),
        Rule::new(r"([A-Z])\+([A-Z])", |m| Some(format!("{} más {}", m.get(1), m.get(2)))),
        // No space comes between a quotation mark and the word behind it.
        Rule::within("[«\"'“(][¿¡]+", |m| m.all().chars().next().map(String::from)),
        Rule::within("/", |m| {
            let words = m.previous().is_some_and(char::is_alphabetic) && m.after.starts_with(char::is_alphabetic);
            words.then(|| " ".into())
        }),
        Rule::within("#", |m| m.after.starts_with(char::is_alphabetic).then(|| "hashtag ".into())),
        Rule::new("(?:n\\.º|N\\.º|nº|Nº|#) ?([0-9]+)", |m| Some(format!("número {}", m.get(1)))),
        Rule::new("([A-Za-z]+)-?([0-9]+)([A-Za-z]*)", |m| {
            Some(format!("{} {} {}", m.get(1), whole(m.get(2), Counted::Nothing), m.get(3)).trim_end().into())
        }),
        Rule::new(NUMBER, |m| Some(number(m.all(), counted(m)))),
        Rule::new("([0-9]+)([A-Za-z]+)", |m| Some(format!("{} {}", whole(m.get(1), Counted::Nothing), m.get(2)))),
        Rule::new("[0-9]+", |m| Some(each(m.all()))),
        Rule::new(&format!("(?:{}|[B-DF-HJ-NP-TV-Z]{{2,5}})", any_of(SPELLED.iter().copied())), |m| {
            let numeral = m.all().bytes().all(|b| b"IVXLCDM".contains(&b));
            let letters: Vec<String> = m.all().chars().map(String::from).collect();
            (!numeral && alone(m)).then(|| letters.join(" "))
        }),
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

/// Whether no letter is next to a match: those of Spanish do not count as parts of a word elsewhere.
fn alone(m: &Found) -> bool {
    !m.previous().is_some_and(char::is_alphabetic) && !m.after.starts_with(char::is_alphabetic)
}

/// A sign in front of a number, of the first group.
fn minus(m: &Found) -> String {
    if m.get(1).is_empty() { String::new() } else { "menos ".into() }
}

/// Of a price or a rate: what it is taken for; the slash itself becomes a space later.
fn per(m: &Found) -> &'static str {
    let what = m.after.strip_prefix('/').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    if what { " por" } else { "" }
}

/// A number with its noun, which has an s in the plural.
fn quantity(digits: &str, gender: Counted, noun: &str) -> String {
    let n = digits.parse().unwrap_or(0);
    format!("{} {noun}{}", cardinal(n, gender), if n == 1 { "" } else { "s" })
}

/// Figures of a telephone number, a pause between the groups.
fn phone(written: &str) -> String {
    let plus = if written.starts_with('+') { "más " } else { "" };
    let groups = written.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    plus.to_string() + &groups.map(each).collect::<Vec<_>>().join(", ")
}

/// Whether a noun follows, and its gender, as far as the endings tell.
fn counted(m: &Found) -> Counted {
    m.after.strip_prefix(' ').map_or(Counted::Nothing, |rest| counted_as(rest, m.all() == "1"))
}

/// What the word at the start of `rest` is counted as; `one` of it, or many.
fn counted_as(rest: &str, one: bool) -> Counted {
    let word: String = rest.chars().take_while(|c| c.is_alphabetic()).take(40).collect::<String>().to_lowercase();
    let feminine = FEMININE.contains(&word.as_str())
        || (word.ends_with(['a']) || word.ends_with("as") || word.ends_with("ciones") || word.ends_with("dades"))
            && !MASCULINE.contains(&word.as_str());
    // More than one is counted in the plural; "el autobús 21 llega".
    let agrees = one || word.ends_with('s') || word == "mil";
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
    let whole = format!("{} {}", number(head, gender), if head == "1" { one } else { many });
    let cents: u64 = cents.parse().ok()?;
    let minor = format!("{} {minor}{}", cardinal(cents, Counted::Masculine), if cents == 1 { "" } else { "s" });
    Some(match (head, cents) {
        (_, 0) => whole,
        ("0", _) => minor,
        _ => format!("{whole} con {minor}"),
    })
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

/// An address of the web without the punctuation that ends its sentence.
fn site(written: &str) -> String {
    let end = written.trim_end_matches(['.', ',', '!', '?', ';', ':', '/']).len();
    address(&written[..end]) + written[end..].trim_start_matches('/')
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
            '/' => out.push_str(" barra "),
            '?' => out.push_str(" interrogación "),
            '=' => out.push_str(" igual "),
            '&' => out.push_str(" y "),
            '%' => out.push_str(" por ciento "),
            _ => out.push(c),
        }
    }
    out.replace("www ", "uve doble uve doble uve doble ")
}
