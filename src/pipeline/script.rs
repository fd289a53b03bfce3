//! Markup: pauses, speakers, emotions and speed inside a text.
//!
//! In plain text these marks stand for themselves; whatever else is in brackets is spoken as it is:
//!
//! | mark | does |
//! |---|---|
//! | `[pause:500ms]`, `[pause:1.5s]` | silence |
//! | `[voice:NAME]`, `[voice]` | another speaker from here on; the first one again |
//! | `[emotion:happy=0.6,surprised=0.2]`, `[emotion]` | an emotion from here on; that of the request again |
//! | `[rate:1.2]`, `[rate]` | faster from here on; at the request's speed again |
//!
//! A text that begins with `<speak>` is read as SSML 1.1, of which `break`, `prosody rate`, `phoneme`, `sub`, `voice`, `p`
//! and `s` are known.
mod ssml;

use std::str::FromStr;

use crate::models::emotion_bank::EMOTIONS;
use crate::{Error, Result};

use super::emotion::EmotionVector;

/// Longest silence that can be asked for, milliseconds.
const LONGEST_PAUSE: f64 = 60_000.0;
/// Longest mark, bytes: whatever is longer was not meant as one.
const LONGEST_MARK: usize = 200;

/// A text with its markup understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// In the order of speaking; none is without text.
    pub parts: Vec<Part>,
    /// Silence behind the last part, milliseconds.
    pub end_pause: u32,
}

/// Text that is spoken in one manner.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub text: String,
    /// Silence before it, milliseconds; none leaves the silence between segments as it is.
    pub pause: Option<u32>,
    /// Name of a voice; none is the request's.
    pub voice: Option<String>,
    /// None is the request's.
    pub emotion: Option<EmotionVector>,
    /// 2 is twice as fast.
    pub rate: f64,
}

/// How the text that comes next is spoken.
#[derive(Debug, Clone, PartialEq)]
struct Manner {
    voice: Option<String>,
    emotion: Option<EmotionVector>,
    rate: f64,
}

impl Default for Manner {
    fn default() -> Self {
        Self { voice: None, emotion: None, rate: 1.0 }
    }
}

impl Script {
    /// A text without markup.
    pub fn plain(text: impl Into<String>) -> Self {
        let Manner { voice, emotion, rate } = Manner::default();
        Self { parts: vec![Part { text: text.into(), pause: None, voice, emotion, rate }], end_pause: 0 }
    }

    /// Names of the voices it asks for.
    pub fn voices(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| part.voice.as_deref())
    }
}

impl FromStr for Script {
    type Err = Error;

    /// Reads marks, or SSML if the text begins with `<speak`.
    fn from_str(text: &str) -> Result<Self> {
        let mut writer = Writer::default();
        match text.trim_start().starts_with("<speak") {
            true => ssml::read(text.trim(), &mut writer)?,
            false => marks(text, &mut writer)?,
        }
        let script = writer.end();
        match script.parts.is_empty() {
            true => Err(wrong(text.chars().take(40).collect::<String>(), "something to speak")),
            false => Ok(script),
        }
    }
}

