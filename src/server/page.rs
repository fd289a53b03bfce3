//! The demo page at `/`: that of the browser build (`web/page`), which asks this server where it cannot compute itself.
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde_json::json;

use super::app::App;
use super::error::ApiError;

/// Name, type and content of every file.
const FILES: [(&str, &str, &str); 7] = [
    ("index.html", "text/html; charset=utf-8", include_str!("../../web/page/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("../../web/page/style.css")),
    ("main.js", "text/javascript; charset=utf-8", include_str!("../../web/page/main.js")),
    ("engine.js", "text/javascript; charset=utf-8", include_str!("../../web/page/engine.js")),
    ("sound.js", "text/javascript; charset=utf-8", include_str!("../../web/page/sound.js")),
    ("recorder.js", "text/javascript; charset=utf-8", include_str!("../../web/page/recorder.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../web/page/icon.svg")),
];

/// The page needs nothing from elsewhere, and nobody may put it into a frame.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub fn routes() -> Router<App> {
    Router::new()
        .route("/", routing::get(|| async { file("index.html") }))
        .route("/about.json", routing::get(about))
        .route("/{name}", routing::get(|Path(name): Path<String>| async move { file(&name) }))
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, media_type, content)) => {
            // Asked for again each time: the next version of the program may bring another page.
            let headers = [(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
            (headers, *content).into_response()
        }
        None => ApiError::not_found("no such path; /openapi.json lists all").into_response(),
    }
}

/// What the page can compute with: here the server, with a key or without.
async fn about(State(app): State<App>) -> Json<serde_json::Value> {
    Json(json!({ "server": true, "key": app.options.api_key.is_some() }))
}
