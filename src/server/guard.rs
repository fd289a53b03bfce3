//! Who may use the server.
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::app::App;
use super::error::ApiError;

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

fn allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.as_str().to_string()));
    origins.iter().any(|allowed| allowed == origin) || (own.is_some() && own.as_deref() == host)
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
}
