//! `indextts models import` and `indextts say` as typed.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::support::{golden, official_directory};

pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indextts"));
    command.args(arguments).env_remove("INDEXTTS_MODEL").env_remove("INDEXTTS_DEVICE");
    command
}

pub fn indextts(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A model imported once by the command itself.
pub fn model() -> &'static Path {
    static MODEL: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    &MODEL
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let (official, model) = (directory.path().join("official"), directory.path().join("model"));
            std::fs::create_dir(&official).unwrap();
            official_directory(&official);
            let output = indextts(&["-q", "models", "import", text(&official), text(&model)]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            (directory, model)
        })
        .1
}

pub fn voice() -> PathBuf {
    golden("e2e/prompt24k.wav")
}

fn say(arguments: &[&str], output: &Path) -> Output {
    let voice = voice();
    let mut all = vec!["-q", "say", "--model", text(model()), "--voice", text(&voice), "-o", text(output)];
    all.extend(["--max-codes", "12", "--steps", "3"]);
    all.extend(arguments);
    indextts(&all)
}

fn spoken(arguments: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/out.wav");
    let output = say(arguments, &path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), text(&path));
    let reader = hound::WavReader::open(&path).unwrap();
    assert_eq!(reader.spec().sample_rate, 22050);
    assert_eq!(reader.spec().channels, 1);
    assert!(reader.duration() > 1000);
    std::fs::read(&path).unwrap()
}

/// Exit code and message of a command that must fail and leave no file behind.
fn refused(arguments: &[&str], code: i32, message: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.wav");
    let output = say(arguments, &path);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.contains(message), "{arguments:?}: expected {message:?} in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{arguments:?} left a file behind");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = spoken(&["HELLO WORLD.", "--seed", "7"]);
    assert_eq!(first, spoken(&["HELLO WORLD.", "--seed", "7"]));
    assert_ne!(first, spoken(&["HELLO WORLD.", "--seed", "8"]));
}

#[test]
fn every_source_of_emotion_speaks_and_differs() {
    let plain = spoken(&["HELLO WORLD."]);
    let clip = golden("e2e/emo.wav");
    let audio = spoken(&["HELLO WORLD.", "--emotion-audio", text(&clip), "--emotion-weight", "0.7"]);
    let vector = spoken(&["HELLO WORLD.", "--emotion-vector", "0.3,0,0,0,0,0,0.4,0"]);
    let balanced = spoken(&["HELLO WORLD.", "--emotion-vector", "0.3,0,0,0,0,0,0.4,0", "--emotion-balanced"]);
    assert_ne!(plain, audio);
    assert_ne!(plain, vector);
    assert_ne!(vector, balanced);
}

#[test]
fn a_prompt_is_cut_only_where_the_clip_is_longer() {
    let whole = spoken(&["HELLO WORLD.", "--seed", "7"]);
    assert_eq!(whole, spoken(&["HELLO WORLD.", "--seed", "7", "--prompt-seconds", "60"]));
    let part = spoken(&["HELLO WORLD.", "--seed", "7", "--prompt-seconds", "0.5", "--no-trim"]);
    assert_ne!(whole, part);
    assert_eq!(part.len(), spoken(&["HELLO WORLD.", "--seed", "7", "--no-trim"]).len(), "of the same codes");
}

#[test]
fn text_comes_from_a_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text.txt");
    std::fs::write(&file, "HELLO WORLD.").unwrap();
    assert_eq!(spoken(&["--text-file", text(&file), "--seed", "7"]), spoken(&["HELLO WORLD.", "--seed", "7"]));
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    refused(&[" "], 1, "no text");
    refused(&["HI", "--text-file", "x"], 2, "cannot be used with");
    refused(&["HI", "--emotion-vector", "1,2"], 1, "eight numbers");
    refused(&["HI", "--emotion-vector", "0,0,0,0,0,0,0,0", "--emotion-text", "x"], 2, "cannot be used with");
    refused(&["HI", "--emotion-text", "sad"], 1, "qwen");
    refused(&["HI", "--steps", "0"], 1, "steps");
    refused(&["HI", "--prompt-seconds", "0"], 1, "prompt seconds");
    refused(&["HI", "--temperature", "-1"], 2, "");
    refused(&["HI", "--temperature", "0"], 1, "temperature");
    refused(&["HI", "--seconds", "200"], 1, "a tenth to ten times");
    refused(&["HI", "--seconds", "2", "--duration-factor", "2"], 2, "cannot be used with");
    refused(&["HI", "--device", "abacus"], 1, "abacus");
    refused(&["HI", "--emotion-audio", "/nowhere.wav"], 2, "nowhere.wav");
}

