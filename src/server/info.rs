//! What the server says about itself.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

use super::app::App;
use super::error::{ApiError, ErrorBody};

/// The head of the OpenAPI document.
pub fn document() -> OpenApi {
    let info = InfoBuilder::new().title("indextts").version(env!("CARGO_PKG_VERSION")).description(Some(
        "Speech with cloned voices. /v1/audio/speech and /v1/models are OpenAI's, with more fields.",
    ));
    OpenApiBuilder::new().info(info.build()).build()
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    pub object: &'static str,
    pub data: Vec<ModelObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelObject {
    pub id: String,
    pub object: &'static str,
    /// Not known here; 0.
    pub created: u64,
    pub owned_by: &'static str,
    /// `2.0` or `2.5`.
    pub version: String,
    /// Hz.
    pub sample_rate: u32,
}

impl ModelObject {
    fn of(app: &App) -> Self {
        Self {
            id: app.options.model.clone(),
            object: "model",
            created: 0,
            owned_by: "indextts",
            version: app.synthesizer.config().version.clone(),
            sample_rate: app.synthesizer.sample_rate(),
        }
    }
}

/// The one model that is loaded.
#[utoipa::path(get, path = "/v1/models", responses((status = 200, body = ModelList)))]
pub async fn models(State(app): State<App>) -> Json<ModelList> {
    Json(ModelList { object: "list", data: vec![ModelObject::of(&app)] })
}

/// A model by its name.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    params(("model" = String, Path, description = "Name of the model, or one that it answers to")),
    responses((status = 200, body = ModelObject), (status = 404, description = "It is not here", body = ErrorBody))
)]
pub async fn model(State(app): State<App>, Path(name): Path<String>) -> Result<Json<ModelObject>, ApiError> {
    app.check_model(&name)?;
    Ok(Json(ModelObject::of(&app)))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
    /// Requests in work or waiting.
    pub in_flight: usize,
}

/// Whether the server accepts requests.
#[utoipa::path(
    get,
    path = "/health",
    responses((status = 200, body = Health), (status = 503, description = "It is stopping"))
)]
pub async fn health(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    match app.closing.is_cancelled() {
        true => Err(ApiError::stopping()),
        false => Ok(Json(Health { status: "ok", in_flight: app.scheduler.in_flight() })),
    }
}

/// Counters for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text"))
)]
pub async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.metrics.text(app.scheduler.in_flight()).map_err(|_| ApiError::internal())?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}
