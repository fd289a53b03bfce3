//! Who may use the server.
use std::net::IpAddr;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_http::cors::CorsLayer;

use super::app::App;
use super::error::ApiError;
use crate::Error;

/// Refuses requests without the server's key, if it has one.
pub async fn api_key(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let Some(key) = &app.options.api_key else { return Ok(next.run(request).await) };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Of the hashes, so that the time does not tell the length either.
    match bool::from(Sha256::digest(given).as_slice().ct_eq(Sha256::digest(key).as_slice())) {
        true => Ok(next.run(request).await),
        false => Err(ApiError::no_key()),
    }
}

/// Refuses requests that a browser sends for a page of another site: without this any page could use a server that
/// listens on the visitor's own machine, by a form or a WebSocket, which know no same-origin policy.
pub async fn origin(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    match allowed(request.headers(), &app.options.origins) {
        true => Ok(next.run(request).await),
        false => Err(ApiError::foreign_origin()),
    }
}

/// Refuses requests to a server of this machine that were addressed to another name: a page of another site can let its
/// name mean this machine, and would then be of the same origin.
pub async fn host(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    match !app.local || addressed(request.headers(), &app.options.origins) {
        true => Ok(next.run(request).await),
        false => Err(ApiError::foreign_host()),
    }
}

/// Whether the request names this machine, by a number or as `localhost`, or a host of `origins`.
fn addressed(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = authority.host();
    let number = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let listed = |origin: &String| origin_authority(origin).is_some_and(|listed| listed.host() == name);
    number || name == "localhost" || name.ends_with(".localhost") || origins.iter().any(listed)
}

fn origin_authority(origin: &str) -> Option<Authority> {
    origin.parse::<Uri>().ok()?.into_parts().authority
}

/// Refuses what is no origin of a page.
pub fn check_origins(origins: &[String]) -> Result<(), Error> {
    let scheme = |origin: &str| origin.starts_with("http://") || origin.starts_with("https://");
    let fits = |origin: &&String| {
        scheme(origin) && origin_authority(origin).is_some_and(|authority| origin.ends_with(authority.as_str()))
    };
    match origins.iter().find(|origin| !fits(origin)) {
        None => Ok(()),
        Some(origin) => Err(Error::Input {
            name: "origin".into(),
            got: origin.clone(),
            expected: "the address of a site without a path, such as https://example.org".into(),
        }),
    }
}

/// Lets browsers hand answers to pages of `origins`.
pub fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(Duration::from_secs(3600))
}

/// Refuses a body that is said to be longer than `most` bytes before any of it is read. One of unknown length is refused
/// where it is read.
pub async fn length(State(most): State<usize>, request: Request, next: Next) -> Result<Response, ApiError> {
    let given =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match given {
        Some(given) if given > most as u64 => Err(ApiError::too_large(
            "body",
            format!("the body has {given} bytes, larger than the {most} this server reads"),
        )),
        _ => Ok(next.run(request).await),
    }
}

fn allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin_authority(origin);
    origins.iter().any(|allowed| allowed == origin) || own.is_some_and(|own| Some(own.as_str()) == host)
}

/// Says that the connection ends where a request may have been refused before all of it was read: a client that keeps such a
/// connection for its next request would lose that one.
pub async fn last_word(request: Request, next: Next) -> Response {
    let has_body = !request.body().is_end_stream();
    let mut response = next.run(request).await;
    if has_body && response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Keeps browsers from taking an answer for something else than it says it is.
pub async fn no_sniffing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_and_listed_origins_pass() {
        let check = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            allowed(&headers, &["https://example.org".to_string()])
        };
        assert!(check(None));
        assert!(check(Some("http://127.0.0.1:8080")));
        assert!(check(Some("https://example.org")));
        assert!(!check(Some("https://evil.example")));
        assert!(!check(Some("http://127.0.0.1:9090")));
        assert!(!check(Some("null")));
    }

    #[test]
    fn a_local_server_answers_to_its_own_names_only() {
        let check = |host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            addressed(&headers, &["https://example.org:8443".to_string()])
        };
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost",
            "localhost:1",
            "tts.localhost:80",
            "192.168.1.2",
            "example.org",
        ] {
            assert!(check(host), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "a b", ""] {
            assert!(!check(host), "{host}");
        }
        assert!(addressed(&HeaderMap::new(), &[]));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for origin in ["https://example.org", "http://localhost:3000"] {
            assert!(check_origins(&[origin.to_string()]).is_ok(), "{origin}");
        }
        for origin in [
            "example.org",
            "https://example.org/",
            "https://example.org/page",
            "*",
            "",
            "ftp://example.org",
            "https://ä",
        ] {
            assert!(check_origins(&[origin.to_string()]).is_err(), "{origin}");
        }
    }
}