#[test]
fn a_model_brings_voices_along() {
    let directory = tempfile::tempdir().unwrap();
    let (official, model) = (directory.path().join("official"), directory.path().join("model"));
    std::fs::create_dir(&official).unwrap();
    official_directory(&official);
    std::fs::create_dir(official.join("voices")).unwrap();
    std::fs::copy(voice(), official.join("voices/anna.wav")).unwrap();
    let import = indextts(&["-q", "models", "import", text(&official), text(&model)]);
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    assert!(indextts(&["-q", "models", "verify", text(&model)]).status.success());

    let speak = |voice: &[&str]| {
        let path = directory.path().join("out.wav");
        let base = ["-q", "say", "HI", "--model", text(&model), "-o", text(&path), "--max-codes", "12", "--steps", "2"];
        let output = indextts(&[&base, voice].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(&path).unwrap()
    };
    let clip = voice();
    let by_file = speak(&["--voice", text(&clip)]);
    assert_eq!(speak(&[]), by_file);
    assert_eq!(speak(&["--voice", "anna"]), by_file);
    let unknown = indextts(&["-q", "say", "HI", "--model", text(&model), "--voice", "bert"]);
    assert_eq!(unknown.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&unknown.stderr);
    assert!(stderr.contains("bert") && stderr.contains("anna"), "{stderr}");
    // The model of the other tests brings none.
    let none = indextts(&["-q", "say", "HI", "--model", text(self::model())]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("brings no voices"));
}

#[test]
fn a_damaged_model_is_found_by_verify_and_refused_by_say() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("model");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(model()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let intact = indextts(&["-q", "models", "verify", text(&copy)]);
    assert!(intact.status.success(), "{}", String::from_utf8_lossy(&intact.stderr));

    let file = copy.join("campplus.bpk");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let flipped = indextts(&["-q", "models", "verify", text(&copy)]);
    assert_eq!(flipped.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&flipped.stderr).contains("campplus.bpk"));

    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let voice = voice();
    let output = directory.path().join("out.wav");
    let cut = indextts(&["-q", "say", "HI", "--model", text(&copy), "--voice", text(&voice), "-o", text(&output)]);
    let stderr = String::from_utf8_lossy(&cut.stderr);
    assert_eq!(cut.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("campplus.bpk") && !stderr.contains("panicked"), "{stderr}");
    assert!(!output.exists());
}

#[test]
fn inspect_and_devices_answer() {
    let inspect = indextts(&["models", "inspect", text(model())]);
    let stdout = String::from_utf8_lossy(&inspect.stdout);
    assert!(stdout.contains("IndexTTS 2.0") && stdout.contains("gpt.bpk") && stdout.contains("gpt.pth"), "{stdout}");
    let devices = indextts(&["devices"]);
    assert!(String::from_utf8_lossy(&devices.stdout).contains("cpu"));
}

