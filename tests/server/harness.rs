//! One model for all tests, one server for each.
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use indextts::audio::wav;
use indextts::server::{ServeOptions, serve};
use indextts::{Emotion, Options, Request, Synthesizer, VoiceStore};
use indextts_import::Precision;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{golden, import, official_directory};

/// Speech of several segments: enough that a test can do something while it is made.
pub const LONG: &str = "HELLO WORLD. ";

/// A model with two voices of its own, `anna` and `bert`.
pub fn model() -> &'static Path {
    static MODEL: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    &MODEL
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let (official, model) = (directory.path().join("official"), directory.path().join("model"));
            std::fs::create_dir(&official).unwrap();
            official_directory(&official);
            std::fs::create_dir(official.join("voices")).unwrap();
            std::fs::copy(golden("e2e/prompt24k.wav"), official.join("voices/anna.wav")).unwrap();
            std::fs::copy(golden("e2e/emo.wav"), official.join("voices/bert.wav")).unwrap();
            import(&official, &model, Precision::F32).unwrap_or_else(|e| panic!("{e}"));
            (directory, model)
        })
        .1
}

pub fn synthesizer() -> Arc<Synthesizer> {
    static SYNTHESIZER: OnceLock<Arc<Synthesizer>> = OnceLock::new();
    let load = || Arc::new(Synthesizer::load(model(), &Device::flex()).unwrap_or_else(|e| panic!("{e}")));
    SYNTHESIZER.get_or_init(load).clone()
}

/// What [`body`] asks for.
pub fn options(seed: u64) -> Options {
    let mut options = synthesizer().default_options();
    options.decode.max_codes = 12;
    options.decode.beams = 1;
    options.steps = 2;
    options.max_segment_tokens = 8;
    options.seed = seed;
    options
}

/// A request for quick speech.
pub fn body(text: &str, seed: u64) -> Value {
    json!({ "input": text, "seed": seed, "max_codes": 12, "beams": 1, "steps": 2, "segment_tokens": 8 })
}

/// `body` with more fields.
pub fn with(mut body: Value, fields: Value) -> Value {
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// What the library speaks for [`body`].
pub fn samples(text: &str, voice: &str, seed: u64, emotion: Emotion) -> Vec<f32> {
    let synthesizer = synthesizer();
    let voice = synthesizer.built_in_voice(Some(voice)).unwrap();
    let request = Request { text, voice: &voice, emotion, options: options(seed) };
    synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(())).unwrap().samples
}

pub fn wav(samples: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    wav::write_to(&mut bytes, samples, synthesizer().sample_rate()).unwrap();
    bytes
}

pub fn pcm(samples: &[f32]) -> Vec<u8> {
    wav::pcm16(samples).into_iter().flat_map(i16::to_le_bytes).collect()
}

pub struct Server {
    pub address: SocketAddr,
    pub client: Client,
    pub voices: tempfile::TempDir,
    pub stop: Option<oneshot::Sender<()>>,
    pub task: JoinHandle<indextts::Result<()>>,
}

impl Server {
    pub fn start(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let voices = tempfile::tempdir().unwrap();
        let mut options = ServeOptions::new("tiny", VoiceStore::new(voices.path()));
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, synthesizer(), options, async move {
            // A test that ends without a word lets go of the sender, which stops the server too.
            let _ = stopped.await;
        }));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        Self { address, client, voices, stop: Some(stop), task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub async fn speak(&self, body: Value) -> Response {
        self.client.post(self.url("/v1/audio/speech")).json(&body).send().await.unwrap()
    }

    pub async fn spoken(&self, body: Value) -> Vec<u8> {
        let answer = self.speak(body).await;
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap().to_vec();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
        bytes
    }

    /// The value of a metric, 0 if it is not there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub async fn until(&self, name: &str, value: f64) {
        let start = Instant::now();
        while self.metric(name).await != value {
            let text = self.get("/metrics").await.text().await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(30), "{name} is not {value}:\n{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Checks an error: its status, its shape, and a word of its message.
pub async fn refused(answer: Response, status: u16, word: &str) {
    assert_eq!(answer.headers()["content-type"], "application/json", "{status} {word}");
    let got = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    let error = body["error"].as_object().unwrap_or_else(|| panic!("{body}"));
    for key in ["message", "type", "param", "code"] {
        assert!(error.contains_key(key), "{body}");
    }
    assert!(error["message"].as_str().unwrap().contains(word), "expected {word:?} in {body}");
}
