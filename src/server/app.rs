//! What all handlers share.
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ServeOptions;
use super::error::ApiError;
use super::guard;
use super::metrics::Metrics;
use super::scheduler::Scheduler;
use crate::{Error, Result, Synthesizer, Voice};

#[derive(Clone)]
pub struct App {
    pub synthesizer: Arc<Synthesizer>,
    pub options: Arc<ServeOptions>,
    /// Whether it listens to this machine only.
    pub local: bool,
    pub voices: Arc<Voices>,
    pub scheduler: Arc<Scheduler>,
    pub metrics: Arc<Metrics>,
    /// Clips are turned into voices one at a time.
    pub uploads: Arc<Semaphore>,
    /// WebSocket sessions, which outlive the request that opened them.
    pub sessions: TaskTracker,
    /// Set when the server stops.
    pub closing: CancellationToken,
}

impl App {
    /// `local` servers are reached from this machine only.
    pub fn start(synthesizer: Arc<Synthesizer>, options: ServeOptions, local: bool) -> Result<Self> {
        guard::check_origins(&options.origins)?;
        // Without a fingerprint no voice could be stored or loaded: say so now.
        let fingerprint = synthesizer.fingerprint()?;
        let metrics = Arc::new(Metrics::new());
        let voices = Arc::new(Voices::new(synthesizer.clone(), &options, fingerprint)?);
        let scheduler = Scheduler::start(synthesizer.clone(), voices.clone(), metrics.clone(), &options)?;
        Ok(Self {
            synthesizer,
            options: Arc::new(options),
            local,
            voices,
            scheduler: Arc::new(scheduler),
            metrics,
            uploads: Arc::new(Semaphore::new(1)),
            sessions: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }
}

/// Names that clients of OpenAI's API often have built in; they mean the one model that is here.
const ALIASES: [&str; 3] = ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"];

/// Voices that such clients send unasked; where none of that name is here, they mean the model's first.
const FOREIGN_VOICES: [&str; 13] =
    ["alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"];

impl App {
    /// Refuses the name of a model that is not here.
    pub fn check_model(&self, name: &str) -> Result<(), ApiError> {
        let known = self.options.model.as_str();
        match name == known || ALIASES.contains(&name) {
            true => Ok(()),
            false => Err(ApiError::no_model(name, known)),
        }
    }
}

/// The voices of the model and of the store, by name; the model's come first.
pub struct Voices {
    synthesizer: Arc<Synthesizer>,
    pub store: crate::VoiceStore,
    /// The model's, of [`Synthesizer::fingerprint`].
    pub fingerprint: String,
    /// Made of their clips when they are first asked for.
    built_in: BTreeMap<String, OnceLock<Voice>>,
    default: Option<String>,
    /// Other names of voices.
    aliases: BTreeMap<String, String>,
}

impl Voices {
    fn new(synthesizer: Arc<Synthesizer>, options: &ServeOptions, fingerprint: String) -> Result<Self> {
        let names = synthesizer.voices();
        let default = names.first().cloned();
        let built_in = names.into_iter().map(|name| (name, OnceLock::new())).collect();
        let (store, aliases) = (options.voices.clone(), options.voice_aliases.clone());
        let voices = Self { synthesizer, store, fingerprint, built_in, default, aliases };
        for (alias, name) in &voices.aliases {
            if !voices.exists(name) {
                return Err(Error::Input {
                    name: "voice-alias".into(),
                    got: format!("{alias}={name}"),
                    expected: format!("the name of a voice behind `=`: {}", voices.names().join(", ")),
                });
            }
        }
        Ok(voices)
    }

    fn exists(&self, name: &str) -> bool {
        self.is_built_in(name) || self.store.contains(name)
    }

    /// Names of all voices; of the stored ones, if they can be read.
    fn names(&self) -> Vec<String> {
        let stored = self.store.list().unwrap_or_default().into_iter().map(|info| info.name);
        self.built_in().cloned().chain(stored.filter(|name| !self.is_built_in(name))).collect()
    }

    /// Names of the model's own voices.
    pub fn built_in(&self) -> impl Iterator<Item = &String> {
        self.built_in.keys()
    }

    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains_key(name)
    }

    /// The name of a voice that exists: the one that is asked for, what this is an alias of, or the model's first.
    pub fn choose(&self, name: Option<&str>) -> Result<String, ApiError> {
        match name {
            Some(name) if self.exists(name) => Ok(name.into()),
            Some(name) => match (self.aliases.get(name), &self.default) {
                (Some(meant), _) if self.exists(meant) => Ok(meant.clone()),
                (_, Some(default)) if FOREIGN_VOICES.contains(&name) => {
                    tracing::warn!(
                        "no voice {name:?} here: {default:?} speaks; --voice-alias {name}=VOICE chooses another"
                    );
                    Ok(default.clone())
                }
                _ => Err(ApiError::unknown_voice(name, &self.names())),
            },
            None => self.default.clone().ok_or_else(|| {
                ApiError::invalid("voice", "this model brings no voice of its own: name one of /v1/audio/voices")
            }),
        }
    }

    /// Reads or makes a voice; slow.
    pub fn load(&self, name: &str) -> Result<Voice, ApiError> {
        let Some(slot) = self.built_in.get(name) else {
            return self.store.load(name, &self.synthesizer).map_err(|e| match e {
                Error::StaleVoice { .. } => ApiError::stale_voice(name),
                // Removed since the name was chosen.
                _ if !self.store.contains(name) => ApiError::no_voice(name),
                e => ApiError::hidden(&e),
            });
        };
        if let Some(voice) = slot.get() {
            return Ok(voice.clone());
        }
        let voice = self.synthesizer.built_in_voice(Some(name)).map_err(|e| ApiError::hidden(&e))?;
        Ok(slot.get_or_init(|| voice).clone())
    }
}
