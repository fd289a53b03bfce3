//! `indextts batch` as typed: on the tiny model, killed, continued, and given rows that cannot be spoken.
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::say::{indextts, model, text, voice};
use crate::support::golden;

/// A directory with rows.
struct Batch {
    directory: tempfile::TempDir,
}

impl Batch {
    fn new(rows: &[Value]) -> Self {
        let batch = Self { directory: tempfile::tempdir().unwrap() };
        batch.write(rows);
        batch
    }

    fn write(&self, rows: &[Value]) {
        let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n\n")).collect();
        std::fs::write(self.path("rows.jsonl"), lines.concat()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (rows, voice) = (self.path("rows.jsonl"), voice());
        let base = ["batch", text(&rows), "--model", text(model()), "--voice", text(&voice)];
        let quick = ["--max-codes", "12", "--steps", "3"];
        base.iter().chain(&quick).chain(more).map(ToString::to_string).collect()
    }

    fn run(&self, more: &[&str]) -> Output {
        let arguments = self.arguments(more);
        let output = indextts(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
        output
    }

    fn succeeds(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, more: &[&str], code: i32, message: &str) {
        let output = self.run(more);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {stderr}");
        assert!(stderr.contains(message), "{more:?}: expected {message:?} in: {stderr}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn report(&self, name: &str) -> Vec<Value> {
        let lines = String::from_utf8(self.read(name)).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn statuses(&self, report: &str) -> Vec<String> {
        self.report(report).iter().map(|row| row["status"].as_str().unwrap().to_string()).collect()
    }
}

/// What `say` makes of the same text.
fn said(words: &str, more: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let (out, voice) = (directory.path().join("out.wav"), voice());
    let base = ["-q", "say", words, "--model", text(model()), "--voice", text(&voice), "-o", text(&out)];
    let output = indextts(&[&base[..], &["--max-codes", "12", "--steps", "3"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(&out).unwrap()
}

fn samples(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().into_samples().map(Result::unwrap).collect()
}

#[test]
fn rows_are_spoken_in_order_as_say_speaks_them() {
    let clip = golden("e2e/emo.wav");
    let batch = Batch::new(&[
        json!({ "text": "HELLO WORLD." }),
        json!({ "text_file": "words.txt", "seed": 5 }),
        json!({ "text": "HI", "emotion_audio": clip, "emotion_weight": 0.5 }),
        json!({ "text": "HI", "emotion_vector": [0.3, 0, 0, 0, 0, 0, 0.4, 0] }),
        json!({ "text": "12", "lang": "es" }),
    ]);
    std::fs::write(batch.path("words.txt"), "GOOD MORNING.").unwrap();
    let out = batch.path("out");
    let stdout = batch.succeeds(&["--out", text(&out), "--prefix", "part"]);
    assert!(stdout.contains("5 spoken, 0 kept, 0 failed"), "{stdout}");
    assert_eq!(batch.read("out/part-0001.wav"), said("HELLO WORLD.", &[]));
    assert_eq!(batch.read("out/part-0002.wav"), said("GOOD MORNING.", &["--seed", "5"]));
    let emotion = ["--emotion-audio", text(&clip), "--emotion-weight", "0.5"];
    assert_eq!(batch.read("out/part-0003.wav"), said("HI", &emotion));
    assert_eq!(batch.read("out/part-0004.wav"), said("HI", &["--emotion-vector", "0.3,0,0,0,0,0,0.4,0"]));
    let (spanish, english) = (said("12", &["--lang", "es"]), said("12", &["--lang", "en"]));
    assert_ne!(spanish, english);
    assert_eq!(batch.read("out/part-0005.wav"), spanish);
    let report = batch.report("out/rows.report.jsonl");
    // Blank lines count as lines, not as rows.
    assert_eq!(report.iter().map(|row| row["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    let seconds = samples(&batch.path("out/part-0001.wav")).len() as f64 / 22050.0;
    assert!((report[0]["seconds"].as_f64().unwrap() - seconds).abs() < 1e-3);
}

#[test]
fn finished_rows_are_kept_and_changed_ones_spoken_anew() {
    let rows = |second: &str| vec![json!({ "text": "ONE." }), json!({ "text": second }), json!({ "text": "THREE." })];
    let batch = Batch::new(&rows("TWO."));
    let out = batch.path("out");
    batch.succeeds(&["--out", text(&out)]);
    let (first, second) = (batch.read("out/0001.wav"), batch.read("out/0002.wav"));
    batch.succeeds(&["--out", text(&out)]);
    assert_eq!(batch.statuses("out/rows.report.jsonl"), ["kept", "kept", "kept"]);
    batch.write(&rows("HELLO."));
    batch.succeeds(&["--out", text(&out)]);
    assert_eq!(batch.statuses("out/rows.report.jsonl"), ["kept", "spoken", "kept"]);
    assert_eq!(batch.read("out/0001.wav"), first);
    assert_ne!(batch.read("out/0002.wav"), second);
    // Another seed is another result for all.
    batch.succeeds(&["--out", text(&out), "--seed", "9"]);
    assert_eq!(batch.statuses("out/rows.report.jsonl"), ["spoken", "spoken", "spoken"]);
    batch.succeeds(&["--out", text(&out), "--seed", "9", "--weights", "f16"]);
    assert_eq!(batch.statuses("out/rows.report.jsonl"), ["spoken", "spoken", "spoken"]);
    batch.succeeds(&["--out", text(&out), "--seed", "9"]);
    // What somebody else changed is theirs.
    std::fs::write(batch.path("out/0003.wav"), "mine").unwrap();
    batch.refused(&["--out", text(&out), "--seed", "9"], 1, "1 of 3 rows failed");
    assert_eq!(batch.read("out/0003.wav"), b"mine");
    batch.succeeds(&["--out", text(&out), "--seed", "9", "--force"]);
    assert_ne!(batch.read("out/0003.wav"), b"mine");
}

#[test]
fn a_batch_that_was_killed_is_continued() {
    let rows: Vec<Value> = (0..40).map(|i| json!({ "text": format!("ROW {i}."), "seed": i })).collect();
    let batch = Batch::new(&rows);
    let out = batch.path("out");
    let more = ["--out", text(&out)];
    let mut child = Command::new(env!("CARGO_BIN_EXE_indextts"))
        .args(batch.arguments(&more))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = batch.path("out/rows.journal.jsonl");
    let begun = Instant::now();
    let done = || std::fs::read_to_string(&journal).unwrap_or_default().matches("\"done\"").count();
    while done() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing was finished in two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = done();
    assert!(before < 40, "it was not killed in the middle");
    assert!(!batch.path("out/rows.report.jsonl").exists());

    batch.succeeds(&more);
    let statuses = batch.statuses("out/rows.report.jsonl");
    assert_eq!(statuses.iter().filter(|s| *s == "kept").count(), before);
    assert_eq!(statuses.len(), 40);
    for i in [0, before, 39] {
        let name = format!("out/{:04}.wav", i + 1);
        assert_eq!(batch.read(&name), said(&format!("ROW {i}."), &["--seed", &i.to_string()]), "{name}");
    }
}

#[test]
fn bad_rows_are_reported_and_the_others_spoken() {
    let batch = Batch::new(&[json!({ "text": "ONE." }), json!({ "text": "TWO." }), json!({ "text": "THREE." })]);
    std::fs::write(batch.path("noise.txt"), "no clip").unwrap();
    let bad = [
        json!({ "text": "TWO.", "loud": true }).to_string(),
        json!({ "text": "TWO.", "voice": "nowhere.wav" }).to_string(),
        json!({ "text": "TWO.", "voice": "noise.txt" }).to_string(),
        json!({ "text": "TWO.", "lang": "klingon" }).to_string(),
        "{ \"text\":".into(),
    ];
    let lines = [&["{\"text\": \"ONE.\"}".to_string()], &bad[..], &["{\"text\": \"THREE.\"}".to_string()]].concat();
    std::fs::write(batch.path("rows.jsonl"), lines.join("\n")).unwrap();
    let out = batch.path("out");
    batch.refused(&["--out", text(&out), "--dry-run"], 1, "rows to correct");
    batch.refused(&["--out", text(&out), "--fail-fast"], 1, "loud");
    assert!(!out.exists());
    batch.refused(&["--out", text(&out)], 1, "5 of 7 rows failed");
    let report = batch.report("out/rows.report.jsonl");
    let expected = ["spoken", "failed", "failed", "failed", "failed", "failed", "spoken"];
    assert_eq!(batch.statuses("out/rows.report.jsonl"), expected);
    for (row, word) in report[1..6].iter().zip(["loud", "nowhere.wav", "noise.txt", "klingon", "EOF"]) {
        assert!(row["error"].as_str().unwrap().contains(word), "{row}");
    }
    assert!(batch.path("out/0007.wav").exists() && !batch.path("out/0002.wav").exists());
}

#[test]
fn an_output_that_cannot_be_written_fails_alone() {
    let batch = Batch::new(&[
        json!({ "text": "ONE.", "output": "a.wav" }),
        json!({ "text": "TWO.", "output": "file/b.wav" }),
        json!({ "text": "THREE.", "output": "folder" }),
        json!({ "text": "FOUR.", "output": "theirs.wav" }),
        json!({ "text": "FIVE.", "output": "deep/er/e.wav" }),
    ]);
    std::fs::write(batch.path("file"), "not a directory").unwrap();
    std::fs::create_dir(batch.path("folder")).unwrap();
    std::fs::write(batch.path("theirs.wav"), "theirs").unwrap();
    batch.refused(&[], 2, "3 of 5 rows failed");
    assert_eq!(batch.statuses("rows.report.jsonl"), ["spoken", "failed", "failed", "failed", "spoken"]);
    assert_eq!(batch.read("theirs.wav"), b"theirs");
}

#[test]
fn outputs_that_collide_are_refused_before_anything_is_spoken() {
    for (first, second) in [("a.wav", "./x/../a.wav"), ("a.wav", "a.wav")] {
        let rows = [json!({ "text": "ONE.", "output": first }), json!({ "text": "TWO.", "output": second })];
        let batch = Batch::new(&rows);
        batch.refused(&[], 1, "lines 1 and 3");
        assert!(!batch.path("a.wav").exists() && !batch.path("rows.report.jsonl").exists());
    }
    let batch = Batch::new(&[json!({ "text_file": "t.txt", "output": "t.txt" })]);
    std::fs::write(batch.path("t.txt"), "HELLO.").unwrap();
    batch.refused(&["--force"], 1, "an input and an output");
    assert_eq!(batch.read("t.txt"), b"HELLO.");
    let batch = Batch::new(&[json!({ "text": "ONE.", "output": "rows.jsonl" })]);
    batch.refused(&["--force"], 1, "an input and an output");
    Batch::new(&[]).refused(&[], 1, "no rows");
}

#[test]
fn names_may_be_in_any_script() {
    let batch = Batch::new(&[json!({ "text": "ONE.", "output": "größe/声音 — ①.wav", "voice": "stimme ü.wav" })]);
    std::fs::copy(voice(), batch.path("stimme ü.wav")).unwrap();
    batch.succeeds(&[]);
    assert_eq!(batch.read("größe/声音 — ①.wav"), said("ONE.", &[]));
    batch.succeeds(&[]);
    assert_eq!(batch.statuses("rows.report.jsonl"), ["kept"]);
}

#[test]
fn rows_become_a_book_with_chapters_and_subtitles() {
    let batch = Batch::new(&[
        json!({ "text": "ONE.", "chapter": "First; = \"Ä\"", "silence_after_ms": 500 }),
        json!({ "text": "TWO." }),
        json!({ "text": "THREE.", "chapter": "Second", "silence_after_ms": 10 }),
    ]);
    let book = batch.path("book.wav");
    let arguments = ["--concat", text(&book), "--subtitles", "srt", "--keep-temp"];
    let stdout = batch.succeeds(&arguments);
    assert!(stdout.contains("book.wav") && stdout.contains("book.srt") && stdout.contains("book.chapters.txt"));
    let single: Vec<usize> = ["ONE.", "TWO.", "THREE."]
        .map(|words| {
            let path = batch.path("single.wav");
            std::fs::write(&path, said(words, &[])).unwrap();
            samples(&path).len()
        })
        .into();
    let all = samples(&book);
    // 500 ms and 10 ms at 22050 Hz, cut to whole samples.
    assert_eq!(all.len(), single.iter().sum::<usize>() + 11_025 + 220);
    assert!(all[single[0]..single[0] + 11_025].iter().all(|s| *s == 0));

    let second = single[0] + 11_025 + single[1];
    let chapters = String::from_utf8(batch.read("book.chapters.txt")).unwrap();
    let (end, length) = (second, all.len());
    let expected = format!(
        ";FFMETADATA1\n\
         [CHAPTER]\nTIMEBASE=1/22050\nSTART=0\nEND={end}\ntitle=First\\; \\= \"Ä\"\n\
         [CHAPTER]\nTIMEBASE=1/22050\nSTART={end}\nEND={length}\ntitle=Second\n"
    );
    assert_eq!(chapters, expected);

    let srt = String::from_utf8(batch.read("book.srt")).unwrap();
    let milliseconds = |samples: usize| (samples as f64 / 22.05).round() as usize;
    let clock = |ms: usize| format!("00:00:{:02},{:03}", ms / 1000, ms % 1000);
    let (start, end) = (clock(milliseconds(second)), clock(milliseconds(second + single[2])));
    assert!(srt.ends_with(&format!("3\n{start} --> {end}\nTHREE.\n\n")), "{srt}");

    // The file as a whole is a RIFF file whose chunks add up, with two cue points.
    let bytes = batch.read("book.wav");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(word(4) + 8, bytes.len());
    let (mut at, mut chunks) = (12, Vec::new());
    while at < bytes.len() {
        chunks.push((String::from_utf8_lossy(&bytes[at..at + 4]).into_owned(), at));
        at += 8 + word(at + 4).next_multiple_of(2);
    }
    assert_eq!(at, bytes.len());
    let names: Vec<&str> = chunks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["fmt ", "data", "cue ", "LIST"]);
    let cue = chunks[2].1 + 8;
    assert_eq!((word(cue), word(cue + 4 + 20), word(cue + 4 + 24 + 20)), (2, 0, second));

    // The book is there; its rows are known.
    batch.refused(&arguments, 1, "--force");
    batch.succeeds(&[&arguments[..], &["--force"]].concat());
    assert_eq!(batch.statuses("book.report.jsonl"), ["kept", "kept", "kept"]);
    assert_eq!(batch.read("book.wav"), bytes);
    batch.succeeds(&["--concat", text(&book), "--force"]);
    assert!(!batch.path(".book.wav.rows").exists());
}

#[test]
fn a_book_with_a_hole_is_not_written() {
    let batch = Batch::new(&[json!({ "text": "ONE." }), json!({ "text": "TWO.", "voice": "nowhere.wav" })]);
    let book = batch.path("book.wav");
    batch.refused(&["--concat", text(&book)], 1, "was not written");
    assert!(!book.exists());
    batch.write(&[json!({ "text": "ONE." }), json!({ "text": "TWO." })]);
    batch.succeeds(&["--concat", text(&book)]);
    assert_eq!(batch.statuses("book.report.jsonl"), ["kept", "spoken"]);
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let batch = Batch::new(&[json!({ "text": "ONE." })]);
    batch.refused(&[], 1, "1 of 1 rows failed");
    let (a, b) = (batch.path("a"), batch.path("b"));
    batch.refused(&["--out", text(&a), "--concat", text(&b)], 2, "cannot be used with");
    batch.refused(&["--out", text(&a), "--prefix", "../b"], 2, "file name");
    batch.refused(&["--out", text(&a), "--subtitles", "srt"], 2, "cannot be used with");
    batch.refused(&["--out", text(&a), "--keep-temp"], 2, "cannot be used with");
    batch.refused(&["--concat", text(&b), "--prefix", "x"], 2, "cannot be used with");
    batch.refused(&["--subtitles", "srt"], 2, "--concat");
    assert!(!a.exists() && !b.exists());
}
