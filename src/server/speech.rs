//! `POST /v1/audio/speech`.
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{Stream, StreamExt, stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::app::App;
use super::error::{ApiError, ErrorBody, is_slow};
use super::format::{Format, pcm};
use super::scheduler::{EmotionChoice, Event, Spec, Ticket, Work};
use crate::audio::loudness;
use crate::{EmotionVector, Script, Streaming};

/// Range of OpenAI's `speed`.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.25..=4.0;

/// What to say and how to send it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SpeechRequest {
    /// The text.
    #[schema(min_length = 1)]
    pub input: String,
    #[serde(default)]
    pub response_format: Format,
    /// Send the samples as they are made.
    #[serde(default)]
    pub stream: bool,
    /// How a stream is sent: as audio, or as server-sent events with base64 of 16-bit samples. Means `stream`.
    pub stream_format: Option<StreamFormat>,
    /// Bring the speech to this loudness, LUFS, from -70 to -5; -16 is usual. Not for streams.
    #[schema(minimum = -70, maximum = -5)]
    pub loudness: Option<f64>,
    #[serde(flatten)]
    pub settings: Settings,
    /// Fields that mean nothing here; a misspelt one should not be passed over.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamFormat {
    Audio,
    Sse,
}

/// How to say it. Everything that is not given is the model's choice.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Settings {
    pub model: Option<String>,
    /// Name of a voice (`/v1/audio/voices`); the model's first if there is one.
    pub voice: Option<String>,
    /// Code of the text's language, such as `en`; found out if not given.
    pub language: Option<String>,
    /// Understand marks such as `[pause:500ms]`, `[voice:NAME]` and `[emotion:happy=0.6]`, and SSML.
    pub markup: bool,
    /// 2 is twice as fast.
    #[schema(minimum = 0.25, maximum = 4)]
    pub speed: Option<f64>,
    /// Length of the speech with its pauses, seconds; in place of `speed`.
    #[schema(minimum = 0.1, maximum = 36000)]
    pub seconds: Option<f64>,
    /// The tone in words, read by the text-to-emotion model, as `emotion.text`; without effect where the model has none.
    pub instructions: Option<String>,
    pub emotion: Option<EmotionSettings>,
    /// Same seed on the same device: same bytes. 0 if not given.
    pub seed: Option<u64>,
    /// Steps of the flow matching.
    #[schema(minimum = 1, maximum = 1000)]
    pub steps: Option<usize>,
    /// Strength of classifier-free guidance.
    #[schema(minimum = 0, maximum = 10)]
    pub guidance: Option<f64>,
    /// Scale of the noise that the flow matching starts from.
    #[schema(minimum = 0, maximum = 2)]
    pub noise: Option<f64>,
    /// Seconds of the voice's clip that the flow matching hears.
    #[schema(minimum = 0.1, maximum = 60)]
    pub prompt_seconds: Option<f64>,
    /// 1 for a stream if not given: with more, nothing is sent before the end of a segment.
    #[schema(minimum = 1)]
    pub beams: Option<usize>,
    #[schema(exclusive_minimum = 0)]
    pub temperature: Option<f64>,
    pub top_k: Option<usize>,
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    #[schema(exclusive_minimum = 0)]
    pub repetition_penalty: Option<f64>,
    /// Longest segment in semantic codes.
    #[schema(minimum = 1)]
    pub max_codes: Option<usize>,
    /// Longest segment in text tokens.
    #[schema(minimum = 5)]
    pub segment_tokens: Option<usize>,
    /// Silence between segments, milliseconds.
    #[schema(maximum = 60000)]
    pub interval_silence: Option<u32>,
    /// Leave out the silence at the end of a segment, and a stray sound behind it; true if not given.
    pub trim: Option<bool>,
    /// Milliseconds over which every segment dies away at its end.
    #[schema(maximum = 1000)]
    pub tail_fade: Option<u32>,
    /// How often a segment is made anew that is too long or too short for its text, or repeats itself; not in streams. If it
    /// is not 0, a segment is cut off where no speech of its text can last so long, in streams too.
    #[schema(maximum = 10)]
    pub retries: Option<u32>,
    /// Seconds of a stream's first piece; every further one is twice as long. If not given, pieces are as short as the speed
    /// of the machine allows without a gap, or begin with 0.5 where `seed` is given.
    #[schema(minimum = 0.1, maximum = 60)]
    pub first_chunk: Option<f64>,
}

/// One of `vector`, `text` and `voice`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmotionSettings {
    /// Weights of happy, angry, sad, afraid, disgusted, melancholic, surprised and calm, each from 0 to 1.2.
    pub vector: Option<[f32; 8]>,
    /// Text whose emotion is taken; empty for the spoken text.
    pub text: Option<String>,
    /// Voice whose emotion is taken.
    pub voice: Option<String>,
    /// How much of the emotion is applied: 0 none, 1 (if not given) all.
    pub weight: Option<f32>,
    /// Balance and limit a vector as the reference's WebUI does.
    pub balanced: bool,
    /// Draw the exemplar of each emotion instead of the one nearest to the voice.
    pub random: bool,
}

