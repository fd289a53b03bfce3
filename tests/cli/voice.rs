//! `indextts voice` as typed.
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::say::{indextts, model, text, voice};
use crate::support::{import, official_directory};

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

#[test]
fn a_voice_of_another_model_is_refused() {
    let shelf = Shelf::new();
    let clip = voice();
    shelf.done(&["create", "carl", text(&clip), "--model", text(model())]);
    let (official, other) = (shelf.path("official"), shelf.path("other"));
    std::fs::create_dir(&official).unwrap();
    official_directory(&official);
    // Half precision: the same networks, but other numbers.
    import(&official, &other, indextts_import::Precision::F16).unwrap();
    let output = shelf.say(&other, "carl");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("another model") && stderr.contains("voice create"), "{stderr}");
}
