//! One line of a batch: its fields, and what may be in them.
//!
//! Source: command line specification 1, "Batch JSONL".
use std::path::{Path, PathBuf};

use indextts::audio::encode::Encoding;
use indextts::{EmotionVector, Language, VoiceStore};
use serde::Deserialize;

use super::super::args::EmotionArgs;
use super::super::options::is_file;

/// A line as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    output: Option<PathBuf>,
    text: Option<String>,
    text_file: Option<PathBuf>,
    voice: Option<String>,
    emotion_audio: Option<PathBuf>,
    emotion_text: Option<String>,
    emotion_vector: Option<Vector>,
    emotion_weight: Option<f32>,
    seed: Option<u64>,
    #[serde(alias = "language")]
    lang: Option<String>,
    silence_after_ms: Option<u32>,
    chapter: Option<String>,
}

/// `[0.1, ...]`, or what `--emotion-vector` takes.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "emotion_vector: expected eight numbers from 0 to 1.2")]
enum Vector {
    Numbers(Vec<f32>),
    Text(String),
}

/// A line that makes sense. Files are not opened yet.
#[derive(Debug)]
pub struct Row {
    pub output: PathBuf,
    pub text: Text,
    pub voice: Voice,
    pub emotion: RowEmotion,
    pub weight: f32,
    pub seed: Option<u64>,
    pub language: Option<Language>,
    pub silence_after_ms: u32,
    pub chapter: Option<String>,
}

#[derive(Debug)]
pub enum Text {
    Here(String),
    File(PathBuf),
}

#[derive(Debug)]
pub enum Voice {
    File(PathBuf),
    /// A voice of the model, or its first one.
    Name(Option<String>),
}

#[derive(Debug)]
pub enum RowEmotion {
    OfVoice,
    Clip(PathBuf),
    Vector(EmotionVector),
    /// Read from this text, or from the spoken one.
    Text(Option<String>),
}

/// Where outputs go.
#[derive(Debug)]
pub enum Outputs {
    /// Each row names its own.
    Named,
    /// `DIR/PREFIX-0001.wav`.
    Numbered { dir: PathBuf, prefix: Option<String> },
    /// Pieces of one file, named by what is in them.
    Pieces { dir: PathBuf },
}

/// What holds for all rows.
#[derive(Debug)]
pub struct Common<'a> {
    /// Relative paths of rows start here.
    pub base: PathBuf,
    pub voice: Option<&'a str>,
    /// Voices that need no file name.
    pub stored: &'a VoiceStore,
    pub emotion: &'a EmotionArgs,
    pub vector: Option<EmotionVector>,
    pub outputs: Outputs,
}

