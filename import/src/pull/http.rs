//! Requests to the hub: redirects, the token, refusals and repeated attempts.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};
use url::{Host, Url};

use super::error::{Error, Result};

/// Longest chain of redirects.
const REDIRECTS: usize = 8;
const CONNECT: Duration = Duration::from_secs(30);
/// A connection that is silent for this long is dead.
const SILENCE: Duration = Duration::from_secs(60);
/// An answer to a request that waits longer than this belongs to another day.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How failed attempts are repeated: after `first`, then twice as long each time up to `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in a row without any progress.
    pub attempts: u32,
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 8, first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

/// Why an attempt failed, and whether another one can help.
#[derive(Debug)]
pub enum Failure {
    Again {
        error: Error,
        /// The server's own wish.
        wait: Option<Duration>,
        /// Something was won all the same, so that the count of attempts starts anew.
        progress: bool,
    },
    Final(Error),
}

impl Failure {
    pub fn again(error: Error) -> Self {
        Self::Again { error, wait: None, progress: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// A connection pool to one hub or mirror.
pub struct Client {
    agent: Agent,
    endpoint: Url,
    token: Option<String>,
    retry: Retry,
}

impl Client {
    pub fn new(endpoint: &str, token: Option<String>, retry: Retry) -> Result<Self> {
        let wrong = |what: &str| Error::Endpoint { endpoint: endpoint.into(), what: what.into() };
        let url = Url::parse(endpoint.trim()).map_err(|e| wrong(&e.to_string()))?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(wrong("names no host")),
        };
        let token = token.map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
        match (url.scheme(), &token) {
            ("https", _) | ("http", None) => {}
            ("http", Some(_)) if loopback => {}
            ("http", Some(_)) => {
                return Err(wrong("HF_TOKEN is not sent over plain http; use https or unset HF_TOKEN"));
            }
            _ => return Err(wrong("expected http or https")),
        }
        if token.as_ref().is_some_and(|t| !t.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(wrong("HF_TOKEN holds characters that no token has"));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here: the token goes to the endpoint's own origin only, port included.
            .max_redirects(0)
            .https_only(url.scheme() == "https")
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .accept_encoding("identity")
            .user_agent(concat!("indextts/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, endpoint: url, token, retry })
    }

    /// An address below the endpoint; segments are escaped.
    pub fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// One request, redirects followed. Any status that is not a redirect is an answer.
    pub fn get(&self, url: &Url, headers: &[(&str, String)]) -> Result<Response<Body>, Failure> {
        let redirect = |what: String| Failure::Final(Error::Redirect { url: url.to_string(), what });
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(at.as_str());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            if let Some(token) = &self.token
                && at.origin() == self.endpoint.origin()
            {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|e| network(&at, &e))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = header(&response, "location").unwrap_or_default();
            let next = at.join(location).map_err(|e| redirect(format!("redirects to {location:?} ({e})")))?;
            if !matches!((at.scheme(), next.scheme()), (_, "https") | ("http", "http")) {
                return Err(redirect(format!("redirects to {next}, which is not encrypted")));
            }
            at = next;
        }
        Err(redirect(format!("more than {REDIRECTS} redirects, the last to {at}; try another HF_ENDPOINT")))
    }

    /// What a status other than success means.
    pub fn refusal(&self, response: &Response<Body>, url: &Url, repository: &str) -> Failure {
        let (status, url) = (response.status(), url.to_string());
        let repository = repository.to_string();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let with_token = self.token.is_some();
                Failure::Final(Error::Denied { repository, url, status: status.as_u16(), with_token })
            }
            StatusCode::NOT_FOUND => Failure::Final(Error::NotFound { repository, url }),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => self.later(response, url),
            status if status.is_server_error() => self.later(response, url),
            status => Failure::Final(Error::Status { url, status: status.as_u16() }),
        }
    }

    fn later(&self, response: &Response<Body>, url: String) -> Failure {
        let wait = header(response, "retry-after").and_then(|value| retry_after(value, SystemTime::now()));
        match wait {
            Some(wait) if wait > LONGEST_WAIT => Failure::Final(Error::RateLimited { url, wait }),
            wait => {
                let error = Error::Status { url, status: response.status().as_u16() };
                Failure::Again { error, wait, progress: false }
            }
        }
    }

    /// Repeats `attempt` until it succeeds, fails for good, or has failed too often. `waiting` is told of every pause.
    pub fn persist<T>(
        &self,
        stop: &AtomicBool,
        waiting: &dyn Fn(&Error, Duration),
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T> {
        let mut failed = 0;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let (error, wait, progress) = match attempt() {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again { error, wait, progress }) => (error, wait, progress),
            };
            failed = if progress { 1 } else { failed + 1 };
            if failed >= self.retry.attempts {
                return Err(error);
            }
            let own = self.retry.first.saturating_mul(1 << (failed - 1).min(16)).min(self.retry.longest);
            let pause = wait.unwrap_or(own);
            waiting(&error, pause);
            let until = Instant::now() + pause;
            while let Some(rest) = until.checked_duration_since(Instant::now())
                && !stop.load(Ordering::Relaxed)
            {
                std::thread::sleep(rest.min(Duration::from_millis(100)));
            }
        }
    }
}

/// A header as text, if it is there and is text.
pub fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// `Retry-After`: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

fn network(url: &Url, error: &ureq::Error) -> Failure {
    let failure = Error::Network { url: url.to_string(), what: error.to_string() };
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::LargeResponseHeader(..) => Failure::Final(failure),
        _ => Failure::again(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn a_token_needs_an_encrypted_endpoint() {
        let client = |endpoint: &str, token: &str| Client::new(endpoint, Some(token.into()), Retry::default());
        assert!(client("https://hub.example", "hf_abc").is_ok());
        assert!(client("http://127.0.0.1:8080", "hf_abc").is_ok());
        assert!(client("http://hub.example", "").is_ok());
        for (endpoint, token) in [
            ("http://hub.example", "hf_abc"),
            ("ftp://hub.example", ""),
            ("hub.example", ""),
            ("https://hub.example", "hf_a\r\nHost: b"),
        ] {
            assert!(matches!(client(endpoint, token), Err(Error::Endpoint { .. })), "{endpoint} {token:?}");
        }
    }

    #[test]
    fn addresses_are_escaped_below_the_endpoint() {
        let client = Client::new("https://hub.example/mirror/", None, Retry::default()).unwrap();
        assert_eq!(client.url(["a", "b c?", "d"]).as_str(), "https://hub.example/mirror/a/b%20c%3F/d");
    }
}
