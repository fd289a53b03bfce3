//! `/v1/audio/speech/ws`.
use std::ops::ControlFlow;

use futures_util::{SinkExt, StreamExt};
use indextts::{Emotion, Request};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{LONG, Server, body, options, pcm, synthesizer};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

enum Heard {
    Audio(Vec<u8>),
    Said(Value),
    Closed(u16),
}

impl Socket {
    async fn open(server: &Server) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/v1/audio/speech/ws", server.address)).await.unwrap();
        let mut socket = Self(socket);
        let Heard::Said(ready) = socket.hear().await else { panic!("expected ready") };
        assert_eq!(ready, json!({ "type": "ready", "sample_rate": 22050 }));
        socket
    }

    async fn tell(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Settings of [`body`].
    async fn start(&mut self, seed: u64) {
        let mut start = body("", seed);
        let fields = start.as_object_mut().unwrap();
        fields.remove("input");
        fields.insert("type".into(), "start".into());
        self.tell(start).await;
    }

    async fn text(&mut self, text: &str) {
        self.tell(json!({ "type": "text", "text": text })).await;
    }

    async fn hear(&mut self) -> Heard {
        match self.0.next().await.unwrap().unwrap() {
            Message::Binary(bytes) => Heard::Audio(bytes.to_vec()),
            Message::Text(text) => Heard::Said(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => Heard::Closed(frame.unwrap().code.into()),
            other => panic!("{other:?}"),
        }
    }

    /// Audio up to a message of type `kind`.
    async fn until(&mut self, kind: &str) -> Vec<u8> {
        let mut audio = Vec::new();
        loop {
            match self.hear().await {
                Heard::Audio(bytes) => audio.extend(bytes),
                Heard::Said(message) if message["type"] == kind => return audio,
                Heard::Said(message) => panic!("expected {kind}, got {message}"),
                Heard::Closed(code) => panic!("expected {kind}, got the end ({code})"),
            }
        }
    }

    /// The message of an error.
    async fn error(&mut self) -> String {
        let Heard::Said(message) = self.hear().await else { panic!("expected an error") };
        message["error"]["message"].as_str().unwrap_or_else(|| panic!("{message}")).to_string()
    }

    async fn closed(&mut self) -> u16 {
        let Heard::Closed(code) = self.hear().await else { panic!("expected the end") };
        code
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentences_are_spoken_as_they_are_complete() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server).await;
    socket.start(5).await;
    socket.text("HELLO WOR").await;
    socket.text("LD THERE. AND").await;
    let first = socket.until("spoken").await;
    socket.text(" THIS IS THE REST").await;
    socket.tell(json!({ "type": "end" })).await;
    let second = socket.until("spoken").await;
    assert!(socket.until("done").await.is_empty());
    assert_eq!(socket.closed().await, 1000);

    // The same by the library.
    let synthesizer = synthesizer();
    let voice = synthesizer.built_in_voice(None).unwrap();
    let request =
        Request { text: "HELLO WORLD THERE.", voice: &voice, emotion: Emotion::SameAsVoice, options: options(5) };
    let go_on = &mut |_| ControlFlow::Continue(());
    let mut utterance = synthesizer.plan(&request, go_on).unwrap();
    let mut rest = |utterance: &mut indextts::Utterance| {
        let mut samples = Vec::new();
        while let Some(chunk) = utterance.next_chunk(&synthesizer, go_on).unwrap() {
            samples.extend(chunk.samples);
        }
        pcm(&samples)
    };
    assert_eq!(first, rest(&mut utterance));
    utterance.push(&synthesizer, " AND THIS IS THE REST").unwrap();
    assert_eq!(second, rest(&mut utterance));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_silences_and_the_next_text_is_spoken() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server).await;
    socket.start(5).await;
    socket.text(&LONG.repeat(300)).await;
    assert!(matches!(socket.hear().await, Heard::Audio(_)));
    socket.tell(json!({ "type": "cancel" })).await;
    socket.until("cancelled").await;
    socket.text("HELLO AGAIN").await;
    socket.tell(json!({ "type": "flush" })).await;
    let again = socket.until("spoken").await;
    assert!(!again.is_empty());
    server.until("indextts_jobs_total{outcome=\"cancelled\"}", 1.0).await;
    socket.tell(json!({ "type": "end" })).await;
    socket.until("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_not_worked_for() {
    let server = Server::start(|_| {});
    let mut socket = Socket::open(&server).await;
    socket.start(5).await;
    socket.text(&LONG.repeat(300)).await;
    assert!(matches!(socket.hear().await, Heard::Audio(_)));
    drop(socket);
    server.until("indextts_jobs_total{outcome=\"cancelled\"}", 1.0).await;
    server.until("indextts_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_told() {
    let server = Server::start(|options| {
        options.limits.text = 50;
        options.limits.requests = 1;
    });
    let mut socket = Socket::open(&server).await;
    // The connection holds the only place.
    assert!(connect_async(format!("ws://{}/v1/audio/speech/ws", server.address)).await.is_err());
    socket.tell(json!({ "type": "sing" })).await;
    assert!(socket.error().await.contains("sing"));
    socket.text(&"A".repeat(51)).await;
    assert!(socket.error().await.contains("50"));
    socket.start(1).await;
    assert!(socket.error().await.contains("first message"));
    drop(socket);

    server.until("indextts_in_flight", 0.0).await;
    let mut socket = Socket::open(&server).await;
    socket.tell(json!({ "type": "start", "voice": "nobody" })).await;
    assert!(socket.error().await.contains("nobody"));
    assert_eq!(socket.closed().await, 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_closes_idle_connections() {
    let mut server = Server::start(|_| {});
    let mut socket = Socket::open(&server).await;
    server.stop.take();
    assert_eq!(socket.closed().await, 1001);
    server.task.await.unwrap().unwrap();
}
