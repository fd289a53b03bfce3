//! `indextts batch`: many rows, one loaded model, and a run that can be killed and continued.
//!
//! The rows are read line by line, first to judge them as a whole and then to speak them, so that a batch may be as long
//! as it likes.
mod book;
mod engine;
mod journal;
mod row;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use indextts::audio::encode;
use indextts::{EmotionVector, Error};
use indicatif::ProgressBar;
use serde_json::json;

use super::Failure;
use super::args::Batch;
use super::staging::{publish, staged};
use super::{progress, voice};
use book::Piece;
use engine::{Contents, Engine, file_sha256};
use journal::{Journal, State};
use row::{Common, Outputs, Row, Text};

/// Longest line accepted, bytes.
const MAX_LINE: u64 = 16 << 20;

/// Where a batch keeps its own files.
struct Places {
    report: PathBuf,
    journal: PathBuf,
    /// Pieces of the file that is joined.
    pieces: Option<PathBuf>,
}

pub fn run(args: &Batch, quiet: bool) -> Result<(), Failure> {
    let vector = args.emotion.emotion_vector.as_deref().map(str::parse::<EmotionVector>).transpose()?;
    let places = places(args);
    let outputs = match (&places.pieces, &args.out) {
        (Some(dir), _) => Outputs::Pieces { dir: dir.clone() },
        (None, Some(dir)) => Outputs::Numbered { dir: dir.clone(), prefix: args.prefix.clone() },
        (None, None) => Outputs::Named,
    };
    let stored = voice::store(&args.voices)?;
    let common = Common {
        base: args.rows.parent().map(Path::to_path_buf).unwrap_or_default(),
        voice: args.voice.as_deref(),
        stored: &stored,
        emotion: &args.emotion,
        vector,
        outputs,
    };
    let survey = survey(args, &common)?;
    if args.dry_run {
        for (line, problem) in &survey.problems {
            println!("line {line}: {problem}");
        }
        println!("{} rows, {} of them cannot be spoken", survey.rows, survey.bad);
        return if survey.bad == 0 { Ok(()) } else { Err(Failure::Usage("there are rows to correct".into())) };
    }
    if args.fail_fast
        && let Some((line, problem)) = survey.problems.first()
    {
        return Err(Failure::Usage(format!("{}:{line}: {problem}; nothing was spoken", args.rows.display())));
    }
    if let Some(book) = &args.concat
        && book.exists()
        && !args.force
    {
        return Err(Failure::Usage(format!("{} exists; replace it with --force", book.display())));
    }
    Run::new(args, &common, places, survey, quiet)?.all()
}

fn places(args: &Batch) -> Places {
    let stem = args.rows.file_stem().unwrap_or_default().to_os_string();
    let named = |folder: &Path, stem: &std::ffi::OsStr, ending: &str| {
        let mut name = stem.to_os_string();
        name.push(ending);
        folder.join(name)
    };
    let beside = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
    let (report, journal, pieces) = match (&args.concat, &args.out) {
        (Some(book), _) => {
            let folder = beside(book);
            let name = book.file_name().unwrap_or_default();
            let pieces = folder.join(format!(".{}.rows", name.to_string_lossy()));
            let stem = book.file_stem().unwrap_or_default();
            (named(&folder, stem, ".report.jsonl"), pieces.join("journal.jsonl"), Some(pieces))
        }
        (None, out) => {
            let folder = out.clone().unwrap_or_else(|| beside(&args.rows));
            (named(&folder, &stem, ".report.jsonl"), named(&folder, &stem, ".journal.jsonl"), None)
        }
    };
    Places { report: args.report.clone().unwrap_or(report), journal, pieces }
}

/// Lines that hold something, with their number in the file.
fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(usize, String), Failure>> + use<'_>, Failure> {
    let mut reader = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut line = Vec::new();
            match reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(n) if n as u64 > MAX_LINE => {
                    let what = format!("{}:{number}: more than {MAX_LINE} bytes in one line", path.display());
                    return Some(Err(Failure::Usage(what)));
                }
                Ok(_) => {}
                Err(e) => return Some(Err(Error::io("read", path)(e).into())),
            }
            match String::from_utf8(line) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => return Some(Ok((number, line))),
                Err(e) => {
                    let what = format!("{}:{number}: not UTF-8 ({e}); convert it", path.display());
                    return Some(Err(Failure::Usage(what)));
                }
            }
        }
    }))
}

/// What a first reading finds.
struct Survey {
    rows: usize,
    bad: usize,
    /// Length of all texts, for the time that is left.
    characters: u64,
    /// The first problems, by line.
    problems: Vec<(usize, String)>,
}

/// So many problems are shown one by one.
const SHOWN: usize = 20;