/// A stream is the same speech, with a header that names no length; `--raw` is its samples.
#[test]
fn a_stream_goes_to_standard_output() {
    let voice = voice();
    let stream = |more: &[&str]| {
        let arguments = ["-q", "say", "HELLO WORLD.", "--model", text(model()), "--voice", text(&voice), "--stream"];
        let output = indextts(&[&arguments[..], &["--max-codes", "60", "--steps", "2", "--seed", "7"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let (wav, raw) = (stream(&["--first-chunk", "0.3"]), stream(&["--first-chunk", "0.3", "--raw"]));
    assert_eq!((&wav[..4], &wav[40..44], &wav[44..]), (&b"RIFF"[..], &[0xff; 4][..], &raw[..]));
    let whole = stream(&["--first-chunk", "60", "--raw"]);
    assert_eq!(raw.len(), whole.len());
    assert_ne!(raw, whole, "the speech came in one piece");
    refused(&["HELLO WORLD.", "--stream"], 1, "a stream goes to standard output");
    refused(&["HELLO WORLD.", "--raw"], 2, "--stream");
}

fn samples(wav: &[u8]) -> usize {
    hound::WavReader::new(wav).unwrap().len() as usize
}

/// Silence is added where it is asked for, and the speech is stretched; both in exact numbers of samples.
#[test]
fn markup_and_durations_are_obeyed() {
    let base = ["--seed", "7", "--no-trim", "--retries", "0", "--interval-silence", "0"];
    let say = |more: &[&str]| spoken(&[&base[..], more].concat());
    let (first, second) = (samples(&say(&["HELLO"])), samples(&say(&["HELLO [pause:700ms] HELLO [pause:0.1s]"])));
    // The second part is drawn with other numbers, but has as many codes: the limit.
    assert_eq!(second, 2 * first + 22_050 * 8 / 10);
    assert_eq!(say(&["<speak>HELLO <break time='700ms'/> HELLO <break time='100ms'/></speak>"]).len(), 44 + 2 * second);

    let slow = samples(&say(&["HELLO", "--duration-factor", "2"]));
    assert!(slow.abs_diff(2 * first) <= 256, "{slow} of {first} samples");
    let marked = samples(&say(&["[rate:0.5] HELLO"]));
    assert_eq!(marked, slow);
    let long = samples(&say(&["HELLO", "--seconds", "0.5"]));
    assert!(long.abs_diff(22_050 / 2) <= 256, "{long} samples");

    assert_ne!(say(&["[emotion:angry] HELLO"]), say(&["HELLO"]));
    assert_eq!(say(&["[emotion:angry] HELLO"]), say(&["HELLO", "--emotion-vector", "0,1,0,0,0,0,0,0"]));
    refused(&["HELLO [voice:nobody] HELLO"], 1, "nobody");
    refused(&["HELLO [pause:x]"], 1, "500ms");
    assert_ne!(say(&["HELLO [pause:700ms]", "--plain-text"]).len(), say(&["HELLO [pause:700ms]"]).len());
}

/// The tiny model babbles, often to the limit of its codes (3 s), which no speech of two letters can take (2.6 s): such a segment
/// is made anew, and a stream, which cannot be, is cut off.
#[test]
fn an_implausible_segment_is_made_anew_or_cut_off() {
    let (voice, directory) = (voice(), tempfile::tempdir().unwrap());
    let file = directory.path().join("out.wav");
    let say = |seed: u64, more: &[&str]| {
        let (voice, seed) = (text(&voice), seed.to_string());
        let base =
            ["-v", "say", "HI", "--model", text(model()), "--voice", voice, "--max-codes", "152", "--steps", "1"];
        let said = indextts(&[&base[..], &["--no-trim", "--beams", "1", "--seed", &seed], more].concat());
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.success(), "{stderr}");
        (said.stdout, stderr)
    };
    let whole = |seed: u64, retries: &str| {
        let (_, stderr) = say(seed, &["--retries", retries, "-o", text(&file)]);
        (std::fs::read(&file).unwrap(), stderr.matches("once more").count(), stderr)
    };
    let found = (0..20).find_map(|seed| {
        let (speech, again, stderr) = whole(seed, "0");
        assert_eq!(again, 0);
        stderr.contains("reached the limit of 152 codes").then_some((seed, speech, stderr))
    });
    let (seed, first, stderr) = found.expect("a seed with which the model does not end");
    assert!(stderr.contains("segment 1 of 1 is too long for its text: try"), "{stderr}");
    let (second, again, stderr) = whole(seed, "2");
    assert!((1..=2).contains(&again), "{stderr}");
    assert!(samples(&second) < samples(&first));
    assert_ne!(second[44..4096], first[44..4096], "made anew with the same random numbers");

    let stream = ["--stream", "--raw", "--first-chunk", "0.5"];
    let (cut, stderr) = say(seed, &stream);
    assert!(stderr.contains("is too long for its text and was cut off"), "{stderr}");
    let seconds = cut.len() as f64 / 2.0 / 22_050.0;
    assert!((seconds - 2.6).abs() < 0.05, "{seconds} s");
    let (all, _) = say(seed, &[&stream[..], &["--retries", "0"]].concat());
    assert_eq!(all.len(), first.len() - 44);
}

#[test]
fn ends_are_clean() {
    let ends = |more: &[&str]| {
        let wav = spoken(&[&["HELLO WORLD.", "--seed", "7"], more].concat());
        let reader = hound::WavReader::new(wav.as_slice()).unwrap();
        let samples: Vec<i16> = reader.into_samples::<i16>().map(Result::unwrap).collect();
        let level = |part: &[i16]| (part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64).sqrt();
        (samples.len(), level(&samples[samples.len() - 44..]), level(&samples))
    };
    let (_, end, all) = ends(&["--no-trim", "--tail-fade", "0"]);
    assert!(end > all / 4.0, "the model ends in silence by itself: {end} of {all}");
    let (_, end, all) = ends(&[]);
    assert!(end < all / 20.0, "{end} of {all}");
}

#[test]
fn loudness_and_subtitles_are_as_asked() {
    let quiet = spoken(&["HELLO WORLD.", "--max-codes", "60", "--loudness", "-30"]);
    let samples: Vec<f32> = hound::WavReader::new(quiet.as_slice())
        .unwrap()
        .into_samples::<i16>()
        .map(|s| f32::from(s.unwrap()) / 32_768.0)
        .collect();
    let loudness = indextts::audio::loudness::integrated(&samples, 22_050).unwrap();
    assert!((loudness + 30.0).abs() < 0.2, "{loudness} LUFS");

    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out.wav");
    let said = say(&["HELLO [pause:1s] WORLD", "--subtitles", "json", "--no-trim"], &output);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let cues: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(cues.as_array().unwrap().len(), 2);
    let time = |cue: usize, end: &str| cues[cue][end].as_f64().unwrap();
    assert!((time(1, "start") - time(0, "end") - 1.0).abs() < 0.01, "{cues}");
    let length = f64::from(hound::WavReader::open(&output).unwrap().duration()) / 22_050.0;
    assert!((time(1, "end") - length).abs() < 0.01, "{cues}");
    assert_eq!(cues[0]["text"], "HELLO");
}

/// Other formats hold the samples of the wav; what this build lacks is refused before anything is loaded.
#[test]
fn the_name_of_the_file_chooses_its_format() {
    let directory = tempfile::tempdir().unwrap();
    let named = |name: &str| {
        let path = directory.path().join(name);
        (say(&["HELLO [pause:500ms] WORLD."], &path), path)
    };
    let decoded = |path: &Path| indextts::audio::decode::load_reference(path, 60).unwrap();
    let (_, wav) = named("a.wav");
    for (name, magic, feature) in [
        ("a.flac", &b"fLaC"[..], None),
        ("a.opus", b"OggS", Some(cfg!(feature = "opus"))),
        ("a.mp3", b"", Some(cfg!(feature = "mp3"))),
    ] {
        let (output, path) = named(name);
        let stderr = String::from_utf8_lossy(&output.stderr);
        if feature == Some(false) {
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(stderr.contains("--features") && !path.exists(), "{stderr}");
            continue;
        }
        assert!(output.status.success(), "{stderr}");
        assert!(std::fs::read(&path).unwrap().starts_with(magic), "{name}");
        if feature.is_none() {
            assert_eq!(decoded(&path).samples(), decoded(&wav).samples(), "{name}");
        }
    }
}

/// A full disk is told, and nothing is left behind; `/dev/full` is one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    for arguments in [&["HELLO"][..], &["HELLO", "--stream"]] {
        let output = say(arguments, Path::new("/dev/full"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("/dev/full") && stderr.contains("No space left"), "{stderr}");
    }
    assert!(!std::fs::metadata("/dev/full").unwrap().is_file());
}

/// Weights in few bits change the result a little: other bytes, of a length that 12 codes can have.
#[test]
fn every_precision_speaks() {
    let plain = spoken(&["HELLO WORLD.", "--greedy"]);
    for arguments in [&["--profile", "fast"][..], &["--weights", "f16"], &["--weights", "bf16", "--quantize", "q4"]] {
        let other = spoken(&[&["HELLO WORLD.", "--greedy"], arguments].concat());
        assert_ne!(plain, other, "{arguments:?}");
    }
    refused(&["HELLO WORLD.", "--weights", "int3"], 2, "possible values: f32, f16, bf16");
}

#[test]
fn bench_measures_every_stage() {
    let voice = voice();
    let arguments = ["-q", "bench", "--model", text(model()), "--voice", text(&voice), "--runs", "2"];
    let output = indextts(&[&arguments[..], &["--text", "HELLO WORLD.", "--max-codes", "12", "--steps", "2"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout);
    for row in ["load", "features", "w2v-bert", "style", "prefill", "gpt", "content", "mel", "wave", "total"] {
        assert!(table.contains(&format!("| {row} |")), "no row {row} in:\n{table}");
    }
    assert!(table.contains("12 semantic codes") && table.contains("GFLOP/s"), "{table}");
}
