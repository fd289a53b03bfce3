//! The model that is built in: the first command a newcomer types speaks, and what it speaks are the words asked for.
use std::path::{Path, PathBuf};

use indextts::models::w2v_bert::{FeatureStats, W2vBert};
use indextts::weights::load_file;
use indextts::{
    Device, ModelConfig, ModelFiles, REFERENCE_SECONDS, ReferenceFeatures, Synthesizer, audio, device_by_name,
};

use burn::prelude::*;

use crate::say::{program, text};

/// The voices that come along, and what is said in their clips.
const CLIPS: [(&str, &str); 3] = [
    ("bella", "Doctor Brown ordered an expensive watch, because her mother waited for a cup of tea."),
    ("george", "The Azores are strategically located on transatlantic air and shipping routes."),
    ("michael", "Anna showed me a strange letter, because your friend looked for a large pizza."),
];

/// Two voices that say the same are nearer to each other than this.
const SAME: f32 = 0.5;

fn nano() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano")
}

/// What the semantic encoder hears, which follows the phones of speech more than its voice.
struct Ear {
    config: ModelConfig,
    encoder: W2vBert,
    stats: FeatureStats,
    device: Device,
}

impl Ear {
    fn new() -> Self {
        let device = device_by_name("cpu").unwrap();
        let files = ModelFiles::nano();
        let config = ModelConfig::read(&files).unwrap();
        Self {
            encoder: load_file(config.w2v_bert.init(&device), &files, "w2v_bert.bpk").unwrap(),
            stats: load_file(config.feature_stats().init(&device), &files, "w2v_stats.bpk").unwrap(),
            config,
            device,
        }
    }

    /// Frames of unit length.
    fn hear(&self, path: &Path) -> Vec<Vec<f32>> {
        let clip = audio::decode::load_reference(path, REFERENCE_SECONDS).unwrap();
        let heard = ReferenceFeatures::new(&clip, &self.config.mel, self.config.feature_padding as f32).speaker;
        let width = heard.data.len() / heard.frames;
        let data = Tensor::<3>::from_data(TensorData::new(heard.data, [1, heard.frames, width]), &self.device);
        let mask = Tensor::<2, Bool>::from_data(TensorData::new(heard.mask, [1, heard.frames]), &self.device);
        let content = self.stats.normalize(self.encoder.forward(data, Some(mask)));
        let [_, _, width] = content.dims();
        let values = content.into_data().try_to_vec::<f32>().unwrap();
        values
            .chunks(width)
            .map(|frame| frame.iter().map(|x| x / frame.iter().map(|x| x * x).sum::<f32>().sqrt()).collect())
            .collect()
    }
}

/// Mean cosine distance of two utterances along the best path through both (dynamic time warping).
fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    let apart = |x: &[f32], y: &[f32]| 1.0 - x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let mut row = vec![f32::INFINITY; b.len() + 1];
    row[0] = 0.0;
    for x in a {
        let mut next = vec![f32::INFINITY; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            // A step through both costs twice one through either, so that every path weighs the same.
            let d = apart(x, y);
            next[j + 1] = (row[j] + 2.0 * d).min(row[j + 1] + d).min(next[j] + d);
        }
        row = next;
    }
    row[b.len()] / (a.len() + b.len()) as f32
}

