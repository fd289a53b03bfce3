//! A disk that becomes full, and several processes at one place: nothing half-written is kept or used, and the next run goes
//! on.
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::pull::Pull;
use crate::say::{indextts, model, program, text, voice};
use crate::support::official_directory;

/// The command with a limit of 8 KiB on every file that it writes: a write beyond it fails as one to a full disk does. Without
/// the trap the signal that comes with it would end the process.
#[cfg(unix)]
fn with_little_room(command: &Command) -> Output {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]).arg(command.get_program());
    limited.args(command.get_args()).stdin(Stdio::null());
    command.get_envs().for_each(|(name, value)| match value {
        Some(value) => drop(limited.env(name, value)),
        None => drop(limited.env_remove(name)),
    });
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited.output().unwrap()
}

/// It failed, says at which file, and leaves nothing in `directory` but `kept`.
#[cfg(unix)]
fn fails(command: &Command, file: &str, directory: &Path, kept: &[&str]) {
    fails_with(&[file, "File too large"], command, directory, kept);
}

/// It failed, says `all`, and leaves nothing in `directory` but `kept`.
#[cfg(unix)]
fn fails_with(all: &[&str], command: &Command, directory: &Path, kept: &[&str]) {
    let output = with_little_room(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(all.iter().all(|said| stderr.contains(said)) && !stderr.contains("panicked"), "{stderr}");
    let names = |directory: &Path| match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
        Err(_) => Vec::new(),
    };
    let mut left = names(directory);
    left.sort();
    assert_eq!(left, kept, "left behind in {}", directory.display());
}

#[cfg(unix)]
#[test]
fn a_disk_that_becomes_full_leaves_no_half_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (clip, model) = (voice(), text(model()));
    std::fs::create_dir(path("said")).unwrap();
    let out = path("said/out.wav");
    let quick = ["--max-codes", "12", "--steps", "2", "--model", model, "--voice", text(&clip)];
    let say = [&["-q", "say", "HELLO", "-o", text(&out), "--no-trim"][..], &quick].concat();
    fails(&program(&say), "out.wav", &path("said"), &[]);

    let voices = path("voices");
    let create = ["-q", "voice", "create", "carl", text(&clip), "--model", model, "--voices", text(&voices)];
    fails(&program(&create), "carl.safetensors", &voices, &[]);
    assert!(indextts(&create).status.success());

    std::fs::create_dir_all(path("models/from")).unwrap();
    official_directory(&path("models/from"));
    let (from, to) = (path("models/from"), path("models/to"));
    let import = ["-q", "models", "import", text(&from), text(&to)];
    fails(&program(&import), "", &path("models"), &["from"]);
    assert!(indextts(&import).status.success());
    assert!(indextts(&["-q", "models", "verify", text(&to)]).status.success());
}

/// Every row fails by itself, and all are spoken when there is room again.
#[cfg(unix)]
#[test]
fn a_batch_on_a_full_disk_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let (rows, out) = (directory.path().join("rows.jsonl"), directory.path().join("out"));
    std::fs::write(&rows, ["ONE.", "TWO."].map(|said| json!({ "text": said }).to_string()).join("\n")).unwrap();
    let clip = voice();
    let batch = ["-q", "batch", text(&rows), "--out", text(&out), "--voice", text(&clip), "--model", text(model())];
    let batch = [&batch[..], &["--max-codes", "12", "--steps", "2", "--no-trim"]].concat();
    fails_with(&["2 of 2 rows failed"], &program(&batch), &out, &["rows.journal.jsonl", "rows.report.jsonl"]);
    let report = std::fs::read_to_string(out.join("rows.report.jsonl")).unwrap();
    assert_eq!(report.matches("File too large").count(), 2, "{report}");
    let output = indextts(&batch);
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 spoken, 0 kept, 0 failed"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn a_pull_on_a_full_disk_goes_on_when_there_is_room() {
    let pull = Pull::new();
    let output = with_little_room(&pull.command(&["--accept-license", "--parallel", "1"]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(".part") && stderr.contains("File too large"), "{stderr}");
    assert!(!pull.path("m/tiny").exists());
    pull.hub.forget();
    pull.succeeds(&[]);
    let resumed = pull.hub.downloads().iter().filter(|request| request.headers.contains_key("range")).count();
    assert_eq!(resumed, 1, "what was there of the file that failed was fetched again");
}

/// Without --force one of several imports makes the model and the others say that it exists; with it each makes a whole one.
#[test]
fn imports_to_one_place_make_one_whole_model() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to): (PathBuf, PathBuf) = (directory.path().join("from"), directory.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    official_directory(&from);
    for force in [false, true] {
        let mut arguments = vec!["-q", "models", "import", text(&from), text(&to)];
        arguments.extend(force.then_some("--force"));
        let begin = || program(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let children: Vec<_> = (0..4).map(|_| begin()).collect();
        let ended: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let winners = ended.iter().filter(|output| output.status.success()).count();
        assert!(if force { winners >= 1 } else { winners == 1 }, "{ended:?}");
        for output in ended {
            assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
        }
        assert!(indextts(&["-q", "models", "verify", text(&to)]).status.success());
        let names = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names, 2, "something was left beside the model");
    }
}