/// Speaks a text.
#[utoipa::path(
    post,
    path = "/v1/audio/speech",
    request_body = SpeechRequest,
    responses(
        (
            status = 200,
            description = "The speech, whole or as a stream",
            content(
                (Vec<u8> = "audio/wav"),
                (Vec<u8> = "audio/pcm"),
                (Vec<u8> = "audio/flac"),
                (Vec<u8> = "audio/mpeg"),
                (Vec<u8> = "audio/ogg"),
                (String = "text/event-stream"),
            )
        ),
        (status = "4XX", description = "The request cannot be met", body = ErrorBody),
        (status = 429, description = "All places are taken; Retry-After says when to come back", body = ErrorBody),
        (status = "5XX", description = "The server failed", body = ErrorBody),
    )
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let request: SpeechRequest = read_json(request).await?;
    if let Some(name) = request.unknown.keys().next() {
        return Err(ApiError::invalid(name, "no such field; /openapi.json describes all"));
    }
    let stream = request.stream || request.stream_format.is_some();
    let sse = request.stream_format == Some(StreamFormat::Sse);
    let format = request.response_format.check(stream && !sse)?;
    let loudness = request.loudness;
    match loudness {
        Some(_) if stream => {
            return Err(ApiError::invalid("loudness", "not for streams, whose loudness is known at their end"));
        }
        Some(target) => loudness::check(target)?,
        None => {}
    }
    let spec = request.settings.spec(&app, request.input, stream)?;
    let characters = spec.characters;
    let place = app.scheduler.place()?;
    let mut ticket = app.scheduler.submit(Work::New(Box::new(spec)), place);
    tracing::info!(characters, stream, "speech accepted");
    let rate = app.synthesizer.sample_rate();
    if !stream {
        let mut samples = whole(&mut ticket).await?;
        let encoded = tokio::task::spawn_blocking(move || {
            if let Some(target) = loudness {
                loudness::normalize(&mut samples, rate, target)?;
            }
            format.encode(&samples, rate)
        });
        let encoded = encoded.await;
        let bytes = encoded.map_err(|_| ApiError::internal())??;
        return Ok(([(header::CONTENT_TYPE, format.media_type(rate))], bytes).into_response());
    }
    // Only what happens before the first samples can still be told by a status.
    let first = match ticket.next().await {
        Event::Failed(error) => return Err(error),
        event => event,
    };
    let events = stream::once(async { first }).chain(rest(ticket));
    let (media_type, body) = match sse {
        true => ("text/event-stream".to_string(), Body::from_stream(sent_events(events))),
        false => (format.media_type(rate), Body::from_stream(audio(events, format.header(rate)))),
    };
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store".to_string())];
    Ok((headers, body).into_response())
}

async fn whole(ticket: &mut Ticket) -> Result<Vec<f32>, ApiError> {
    let mut samples = Vec::new();
    loop {
        match ticket.next().await {
            Event::Samples(more) => samples.extend_from_slice(&more),
            Event::Done(_) => return Ok(samples),
            Event::Failed(error) => return Err(error),
        }
    }
}

/// The events that are to come, up to the last one.
fn rest(ticket: Ticket) -> impl Stream<Item = Event> + Send {
    stream::unfold(Some(ticket), |ticket| async move {
        let mut ticket = ticket?;
        let event = ticket.next().await;
        let more = matches!(event, Event::Samples(_)).then_some(ticket);
        Some((event, more))
    })
}

/// Bytes of an audio format. A failure breaks the connection, so that nobody takes half a speech for a whole one.
fn audio(events: impl Stream<Item = Event> + Send, header: Vec<u8>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let header = stream::iter((!header.is_empty()).then(|| Ok(header.into())));
    header.chain(events.filter_map(|event| {
        std::future::ready(match event {
            Event::Samples(samples) => Some(Ok(pcm(&samples).into())),
            Event::Done(_) => None,
            Event::Failed(error) => Some(Err(io::Error::other(error.details.message))),
        })
    }))
}

/// Server-sent events as OpenAI's API has them.
fn sent_events(events: impl Stream<Item = Event> + Send) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    events.map(|event| {
        let json = match event {
            Event::Samples(samples) => {
                json!({ "type": "speech.audio.delta", "audio": BASE64_STANDARD.encode(pcm(&samples)) })
            }
            Event::Done(_) => json!({ "type": "speech.audio.done" }),
            Event::Failed(error) => json!({ "type": "error", "error": error.details }),
        };
        Ok(format!("data: {json}\n\n").into())
    })
}

/// The body as JSON, whatever is wrong with it told as every other error.
pub async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::media_type("JSON (content-type: application/json)"));
    }
    let bytes = Bytes::from_request(request, &()).await.map_err(|e| match e {
        BytesRejection::FailedToBufferBody(e) if e.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::too_large("body", "the body is longer than this server reads")
        }
        e if is_slow(&e) => ApiError::slow(),
        e => ApiError::unreadable(e.body_text()),
    })?;
    serde_json::from_slice(&bytes).map_err(|e| ApiError::unreadable(format!("the body cannot be read: {e}")))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

