//! `indextts voice` as typed.
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Instant;

use crate::say::{indextts, model, program, text, voice};
use crate::support::{golden, import, official_directory, without_clip};

/// A directory of voices and what is made beside it.
struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let voices = self.path("voices");
        indextts(&[&["-q", "voice"], arguments, &["--voices", text(&voices)]].concat())
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], code: i32, message: &str) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message) && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }

    fn say(&self, model: &Path, voice: &str) -> Output {
        let (voices, output) = (self.path("voices"), self.path("out.wav"));
        let base = ["-q", "say", "HELLO WORLD.", "--max-codes", "12", "--steps", "2", "--model", text(model)];
        indextts(&[&base[..], &["--voice", voice, "--voices", text(&voices), "-o", text(&output)]].concat())
    }

    fn spoken(&self, voice: &str) -> Vec<u8> {
        let output = self.say(model(), voice);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(self.path("out.wav")).unwrap()
    }
}

#[test]
fn a_stored_voice_speaks_as_its_clip_does() {
    let shelf = Shelf::new();
    assert_eq!(shelf.done(&["list"]), "");
    let clip = voice();
    let line = shelf.done(&["create", "carl.2", text(&clip), "--model", text(model())]);
    assert!(line.starts_with("carl.2 "), "{line}");
    assert_eq!(shelf.done(&["list"]), line);
    assert!(shelf.done(&["show", "carl.2"]).contains("clip "));
    assert_eq!(shelf.spoken("carl.2"), shelf.spoken(text(&clip)));

    let file = shelf.path("carl.voice");
    shelf.done(&["export", "carl.2", text(&file)]);
    shelf.done(&["import", text(&file), "--name", "dora"]);
    assert_eq!(shelf.spoken("dora"), shelf.spoken(text(&clip)));
    shelf.done(&["remove", "carl.2"]);
    assert!(shelf.done(&["list"]).starts_with("dora "));
    let unknown = shelf.say(model(), "emil");
    let stderr = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("emil") && stderr.contains("dora"), "{stderr}");
}

