//! The library as a browser's worker calls it.
//!
//! A worker makes one [`Engine`] of a model's files, gives it voices, and asks a [`Speaking`] for one chunk of samples
//! after the other. Calls keep the worker busy until they are done, except that it has turns while it waits for a GPU.
#![cfg(target_family = "wasm")]

#[cfg(feature = "webgpu")]
mod compare;
mod failure;
mod files;
#[cfg(feature = "threads")]
mod pool;
mod settings;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use indextts::audio::decode::{ReferenceAudio, reference_from_bytes};
use indextts::audio::wav;
use indextts::{Device, Progress, REFERENCE_SECONDS, Request, Script, Stage, Synthesizer, Utterance, Voice};
use js_sys::{Function, JsString};
use wasm_bindgen::prelude::*;

use failure::Failure;
use files::Files;
use settings::Settings;

/// Where a panic's message goes: the browser's console.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

#[cfg(feature = "webgpu")]
async fn device() -> Result<Device, indextts::Error> {
    indextts::webgpu_device().await
}

#[cfg(not(feature = "webgpu"))]
async fn device() -> Result<Device, indextts::Error> {
    Ok(Device::flex())
}

/// A loaded model and its voices.
#[wasm_bindgen]
pub struct Engine {
    synthesizer: Synthesizer,
    voices: BTreeMap<String, Voice>,
}

#[wasm_bindgen]
impl Engine {
    /// Of a model directory's files; `name` stands for the directory in messages.
    pub async fn load(name: String, files: Files) -> Result<Engine, Failure> {
        let synthesizer = Synthesizer::load(files.of_model(&name), &device().await?)?;
        Ok(Self { synthesizer, voices: BTreeMap::new() })
    }

    #[wasm_bindgen(getter, js_name = sampleRate)]
    pub fn sample_rate(&self) -> u32 {
        self.synthesizer.sample_rate()
    }

    /// Names of the voices that the model brings along.
    #[wasm_bindgen(js_name = builtInVoices)]
    pub fn built_in_voices(&self) -> Vec<String> {
        self.synthesizer.voices()
    }

    /// Whether a voice of this name can be used in [`Engine::plan`].
    #[wasm_bindgen(js_name = hasVoice)]
    pub fn has_voice(&self, name: &str) -> bool {
        self.voices.contains_key(name)
    }

    /// Makes ready one of [`Engine::built_in_voices`].
    #[wasm_bindgen(js_name = useBuiltInVoice)]
    pub fn use_built_in_voice(&mut self, name: &str) -> Result<(), Failure> {
        let voice = self.synthesizer.built_in_voice(Some(name))?;
        self.voices.insert(name.into(), voice);
        Ok(())
    }

    /// Makes a voice of an audio file's bytes.
    #[wasm_bindgen(js_name = addVoiceFile)]
    pub fn add_voice_file(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        self.add(name, reference_from_bytes(bytes, name, REFERENCE_SECONDS)?)
    }

    /// Makes a voice of mono samples from -1 to 1, `rate` a second.
    #[wasm_bindgen(js_name = addVoiceSamples)]
    pub fn add_voice_samples(&mut self, name: &str, samples: Vec<f32>, rate: u32) -> Result<(), Failure> {
        self.add(name, ReferenceAudio::new(samples, rate, name)?)
    }

    fn add(&mut self, name: &str, audio: ReferenceAudio) -> Result<(), Failure> {
        let voice = self.synthesizer.voice(&audio)?;
        self.voices.insert(name.into(), voice);
        Ok(())
    }

    /// Checks and splits `text`; `settings` is JSON, see [`Settings`]. Nothing is spoken yet.
    pub async fn plan(&self, text: String, voice: String, settings: String) -> Result<Speaking, Failure> {
        let settings: Settings = serde_json::from_str(&settings)?;
        let script: Script = text.parse()?;
        let request = Request {
            text: &text,
            voice: self.find(&voice)?,
            emotion: settings.emotion()?,
            options: settings.options(self.synthesizer.default_options())?,
        };
        let mut voices = |name: &str| self.find(name).cloned();
        let mut observer = |_| ControlFlow::Continue(());
        let utterance = self.synthesizer.plan_script_async(&script, &request, &mut voices, &mut observer).await?;
        Ok(Speaking { utterance })
    }

    fn find(&self, name: &str) -> Result<&Voice, indextts::Error> {
        self.voices.get(name).ok_or_else(|| indextts::Error::Input {
            name: "voice".into(),
            got: name.into(),
            expected: format!("one of {}", self.voices.keys().cloned().collect::<Vec<_>>().join(", ")),
        })
    }
}

/// An utterance on its way.
#[wasm_bindgen]
pub struct Speaking {
    utterance: Utterance,
}

#[wasm_bindgen]
impl Speaking {
    /// The next samples; none when everything is spoken. `progress(stage, segment, segments, done, total)` hears of every
    /// step and ends the work by returning true.
    pub async fn next(&mut self, engine: &Engine, progress: Function) -> Result<Option<Vec<f32>>, Failure> {
        let mut observer = |at: Progress| {
            let arguments: [JsValue; 5] = [
                JsString::from(at.stage.name()).into(),
                (at.segment as u32).into(),
                (at.segments as u32).into(),
                (at.done as u32).into(),
                at.total.map_or(JsValue::UNDEFINED, |total| (total as u32).into()),
            ];
            match progress.apply(&JsValue::NULL, &arguments.iter().collect()) {
                Ok(answer) if !answer.is_truthy() => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        };
        Ok(self.utterance.next_chunk_async(&engine.synthesizer, &mut observer).await?.map(|chunk| chunk.samples))
    }

    /// Seconds of every stage since this was last asked, in the order of the stages: JSON, `[["gpt", 0.5], ..]`.
    #[wasm_bindgen(js_name = takeTimings)]
    pub fn take_timings(&mut self) -> String {
        let timings = self.utterance.take_timings();
        let seconds: BTreeMap<Stage, Duration> = timings.iter().collect();
        let rows: Vec<_> = seconds.iter().map(|(stage, time)| (stage.name(), time.as_secs_f64())).collect();
        serde_json::json!(rows).to_string()
    }

    /// What the listener should know.
    pub fn warnings(&self) -> Vec<String> {
        self.utterance.warnings().to_vec()
    }
}

/// A WAV file, 16 bits, mono.
#[wasm_bindgen(js_name = wavFile)]
pub fn wav_file(samples: &[f32], rate: u32) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    wav::write_to(&mut bytes, samples, rate)?;
    Ok(bytes)
}