/// Judges all rows before anything is done: outputs that would overwrite each other or an input end the batch.
fn survey(args: &Batch, common: &Common<'_>) -> Result<Survey, Failure> {
    let mut survey = Survey { rows: 0, bad: 0, characters: 0, problems: Vec::new() };
    let mut outputs: HashMap<PathBuf, usize> = HashMap::new();
    let mut inputs: HashSet<PathBuf> = [identity(&args.rows)].into();
    for line in lines(&args.rows)? {
        let (number, text) = line?;
        survey.rows += 1;
        let row = match Row::parse(&text, survey.rows, common) {
            Ok(row) => row,
            Err(problem) => {
                survey.bad += 1;
                if survey.problems.len() < SHOWN {
                    survey.problems.push((number, problem));
                }
                continue;
            }
        };
        survey.characters += characters(&row);
        inputs.extend(row.inputs().map(identity));
        if !matches!(common.outputs, Outputs::Pieces { .. })
            && let Some(first) = outputs.insert(identity(&row.output), number)
        {
            let (rows, output) = (args.rows.display(), row.output.display());
            return Err(Failure::Usage(format!(
                "{rows}: lines {first} and {number} have the same output {output}; nothing was spoken"
            )));
        }
    }
    if survey.rows == 0 {
        return Err(Failure::Usage(format!("{}: there are no rows", args.rows.display())));
    }
    outputs.extend(args.concat.iter().map(|book| (identity(book), 0)));
    match outputs.keys().find(|output| inputs.contains(*output)) {
        Some(path) => Err(Failure::Usage(format!("{}: is an input and an output; nothing was spoken", path.display()))),
        None => Ok(survey),
    }
}

fn characters(row: &Row) -> u64 {
    match &row.text {
        Text::Here(text) => text.len() as u64,
        Text::File(path) => path.metadata().map_or(0, |m| m.len()),
    }
}

/// One name for a file, however it is written; the file need not exist.
fn identity(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.into()).components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    // Links are followed as far as the path exists.
    let existing = clean.ancestors().find_map(|a| Some((a.canonicalize().ok()?, clean.strip_prefix(a).ok()?)));
    match existing {
        Some((real, rest)) if rest.as_os_str().is_empty() => real,
        Some((real, rest)) => real.join(rest),
        None => clean,
    }
}

/// How a row ended.
enum Outcome {
    Spoken {
        samples: u64,
        warnings: Vec<String>,
    },
    /// By an earlier run.
    Kept {
        samples: u64,
    },
}

struct Run<'a> {
    args: &'a Batch,
    common: &'a Common<'a>,
    places: Places,
    survey: Survey,
    engine: Engine<'a>,
    journal: Journal,
    bar: ProgressBar,
    quiet: bool,
}

impl<'a> Run<'a> {
    fn new(
        args: &'a Batch,
        common: &'a Common<'a>,
        places: Places,
        survey: Survey,
        quiet: bool,
    ) -> Result<Self, Failure> {
        let engine = Engine::new(args)?;
        let folder = places.journal.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let journal = Journal::open(&places.journal)?;
        let bar = progress::rows(quiet, survey.characters);
        Ok(Self { args, common, places, survey, engine, journal, bar, quiet })
    }

    /// Every row, then the report and, if nothing failed, the book.
    fn all(mut self) -> Result<(), Failure> {
        let mut report = BufWriter::new(staged(&self.places.report)?);
        let mut pieces = BufWriter::new(tempfile::tempfile().map_err(Error::io("create", "a temporary file"))?);
        let (mut spoken, mut kept, mut failed, mut code, mut samples) = (0, 0, 0, 0, 0);
        let rate = self.engine.sample_rate();
        for (index, line) in lines(&self.args.rows)?.enumerate() {
            let (number, text) = line?;
            self.bar.set_prefix(format!("row {}/{}", index + 1, self.survey.rows));
            let parsed = Row::parse(&text, index + 1, self.common);
            let length = parsed.as_ref().map_or(0, characters);
            let done = parsed.map_err(Failure::Usage).and_then(|row| self.row(row));
            let entry = match done {
                Ok((output, outcome, piece)) => {
                    let (status, n, warnings) = match outcome {
                        Outcome::Spoken { samples, warnings } => {
                            spoken += 1;
                            self.bar.inc(length);
                            ("spoken", samples, warnings)
                        }
                        Outcome::Kept { samples } => {
                            kept += 1;
                            // Not work of this run: it would make the rest look quicker than it is.
                            self.bar.dec_length(length);
                            ("kept", samples, Vec::new())
                        }
                    };
                    samples += n;
                    for warning in &warnings {
                        self.say(&format!("warning: line {number}: {warning}"));
                    }
                    if self.places.pieces.is_some() {
                        let text = json!(piece).to_string();
                        writeln!(pieces, "{text}").map_err(Error::io("write", "a temporary file"))?;
                    }
                    let seconds = n as f64 / f64::from(rate);
                    json!({ "line": number, "status": status, "output": output.to_string_lossy(),
                        "seconds": (seconds * 1000.0).round() / 1000.0, "warnings": warnings })
                }
                Err(failure) => {
                    failed += 1;
                    code = code.max(failure.code());
                    self.bar.dec_length(length);
                    if self.args.fail_fast {
                        self.bar.finish_and_clear();
                        return Err(failure);
                    }
                    let error = failure.to_string();
                    self.say(&format!("line {number}: {error}"));
                    json!({ "line": number, "status": "failed", "error": error })
                }
            };
            writeln!(report, "{entry}").map_err(Error::io("write", &self.places.report))?;
        }
        self.bar.finish_and_clear();
        let report = report.into_inner().map_err(|e| Error::io("write", &self.places.report)(e.into_error()))?;
        publish(report, &self.places.report)?;

        if failed == 0 {
            self.join(pieces)?;
        }
        let seconds = samples as f64 / f64::from(rate);
        println!("{spoken} spoken, {kept} kept, {failed} failed; {seconds:.2} s of speech");
        println!("{}", self.places.report.display());
        if failed == 0 {
            return Ok(());
        }
        let book = match &self.args.concat {
            Some(book) => format!("; {} was not written", book.display()),
            None => String::new(),
        };
        let message = format!("{failed} of {} rows failed{book}. Correct them and run it again", self.survey.rows);
        Err(Failure::Rows { message, code })
    }