/// Each part of a dialogue is spoken as by its speaker alone, however often they take turns.
#[test]
fn speakers_take_turns_inside_a_text() {
    let shelf = Shelf::new();
    let (one, other) = (voice(), golden("e2e/emo.wav"));
    shelf.done(&["create", "anna", text(&one), "--model", text(model())]);
    shelf.done(&["create", "bert", text(&other), "--model", text(model())]);
    let (voices, path) = (shelf.path("voices"), shelf.path("out.wav"));
    let say = |words: &str, voice: &str| -> Vec<i16> {
        let base = ["-q", "say", words, "--voice", voice, "--model", text(model()), "--voices", text(&voices)];
        let quick = ["--max-codes", "12", "--steps", "2", "--no-trim", "--retries", "0", "-o", text(&path)];
        let output = indextts(&[&base[..], &quick].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        hound::WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect()
    };
    let dialogue = say("HELLO [voice:bert] WORLD [voice] HELLO", "anna");
    // The same texts at the same places, all by one of them; every part has as many codes: the limit.
    let anna = say("HELLO [voice:anna] WORLD [voice] HELLO", "anna");
    let by_bert = say("[voice:bert] HELLO [voice:bert] WORLD [voice:bert] HELLO", "anna");
    assert_eq!((dialogue.len(), by_bert.len()), (anna.len(), anna.len()));
    let third = anna.len() / 3;
    // Well inside each part, away from the silence between them.
    let (first, second, last) =
        (0..third / 2, third + third / 4..2 * third - third / 4, anna.len() - third / 2..anna.len());
    assert_eq!(dialogue[first.clone()], anna[first.clone()]);
    assert_eq!(dialogue[last.clone()], anna[last.clone()]);
    assert_ne!(dialogue[second.clone()], anna[second.clone()]);
    assert_eq!(dialogue[second.clone()], by_bert[second]);
    assert_ne!(dialogue[first.clone()], by_bert[first]);
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let shelf = Shelf::new();
    let clip = voice();
    let create = |name: &'static str| vec!["create", name, text(&clip), "--model", text(model())];
    shelf.refused(&create("../x"), 1, "name of a voice");
    shelf.refused(&create("a/b"), 1, "name of a voice");
    shelf.refused(&create(""), 1, "name of a voice");
    shelf.refused(&["create", "x", "/nowhere.wav", "--model", text(model())], 2, "nowhere.wav");
    shelf.refused(&["show", "x"], 2, "x.safetensors");
    shelf.refused(&["remove", "x"], 2, "x.safetensors");
    shelf.refused(&["import", text(&clip)], 2, "not a voice file");
    assert!(!shelf.path("voices").exists());
    shelf.done(&create("carl"));
    shelf.refused(&create("carl"), 1, "already");
    shelf.done(&[&create("carl")[..], &["--force"]].concat());
}

/// Half precision: the same networks, but other numbers.
fn other_model(shelf: &Shelf) -> PathBuf {
    let (official, other) = (shelf.path("official"), shelf.path("other"));
    std::fs::create_dir(&official).unwrap();
    official_directory(&official);
    import(&official, &other, indextts_import::Precision::F16).unwrap();
    other
}

#[test]
fn another_model_listens_to_the_clip_again() {
    let shelf = Shelf::new();
    let clip = voice();
    shelf.done(&["create", "carl", text(&clip), "--model", text(model())]);
    let other = other_model(&shelf);
    let spoken = |voice: &str| {
        let output = shelf.say(&other, voice);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(shelf.path("out.wav")).unwrap()
    };
    assert_eq!(spoken("carl"), spoken(text(&clip)));
    assert_ne!(spoken("carl"), shelf.spoken("carl"));
}

#[test]
fn a_refreshed_voice_belongs_to_the_other_model() {
    let shelf = Shelf::new();
    let made = shelf.done(&["create", "carl", text(&voice()), "--model", text(model())]);
    assert_eq!(shelf.done(&["refresh", "carl", "--model", text(model())]), made, "it was of this model already");
    let other = other_model(&shelf);
    // It says that it has to listen again, until it is refreshed.
    let warned = |quiet: &[&str]| {
        let (voices, output) = (shelf.path("voices"), shelf.path("out.wav"));
        let base = ["say", "HI.", "--max-codes", "12", "--steps", "2", "--model", text(&other), "--voice", "carl"];
        let output = indextts(&[quiet, &base[..], &["--voices", text(&voices), "-o", text(&output)]].concat());
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).contains("voice refresh")
    };
    assert!(warned(&[]) && !warned(&["-q"]));
    let heard = shelf.say(&other, "carl");
    assert!(heard.status.success());
    let spoken = std::fs::read(shelf.path("out.wav")).unwrap();
    assert_ne!(shelf.done(&["refresh", "carl", "--model", text(&other)]), made);
    assert!(!warned(&[]));
    shelf.say(&other, "carl");
    assert_eq!(std::fs::read(shelf.path("out.wav")).unwrap(), spoken);
    without_clip(&shelf.path("voices/carl.safetensors"));
    shelf.refused(&["refresh", "carl", "--model", text(model())], 1, "no clip");
}

/// Nothing is written where nothing can be, and what can be read is spoken.
#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_told_and_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let shelf = Shelf::new();
    let clip = voice();
    // A file where the directory should be stops root too, whom permissions do not.
    std::fs::write(shelf.path("voices"), "not a directory").unwrap();
    shelf.refused(&["create", "carl", text(&clip), "--model", text(model())], 2, "voices");
    assert_eq!(std::fs::read(shelf.path("voices")).unwrap(), b"not a directory");
    std::fs::remove_file(shelf.path("voices")).unwrap();

    shelf.done(&["create", "carl", text(&clip), "--model", text(model())]);
    let file = shelf.path("voices/carl.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let directory = shelf.path("voices");
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o555)).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o444)).unwrap();
    assert_eq!(shelf.spoken("carl"), shelf.spoken(text(&clip)));
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
}

