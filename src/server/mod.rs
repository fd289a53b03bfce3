//! The HTTP server: OpenAI's speech endpoint, voices, and a WebSocket, on one loaded model.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use std::path::Path;
//! use std::sync::Arc;
//! use indextts::server::{self, ServeOptions};
//! use indextts::{Synthesizer, VoiceStore, device_by_name};
//!
//! let synthesizer = Synthesizer::load(Path::new("models/indextts-2"), &device_by_name("cpu")?)?;
//! let options = ServeOptions::new("indextts-2", VoiceStore::new("voices"));
//! let listener = TcpListener::bind("127.0.0.1:8080").map_err(indextts::Error::io("listen on", "127.0.0.1:8080"))?;
//! server::run(listener, Arc::new(synthesizer), options)?;
//! # Ok::<(), indextts::Error>(())
//! ```
//!
//! A request becomes a job of the [`scheduler`]; its worker threads speak one chunk of one job after another, so a long
//! text does not hold up a short one. Nothing of a request is kept in the model, and nothing is logged of its text.
mod app;
mod connection;
mod error;
mod format;
mod guard;
mod info;
mod metrics;
mod page;
mod scheduler;
mod speech;
mod voices;
mod websocket;

use std::any::Any;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderName;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::RequestBodyDeadlineLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Error, Result, Synthesizer, TextOptions, VoiceStore};
use app::App;
use error::ApiError;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Name of the model in answers and requests.
    pub model: String,
    /// Where voices are stored.
    pub voices: VoiceStore,
    /// Other names of voices, such as clients have built in, and what they mean.
    pub voice_aliases: BTreeMap<String, String>,
    /// Demanded of every request under `/v1` and of `/metrics`.
    pub api_key: Option<String>,
    /// Origins of web pages that may call the server, e.g. `https://example.org`; its own pages always may.
    pub origins: Vec<String>,
    /// Chunks computed at a time. A CPU is busy with one.
    pub workers: usize,
    /// Requests whose codes a worker decodes at the same time.
    pub together: usize,
    pub limits: Limits,
    /// Steps of the flow matching where a request names none; the model's own if not given.
    pub steps: Option<usize>,
    /// How texts are read; a request may name another language.
    pub text: TextOptions,
    /// What a running request gets to end by itself when the server stops.
    pub drain: Duration,
}

impl ServeOptions {
    /// With nano and eight clients, first audio comes in 0.83 s instead of 1.0 s with one at a time, at the same throughput
    /// (`benches/results/2026-11-26-server-load.md`).
    pub const TOGETHER: usize = 4;

    pub fn new(model: impl Into<String>, voices: VoiceStore) -> Self {
        Self {
            model: model.into(),
            voices,
            voice_aliases: BTreeMap::new(),
            api_key: None,
            origins: Vec::new(),
            workers: 1,
            together: Self::TOGETHER,
            limits: Limits::default(),
            steps: None,
            text: TextOptions::default(),
            drain: Duration::from_secs(30),
        }
    }
}

/// What one request may ask for, and how many there may be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests in work or waiting; one more is told to come back later.
    pub requests: usize,
    /// Characters of text.
    pub text: usize,
    /// Length of the speech.
    pub audio: Duration,
    /// From acceptance to the last sample.
    pub time: Duration,
    /// Bytes of an uploaded clip.
    pub upload: usize,
    /// What a client gets to send the head of a request, also on a connection that is kept open.
    pub head: Duration,
    /// What a client gets to send the rest of a request.
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 64,
            text: 20_000,
            audio: Duration::from_secs(30 * 60),
            time: Duration::from_secs(60 * 60),
            upload: 32 << 20,
            head: Duration::from_secs(15),
            body: Duration::from_secs(60),
        }
    }
}

/// Bytes of a request that is not an upload, beside its text.
const BODY: usize = 64 << 10;
/// What cancelled requests get to end.
const KILL_TIME: Duration = Duration::from_secs(5);

/// Serves until the process is asked to stop (SIGINT, SIGTERM), then lets running requests end.
pub fn run(listener: TcpListener, synthesizer: Arc<Synthesizer>, options: ServeOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start", "the server"))?;
    let result = runtime.block_on(serve(listener, synthesizer, options, stop_signal()));
    runtime.shutdown_timeout(KILL_TIME);
    result
}