/// Text in square brackets that begins with a known name is a mark.
fn marks(text: &str, writer: &mut Writer) -> Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        let end = rest.as_bytes()[at..].iter().take(LONGEST_MARK).position(|b| *b == b']').map(|n| at + n);
        let inside = end.map(|end| &rest[at + 1..end]);
        let (name, value) = inside.map_or(("", None), |mark| match mark.split_once(':') {
            Some((name, value)) => (name, Some(value.trim())),
            None => (mark, None),
        });
        let known = match (name, value) {
            ("pause", Some(value)) => {
                writer.text(&rest[..at]);
                writer.pause(milliseconds(value)?);
                true
            }
            ("voice" | "emotion" | "rate", value) => {
                writer.text(&rest[..at]);
                let manner = writer.manner();
                match (name, value) {
                    ("voice", value) => manner.voice = value.filter(|v| !v.is_empty()).map(String::from),
                    ("emotion", value) => manner.emotion = value.map(emotion).transpose()?,
                    (_, value) => manner.rate = value.map_or(Ok(1.0), rate)?,
                }
                true
            }
            _ => false,
        };
        match (known, end) {
            (true, Some(end)) => rest = &rest[end + 1..],
            _ => {
                writer.text(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    writer.text(rest);
    Ok(())
}

/// Puts a script together from text and marks in their order.
#[derive(Debug, Default)]
struct Writer {
    script: Script,
    manner: Manner,
    /// Asked for since the last text.
    pause: Option<u32>,
    /// Whether a mark came since the last text.
    marked: bool,
}

impl Writer {
    fn text(&mut self, text: &str) {
        let last = self.script.parts.last_mut();
        if let Some(part) = last.filter(|_| !self.marked) {
            part.text.push_str(text);
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        let Manner { voice, emotion, rate } = self.manner.clone();
        self.script.parts.push(Part { text: text.into(), pause: self.pause.take(), voice, emotion, rate });
        self.marked = false;
    }

    fn pause(&mut self, milliseconds: u32) {
        let most = LONGEST_PAUSE as u32;
        self.pause = Some(self.pause.unwrap_or(0).saturating_add(milliseconds).min(most));
        self.marked = true;
    }

    fn manner(&mut self) -> &mut Manner {
        self.marked = true;
        &mut self.manner
    }

    fn end(mut self) -> Script {
        self.script.parts.retain(|part| part.text.chars().any(char::is_alphanumeric));
        self.script.end_pause = self.pause.unwrap_or(0);
        self.script
    }
}

/// `500ms`, `1.5s`, or milliseconds without a unit.
fn milliseconds(value: &str) -> Result<u32> {
    let (number, unit) = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => (value, 1.0),
    };
    let length = number.trim().parse::<f64>().ok().map(|n| n * unit);
    match length.filter(|length| (0.0..=LONGEST_PAUSE).contains(length)) {
        Some(length) => Ok(length.round() as u32),
        None => Err(wrong(format!("pause {value:?}"), "a time up to a minute, such as 500ms or 1.5s")),
    }
}

/// `happy=0.6,sad=0.2`; a name alone is 1.
fn emotion(value: &str) -> Result<EmotionVector> {
    let mut values = [0.0; EMOTIONS.len()];
    for item in value.split(',') {
        let (name, weight) = item.split_once('=').unwrap_or((item, "1"));
        let place = EMOTIONS.iter().position(|emotion| emotion.eq_ignore_ascii_case(name.trim()));
        match (place, weight.trim().parse::<f32>()) {
            (Some(place), Ok(weight)) => values[place] = weight,
            _ => {
                let expected =
                    format!("names with weights, such as happy=0.6,calm=0.2; names are {}", EMOTIONS.join(", "));
                return Err(wrong(format!("emotion {value:?}"), &expected));
            }
        }
    }
    EmotionVector::new(values)
}

fn rate(value: &str) -> Result<f64> {
    let rate = match value.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => value.parse().ok(),
    };
    match rate.filter(|rate| (0.25..=4.0).contains(rate)) {
        Some(rate) => Ok(rate),
        None => Err(wrong(format!("rate {value:?}"), "a factor from 0.25 to 4, such as 1.2 or 120%")),
    }
}

fn wrong(got: impl Into<String>, expected: &str) -> Error {
    Error::Input { name: "text markup".into(), got: got.into(), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(String, Option<u32>, Option<String>, f64)> {
        let script: Script = text.parse().unwrap();
        script.parts.into_iter().map(|p| (p.text, p.pause, p.voice, p.rate)).collect()
    }

    #[test]
    fn marks_split_a_text() {
        let script: Script = "Hello. [pause:500ms]There [voice:anna]you are[voice] again[pause:1.5s]".parse().unwrap();
        let texts: Vec<&str> = script.parts.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(texts, ["Hello. ", "There ", "you are", " again"]);
        let pauses: Vec<Option<u32>> = script.parts.iter().map(|p| p.pause).collect();
        assert_eq!(pauses, [None, Some(500), None, None]);
        let voices: Vec<Option<&str>> = script.parts.iter().map(|p| p.voice.as_deref()).collect();
        assert_eq!(voices, [None, None, Some("anna"), None]);
        assert_eq!(script.end_pause, 1500);
        assert_eq!(script.voices().collect::<Vec<_>>(), ["anna"]);
    }

    #[test]
    fn emotions_last_until_the_next_one() {
        let script: Script = "A [emotion:happy=0.6,calm=0.2] B [emotion:SAD] C [emotion] D".parse().unwrap();
        let emotions: Vec<Option<[f32; 8]>> = script.parts.iter().map(|p| p.emotion.map(|e| e.values())).collect();
        let happy = [0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2];
        assert_eq!(emotions, [None, Some(happy), Some([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), None]);
    }

    #[test]
    fn other_brackets_are_text() {
        for text in ["see [1] and [note: this]", "[", "a [pause", "[[pause]]", "]", "[Pause:1s]"] {
            assert_eq!(parts(&format!("x{text}")), [(format!("x{text}"), None, None, 1.0)], "{text}");
        }
        let long = format!("x[voice:{}]", "a".repeat(300));
        assert_eq!(parts(&long), [(long.clone(), None, None, 1.0)]);
    }

    #[test]
    fn pauses_add_up_and_need_no_text_between() {
        assert_eq!(
            parts("A[pause:200] [pause:0.3s] B"),
            [("A".into(), None, None, 1.0), (" B".into(), Some(500), None, 1.0)]
        );
    }

    #[test]
    fn impossible_values_are_told() {
        for (text, word) in [
            ("A [pause:long]", "500ms"),
            ("A [pause:2h]", "500ms"),
            ("A [pause:-1s]", "500ms"),
            ("A [emotion:joy=1] B", "happy"),
            ("A [emotion:happy=x] B", "weights"),
            ("A [emotion:happy=9] B", "0 to 1.2"),
            ("A [rate:0] B", "0.25"),
            ("[pause:1s]", "something to speak"),
            ("", "something to speak"),
        ] {
            let error = text.parse::<Script>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