/// `/proc` takes no new files, whoever asks.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_directory_is_told() {
    let clip = voice();
    let create = ["-q", "voice", "create", "carl", text(&clip), "--model", text(model()), "--voices", "/proc"];
    let output = indextts(&create);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("/proc/carl.safetensors") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_voice_of_another_model_without_a_clip_is_refused() {
    let shelf = Shelf::new();
    shelf.done(&["create", "carl", text(&voice()), "--model", text(model())]);
    let own = shelf.spoken("carl");
    without_clip(&shelf.path("voices/carl.safetensors"));
    assert_eq!(shelf.spoken("carl"), own, "its own model needs no clip");
    shelf.refused(&["show", "carl", "--wav", text(&shelf.path("carl.wav"))], 1, "no clip");
    let output = shelf.say(&other_model(&shelf), "carl");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("another model") && stderr.contains("voice create"), "{stderr}");
}

#[test]
fn the_clip_can_be_heard_and_seen() {
    let shelf = Shelf::new();
    let clip = voice();
    shelf.done(&["create", "carl", text(&clip), "--model", text(model())]);
    let (wav, picture) = (shelf.path("carl.wav"), shelf.path("carl.png"));
    let facts = shelf.done(&["show", "carl", "--wav", text(&wav), "--picture", text(&picture)]);
    assert!(facts.contains("dB above the noise"), "{facts}");
    let samples = |path: &Path| {
        hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).collect::<Vec<_>>()
    };
    // The golden clip is mono of 16 bits and shorter than any limit: nothing may be lost of it but its last bit.
    let (kept, given) = (samples(&wav), samples(&clip));
    assert_eq!(kept.len(), given.len());
    assert!(kept.iter().zip(&given).all(|(a, b)| a.abs_diff(*b) <= 1));
    assert_eq!(std::fs::read(&picture).unwrap()[..8], *b"\x89PNG\r\n\x1a\n");
    shelf.refused(&["show", "carl", "--picture", "/nowhere/carl.png"], 2, "carl.png");
}

/// Header and values of a safetensors file; the order of the header's keys is by chance.
fn parts(file: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, values) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).unwrap(), values.to_vec())
}

/// Killed at any moment, the next run finds a whole voice or none, and makes one.
#[test]
fn a_killed_creation_leaves_no_half_voice() {
    let shelf = Shelf::new();
    let (clip, voices) = (voice(), shelf.path("voices"));
    let arguments =
        ["-q", "voice", "create", "carl", text(&clip), "--model", text(model()), "--force", "--voices", text(&voices)];
    let start = Instant::now();
    shelf.done(&["create", "carl", text(&clip), "--model", text(model())]);
    let (whole, time) = (parts(&std::fs::read(shelf.path("voices/carl.safetensors")).unwrap()), start.elapsed());
    for part in 0..12u32 {
        if part % 3 == 0 {
            let _ = std::fs::remove_file(shelf.path("voices/carl.safetensors"));
        }
        let mut child = program(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time * part / 10);
        let _ = child.kill();
        child.wait().unwrap();
        if let Ok(found) = std::fs::read(shelf.path("voices/carl.safetensors")) {
            assert_eq!(parts(&found), whole, "killed after {part} tenths");
        }
        assert!(shelf.done(&["list"]).lines().count() <= 1);
    }
    shelf.done(&["create", "carl", text(&clip), "--model", text(model()), "--force"]);
    assert_eq!(shelf.spoken("carl"), shelf.spoken(text(&clip)));
}

/// Without --force one of several gets the name; with it the last does; none sees half of another's file.
#[test]
fn voices_may_be_made_at_the_same_time() {
    let shelf = Shelf::new();
    let (clip, voices) = (voice(), shelf.path("voices"));
    for (force, winners) in [(false, 1), (true, 4)] {
        let _ = std::fs::remove_file(shelf.path("voices/carl.safetensors"));
        let mut arguments =
            vec!["-q", "voice", "create", "carl", text(&clip), "--model", text(model()), "--voices", text(&voices)];
        arguments.extend(force.then_some("--force"));
        let children: Vec<_> =
            (0..4).map(|_| program(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()).collect();
        let ended = children.into_iter().map(|mut child| child.wait().unwrap());
        assert_eq!(ended.filter(|status| status.success()).count(), winners, "force: {force}");
        assert_eq!(shelf.done(&["list"]).lines().count(), 1);
        assert_eq!(shelf.spoken("carl"), shelf.spoken(text(&clip)));
    }
}