impl Row {
    /// Checks a line. `number` counts rows from 1, without blank lines.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str, number: usize, common: &Common<'_>) -> Result<Self, String> {
        let fields: Fields = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let file = |path: &Path| common.base.join(path);
        let said = match (fields.text, fields.text_file) {
            (Some(text), None) if !text.trim().is_empty() => Text::Here(text),
            (Some(_), None) => return Err("text: empty, expected something to speak".into()),
            (None, Some(path)) => Text::File(readable("text_file", file(&path))?),
            (None, None) => return Err("expected text or text_file, got neither".into()),
            (Some(_), Some(_)) => return Err("expected text or text_file, got both".into()),
        };
        let voice = match (&fields.voice, common.voice) {
            (Some(voice), _) if file(Path::new(voice)).exists() || is_file(voice, common.stored) => {
                Voice::File(readable("voice", file(Path::new(voice)))?)
            }
            (Some(voice), _) => Voice::Name(Some(voice.clone())),
            (None, Some(voice)) if is_file(voice, common.stored) => Voice::File(readable("--voice", voice.into())?),
            (None, voice) => Voice::Name(voice.map(String::from)),
        };
        let own = [fields.emotion_audio.is_some(), fields.emotion_text.is_some(), fields.emotion_vector.is_some()];
        if own.iter().filter(|given| **given).count() > 1 {
            return Err("expected one of emotion_audio, emotion_text and emotion_vector, got several".into());
        }
        let spoken_or = |text: String| RowEmotion::Text((!text.trim().is_empty()).then_some(text));
        let defaults = common.emotion;
        let emotion = match (fields.emotion_audio, fields.emotion_vector, fields.emotion_text) {
            (Some(clip), ..) => RowEmotion::Clip(readable("emotion_audio", file(&clip))?),
            (_, Some(vector), _) => RowEmotion::Vector(vector.checked()?),
            (_, _, Some(text)) => spoken_or(text),
            _ => match (&defaults.emotion_audio, common.vector, &defaults.emotion_text) {
                (Some(clip), ..) => RowEmotion::Clip(readable("--emotion-audio", clip.clone())?),
                (_, Some(vector), _) => RowEmotion::Vector(vector),
                (_, _, Some(text)) => spoken_or(text.clone()),
                _ => RowEmotion::OfVoice,
            },
        };
        if fields.emotion_weight.is_some() && matches!(emotion, RowEmotion::OfVoice) {
            return Err("emotion_weight: there is no emotion that it could weigh".into());
        }
        let weight = fields.emotion_weight.unwrap_or(defaults.emotion_weight);
        if !weight.is_finite() {
            return Err(format!("emotion_weight: got {weight}, expected a number"));
        }
        let language = fields.lang.map(|code| code.parse::<Language>().map_err(|e| e.to_string())).transpose()?;
        let joined = matches!(common.outputs, Outputs::Pieces { .. });
        if !joined && (fields.silence_after_ms.is_some() || fields.chapter.is_some()) {
            return Err("silence_after_ms and chapter have a meaning only with --concat".into());
        }
        let output = match (&common.outputs, fields.output) {
            (Outputs::Named, Some(path)) if path.file_name().is_some() => {
                Encoding::of(&path).check().map_err(|e| format!("output: {e}"))?;
                file(&path)
            }
            (Outputs::Named, Some(path)) => return Err(format!("output: {:?} names no file", path.display())),
            (Outputs::Named, None) => return Err("expected output, or --out or --concat on the command line".into()),
            (_, Some(_)) => return Err("output: not together with --out or --concat".into()),
            (Outputs::Numbered { dir, prefix }, None) => {
                dir.join(prefix.as_ref().map_or(format!("{number:04}.wav"), |p| format!("{p}-{number:04}.wav")))
            }
            // Completed when the contents are known.
            (Outputs::Pieces { dir }, None) => dir.clone(),
        };
        Ok(Self {
            output,
            text: said,
            voice,
            emotion,
            weight,
            seed: fields.seed,
            language,
            silence_after_ms: fields.silence_after_ms.unwrap_or(0),
            chapter: fields.chapter.filter(|title| !title.trim().is_empty()),
        })
    }

    /// Every file that the row reads.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        let text = if let Text::File(path) = &self.text { Some(path.as_path()) } else { None };
        let voice = if let Voice::File(path) = &self.voice { Some(path.as_path()) } else { None };
        let emotion = if let RowEmotion::Clip(path) = &self.emotion { Some(path.as_path()) } else { None };
        [text, voice, emotion].into_iter().flatten()
    }
}

impl Vector {
    fn checked(self) -> Result<EmotionVector, String> {
        let parsed = match self {
            Self::Text(text) => text.parse(),
            Self::Numbers(numbers) => {
                let count = numbers.len();
                let numbers: [f32; 8] =
                    numbers.try_into().map_err(|_| format!("emotion_vector: got {count} numbers, expected eight"))?;
                EmotionVector::new(numbers)
            }
        };
        parsed.map_err(|e| e.to_string())
    }
}

