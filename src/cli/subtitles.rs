//! Subtitles: one cue a segment of a speech, or a row of an audiobook.
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indextts::{Chunk, Error, Word};
use serde_json::json;

use super::Failure;
use super::staging::{publish, staged};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Srt,
    Vtt,
    Json,
}

impl Format {
    pub fn extension(self) -> &'static str {
        match self {
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
        }
    }
}

/// What is heard from `start` to `end`, seconds.
pub struct Cue {
    pub start: f64,
    pub end: f64,
    pub text: String,
    /// Where the model tells: its words, with seconds of the same clock.
    pub words: Vec<Word>,
}

/// The cues of a speech that comes in chunks, one a segment.
#[derive(Default)]
pub struct Cues {
    pub all: Vec<Cue>,
    segment: Option<usize>,
}

impl Cues {
    /// Takes the next chunk, which begins after `before` seconds and speaks a part of `text`; `rate` is that of its samples.
    pub fn add(&mut self, chunk: &Chunk, before: f64, text: &str, rate: u32) {
        let at = |samples: usize| before + samples as f64 / f64::from(rate);
        if self.segment.replace(chunk.segment) != Some(chunk.segment) {
            self.all.push(Cue { start: at(chunk.silence), end: 0.0, text: text.into(), words: Vec::new() });
        }
        let Some(cue) = self.all.last_mut() else { return };
        cue.end = at(chunk.samples.len());
        let moved = |word: &Word| Word { start: cue.start + word.start, end: cue.start + word.end, ..word.clone() };
        cue.words = chunk.words.iter().map(moved).collect();
    }
}

/// Writes `cues` beside `sound`; returns the name of the file.
pub fn write(cues: &[Cue], sound: &Path, format: Format) -> Result<PathBuf, Failure> {
    let path = sound.with_extension(format.extension());
    let io = |e| Error::io("write", &path)(e);
    let mut subtitles = Subtitles::new(BufWriter::new(staged(&path)?), format).map_err(io)?;
    for cue in cues {
        subtitles.cue(cue).map_err(io)?;
    }
    let file = subtitles.finish().map_err(io)?.into_inner().map_err(|e| io(e.into_error()))?;
    publish(file, &path)?;
    Ok(path)
}

/// Cues on their way into a file.
pub struct Subtitles<W> {
    out: W,
    format: Format,
    cues: usize,
}

impl<W: Write> Subtitles<W> {
    pub fn new(mut out: W, format: Format) -> io::Result<Self> {
        match format {
            Format::Srt => {}
            Format::Vtt => writeln!(out, "WEBVTT")?,
            Format::Json => write!(out, "[")?,
        }
        Ok(Self { out, format, cues: 0 })
    }

    pub fn cue(&mut self, cue: &Cue) -> io::Result<()> {
        let &Cue { start, end, ref text, ref words } = cue;
        self.cues += 1;
        // A blank line would end the cue.
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match self.format {
            Format::Srt => {
                let (start, end) = (clock(start, ','), clock(end, ','));
                write!(self.out, "{}\n{start} --> {end}\n{}\n\n", self.cues, lines.join("\n"))
            }
            Format::Vtt => {
                let text = lines.join("\n").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                write!(self.out, "\n{} --> {}\n{text}\n", clock(start, '.'), clock(end, '.'))
            }
            Format::Json => {
                let comma = if self.cues > 1 { "," } else { "" };
                let milliseconds = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
                let timed = |start, end, text: &str| json!({ "start": milliseconds(start), "end": milliseconds(end), "text": text });
                let mut cue = timed(start, end, text);
                if !words.is_empty() {
                    cue["words"] = words.iter().map(|word| timed(word.start, word.end, &word.text)).collect();
                }
                write!(self.out, "{comma}\n{cue}")
            }
        }
    }

    pub fn finish(mut self) -> io::Result<W> {
        if self.format == Format::Json {
            write!(self.out, "\n]\n")?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// `HH:MM:SS` and milliseconds.
fn clock(seconds: f64, point: char) -> String {
    let all = (seconds * 1000.0).round() as u64;
    let (hours, minutes, seconds) = (all / 3_600_000, all / 60_000 % 60, all / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", all % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_a_segment_are_one_cue() {
        let word = |start, end| Word { text: "x".into(), start, end };
        let chunk = |segment, samples, silence, words| Chunk {
            samples: vec![0.0; samples],
            silence,
            segment,
            ends_segment: false,
            words,
        };
        let mut cues = Cues::default();
        cues.add(&chunk(0, 100, 0, vec![]), 0.0, "one", 100);
        cues.add(&chunk(0, 50, 0, vec![word(0.2, 1.4)]), 1.0, "one", 100);
        cues.add(&chunk(1, 200, 50, vec![word(0.1, 0.3)]), 1.5, "two", 100);
        let got: Vec<_> =
            cues.all.iter().map(|cue| (cue.start, cue.end, cue.text.as_str(), cue.words.as_slice())).collect();
        let (first, second) = ([word(0.2, 1.4)], [word(2.1, 2.3)]);
        assert_eq!(got, [(0.0, 1.5, "one", first.as_slice()), (2.0, 3.5, "two", second.as_slice())]);
    }

    fn written(format: Format) -> String {
        let mut subtitles = Subtitles::new(Vec::new(), format).unwrap();
        let words = vec![Word { text: "Ende".into(), start: 3661.1004, end: 3661.25 }];
        let cue = |start, end, text: &str, words| Cue { start, end, text: text.into(), words };
        subtitles.cue(&cue(0.0, 1.25, "One & <two>\n\n three ", Vec::new())).unwrap();
        subtitles.cue(&cue(3661.0006, 3661.5, "Ende", words)).unwrap();
        String::from_utf8(subtitles.finish().unwrap()).unwrap()
    }

    #[test]
    fn each_format_is_as_its_specification_says() {
        let srt = "1\n00:00:00,000 --> 00:00:01,250\nOne & <two>\nthree\n\n2\n01:01:01,001 --> 01:01:01,500\nEnde\n\n";
        assert_eq!(written(Format::Srt), srt);
        let vtt = "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nOne &amp; &lt;two&gt;\nthree\n\n\
                   01:01:01.001 --> 01:01:01.500\nEnde\n";
        assert_eq!(written(Format::Vtt), vtt);
        let cues: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(cues[0], json!({ "start": 0.0, "end": 1.25, "text": "One & <two>\n\n three " }));
        let word = json!({ "start": 3661.1, "end": 3661.25, "text": "Ende" });
        assert_eq!(cues[1], json!({ "start": 3661.001, "end": 3661.5, "text": "Ende", "words": [word] }));
    }
}
