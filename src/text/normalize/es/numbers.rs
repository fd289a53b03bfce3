//! Spanish numbers in words.

const SMALL: [&str; 30] = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
];
const TENS: [&str; 10] = ["", "", "", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"];
const HUNDREDS: [&str; 10] = [
    "",
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
];
const ORDINALS: [&str; 20] = [
    "",
    "primero",
    "segundo",
    "tercero",
    "cuarto",
    "quinto",
    "sexto",
    "séptimo",
    "octavo",
    "noveno",
    "décimo",
    "undécimo",
    "duodécimo",
    "decimotercero",
    "decimocuarto",
    "decimoquinto",
    "decimosexto",
    "decimoséptimo",
    "decimoctavo",
    "decimonoveno",
];
const ORDINAL_TENS: [&str; 10] = [
    "",
    "",
    "vigésimo",
    "trigésimo",
    "cuadragésimo",
    "quincuagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
];

/// Longer numbers are read digit by digit.
const LONGEST: usize = 12;

/// A number as it is written: groups of three after points (or spaces), decimals after a comma; or decimals after a point.
pub const NUMBER: &str = r"(?:[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?|[0-9]+(?:[.,][0-9]+)?)";

/// What a number counts: a one at its end changes with it, and so do the hundreds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Nothing,
    Masculine,
    Feminine,
}

/// `121` -> `ciento veintiuno`, or `ciento veintiún` before a noun.
pub fn cardinal(n: u64, counted: Counted) -> String {
    let (millions, rest) = (n / 1_000_000, n % 1_000_000);
    let (thousands, units) = (rest / 1000, rest % 1000);
    let mut words = Vec::new();
    match millions {
        0 => {}
        1 => words.push("un millón".to_string()),
        _ => words.push(format!("{} millones", cardinal(millions, Counted::Masculine))),
    }
    match thousands {
        0 => {}
        1 => words.push("mil".into()),
        _ => {
            // The thousands are not shortened for nothing: "veintiún mil".
            let counted = if counted == Counted::Feminine { counted } else { Counted::Masculine };
            words.push(format!("{} mil", below_thousand(thousands, counted)));
        }
    }
    if units > 0 || n == 0 {
        words.push(below_thousand(units, counted));
    }
    words.join(" ")
}

fn below_thousand(n: u64, counted: Counted) -> String {
    let (hundreds, rest) = ((n / 100) as usize, (n % 100) as usize);
    let mut words = Vec::new();
    match (hundreds, counted) {
        (0, _) => {}
        (1, _) if rest == 0 => words.push("cien".to_string()),
        (2.., Counted::Feminine) => words.push(format!("{}as", HUNDREDS[hundreds].trim_end_matches("os"))),
        _ => words.push(HUNDREDS[hundreds].into()),
    }
    if rest > 0 || n == 0 {
        let text = match rest {
            0..30 => SMALL[rest].to_string(),
            _ if rest % 10 == 0 => TENS[rest / 10].to_string(),
            _ => format!("{} y {}", TENS[rest / 10], SMALL[rest % 10]),
        };
        words.push(match (text.strip_suffix("uno"), counted) {
            (Some(stem), Counted::Feminine) => format!("{stem}una"),
            (Some("veinti"), Counted::Masculine) => "veintiún".into(),
            (Some(stem), Counted::Masculine) => format!("{stem}un"),
            _ => text,
        });
    }
    words.join(" ")
}

/// `107` -> `uno cero siete`.
pub fn each(digits: &str) -> String {
    let words: Vec<&str> = digits.bytes().filter(u8::is_ascii_digit).map(|d| SMALL[usize::from(d - b'0')]).collect();
    words.join(" ")
}

/// Digits of a whole number, one by one where they are a code rather than a quantity.
pub fn whole(digits: &str, counted: Counted) -> String {
    match digits.parse() {
        Ok(n) if digits.len() <= LONGEST && (digits == "0" || !digits.starts_with('0')) => cardinal(n, counted),
        _ => each(digits),
    }
}

/// What [`NUMBER`] matches: `1.250,5` -> `mil doscientos cincuenta coma cinco`.
pub fn number(written: &str, counted: Counted) -> String {
    let last_group = written.rsplit('.').next().unwrap_or_default();
    let grouped = written.contains('.') && last_group.split(',').next().is_some_and(|group| group.len() == 3);
    let (head, point, decimals) = match (written.split_once(','), written.split_once('.')) {
        (Some((head, decimals)), _) => (head, "coma", decimals),
        (None, Some((head, decimals))) if !grouped => (head, "punto", decimals),
        _ => return whole(&written.replace('.', ""), counted),
    };
    format!("{} {point} {}", whole(&head.replace('.', ""), Counted::Nothing), each(decimals))
}

/// `3` -> `tercero`, up to a hundred.
pub fn ordinal(digits: &str, feminine: bool) -> Option<String> {
    let n = digits.parse::<usize>().ok()?;
    let words = match n {
        100 => vec!["centésimo"],
        20..100 => vec![ORDINAL_TENS[n / 10], ORDINALS[n % 10]],
        _ => vec![*ORDINALS.get(n)?],
    };
    let words = words.into_iter().filter(|word| !word.is_empty());
    let words: Vec<String> = words
        .map(|word| match word.strip_suffix('o') {
            Some(stem) if feminine => format!("{stem}a"),
            _ => word.into(),
        })
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_agree_with_what_they_count() {
        for (n, counted, words) in [
            (0, Counted::Nothing, "cero"),
            (21, Counted::Nothing, "veintiuno"),
            (21, Counted::Masculine, "veintiún"),
            (31, Counted::Feminine, "treinta y una"),
            (100, Counted::Nothing, "cien"),
            (101, Counted::Masculine, "ciento un"),
            (500, Counted::Feminine, "quinientas"),
            (1001, Counted::Nothing, "mil uno"),
            (21_000, Counted::Nothing, "veintiún mil"),
            (1_000_000, Counted::Nothing, "un millón"),
            (2_300_015, Counted::Nothing, "dos millones trescientos mil quince"),
        ] {
            assert_eq!(cardinal(n, counted), words);
        }
        assert_eq!(number("1.250,5", Counted::Nothing), "mil doscientos cincuenta coma cinco");
        assert_eq!(number("3.14", Counted::Nothing), "tres punto uno cuatro");
        assert_eq!(ordinal("7", true).unwrap(), "séptima");
        assert_eq!(ordinal("21", true).unwrap(), "vigésima primera");
        assert_eq!(ordinal("0", true), None);
    }
}