impl Settings {
    /// Everything that can be checked without computing.
    pub fn spec(&self, app: &App, text: String, stream: bool) -> Result<Spec, ApiError> {
        self.model.as_deref().map_or(Ok(()), |model| app.check_model(model))?;
        let most = app.options.limits.text;
        let characters = text.chars().count();
        if characters > most {
            return Err(ApiError::too_large("input", format!("{characters} characters; this server reads {most}")));
        }
        if text.trim().is_empty() {
            return Err(ApiError::invalid("input", "there is no text to speak"));
        }
        let voice = app.voices.choose(self.voice.as_deref())?;
        let script = if self.markup { text.parse()? } else { Script::plain(text) };
        for name in script.voices() {
            app.voices.choose(Some(name))?;
        }
        Ok(Spec { script, characters, voice, emotion: self.emotion(app)?, options: self.options(app, stream)? })
    }

    fn options(&self, app: &App, stream: bool) -> Result<crate::Options, ApiError> {
        fn set<T: Copy>(target: &mut T, given: Option<T>) {
            *target = given.unwrap_or(*target);
        }
        let mut options = crate::Options { text: app.options.text.clone(), ..app.synthesizer.default_options() };
        if let Some(language) = &self.language {
            options.text.language = Some(language.parse()?);
        }
        let config = app.synthesizer.config();
        let decode = &mut options.decode;
        // Several beams settle nothing before the end of a segment.
        set(&mut decode.beams, self.beams.or(stream.then_some(1)));
        set(&mut decode.temperature, self.temperature);
        set(&mut decode.top_k, self.top_k);
        set(&mut decode.top_p, self.top_p);
        set(&mut decode.repetition_penalty, self.repetition_penalty);
        set(&mut decode.max_codes, self.max_codes);
        decode.validate(config.gpt.codes, config.gpt.code_positions)?;
        set(&mut options.steps, self.steps.or(app.options.steps));
        set(&mut options.guidance, self.guidance);
        set(&mut options.noise, self.noise);
        options.prompt_seconds = self.prompt_seconds.or(options.prompt_seconds);
        set(&mut options.seed, self.seed);
        set(&mut options.max_segment_tokens, self.segment_tokens);
        set(&mut options.interval_silence, self.interval_silence);
        set(&mut options.trim, self.trim);
        set(&mut options.tail_fade, self.tail_fade);
        set(&mut options.retries, self.retries);
        options.seconds = self.seconds;
        if let Some(emotion) = &self.emotion {
            options.balanced_emotions = emotion.balanced;
            options.random_exemplars = emotion.random;
        }
        match self.speed {
            Some(_) if self.seconds.is_some() => {
                return Err(ApiError::invalid("seconds", "give one of speed and seconds"));
            }
            None | Some(1.0) => {}
            Some(speed) if !SPEEDS.contains(&speed) => {
                return Err(ApiError::invalid("speed", format!("{speed} is not from 0.25 to 4")));
            }
            Some(speed) => options.duration_factor = 1.0 / speed,
        }
        // Chunks that follow the machine's speed are not of the same bytes each time, which a seed asks for.
        let fixed = self.seed.map(|_| Streaming::FIRST_SECONDS);
        options.streaming = stream.then_some(Streaming { first_seconds: self.first_chunk.or(fixed) });
        options.check()?;
        Ok(options)
    }

    fn emotion(&self, app: &App) -> Result<EmotionChoice, ApiError> {
        let given = self.emotion.clone().unwrap_or_default();
        let weight = given.weight.unwrap_or(1.0);
        if !weight.is_finite() {
            return Err(ApiError::invalid("emotion.weight", "not a number"));
        }
        let reads = app.synthesizer.config().qwen.is_some();
        // OpenAI's models that follow no instructions pass over them, and so do clients that send them always.
        let instructions = self.instructions.clone().filter(|text| !text.trim().is_empty());
        if instructions.is_some() && !reads {
            tracing::warn!("instructions have no effect: this model reads no emotion from text");
        }
        let instructions = instructions.filter(|_| reads);
        match (given.vector, given.text.or(instructions), given.voice) {
            (None, None, None) => Ok(EmotionChoice::SameAsVoice),
            (Some(vector), None, None) => Ok(EmotionChoice::Vector { vector: EmotionVector::new(vector)?, weight }),
            (None, Some(text), None) if reads => {
                Ok(EmotionChoice::Text { text: (!text.is_empty()).then_some(text), weight })
            }
            (None, Some(_), None) => {
                let message = "this model reads no emotion from text; use emotion.vector or emotion.voice";
                Err(ApiError::invalid("emotion.text", message))
            }
            (None, None, Some(name)) => Ok(EmotionChoice::Voice { name: app.voices.choose(Some(&name))?, weight }),
            _ => Err(ApiError::invalid("emotion", "give one of vector, text (or instructions) and voice")),
        }
    }
}
