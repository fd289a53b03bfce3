//! The model of a batch: loaded when the first row needs it, with the latest voices kept ready.
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use indextts::audio::{decode::load_reference, loudness};
use indextts::{
    Device, Emotion, EmotionClip, Error, ModelConfig, Observer, Options, REFERENCE_SECONDS, Request, Script, Speech,
    Synthesizer, Voice, VoiceStore,
};
use lru::LruCache;
use sha2::{Digest, Sha256};

use super::super::Failure;
use super::super::args::Batch;
use super::super::options::{read_text_file, settings};
use super::super::text::{script, text_options};
use super::super::voice;
use super::row::{self, Row, RowEmotion, Text};

/// Bytes of a manifest; real ones are some kilobytes.
const MAX_MANIFEST: u64 = 1 << 24;

/// Voices, and emotions, kept ready: a dialogue has few, and each is some megabytes on the device.
const READY: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Everything that decides how a row sounds.
pub struct Contents {
    pub text: String,
    script: Script,
    /// Hash over text, voice, emotion, settings and model.
    pub key: String,
    voice: String,
    emotion: String,
}

/// A model and what was computed of clips with it.
pub struct Engine<'a> {
    args: &'a Batch,
    /// Of the model's manifest, which holds the hash of every weight.
    model: String,
    options: Options,
    sample_rate: u32,
    stored: VoiceStore,
    device: Device,
    synthesizer: Option<Synthesizer>,
    voices: LruCache<String, Voice>,
    emotions: LruCache<String, EmotionClip>,
    hashes: HashMap<PathBuf, (u64, Option<SystemTime>, String)>,
}

impl<'a> Engine<'a> {
    /// Reads what the model says of itself, but no weights.
    pub fn new(args: &'a Batch) -> Result<Self, Failure> {
        let device = args.device.open()?;
        let files = args.model.files();
        let config = ModelConfig::read(&files)?;
        let options = settings(&args.sampling, &args.emotion, &args.precision, args.seed, Options::of(&config))?;
        let options = Options { text: text_options(&args.reading)?, ..options };
        let model = sha256(&files.read("manifest.json", MAX_MANIFEST)?);
        Ok(Self {
            args,
            model,
            options,
            sample_rate: config.mel.sample_rate as u32,
            stored: voice::store(&args.voices)?,
            device,
            synthesizer: None,
            voices: LruCache::new(READY),
            emotions: LruCache::new(READY),
            hashes: HashMap::new(),
        })
    }

    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Reads the row's text and hashes its clips.
    pub fn contents(&mut self, row: &Row) -> Result<Contents, Failure> {
        let text = match &row.text {
            Text::Here(text) => text.clone(),
            Text::File(path) => read_text_file(path)?,
        };
        if text.trim().is_empty() {
            return Err(Failure::Usage("text_file: empty, expected something to speak".into()));
        }
        let voice = match &row.voice {
            row::Voice::File(path) => self.file_hash(path)?,
            row::Voice::Name(Some(name)) if self.stored.contains(name) => {
                format!("name {name:?} {}", self.file_hash(&self.stored.path(name)?)?)
            }
            row::Voice::Name(name) => format!("name {name:?}"),
        };
        let emotion = match &row.emotion {
            RowEmotion::Clip(path) => self.file_hash(path)?,
            other => format!("{other:?}"),
        };
        let dictionary = &self.args.reading.ja_dictionary;
        let how = format!("{:?} {:?} {dictionary:?}", self.options(row), self.args.precision.precision(&self.device));
        let script = script(&text, &self.args.reading)?;
        let mut speakers = Vec::new();
        for name in script.voices().filter(|name| self.stored.contains(name)) {
            speakers.push(self.stored.path(name)?);
        }
        let speakers = speakers.iter().map(|path| self.file_hash(path)).collect::<Result<Vec<_>, _>>()?;
        let how = format!("{how} {} {:?} {speakers:?}", self.args.reading.plain_text, self.args.loudness);
        let all = serde_json::json!([self.model, text, voice, emotion, row.weight, how]);
        Ok(Contents { text, script, key: sha256(all.to_string().as_bytes()), voice, emotion })
    }

    fn options(&self, row: &Row) -> Options {
        let mut options = self.options.clone();
        options.seed = row.seed.unwrap_or(options.seed);
        options.text.language = row.language.or(options.text.language);
        options
    }

    /// Speaks a row.
    pub fn speak(&mut self, row: &Row, contents: &Contents, observer: &mut Observer<'_>) -> Result<Speech, Failure> {
        let options = self.options(row);
        let synthesizer = match &mut self.synthesizer {
            Some(synthesizer) => &*synthesizer,
            none => {
                let precision = self.args.precision.precision(&self.device);
                none.insert(self.args.model.load(precision, &self.device)?)
            }
        };
        let voice = self.voices.try_get_or_insert(contents.voice.clone(), || match &row.voice {
            row::Voice::File(path) => synthesizer.voice(&load_reference(path, REFERENCE_SECONDS)?),
            row::Voice::Name(name) => voice::named(name.as_deref(), synthesizer, &self.stored),
        })?;
        let weight = row.weight;
        let emotion = match &row.emotion {
            RowEmotion::OfVoice => Emotion::SameAsVoice,
            RowEmotion::Vector(vector) => Emotion::Vector { vector: *vector, weight },
            RowEmotion::Text(text) => Emotion::Text { text: text.clone(), weight },
            RowEmotion::Clip(path) => {
                let clip = self.emotions.try_get_or_insert(contents.emotion.clone(), || {
                    synthesizer.emotion_clip(&load_reference(path, REFERENCE_SECONDS)?)
                })?;
                Emotion::Clip { clip: clip.clone(), weight }
            }
        };
        let request = Request { text: &contents.text, voice, emotion, options };
        let mut other = |name: &str| voice::named(Some(name), synthesizer, &self.stored);
        let utterance = synthesizer.plan_script(&contents.script, &request, &mut other, observer)?;
        let mut speech = utterance.finish(synthesizer, observer)?;
        if let Some(target) = self.args.loudness {
            loudness::normalize(&mut speech.samples, speech.sample_rate, target)?;
        }
        Ok(speech)
    }

    /// The hash of a clip, read once as long as the file does not change.
    fn file_hash(&mut self, path: &Path) -> Result<String, Failure> {
        let metadata = path.metadata().map_err(Error::io("read", path))?;
        let (length, modified) = (metadata.len(), metadata.modified().ok());
        if let Some((known_length, known_modified, hash)) = self.hashes.get(path)
            && (*known_length, *known_modified) == (length, modified)
        {
            return Ok(hash.clone());
        }
        let hash = file_sha256(path)?;
        self.hashes.insert(path.into(), (length, modified, hash.clone()));
        Ok(hash)
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// The hash of a file, read in pieces.
pub fn file_sha256(path: &Path) -> Result<String, Failure> {
    let mut file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 18];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hex(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
