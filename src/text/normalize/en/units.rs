//! Quantities with a unit.
use std::collections::HashMap;
use std::sync::LazyLock;

use super::numbers::{NUMBER, fraction, number};
use crate::text::normalize::rules::{Rule, any_of};

/// Written, one, many. The first part may stand behind a space or none.
const UNITS: &[(&str, &str, &str)] = &[
    ("mm", "millimeter", "millimeters"),
    ("cm", "centimeter", "centimeters"),
    ("dm", "decimeter", "decimeters"),
    ("km", "kilometer", "kilometers"),
    ("nm", "nanometer", "nanometers"),
    ("µm", "micrometer", "micrometers"),
    ("μm", "micrometer", "micrometers"),
    ("ft", "foot", "feet"),
    ("yd", "yard", "yards"),
    ("mi", "mile", "miles"),
    ("mg", "milligram", "milligrams"),
    ("µg", "microgram", "micrograms"),
    ("μg", "microgram", "micrograms"),
    ("kg", "kilogram", "kilograms"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    ("tsp", "teaspoon", "teaspoons"),
    ("tbsp", "tablespoon", "tablespoons"),
    ("wk", "week", "weeks"),
    ("wks", "week", "weeks"),
    ("mos", "month", "months"),
    ("ml", "milliliter", "milliliters"),
    ("mL", "milliliter", "milliliters"),
    ("cl", "centiliter", "centiliters"),
    ("gal", "gallon", "gallons"),
    ("ms", "millisecond", "milliseconds"),
    ("µs", "microsecond", "microseconds"),
    ("ns", "nanosecond", "nanoseconds"),
    ("sec", "second", "seconds"),
    ("secs", "second", "seconds"),
    ("min", "minute", "minutes"),
    ("mins", "minute", "minutes"),
    ("hr", "hour", "hours"),
    ("hrs", "hour", "hours"),
    ("yr", "year", "years"),
    ("yrs", "year", "years"),
    ("Hz", "hertz", "hertz"),
    ("kHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("KB", "kilobyte", "kilobytes"),
    ("kB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("PB", "petabyte", "petabytes"),
    ("KiB", "kibibyte", "kibibytes"),
    ("MiB", "mebibyte", "mebibytes"),
    ("GiB", "gibibyte", "gibibytes"),
    ("kbps", "kilobit per second", "kilobits per second"),
    ("Mbps", "megabit per second", "megabits per second"),
    ("Gbps", "gigabit per second", "gigabits per second"),
    ("kW", "kilowatt", "kilowatts"),
    ("MW", "megawatt", "megawatts"),
    ("GW", "gigawatt", "gigawatts"),
    ("mW", "milliwatt", "milliwatts"),
    ("kWh", "kilowatt hour", "kilowatt hours"),
    ("Wh", "watt hour", "watt hours"),
    ("mAh", "milliampere hour", "milliampere hours"),
    ("kV", "kilovolt", "kilovolts"),
    ("mV", "millivolt", "millivolts"),
    ("mA", "milliampere", "milliamperes"),
    ("kJ", "kilojoule", "kilojoules"),
    ("kcal", "kilocalorie", "kilocalories"),
    ("cal", "calorie", "calories"),
    ("kPa", "kilopascal", "kilopascals"),
    ("MPa", "megapascal", "megapascals"),
    ("hPa", "hectopascal", "hectopascals"),
    ("psi", "P S I", "P S I"),
    ("dB", "decibel", "decibels"),
    ("rpm", "revolution per minute", "revolutions per minute"),
    ("fps", "frame per second", "frames per second"),
    ("mph", "mile per hour", "miles per hour"),
    ("mpg", "mile per gallon", "miles per gallon"),
    ("kph", "kilometer per hour", "kilometers per hour"),
    ("kmh", "kilometer per hour", "kilometers per hour"),
    ("ppm", "part per million", "parts per million"),
    ("px", "pixel", "pixels"),
    ("pt", "point", "points"),
    ("ha", "hectare", "hectares"),
    ("Ω", "ohm", "ohms"),
    ("kΩ", "kiloohm", "kiloohms"),
    ("°C", "degree Celsius", "degrees Celsius"),
    ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    ("°", "degree", "degrees"),
    ("%", "percent", "percent"),
    ("‰", "per mille", "per mille"),
    ("sq ft", "square foot", "square feet"),
    ("sq km", "square kilometer", "square kilometers"),
    ("sq mi", "square mile", "square miles"),
];

/// Single letters: the lower-case ones may stand behind a space, capital ones must follow the number directly, so that
/// "5 A students" is left alone.
const LETTERS: &[(&str, &str, &str)] = &[
    ("m", "meter", "meters"),
    ("g", "gram", "grams"),
    ("l", "liter", "liters"),
    ("L", "liter", "liters"),
    ("s", "second", "seconds"),
    ("h", "hour", "hours"),
    ("t", "ton", "tons"),
    ("V", "volt", "volts"),
    ("W", "watt", "watts"),
    ("J", "joule", "joules"),
];

/// What a rate may be taken per.
const PER: &[(&str, &str)] = &[
    ("s", "second"),
    ("sec", "second"),
    ("min", "minute"),
    ("h", "hour"),
    ("hr", "hour"),
    ("day", "day"),
    ("week", "week"),
    ("month", "month"),
    ("mo", "month"),
    ("year", "year"),
    ("yr", "year"),
    ("m", "meter"),
    ("m²", "square meter"),
    ("m³", "cubic meter"),
    ("km", "kilometer"),
    ("kg", "kilogram"),
    ("L", "liter"),
    ("l", "liter"),
    ("ml", "milliliter"),
    ("mL", "milliliter"),
    ("dL", "deciliter"),
];

const LENGTHS: [&str; 8] = ["mm", "cm", "dm", "km", "ft", "yd", "mi", "m"];

static NAMES: LazyLock<HashMap<&str, (&str, &str)>> =
    LazyLock::new(|| UNITS.iter().chain(LETTERS).map(|(written, one, many)| (*written, (*one, *many))).collect());

pub fn rules() -> Vec<Rule> {
    let units = any_of(UNITS.iter().map(|u| u.0));
    let letters = any_of(LETTERS.iter().map(|u| u.0));
    let lengths = any_of(LENGTHS);
    let per = any_of(PER.iter().map(|p| p.0));
    // `(?-u:\b)` does not hold behind signs such as % and °.
    let end = r"(?:(?-u:\b)|)";
    vec![
        // The full stop of an abbreviation within a sentence.
        Rule::new("([0-9] ?)(tsp|tbsp|oz|lbs?|ft|hrs?|mins?|secs?|yrs?|wks?|mos)\\. ", |m| {
            let goes_on = m.after.starts_with(|c: char| c.is_lowercase());
            goes_on.then(|| format!("{}{} ", m.get(1), m.get(2)))
        }),
        Rule::new(&format!(r"(?:([0-9]+) )?([0-9]{{1,2}})/([0-9]{{1,2}}) ?({units}){end}"), |m| {
            let (top, bottom): (u32, u32) = (m.get(2).parse().ok()?, m.get(3).parse().ok()?);
            let part = fraction(m.get(2), m.get(3));
            let proper = 0 < top && top < bottom && !m.before.ends_with('/');
            let one = name(m.get(4), "1")?;
            let article = if one.starts_with(['a', 'e', 'i', 'o', 'h']) && one != "hertz" && one != "hectare" {
                "an"
            } else {
                "a"
            };
            proper.then(|| match m.get(1) {
                "" if part == "one half" => Some(format!("half {article} {one}")),
                "" => Some(format!("{part} of {article} {one}")),
                whole => {
                    let part = part.strip_prefix("one ").map_or(part.clone(), |part| format!("a {part}"));
                    Some(format!(
                        "{} and {part} {}",
                        number(whole),
                        name(m.get(4), whole).filter(|n| *n != one).or(name(m.get(4), "2"))?
                    ))
                }
            })?
        }),
        Rule::new(&format!(r"({NUMBER}) in\."), |m| Some(number(m.get(1)) + inches(m.get(1)))),
        Rule::new(r#"([0-9]{1,2})['′] ?([0-9]{1,2}(?:\.[0-9]+)?)(?:["″”]|'')?"#, |m| {
            Some(format!(
                "{} {} {}",
                number(m.get(1)),
                if m.get(1) == "1" { "foot" } else { "feet" },
                number(m.get(2)) + inches(m.get(2))
            ))
        }),
        Rule::new(&format!(r"({NUMBER}) ?({lengths})(²|2|³|3|\^2|\^3)"), |m| {
            let cubic = m.get(3).ends_with(['³', '3']);
            Some(format!(
                "{} {} {}",
                number(m.get(1)),
                if cubic { "cubic" } else { "square" },
                name(m.get(2), m.get(1))?
            ))
        }),
        Rule::new(&format!(r"({NUMBER}) ?({units}|{letters})/({per}){end}"), |m| {
            let (_, per) = PER.iter().find(|(written, _)| *written == m.get(3))?;
            Some(format!("{} {} per {per}", number(m.get(1)), name(m.get(2), m.get(1))?))
        }),
        Rule::new(&format!(r"({NUMBER})(?: |-)?({units}){end}"), |m| {
            // "a 5-km run" is singular.
            let singular = m.all().contains('-') || m.attributive();
            Some(format!("{} {}", number(m.get(1)), name(m.get(2), if singular { "1" } else { m.get(1) })?))
        }),
        Rule::new(&format!(r"({NUMBER})(?:({letters})| ([mgls]))(?-u:\b)"), |m| {
            let unit = if m.get(2).is_empty() { m.get(3) } else { m.get(2) };
            (!m.after.starts_with(['\'', '’'])).then_some(())?;
            Some(format!("{} {}", number(m.get(1)), name(unit, m.get(1))?))
        }),
    ]
}

fn name(unit: &str, value: &str) -> Option<&'static str> {
    NAMES.get(unit).map(|(one, many)| if value == "1" { *one } else { *many })
}

fn inches(value: &str) -> &'static str {
    if value == "1" { " inch" } else { " inches" }
}
