//! Errors as clients of OpenAI's API expect them.
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Error;

/// What a client is told.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    pub details: Details,
    /// Seconds after which the request may work.
    pub retry_after: Option<u64>,
}

/// The body of an error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: Details,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Details {
    pub message: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The field that is wrong.
    pub param: Option<String>,
    pub code: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            _ if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let details = Details { message: message.into(), kind, param: None, code: Some(code) };
        Self { status, details, retry_after: None }
    }

    fn of(self, param: &str) -> Self {
        Self { details: Details { param: Some(param.into()), ..self.details }, ..self }
    }

    /// A field that cannot be used.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).of(param)
    }

    /// A request that cannot be read.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub fn media_type(expected: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", format!("the body must be {expected}"))
    }

    pub fn too_large(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).of(param)
    }

    /// The body did not arrive in time.
    pub fn slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_request",
            "the body did not arrive within the time that this server waits",
        )
    }

    pub fn no_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "this server needs its API key: send it as `Authorization: Bearer KEY`",
        )
    }

    pub fn foreign_origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", "pages of this origin may not use this server")
    }

    pub fn foreign_host() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            "this server answers to requests for this machine only; start it with --origin, or --host, to let others in",
        )
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this path has other methods; see /openapi.json",
        )
    }

    pub fn no_model(name: &str, known: &str) -> Self {
        let message = format!("there is no model {name:?} here; this server has {known:?}");
        Self::new(StatusCode::NOT_FOUND, "model_not_found", message).of("model")
    }

    pub fn no_voice(name: &str) -> Self {
        let message = format!("there is no voice {name:?} here; /v1/audio/voices lists all");
        Self::new(StatusCode::NOT_FOUND, "voice_not_found", message).of("voice")
    }

    /// As [`no_voice`](Self::no_voice), with those that are here.
    pub fn unknown_voice(name: &str, known: &[String]) -> Self {
        const SHOWN: usize = 20;
        let more = if known.len() > SHOWN { ", ..." } else { "" };
        let names = known[..known.len().min(SHOWN)].join(", ");
        let others = match known {
            [] => "nor any other; POST a clip to /v1/audio/voices".into(),
            _ => format!("but {names}{more} (/v1/audio/voices)"),
        };
        let message = format!("there is no voice {name:?} here, {others}");
        Self::new(StatusCode::NOT_FOUND, "voice_not_found", message).of("voice")
    }

    pub fn stale_voice(name: &str) -> Self {
        let message = format!("voice {name:?} was made with another model; upload its clip again");
        Self::new(StatusCode::CONFLICT, "stale_voice", message).of("voice")
    }

    pub fn voice_exists(name: &str) -> Self {
        let message = format!("there is a voice {name:?} already; delete it first or choose another name");
        Self::new(StatusCode::CONFLICT, "voice_exists", message).of("name")
    }

    pub fn built_in_voice(name: &str) -> Self {
        let message = format!("voice {name:?} belongs to the model and cannot be deleted");
        Self::new(StatusCode::FORBIDDEN, "built_in_voice", message)
    }

    /// Too many requests at a time.
    pub fn busy(retry_after: u64) -> Self {
        let message = format!("all places are taken; try again in {retry_after} s");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    pub fn out_of_time() -> Self {
        let message = "the speech was not ready within the server's time limit; shorten the text";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping")
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed inside the server; its log says what",
        )
    }

    /// An error whose message is for the log, not for clients: it may name files of the server.
    pub fn hidden(error: &Error) -> Self {
        tracing::error!("{error}");
        Self::internal()
    }

    /// Whether the client could have known better.
    pub fn is_clients(&self) -> bool {
        self.status.is_client_error()
    }

    pub fn body(&self) -> ErrorBody {
        ErrorBody { error: self.details.clone() }
    }
}

/// Whether a body could not be read because it came too slowly.
pub fn is_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.is::<tower_http::timeout::TimeoutError>())
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match &error {
            Error::Input { name, .. } => Self::invalid(name, error.to_string()),
            Error::Audio { .. } => Self::new(StatusCode::BAD_REQUEST, "unusable_audio", error.to_string()),
            Error::Cancelled => Self::stopping(),
            Error::Generation { .. } => {
                tracing::error!("{error}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generation_failed", error.to_string())
            }
            _ => Self::hidden(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
