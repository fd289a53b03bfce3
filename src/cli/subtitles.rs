//! Subtitles: one cue a segment of a speech, or a row of an audiobook.
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indextts::Error;
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
}

/// Writes `cues` beside `sound`; returns the name of the file.
pub fn write(cues: &[Cue], sound: &Path, format: Format) -> Result<PathBuf, Failure> {
    let path = sound.with_extension(format.extension());
    let io = |e| Error::io("write", &path)(e);
    let mut subtitles = Subtitles::new(BufWriter::new(staged(&path)?), format).map_err(io)?;
    for cue in cues {
        subtitles.cue(cue.start, cue.end, &cue.text).map_err(io)?;
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

    /// A cue from `start` to `end`, seconds.
    pub fn cue(&mut self, start: f64, end: f64, text: &str) -> io::Result<()> {
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
                let cue = json!({ "start": milliseconds(start), "end": milliseconds(end), "text": text });
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

    fn written(format: Format) -> String {
        let mut subtitles = Subtitles::new(Vec::new(), format).unwrap();
        subtitles.cue(0.0, 1.25, "One & <two>\n\n three ").unwrap();
        subtitles.cue(3661.0006, 3661.5, "Ende").unwrap();
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
        assert_eq!(cues[1], json!({ "start": 3661.001, "end": 3661.5, "text": "Ende" }));
    }
}
