//! Rows joined to one wav, with its chapters and subtitles.
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use indextts::Error;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::super::Failure;
use super::super::staging::{publish, staged};
use super::super::subtitles::{Cue, Format, Subtitles};

/// Largest wav file, less what its chunks other than the samples need.
const LARGEST: u64 = u32::MAX as u64 - (1 << 20);

/// A finished row of the book.
#[derive(Debug, Serialize, Deserialize)]
pub struct Piece {
    pub file: PathBuf,
    pub silence_after_ms: u32,
    pub chapter: Option<String>,
    pub text: String,
}

/// Joins `pieces` to `target`; nothing appears under its name before all of it is complete. Returns the
/// files that were written, the wav first.
pub fn join(
    pieces: impl Iterator<Item = Result<Piece, Failure>>,
    target: &Path,
    format: Option<Format>,
) -> Result<Vec<PathBuf>, Failure> {
    let io = |e: io::Error| Failure::Library(Error::io("write", target)(e));
    let wav = |e: hound::Error| match e {
        hound::Error::IoError(e) => io(e),
        e => Failure::Library(Error::Format { path: target.into(), what: e.to_string(), hint: "run it again".into() }),
    };
    let mut file = staged(target)?;
    let mut subtitles = match format {
        Some(format) => {
            let path = target.with_extension(format.extension());
            Some((Subtitles::new(BufWriter::new(staged(&path)?), format).map_err(io)?, path))
        }
        None => None,
    };
    let mut writer: Option<WavWriter<BufWriter<File>>> = None;
    let mut out = Some(BufWriter::new(file.as_file().try_clone().map_err(io)?));
    let mut chapters: Vec<(u64, String)> = Vec::new();
    let (mut at, mut rate) = (0u64, 1u32);
    for piece in pieces {
        let piece = piece?;
        let mut reader = WavReader::open(&piece.file).map_err(|e| match e {
            hound::Error::IoError(e) => Failure::Library(Error::io("read", &piece.file)(e)),
            e => wav(e),
        })?;
        let spec = reader.spec();
        if let Some(out) = out.take() {
            rate = spec.sample_rate;
            writer = Some(WavWriter::new(out, spec).map_err(wav)?);
        }
        let Some(writer) = &mut writer else { continue };
        let expected =
            WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        if spec != expected {
            return Err(Failure::Library(Error::Format {
                path: piece.file,
                what: format!("expected {expected:?}, got {spec:?}"),
                hint: "remove it and run the batch again".into(),
            }));
        }
        let silence = u64::from(rate) * u64::from(piece.silence_after_ms) / 1000;
        let end = at + u64::from(reader.duration());
        if (end + silence) * 2 > LARGEST {
            return Err(Failure::Usage(format!(
                "{}: longer than a wav file can be (about {:.0} hours); split the rows by chapters",
                target.display(),
                LARGEST as f64 / 2.0 / f64::from(rate) / 3600.0
            )));
        }
        for sample in reader.samples::<i16>() {
            writer.write_sample(sample.map_err(wav)?).map_err(wav)?;
        }
        for _ in 0..silence {
            writer.write_sample(0i16).map_err(wav)?;
        }
        if let Some((subtitles, _)) = &mut subtitles {
            let seconds = |samples: u64| samples as f64 / f64::from(rate);
            let cue = Cue { start: seconds(at), end: seconds(end), text: piece.text, words: Vec::new() };
            subtitles.cue(&cue).map_err(io)?;
        }
        if let Some(title) = piece.chapter {
            chapters.push((at, title));
        }
        at = end + silence;
    }
    let Some(writer) = writer else {
        return Err(Failure::Usage("there are no rows to join".into()));
    };
    writer.finalize().map_err(wav)?;
    if !chapters.is_empty() {
        append_cues(file.as_file_mut(), &chapters).map_err(io)?;
    }

    let mut files = vec![target.to_path_buf()];
    if let Some((subtitles, path)) = subtitles {
        let file = subtitles.finish().map_err(io)?.into_inner().map_err(|e| io(e.into_error()))?;
        publish(file, &path)?;
        files.push(path);
    }
    if !chapters.is_empty() {
        let path = target.with_extension("chapters.txt");
        let mut file: NamedTempFile = staged(&path)?;
        file.write_all(metadata(&chapters, at, rate).as_bytes()).map_err(io)?;
        publish(file, &path)?;
        files.push(path);
    }
    // The wav last: when it is there, all is there.
    publish(file, target)?;
    Ok(files)
}

/// Chapters in the metadata format that ffmpeg reads, to make an m4b of the wav.
fn metadata(chapters: &[(u64, String)], end: u64, rate: u32) -> String {
    let mut text = String::from(";FFMETADATA1\n");
    for (index, (start, title)) in chapters.iter().enumerate() {
        let end = chapters.get(index + 1).map_or(end, |(next, _)| *next);
        let mut escaped = String::new();
        for c in title.chars() {
            if matches!(c, '=' | ';' | '#' | '\\' | '\n') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        text += &format!("[CHAPTER]\nTIMEBASE=1/{rate}\nSTART={start}\nEND={end}\ntitle={escaped}\n");
    }
    text
}

/// Adds a cue point with a label at each chapter to a complete wav file.
///
/// Source: Multimedia Programming Interface and Data Specifications 1.0, "Cue-Points Chunk" and "Associated Data Chunk".
fn append_cues(file: &mut File, chapters: &[(u64, String)]) -> io::Result<()> {
    let mut cues = (chapters.len() as u32).to_le_bytes().to_vec();
    let mut labels = b"adtl".to_vec();
    for (index, (at, title)) in chapters.iter().enumerate() {
        let (id, at) = (index as u32 + 1, *at as u32);
        // Identifier, position in the play order, chunk, offsets of chunk and block, sample.
        for field in [id.to_le_bytes(), at.to_le_bytes(), *b"data", [0; 4], [0; 4], at.to_le_bytes()] {
            cues.extend(field);
        }
        let label: Vec<u8> = id.to_le_bytes().into_iter().chain(title.bytes().filter(|b| *b != 0)).chain([0]).collect();
        labels.extend(chunk(b"labl", &label));
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&chunk(b"cue ", &cues))?;
    file.write_all(&chunk(b"LIST", &labels))?;
    let riff = u32::try_from(file.stream_position()? - 8).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&riff.to_le_bytes())
}

/// A chunk with its header; an odd one is padded.
fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((data.len() as u32).to_le_bytes());
    chunk.extend(data);
    if data.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}