/// Serves until `stop` is ready, then accepts nothing more and lets running requests end; after
/// [`ServeOptions::drain`] they are cancelled.
pub async fn serve(
    listener: TcpListener,
    synthesizer: Arc<Synthesizer>,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let io = || Error::io("serve on", "the listening socket");
    listener.set_nonblocking(true).map_err(io())?;
    let local = listener.local_addr().map_err(io())?.ip().is_loopback();
    let listener = tokio::net::TcpListener::from_std(listener).map_err(io())?;
    let drain = options.drain;
    let app = App::start(synthesizer, options, local)?;

    let closing = app.closing.clone();
    let head = app.options.limits.head;
    let mut serving = tokio::spawn(connection::serve(listener, router(app.clone()), head, closing.clone()));
    tokio::select! {
        () = stop => tracing::info!("stopping: {} requests in work", app.scheduler.in_flight()),
        ended = &mut serving => return ended.map_err(std::io::Error::other).map_err(io()),
    }
    closing.cancel();
    app.sessions.close();
    if !ends_within(drain, &app, &mut serving).await {
        tracing::warn!("cancelling {} requests that did not end within {drain:?}", app.scheduler.in_flight());
        app.scheduler.cancel_all();
        if !ends_within(KILL_TIME, &app, &mut serving).await {
            serving.abort();
        }
    }
    let _ = tokio::task::spawn_blocking(move || app.scheduler.close()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for all connections and sessions.
async fn ends_within<T>(time: Duration, app: &App, serving: &mut tokio::task::JoinHandle<T>) -> bool {
    let all = async {
        if !serving.is_finished() {
            let _ = serving.await;
        }
        app.sessions.wait().await;
    };
    tokio::time::timeout(time, all).await.is_ok()
}

/// All routes; the OpenAPI document is made of the same list.
fn router(app: App) -> Router {
    let limits = &app.options.limits;
    // A character of JSON text has at most twelve bytes (an escaped surrogate pair).
    let body = BODY + 12 * limits.text;
    let upload = BODY + limits.upload;
    let at_most = |bytes| (DefaultBodyLimit::max(bytes), from_fn_with_state(bytes, guard::length));
    let protected = OpenApiRouter::new()
        .routes(routes!(speech::create))
        .routes(routes!(websocket::open))
        .routes(routes!(voices::remove))
        .routes(routes!(info::models))
        .routes(routes!(info::model))
        .routes(routes!(info::metrics))
        .layer(at_most(body))
        .merge(OpenApiRouter::new().routes(routes!(voices::list, voices::create)).layer(at_most(upload)))
        .layer(from_fn_with_state(app.clone(), guard::api_key));
    let (router, document) =
        OpenApiRouter::with_openapi(info::document()).routes(routes!(info::health)).merge(protected).split_for_parts();
    let document = Arc::new(document);
    let cors = guard::cors(&app.options.origins);
    let request_id = HeaderName::from_static("x-request-id");
    router
        .route("/openapi.json", axum::routing::get(move || async move { axum::Json(document.as_ref().clone()) }))
        .merge(page::routes())
        .fallback(|| async { ApiError::not_found("no such path; /openapi.json lists all") })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(from_fn_with_state(app.clone(), guard::origin))
        .layer(from_fn_with_state(app.clone(), guard::host))
        .layer(cors)
        .layer(RequestBodyDeadlineLayer::new(limits.body))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(guard::no_sniffing))
        .layer(from_fn(guard::last_word))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(|request: &axum::extract::Request| {
                    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
                    tracing::info_span!("http", id, method = %request.method(), path = request.uri().path())
                })
                .on_response(DefaultOnResponse::new().level(tracing::Level::INFO)),
        )
        .layer(SetRequestIdLayer::new(request_id, MakeRequestUuid))
        .with_state(app)
}

/// A defect of a handler is one request's problem, not the server's.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal().into_response()
}

/// Ready when the process is asked to stop.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        () = interrupt => {}
        _ = terminate => {}
    }
}
