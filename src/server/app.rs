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
        let voices = Arc::new(Voices::new(synthesizer.clone(), options.voices.clone(), fingerprint));
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
const ALIASES: [&str; 2] = ["tts-1", "tts-1-hd"];

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
}

impl Voices {
    fn new(synthesizer: Arc<Synthesizer>, store: crate::VoiceStore, fingerprint: String) -> Self {
        let names = synthesizer.voices();
        let default = names.first().cloned();
        let built_in = names.into_iter().map(|name| (name, OnceLock::new())).collect();
        Self { synthesizer, store, fingerprint, built_in, default }
    }

    /// Names of the model's own voices.
    pub fn built_in(&self) -> impl Iterator<Item = &String> {
        self.built_in.keys()
    }

    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains_key(name)
    }

    /// The name of a voice that exists, or of the model's first one.
    pub fn choose(&self, name: Option<&str>) -> Result<String, ApiError> {
        match name {
            Some(name) if self.is_built_in(name) || self.store.contains(name) => Ok(name.into()),
            Some(name) => Err(ApiError::no_voice(name)),
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