fn readable(field: &str, path: PathBuf) -> Result<PathBuf, String> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(format!("{field}: {} is not a file", path.display())),
        Err(e) => Err(format!("{field}: cannot read {}: {e}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::args::{Args, Command};
    use super::*;

    fn parse(text: &str, typed: &[&str], outputs: Outputs) -> Result<Row, String> {
        let base = ["indextts", "batch", "rows.jsonl", "--model", "m"];
        let Command::Batch(batch) = Args::parse_from(base.iter().chain(typed)).command else { panic!("not a batch") };
        let common = Common {
            base: "/rows".into(),
            voice: batch.voice.as_deref(),
            stored: &VoiceStore::new("/voices"),
            emotion: &batch.emotion,
            vector: batch.emotion.emotion_vector.as_deref().map(|v| v.parse().unwrap()),
            outputs,
        };
        Row::parse(text, 7, &common)
    }

    fn named(text: &str) -> Result<Row, String> {
        parse(text, &[], Outputs::Named)
    }

    #[test]
    fn fields_follow_the_specification() {
        for (line, expected) in [
            (r#"{"text": "a"}"#, "output"),
            (r#"{"output": "a.wav"}"#, "neither"),
            (r#"{"output": "a.wav", "text": " "}"#, "empty"),
            (r#"{"output": "a.wav", "text": "a", "text_file": "b"}"#, "both"),
            (r#"{"output": "a.wav", "text_file": "b"}"#, "/rows/b"),
            (r#"{"output": "a.wav", "text": "a", "speed": 2}"#, "unknown field `speed`"),
            (r#"{"output": "a.wav", "text": "a", "emotion_weight": 0.5}"#, "no emotion"),
            (r#"{"output": "a.wav", "text": "a", "emotion_vector": [0, 1]}"#, "2 numbers"),
            (r#"{"output": "a.wav", "text": "a", "emotion_vector": [0,0,0,0,0,0,0,true]}"#, "emotion_vector"),
            (r#"{"output": "a.wav", "text": "a", "emotion_vector": [0,0,0,0,0,0,0,9]}"#, "calm"),
            (r#"{"output": "a.wav", "text": "a", "emotion_text": "b", "emotion_audio": "c"}"#, "several"),
            (r#"{"output": "a.wav", "text": "a", "silence_after_ms": 1}"#, "--concat"),
            (r#"{"output": "..", "text": "a"}"#, "names no file"),
            (r#"["text"]"#, ""),
            ("{", "EOF"),
        ] {
            let error = named(line).expect_err(line);
            assert!(error.contains(expected), "{line}: expected {expected:?} in {error}");
        }
        let silence = parse(r#"{"text": "a", "silence_after_ms": -1}"#, &[], Outputs::Pieces { dir: "p".into() });
        assert!(silence.is_err());
    }

    #[test]
    fn outputs_are_named_by_the_row_or_counted() {
        assert_eq!(named(r#"{"output": "x/ö.wav", "text": "a"}"#).unwrap().output, Path::new("/rows/x/ö.wav"));
        let counted = |prefix: Option<&str>| {
            let outputs = Outputs::Numbered { dir: "d".into(), prefix: prefix.map(String::from) };
            parse(r#"{"text": "a"}"#, &[], outputs).unwrap().output
        };
        assert_eq!(counted(None), Path::new("d/0007.wav"));
        assert_eq!(counted(Some("part")), Path::new("d/part-0007.wav"));
        let outputs = Outputs::Numbered { dir: "d".into(), prefix: None };
        assert!(parse(r#"{"text": "a", "output": "b.wav"}"#, &[], outputs).unwrap_err().contains("--out"));
    }

    #[test]
    fn an_emotion_of_a_row_replaces_the_common_one_whole() {
        let typed = ["--emotion-vector", "1,0,0,0,0,0,0,0", "--emotion-weight", "0.25"];
        let common = parse(r#"{"output": "a.wav", "text": "a"}"#, &typed, Outputs::Named).unwrap();
        assert!(matches!(common.emotion, RowEmotion::Vector(_)) && common.weight == 0.25);
        let line = r#"{"output": "a.wav", "text": "a", "emotion_text": "angry", "emotion_weight": 0.5}"#;
        let own = parse(line, &typed, Outputs::Named).unwrap();
        assert!(matches!(&own.emotion, RowEmotion::Text(Some(text)) if text == "angry") && own.weight == 0.5);
        let weighed = parse(r#"{"output": "a.wav", "text": "a", "emotion_weight": 0.5}"#, &typed, Outputs::Named);
        assert_eq!(weighed.unwrap().weight, 0.5);
    }
}