    /// Speaks a row, unless an earlier run has.
    fn row(&mut self, mut row: Row) -> Result<(PathBuf, Outcome, Piece), Failure> {
        let contents = self.engine.contents(&row)?;
        if self.places.pieces.is_some() {
            row.output.push(format!("{}.wav", &contents.key[..32]));
        }
        let outcome = self.outcome(&row, &contents)?;
        let piece = Piece {
            file: row.output.clone(),
            silence_after_ms: row.silence_after_ms,
            chapter: row.chapter,
            text: contents.text,
        };
        Ok((row.output, outcome, piece))
    }

    fn outcome(&mut self, row: &Row, contents: &Contents) -> Result<Outcome, Failure> {
        let name = self.name(&row.output);
        if row.output.exists() {
            let foreign = match self.journal.get(&name) {
                Some((key, State::Done { sha256, samples })) if file_sha256(&row.output)? == *sha256 => {
                    if *key == contents.key {
                        return Ok(Outcome::Kept { samples: *samples });
                    }
                    None
                }
                Some((_, State::Done { .. })) => Some("was changed by somebody else"),
                // Begun by a run that was killed.
                Some((_, State::Started)) => None,
                None => Some("exists and is not of this batch"),
            };
            if let Some(foreign) = foreign
                && !self.args.force
            {
                let output = row.output.display();
                return Err(Failure::Usage(format!("{output} {foreign}; replace it with --force")));
            }
        }
        // A name that cannot be written should not cost the time of speaking.
        if row.output.is_dir() {
            return Err(Failure::Usage(format!("{} is a directory", row.output.display())));
        }
        drop(staged(&row.output)?);
        self.journal.note(&name, &contents.key, State::Started)?;
        let bar = &self.bar;
        let speech = self.engine.speak(row, contents, &mut |progress| {
            let stage = progress.stage.name();
            bar.set_message(format!("{stage} {}/{}", progress.segment + 1, progress.segments));
            ControlFlow::Continue(())
        })?;
        encode::write(&row.output, &speech.samples, speech.sample_rate)?;
        let (sha256, samples) = (file_sha256(&row.output)?, speech.samples.len() as u64);
        self.journal.note(&name, &contents.key, State::Done { sha256, samples })?;
        Ok(Outcome::Spoken { samples, warnings: speech.warnings })
    }

    /// How the journal calls an output, wherever the batch is started from: relative to the journal if it is below it.
    fn name(&self, output: &Path) -> PathBuf {
        let output = identity(output);
        let folder = self.places.journal.parent().map(identity).unwrap_or_default();
        output.strip_prefix(folder).map(Path::to_path_buf).unwrap_or(output)
    }

    /// The rows as one file; their own files are removed then, unless they are to be kept.
    fn join(&self, pieces: BufWriter<File>) -> Result<(), Failure> {
        let (Some(book), Some(folder)) = (&self.args.concat, &self.places.pieces) else { return Ok(()) };
        let io = || Error::io("read", "a temporary file");
        let mut file = pieces.into_inner().map_err(|e| io()(e.into_error()))?;
        file.rewind().map_err(io())?;
        let pieces = BufReader::new(file).lines().map(|line| {
            let line = line.map_err(io())?;
            serde_json::from_str(&line).map_err(|e| io()(e.into()).into())
        });
        for file in book::join(pieces, book, self.args.subtitles)? {
            println!("{}", file.display());
        }
        if !self.args.keep_temp {
            std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
        }
        Ok(())
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }
}
