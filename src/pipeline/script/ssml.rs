//! The part of SSML 1.1 (W3C) that can be spoken here.
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Manner, Writer, milliseconds, rate, wrong};
use crate::Result;

/// Silence of a `break` without a time, by its strength; medium if it says nothing.
const STRENGTHS: [(&str, u32); 6] =
    [("none", 0), ("x-weak", 100), ("weak", 200), ("medium", 400), ("strong", 700), ("x-strong", 1200)];
/// Silence around a paragraph.
const PARAGRAPH: u32 = 600;
const RATES: [(&str, f64); 6] =
    [("x-slow", 0.5), ("slow", 0.75), ("medium", 1.0), ("default", 1.0), ("fast", 1.25), ("x-fast", 1.5)];
const KNOWN: &str = "speak, p, s, break, prosody, phoneme, sub and voice are known";

/// What the end of an element undoes.
enum Open {
    Nothing,
    Manner(Manner),
    /// What is inside is not spoken: its reading was written already.
    Silent,
    Paragraph,
}

pub fn read(text: &str, writer: &mut Writer) -> Result<()> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let (mut silent, mut word) = (0, None::<(String, String)>);
    loop {
        let place = reader.buffer_position();
        let bad = |what: String| wrong(format!("SSML at byte {place}: {what}"), KNOWN);
        let event = reader.read_event().map_err(|e| bad(e.to_string()))?;
        match event {
            Event::Eof if open.is_empty() => return Ok(()),
            Event::Eof => return Err(bad("an element is not closed".into())),
            Event::Text(spoken) => match &mut word {
                Some((word, _)) => word.push_str(&spoken),
                None if silent == 0 => writer.text(&spoken),
                None => {}
            },
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|e| bad(e.to_string()))?;
                let spoken = match (character, &*reference) {
                    (Some(c), _) => c.to_string(),
                    (None, "amp") => "&".into(),
                    (None, "lt") => "<".into(),
                    (None, "gt") => ">".into(),
                    (None, "quot") => "\"".into(),
                    (None, "apos") => "'".into(),
                    (None, other) => return Err(bad(format!("&{other}; is unknown"))),
                };
                match &mut word {
                    Some((word, _)) => word.push_str(&spoken),
                    None if silent == 0 => writer.text(&spoken),
                    None => {}
                }
            }
            Event::Empty(element) => {
                begin(&element, writer, &mut word, &bad)?;
                if let Some((_, reading)) = word.take() {
                    writer.text(&reading);
                }
            }
            Event::Start(element) => {
                let opened = begin(&element, writer, &mut word, &bad)?;
                silent += usize::from(matches!(opened, Open::Silent));
                open.push(opened);
            }
            Event::End(_) => match open.pop() {
                Some(Open::Manner(manner)) => *writer.manner() = manner,
                Some(Open::Silent) => silent -= 1,
                Some(Open::Paragraph) => writer.pause(PARAGRAPH),
                Some(Open::Nothing) => {
                    if let Some((word, reading)) = word.take() {
                        writer.text(&format!("<{}|{reading}>", word.trim()));
                    }
                }
                None => return Err(bad("an element ends that did not begin".into())),
            },
            _ => {}
        }
    }
}

fn begin(
    element: &BytesStart<'_>,
    writer: &mut Writer,
    word: &mut Option<(String, String)>,
    bad: &dyn Fn(String) -> crate::Error,
) -> Result<Open> {
    let attribute = |name: &str| -> Result<Option<String>> {
        let found = element.try_get_attribute(name).map_err(|e| bad(e.to_string()))?;
        let value = found.map(|a| a.normalized_value(quick_xml::XmlVersion::Implicit1_0).map(|v| v.into_owned()));
        value.transpose().map_err(|e| bad(e.to_string()))
    };
    let needed = |name: &str| attribute(name)?.ok_or_else(|| bad(format!("{name}=\"...\" is missing")));
    let name = element.local_name();
    match name.as_ref() {
        "speak" | "s" => Ok(Open::Nothing),
        "p" => Ok(Open::Paragraph),
        "break" => {
            let strength = attribute("strength")?;
            let length = match (attribute("time")?, strength.as_deref().unwrap_or("medium")) {
                (Some(time), _) => milliseconds(&time)?,
                (None, strength) => named(&STRENGTHS, strength).ok_or_else(|| bad(format!("strength {strength:?}")))?,
            };
            writer.pause(length);
            Ok(Open::Nothing)
        }
        "prosody" => {
            let before = writer.manner().clone();
            if let Some(value) = attribute("rate")? {
                writer.manner().rate = match named(&RATES, &value) {
                    Some(rate) => rate,
                    None => rate(&value)?,
                } * before.rate;
            }
            Ok(Open::Manner(before))
        }
        "voice" => {
            let before = writer.manner().clone();
            writer.manner().voice = Some(needed("name")?);
            Ok(Open::Manner(before))
        }
        "sub" => {
            writer.text(&needed("alias")?);
            Ok(Open::Silent)
        }
        "phoneme" => {
            *word = Some((String::new(), needed("ph")?));
            Ok(Open::Nothing)
        }
        other => Err(bad(format!("<{other}>"))),
    }
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::super::Script;

    #[test]
    fn the_subset_is_read() {
        let script: Script = r#"<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis">
            Hello &amp; <break time="250ms"/> you <prosody rate="80%">slow <prosody rate="fast">less</prosody></prosody>
            <sub alias="World Wide Web">WWW</sub> <phoneme alphabet="pinyin" ph="zhong4">重</phoneme>
            <voice name="anna">Hi</voice> end<break strength="strong"/></speak>"#
            .parse()
            .unwrap();
        let parts: Vec<(&str, Option<u32>, Option<&str>, f64)> =
            script.parts.iter().map(|p| (p.text.trim(), p.pause, p.voice.as_deref(), p.rate)).collect();
        assert_eq!(parts[0], ("Hello &", None, None, 1.0));
        assert_eq!(parts[1], ("you", Some(250), None, 1.0));
        assert_eq!(parts[2], ("slow", None, None, 0.8));
        assert_eq!(parts[3], ("less", None, None, 1.0));
        let words: Vec<&str> = parts[4].0.split_whitespace().collect();
        assert_eq!(words, ["World", "Wide", "Web", "<重|zhong4>"]);
        assert_eq!(parts[5], ("Hi", None, Some("anna"), 1.0));
        assert_eq!(parts[6].0, "end");
        assert_eq!((script.end_pause, parts.len()), (700, 7));
    }

    #[test]
    fn what_is_not_known_is_told_with_its_place() {
        for (text, word) in [
            ("<speak><audio src=\"http://example.org\"/>x</speak>", "<audio>"),
            ("<speak>x", "closed"),
            ("<speak><sub>WWW</sub></speak>", "alias"),
            ("<speak>&bomb;</speak>", "&bomb;"),
            ("<speak>x</p></speak>", "SSML"),
            ("<speak>x<break time=\"1h\"/></speak>", "500ms"),
            ("<speak> </speak>", "something to speak"),
        ] {
            let error = text.parse::<Script>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
