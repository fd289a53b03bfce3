//! `/v1/audio/voices`: list, upload, delete.
use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::app::App;
use super::error::{ApiError, ErrorBody, is_slow};
use crate::audio::decode::reference_from_bytes;
use crate::audio::quality::{ClipQuality, SEARCHED, best_part};
use crate::{Error, REFERENCE_SECONDS, VoiceInfo};

#[derive(Debug, Serialize, ToSchema)]
pub struct VoiceList {
    pub object: &'static str,
    pub data: Vec<VoiceObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct VoiceObject {
    /// Its name in requests.
    pub id: String,
    pub object: &'static str,
    /// `model` or `stored`.
    pub source: &'static str,
    /// Length of the clip that a stored voice was made of.
    pub seconds: Option<f64>,
    /// False if it was made with another model, and holds no clip of which this one could make it again.
    pub usable: bool,
    /// What makes a clip that was just uploaded a poor one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl VoiceObject {
    fn stored(info: VoiceInfo, fingerprint: &str) -> Self {
        let usable = info.has_clip || info.fingerprint == fingerprint;
        let seconds = Some(info.seconds);
        Self { id: info.name, object: "voice", source: "stored", seconds, usable, warnings: Vec::new() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    pub id: String,
    pub object: &'static str,
    pub deleted: bool,
}

/// A clip and the name it gets.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form in the OpenAPI document")]
pub struct Upload {
    /// 1 to 64 of A-Z a-z 0-9 . _ -
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
    name: String,
    /// wav, aiff, flac, mp3, ogg vorbis or m4a; 5 to 15 seconds of clean speech are best.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// All voices.
#[utoipa::path(get, path = "/v1/audio/voices", responses((status = 200, body = VoiceList)))]
pub async fn list(State(app): State<App>) -> Result<Json<VoiceList>, ApiError> {
    blocking(move || {
        let built_in = app.voices.built_in().map(|name| VoiceObject {
            id: name.clone(),
            object: "voice",
            source: "model",
            seconds: None,
            usable: true,
            warnings: Vec::new(),
        });
        let mut data: Vec<_> = built_in.collect();
        let stored = app.voices.store.list().map_err(|e| ApiError::hidden(&e))?;
        let stored = stored.into_iter().filter(|info| !app.voices.is_built_in(&info.name));
        data.extend(stored.map(|info| VoiceObject::stored(info, &app.voices.fingerprint)));
        Ok(Json(VoiceList { object: "list", data }))
    })
    .await
}

/// Makes a voice of a clip and stores it.
#[utoipa::path(
    post,
    path = "/v1/audio/voices",
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The voice is stored", body = VoiceObject),
        (status = "4XX", description = "The clip or the name cannot be used", body = ErrorBody),
    )
)]
pub async fn create(
    State(app): State<App>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<VoiceObject>), ApiError> {
    let form = form.map_err(|_| ApiError::media_type("a form (multipart/form-data) with name and file"))?;
    let (name, clip) = read_form(form).await?;
    if app.voices.is_built_in(&name) || app.voices.store.contains(&name) {
        return Err(ApiError::voice_exists(&name));
    }
    // A place like that of any request; clips wait for each other.
    let _place = app.scheduler.place()?;
    let _turn = app.uploads.clone().acquire_owned().await.map_err(|_| ApiError::internal())?;
    let object = blocking(move || {
        let clip = reference_from_bytes(clip.into(), "the clip", SEARCHED)?;
        let clip = best_part(clip, REFERENCE_SECONDS, "the clip")?;
        let warnings = ClipQuality::of(&clip).warnings();
        let voice = app.synthesizer.voice(&clip)?;
        let info = app.voices.store.save(&name, &voice, &clip, &app.synthesizer, false).map_err(|e| match e {
            // Another upload was faster.
            Error::Input { .. } if app.voices.store.contains(&name) => ApiError::voice_exists(&name),
            e => e.into(),
        })?;
        Ok(VoiceObject { warnings, ..VoiceObject::stored(info, &app.voices.fingerprint) })
    });
    Ok((StatusCode::CREATED, Json(object.await?)))
}

async fn read_form(mut form: Multipart) -> Result<(String, Bytes), ApiError> {
    let unreadable = |e: MultipartError| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("file", "the clip is larger than this server reads"),
        _ if is_slow(&e) => ApiError::slow(),
        _ => ApiError::unreadable(e.body_text()),
    };
    let (mut name, mut clip) = (None, None);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        match field.name() {
            Some("name") => name = Some(field.text().await.map_err(unreadable)?),
            Some("file") => clip = Some(field.bytes().await.map_err(unreadable)?),
            other => {
                let message = format!("the form has a field {other:?}; it may have name and file");
                return Err(ApiError::unreadable(message));
            }
        }
    }
    match (name, clip) {
        (Some(name), Some(clip)) => Ok((name, clip)),
        (None, _) => Err(ApiError::invalid("name", "the form has no name")),
        (_, None) => Err(ApiError::invalid("file", "the form has no file")),
    }
}

/// Deletes a stored voice. Requests that speak with it already go on.
#[utoipa::path(
    delete,
    path = "/v1/audio/voices/{name}",
    params(("name" = String, Path, description = "Name of the voice")),
    responses(
        (status = 200, body = Deleted),
        (status = "4XX", description = "There is no such voice, or it belongs to the model", body = ErrorBody),
    )
)]
pub async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Deleted>, ApiError> {
    blocking(move || {
        if app.voices.is_built_in(&name) {
            return Err(ApiError::built_in_voice(&name));
        }
        if !app.voices.store.contains(&name) {
            return Err(ApiError::no_voice(&name));
        }
        app.voices.store.remove(&name).map_err(|e| ApiError::hidden(&e))?;
        Ok(Json(Deleted { id: name, object: "voice", deleted: true }))
    })
    .await
}

/// Runs what reads files or computes outside the threads that answer requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(ApiError::internal()))
}
