//! Places, limits, keys, origins, clients that go away, and the end of the server.
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use indextts::Emotion;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{LONG, Server, body, pcm, refused, samples, with};

#[tokio::test(flavor = "multi_thread")]
async fn text_body_length_and_time_are_limited() {
    let server = Server::start(|options| {
        options.limits.text = 100;
        options.limits.audio = Duration::from_millis(300);
    });
    refused(server.speak(body(&"A".repeat(101), 0)).await, 413, "100").await;
    refused(server.speak(body(&"A".repeat(1 << 17), 0)).await, 413, "body").await;
    refused(server.speak(body(&LONG.repeat(6), 0)).await, 413, "longer").await;

    let server = Server::start(|options| options.limits.time = Duration::from_millis(1));
    refused(server.speak(body(&LONG.repeat(6), 0)).await, 504, "time limit").await;
    assert_eq!(server.metric("indextts_jobs_total{outcome=\"timeout\"}").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_when_to_come_back() {
    let server = Server::start(|options| options.limits.requests = 1);
    let long = with(body(&LONG.repeat(60), 0), json!({ "response_format": "pcm", "stream": true }));
    let mut first = server.speak(long).await;
    assert!(first.chunk().await.unwrap().is_some());
    let second = server.speak(body(LONG, 0)).await;
    assert!(second.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    refused(second, 429, "try again").await;
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
    drop(first);
    server.until("indextts_in_flight", 0.0).await;
    server.spoken(body(LONG, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_is_not_worked_for() {
    let server = Server::start(|_| {});
    let text = LONG.repeat(300);
    let mut stream = server.speak(with(body(&text, 0), json!({ "response_format": "pcm", "stream": true }))).await;
    assert!(stream.chunk().await.unwrap().is_some());
    drop(stream);
    server.until("indextts_jobs_total{outcome=\"cancelled\"}", 1.0).await;
    // Also while nothing has been sent yet.
    let whole = server.client.post(server.url("/v1/audio/speech")).json(&body(&text, 0));
    assert!(whole.timeout(Duration::from_millis(300)).send().await.is_err());
    server.until("indextts_jobs_total{outcome=\"cancelled\"}", 2.0).await;
    assert_eq!(server.metric("indextts_in_flight").await, 0.0);
}

/// A long text does not hold up a short one, and a client that does not read holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn requests_take_turns() {
    let server = Server::start(|_| {});
    let long = with(body(&LONG.repeat(60), 0), json!({ "response_format": "pcm", "stream": true }));
    let idle = server.speak(long.clone()).await;
    let mut reading = server.speak(long).await;
    assert!(reading.chunk().await.unwrap().is_some());
    let end = tokio::spawn(async move {
        while reading.chunk().await.unwrap().is_some() {}
        Instant::now()
    });
    server.spoken(body(LONG, 1)).await;
    let short = Instant::now();
    assert!(short < end.await.unwrap(), "the short text waited for the long one");
    let all: Vec<_> = idle.bytes_stream().map(Result::unwrap).collect().await;
    assert_eq!(all.concat(), pcm(&samples(&LONG.repeat(60), "anna", 0, Emotion::SameAsVoice)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_demanded_where_there_is_one() {
    let server = Server::start(|options| options.api_key = Some("secret".into()));
    for path in ["/v1/models", "/v1/audio/voices", "/v1/audio/speech/ws", "/metrics"] {
        refused(server.get(path).await, 401, "API key").await;
    }
    refused(server.speak(body(LONG, 0)).await, 401, "API key").await;
    let with_key = |key: &str| server.client.get(server.url("/v1/models")).bearer_auth(key).send();
    refused(with_key("secre").await.unwrap(), 401, "API key").await;
    refused(with_key("secrets").await.unwrap(), 401, "API key").await;
    assert_eq!(with_key("secret").await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_refused() {
    let server = Server::start(|options| options.origins = vec!["https://example.org".into()]);
    let from = |origin: String| server.client.get(server.url("/v1/models")).header("origin", origin).send();
    refused(from("https://evil.example".into()).await.unwrap(), 403, "origin").await;
    assert_eq!(from(format!("http://{}", server.address)).await.unwrap().status(), StatusCode::OK);
    assert_eq!(from("https://example.org".into()).await.unwrap().status(), StatusCode::OK);
}

/// A page of a listed site is asked about first by its browser, and may read the answers; a page of another may not.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_sites_may_read_answers() {
    let server = Server::start(|options| {
        options.origins = vec!["https://example.org".into()];
        options.api_key = Some("secret".into());
    });
    for (origin, allowed) in [("https://example.org", true), ("https://evil.example", false)] {
        let url = server.url("/v1/audio/speech");
        let asked = server.client.request(reqwest::Method::OPTIONS, url).header("origin", origin);
        let asked = asked.header("access-control-request-method", "POST");
        let asked = asked.header("access-control-request-headers", "authorization,content-type").send().await.unwrap();
        let header =
            |answer: &reqwest::Response, name| answer.headers().get(name).map(|v| v.to_str().unwrap().to_string());
        assert_eq!(header(&asked, "access-control-allow-origin").is_some(), allowed, "{origin}");
        if !allowed {
            continue;
        }
        assert!(header(&asked, "access-control-allow-methods").unwrap().contains("POST"));
        assert!(header(&asked, "access-control-allow-headers").unwrap().contains("authorization"));
        let answer = server.client.get(server.url("/v1/models")).header("origin", origin).bearer_auth("secret");
        let answer = answer.send().await.unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin").as_deref(), Some(origin));
        // Also an error can be read.
        let refused = server.client.get(server.url("/v1/models")).header("origin", origin).send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(header(&refused, "access-control-allow-origin").as_deref(), Some(origin));
    }
}

/// A name that a page's site lets mean this machine is none of its names.
#[tokio::test(flavor = "multi_thread")]
async fn requests_addressed_to_another_name_are_refused() {
    let server = Server::start(|_| {});
    let port = server.address.port();
    let to = |host: String| server.client.get(server.url("/v1/audio/voices")).header("host", host).send();
    refused(to(format!("evil.example:{port}")).await.unwrap(), 421, "this machine only").await;
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        assert_eq!(to(host).await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_ends_what_it_began() {
    let mut server = Server::start(|_| {});
    let text = LONG.repeat(20);
    let mut stream = server.speak(with(body(&text, 3), json!({ "response_format": "pcm", "stream": true }))).await;
    let mut got = stream.chunk().await.unwrap().unwrap().to_vec();
    server.stop.take();
    let all = async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            got.extend(chunk);
        }
        got
    };
    assert_eq!(all.await, pcm(&samples(&text, "anna", 3, Emotion::SameAsVoice)));
    server.task.await.unwrap().unwrap();
    assert!(server.client.get(format!("http://{}/health", server.address)).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_does_not_wait_for_ever() {
    let mut server = Server::start(|options| options.drain = Duration::from_millis(200));
    let long = with(body(&LONG.repeat(1000), 0), json!({ "response_format": "pcm", "stream": true }));
    let mut stream = server.speak(long).await;
    assert!(stream.chunk().await.unwrap().is_some());
    server.stop.take();
    let reading = async { while let Ok(Some(_)) = stream.chunk().await {} };
    let (_, ended) = tokio::join!(reading, tokio::time::timeout(Duration::from_secs(20), &mut server.task));
    ended.expect("the server did not end").unwrap().unwrap();
}
