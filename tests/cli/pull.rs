//! `indextts models pull` as typed: from a hub on this machine to a model that speaks.
#[path = "../../import/tests/pull/hub.rs"]
mod hub;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::say::{indextts, text, voice};
use crate::support::official_directory;
use hub::{Fault, Hub};

/// Repositories as the official ones, with the tiny checkpoints of the goldens in them.
pub struct Pull {
    pub hub: Hub,
    directory: tempfile::TempDir,
}

const FILES: [(&str, &[(&str, &str)]); 5] = [
    (
        "IndexTeam/IndexTTS-2",
        &[
            ("config.yaml", "config.yaml"),
            ("bpe.model", "bpe.model"),
            ("gpt.pth", "gpt.pth"),
            ("s2mel.pth", "s2mel.pth"),
            ("wav2vec2bert_stats.pt", "wav2vec2bert_stats.pt"),
            ("feat1.pt", "feat1.pt"),
            ("feat2.pt", "feat2.pt"),
        ],
    ),
    ("amphion/MaskGCT", &[("semantic_codec/model.safetensors", "hf_cache/semantic_codec_model.safetensors")]),
    ("funasr/campplus", &[("campplus_cn_common.bin", "hf_cache/campplus_cn_common.bin")]),
    (
        "nvidia/bigvgan_v2_22khz_80band_256x",
        &[
            ("config.json", "hf_cache/bigvgan/config.json"),
            ("bigvgan_generator.pt", "hf_cache/bigvgan/bigvgan_generator.pt"),
        ],
    ),
    (
        "facebook/w2v-bert-2.0",
        &[
            ("config.json", "hf_cache/w2v-bert-2.0/config.json"),
            ("preprocessor_config.json", "hf_cache/w2v-bert-2.0/preprocessor_config.json"),
            ("model.safetensors", "hf_cache/w2v-bert-2.0/model.safetensors"),
        ],
    ),
];

impl Pull {
    pub fn new() -> Self {
        let (hub, directory) = (Hub::start(), tempfile::tempdir().unwrap());
        let official = directory.path().join("official");
        std::fs::create_dir(&official).unwrap();
        official_directory(&official);
        let mut registry = String::from("name = \"tiny\"\nabout = \"the goldens\"\n");
        for (repository, files) in FILES {
            registry += &format!("[[repository]]\nid = \"{repository}\"\nrevision = \"main\"\n");
            registry += "licence = { name = \"MIT\", url = \"https://hub.example\" }\nfiles = [\n";
            for (path, to) in files {
                hub.put(&format!("{repository}/{path}"), &std::fs::read(official.join(to)).unwrap());
                registry += &format!("  {{ path = \"{path}\", to = \"{to}\" }},\n");
            }
            registry += "]\n";
        }
        std::fs::write(directory.path().join("tiny.toml"), registry).unwrap();
        Self { hub, directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indextts"));
        command
            .args(["-q", "models", "pull", "tiny.toml", "m/tiny"])
            .args(more)
            .current_dir(self.directory.path())
            .env("HF_ENDPOINT", &self.hub.address)
            .env_remove("HF_TOKEN")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        let output = self.command(more).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
        output
    }

    pub fn succeeds(&self, more: &[&str]) {
        let output = self.run(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), text(&Path::new("m").join("tiny")));
        let verified = indextts(&["-q", "models", "verify", text(&self.path("m/tiny"))]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

#[test]
fn a_model_is_fetched_imported_and_speaks() {
    let pull = Pull::new();
    let refused = pull.run(&[]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--accept-license") && stderr.contains("amphion/MaskGCT: MIT"), "{stderr}");
    assert!(pull.hub.requests().is_empty() && !pull.path("m").exists());

    pull.succeeds(&["--accept-license"]);
    assert!(!pull.path("m/tiny.originals").exists() && pull.path("m/tiny.pull.json").exists());
    let (voice, out) = (voice(), pull.path("out.wav"));
    let model = pull.path("m/tiny");
    let say = ["-q", "say", "HI", "--model", text(&model), "--voice", text(&voice), "-o", text(&out)];
    let spoken = indextts(&[&say[..], &["--max-codes", "12", "--steps", "2"]].concat());
    assert!(spoken.status.success(), "{}", String::from_utf8_lossy(&spoken.stderr));

    // Again: nothing to do.
    pull.hub.forget();
    pull.succeeds(&[]);
    assert!(pull.hub.requests().is_empty());
    // Stored otherwise, originals kept; then again without the network.
    assert_eq!(pull.run(&["--dtype", "f16"]).status.code(), Some(2));
    pull.succeeds(&["--dtype", "f16", "--force", "--keep-originals"]);
    pull.hub.forget();
    pull.succeeds(&["--force", "--offline", "--keep-originals", "--quantize", "q8"]);
    let model_size = |file: &str| std::fs::metadata(pull.path("m/tiny").join(file)).unwrap().len();
    let inspected = indextts(&["models", "inspect", text(&pull.path("m/tiny"))]);
    assert!(String::from_utf8_lossy(&inspected.stdout).contains("q8"), "{inspected:?}");
    let small = model_size("gpt.bpk");
    pull.succeeds(&["--force", "--offline"]);
    assert!(small < model_size("gpt.bpk"), "8 bits take {small} bytes");
    assert!(pull.hub.requests().is_empty() && !pull.path("m/tiny.originals").exists());
    let stderr = pull.run(&["--force", "--offline"]).stderr;
    assert!(String::from_utf8_lossy(&stderr).contains("gpt.pth"));
    pull.succeeds(&[]);
}

#[test]
fn a_pull_that_was_killed_is_continued() {
    let pull = Pull::new();
    let gpt = "IndexTeam/IndexTTS-2/gpt.pth";
    pull.hub.faults(gpt, [Fault::Stall(100_000)]);
    let mut child = pull
        .command(&["--accept-license", "--parallel", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = pull.path("m/tiny.originals/gpt.pth.part");
    let begun = Instant::now();
    while part.metadata().map_or(0, |m| m.len()) < 100_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the file did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!pull.path("m/tiny").exists());
    pull.hub.forget();
    // The licences were accepted.
    pull.succeeds(&[]);
    let requests = pull.hub.downloads();
    let range = requests.iter().find(|r| r.path.ends_with("gpt.pth")).and_then(|r| r.headers.get("range").cloned());
    assert_eq!(range.as_deref(), Some("bytes=100000-"));
}

#[test]
fn failures_have_the_documented_exit_codes() {
    let pull = Pull::new();
    assert_eq!(indextts(&["models", "pull", "nothing-like-this"]).status.code(), Some(1));
    pull.hub.always("funasr/campplus/campplus_cn_common.bin", Some(Fault::Status(403, "")));
    let denied = pull.run(&["--accept-license"]);
    let stderr = String::from_utf8_lossy(&denied.stderr);
    assert_eq!(denied.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("funasr/campplus may be gated") && !pull.path("m/tiny").exists(), "{stderr}");
}
