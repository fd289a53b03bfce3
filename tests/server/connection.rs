//! Clients that are slow, silent, or say too much, over connections as they are.
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use indextts::Emotion;
use serde_json::{Value, json};

use crate::harness::{LONG, Server, body, pcm, samples, with};

const HEAD: Duration = Duration::from_millis(300);
/// Longer than any machine takes to notice.
const PATIENCE: Duration = Duration::from_secs(20);

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Runs what waits for a connection outside the threads that serve it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Everything up to the end of the connection, which must come.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection stays open: {error}"),
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// An answer of the server: its status, and its body as JSON.
fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("an answer up to its end");
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body:?}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_it_wants_is_cut_off() {
    let server = Server::start(|options| options.limits.head = HEAD);
    let address = server.address;
    let (silent, slow) = blocking(move || {
        let start = Instant::now();
        assert_eq!(rest(&mut connect(address)), "");
        let silent = start.elapsed();

        let start = Instant::now();
        let mut stream = connect(address);
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
        // A byte now and then, until the server has had enough.
        while stream.write_all(b"a").is_ok() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        (silent, start.elapsed())
    })
    .await;
    assert!(silent >= HEAD && silent < PATIENCE, "{silent:?}");
    assert!(slow >= HEAD && slow < PATIENCE, "{slow:?}");
    assert_eq!(server.get("/health").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_kept_open_for_nothing_is_closed() {
    let server = Server::start(|options| options.limits.head = HEAD);
    let address = server.address;
    blocking(move || {
        let mut stream = connect(address);
        for _ in 0..2 {
            stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let mut first = [0; 15];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200 OK");
            // The rest of the answer, which is short, is there by then; the next request comes in time.
            std::thread::sleep(HEAD / 3);
            let mut answer = [0; 4096];
            assert!(stream.read(&mut answer).unwrap() > 0);
        }
        let start = Instant::now();
        assert_eq!(rest(&mut stream), "");
        assert!(start.elapsed() < PATIENCE);
    })
    .await;
}

/// The limit is for what a client sends, not for what it hears.
#[tokio::test(flavor = "multi_thread")]
async fn speech_may_last_longer_than_a_request_may() {
    let server = Server::start(|options| {
        options.limits.head = Duration::from_millis(50);
        options.limits.body = Duration::from_millis(50);
    });
    let text = LONG.repeat(20);
    let start = Instant::now();
    let spoken = server.spoken(with(body(&text, 3), json!({ "response_format": "pcm", "stream": true }))).await;
    assert!(start.elapsed() > Duration::from_millis(50));
    assert_eq!(spoken, pcm(&samples(&text, "anna", 3, Emotion::SameAsVoice)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_is_told_so() {
    let server = Server::start(|options| options.limits.body = HEAD);
    let address = server.address;
    blocking(move || {
        for (path, kind, begun) in [
            ("/v1/audio/speech", "application/json", "{\"input\": "),
            (
                "/v1/audio/voices",
                "multipart/form-data; boundary=x",
                "--x\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\na",
            ),
        ] {
            let mut stream = connect(address);
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n\r\n{begun}"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let (status, body) = answer(&mut stream);
            assert_eq!((status, body["error"]["code"].as_str()), (408, Some("slow_request")), "{path}: {body}");
        }
    })
    .await;
}

/// Also one that sends everything before it listens, more than fits into the buffers of both sides.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_gets_the_answer() {
    const SENT: usize = 24 << 20;
    let server = Server::start(|options| {
        options.limits.upload = 512 << 10;
        options.limits.text = 100;
        options.api_key = Some("secret".into());
    });
    let address = server.address;
    blocking(move || {
        let form = "multipart/form-data; boundary=x";
        for (path, kind, key, chunked, want) in [
            ("/v1/audio/voices", form, "secret", false, (413, "too_large")),
            ("/v1/audio/voices", form, "secret", true, (413, "too_large")),
            ("/v1/audio/speech", "application/json", "secret", false, (413, "too_large")),
            ("/v1/audio/speech", "application/json", "secret", true, (413, "too_large")),
            ("/v1/audio/voices", form, "wrong", false, (401, "invalid_api_key")),
            ("/v1/nothing", "text/plain", "secret", false, (404, "not_found")),
        ] {
            let mut stream = connect(address);
            let start = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
            let length = match chunked {
                true => "transfer-encoding: chunked".to_string(),
                false => format!("content-length: {}", start.len() + SENT),
            };
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n{length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut send = |bytes: &[u8]| {
                if chunked {
                    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).unwrap();
                }
                stream.write_all(bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
                if chunked {
                    stream.write_all(b"\r\n").unwrap();
                }
            };
            send(start);
            for _ in 0..SENT >> 20 {
                send(&[0; 1 << 20]);
            }
            let (status, body) = answer(&mut stream);
            assert_eq!((status, body["error"]["code"].as_str().unwrap()), want, "{path} {kind} {chunked}");
        }
    })
    .await;
}

/// Who asks before it sends (as curl does) need not send anything.
#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_before_it_is_sent() {
    let server = Server::start(|options| options.limits.upload = 512 << 10);
    let address = server.address;
    blocking(move || {
        let mut stream = connect(address);
        let head = "POST /v1/audio/voices HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
                    content-type: multipart/form-data; boundary=x\r\ncontent-length: 700000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let (status, body) = answer(&mut stream);
        assert_eq!((status, body["error"]["code"].as_str()), (413, Some("too_large")));
    })
    .await;
}