#[test]
fn the_first_command_speaks() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("hello.wav");
    let output = program(&["say", "Hello world", "-o", text(&out)]).current_dir(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let samples: Vec<f32> =
        hound::WavReader::open(&out).unwrap().samples::<i16>().map(|s| f32::from(s.unwrap()) / 32768.0).collect();
    let seconds = samples.len() as f64 / 22050.0;
    assert!((0.5..3.0).contains(&seconds), "two words take {seconds} s");
    let level = (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
    assert!((0.01..0.5).contains(&level), "level {level}");
}

/// With another voice each time, what is said is nearer to the recording of that sentence than to the other recordings.
#[test]
fn the_words_are_those_asked_for() {
    let (ear, directory) = (Ear::new(), tempfile::tempdir().unwrap());
    let clips = CLIPS.map(|(name, _)| ear.hear(&nano().join(format!("voices/{name}.flac"))));
    for (i, (_, sentence)) in CLIPS.iter().enumerate() {
        let (voice, out) = (CLIPS[(i + 1) % 3].0, directory.path().join(format!("{i}.wav")));
        let output = program(&["-q", "say", sentence, "--voice", voice, "-o", text(&out)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let heard = ear.hear(&out);
        let distances = clips.each_ref().map(|clip| distance(&heard, clip));
        assert!(distances[i] < SAME, "{voice}: {sentence:?} is not what is heard: {distances:?}");
        for (j, other) in distances.iter().enumerate().filter(|(j, _)| *j != i) {
            assert!(distances[i] < 0.9 * other, "{:?} sounds like {:?}: {distances:?}", CLIPS[i].1, CLIPS[j].1);
        }
    }
}

/// A frightened voice hurries and a melancholic one takes its time: 1.25 and 0.78 of the plain speed in the manners that the
/// model was taught (`MANNERS` in `train/export.py`).
#[test]
fn emotions_change_the_pace() {
    let directory = tempfile::tempdir().unwrap();
    let seconds = |name: &str, vector: &str| {
        let out = directory.path().join(name);
        let sentence = "My sister lives in a small house near the river.";
        let output = program(&["-q", "say", sentence, "--emotion-vector", vector, "-o", text(&out)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        hound::WavReader::open(&out).unwrap().duration() as f64 / 22050.0
    };
    let (afraid, melancholic) =
        (seconds("afraid.wav", "0,0,0,1,0,0,0,0"), seconds("melancholic.wav", "0,0,0,0,0,1,0,0"));
    assert!(melancholic > 1.25 * afraid, "{melancholic} s against {afraid} s");
}

/// The best path through two utterances: for each frame of `a` a frame of `b`.
fn warped(a: &[Vec<f32>], b: &[Vec<f32>]) -> Vec<usize> {
    let apart = |x: &[f32], y: &[f32]| 1.0 - x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let mut total = vec![vec![f32::INFINITY; b.len() + 1]; a.len() + 1];
    total[0][0] = 0.0;
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            let d = apart(x, y);
            total[i + 1][j + 1] = (total[i][j] + 2.0 * d).min(total[i][j + 1] + d).min(total[i + 1][j] + d);
        }
    }
    let (mut i, mut j, mut path) = (a.len(), b.len(), vec![0; a.len()]);
    while i > 0 && j > 0 {
        path[i - 1] = j - 1;
        let (both, one, other) = (total[i - 1][j - 1], total[i - 1][j], total[i][j - 1]);
        if both <= one && both <= other {
            (i, j) = (i - 1, j - 1);
        } else if one <= other {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    path
}

/// Two voices say the same sentence at other speeds; where the sound of one fits that of the other, so do the times of the words.
#[test]
fn words_are_spoken_when_the_subtitles_say() {
    let (ear, directory) = (Ear::new(), tempfile::tempdir().unwrap());
    let sentence = "Anna showed me a strange letter, because your friend looked for a large pizza.";
    let spoken = [("bella", "1.0"), ("michael", "1.25")].map(|(voice, slower)| {
        let out = directory.path().join(format!("{voice}.wav"));
        let say = [
            "-q",
            "say",
            sentence,
            "--voice",
            voice,
            "--duration-factor",
            slower,
            "--subtitles",
            "json",
            "-o",
            text(&out),
        ];
        let output = program(&say).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let cues: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.with_extension("json")).unwrap()).unwrap();
        let words = cues.as_array().unwrap().iter().flat_map(|cue| cue["words"].as_array().unwrap().clone());
        let words: Vec<(String, f64, f64)> = words
            .map(|word| {
                (word["text"].as_str().unwrap().into(), word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap())
            })
            .collect();
        (words, ear.hear(&out))
    });
    let [(first, heard), (second, other)] = &spoken;
    let said: Vec<&str> = first.iter().map(|word| word.0.as_str()).collect();
    assert_eq!(said, sentence.split(' ').collect::<Vec<_>>());
    assert!(first.windows(2).all(|pair| pair[0].1 <= pair[0].2 && pair[0].2 <= pair[1].1), "{first:?}");
    let path = warped(heard, other);
    // Frames of 20 ms.
    let there = |seconds: f64| path[((seconds / 0.02) as usize).min(path.len() - 1)] as f64 * 0.02;
    let mut off: Vec<f64> = first.iter().zip(second).map(|(a, b)| (there(a.1) - b.1).abs()).collect();
    off.sort_by(f64::total_cmp);
    println!(
        "starts of words are apart by {:.3} s in the median, {:.3} s at most",
        off[off.len() / 2],
        off[off.len() - 1]
    );
    assert!(off[off.len() / 2] < 0.1, "{off:?}");
    assert!(off[off.len() * 9 / 10] < 0.3, "{off:?}");
}

/// The judge of the words test: a clip is far from itself with its words out of order.
#[test]
fn words_out_of_order_are_noticed() {
    let ear = Ear::new();
    let clips = CLIPS.map(|(name, _)| ear.hear(&nano().join(format!("voices/{name}.flac"))));
    for (i, clip) in clips.iter().enumerate() {
        let turned: Vec<_> = clip.chunks(12).rev().flatten().cloned().collect();
        let away = distance(clip, &turned);
        assert!(away > SAME, "clip {i}: {away}");
    }
}

/// Loading is strict: a tensor too many, too few or of another shape fails.
#[test]
fn the_files_fit_the_architecture_and_are_small() {
    let output = program(&["models", "verify", text(&nano())]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Synthesizer::load(ModelFiles::nano(), &device_by_name("cpu").unwrap()).unwrap();
    let files = walk(&nano());
    for file in &files {
        let name = file.strip_prefix(nano()).unwrap().to_str().unwrap();
        assert!(
            *ModelFiles::nano().read(name, 1 << 30).unwrap() == std::fs::read(file).unwrap(),
            "{name} is another in the program"
        );
    }
    let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
    assert!(bytes <= 30_000_000, "{bytes}");
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}
