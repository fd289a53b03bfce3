//! `/v1/audio/speech/ws`: text comes in pieces, as a language model writes it, and speech goes out as it is made.
//!
//! One voice, one emotion, one order of sentences per connection, which counts as one request.
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::app::App;
use super::error::{ApiError, Details, ErrorBody};
use super::format::pcm;
use super::scheduler::{Event, Place, Ticket, Work};
use super::speech::Settings;
use crate::Utterance;

/// Bytes of a message.
const MESSAGE: usize = 64 << 10;
/// A connection on which nothing happens for this long gives its place to others.
const IDLE: Duration = Duration::from_secs(60);
/// Sentences shorter than this wait for the next one: alone they sound cut off, and many are abbreviations.
const SHORTEST: usize = 12;

/// What a client sends, as JSON in a text message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// How to speak; only as the first message. Without it everything is the model's choice.
    Start(Box<Settings>),
    /// More text, cut anywhere.
    Text { text: String },
    /// Speak what is there, even if no sentence has ended.
    Flush,
    /// Be silent and forget all text until now.
    Cancel,
    /// No more text comes: speak the rest, then close.
    End,
}

/// What the server sends as JSON in text messages. Speech is in binary messages: 16-bit little-endian samples, mono.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first message.
    Ready { sample_rate: u32 },
    /// All complete sentences until now are spoken.
    Spoken,
    /// No more speech of the text before `cancel` follows.
    Cancelled,
    /// Everything is spoken; the server closes the connection.
    Done,
    /// The text before this cannot be spoken. The connection goes on unless it is closed.
    Error { error: Details },
}

/// A WebSocket that takes text in pieces ([`ClientMessage`]) and sends speech as it is made ([`ServerMessage`]).
#[utoipa::path(
    get,
    path = "/v1/audio/speech/ws",
    responses(
        (status = 101, description = "Messages from the server; binary messages are 16-bit samples", body = ServerMessage),
        (status = 200, description = "Messages to the server", body = ClientMessage),
        (status = "4XX", description = "Not a WebSocket, or all places are taken", body = ErrorBody),
    )
)]
pub async fn open(
    State(app): State<App>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|e| ApiError::unreadable(format!("this address is a WebSocket: {e}")))?;
    let place = app.scheduler.place()?;
    let sessions = app.sessions.clone();
    Ok(upgrade.max_message_size(MESSAGE).on_upgrade(move |socket| {
        let session = Session {
            app,
            socket,
            place,
            settings: None,
            text: Pending::default(),
            voice: VoiceState::Unset,
            ending: false,
        };
        sessions.track_future(session.run())
    }))
}

struct Session {
    app: App,
    socket: WebSocket,
    place: Place,
    /// Set by the first message.
    settings: Option<Box<Settings>>,
    text: Pending,
    voice: VoiceState,
    /// No more text comes.
    ending: bool,
}

/// Where the speech of the session is.
enum VoiceState {
    /// Nothing was said, or all of it was cancelled.
    Unset,
    Speaking(Ticket),
    /// Everything handed over is spoken, and the next text goes on from here.
    Silent(Box<Utterance>),
}

/// Why a session ends.
enum End {
    /// By agreement; the close frame says why.
    Close(u16, &'static str),
    /// The client is gone.
    Gone,
}

impl Session {
    async fn run(mut self) {
        let end = self.talk().await;
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            let _ = self.socket.send(Message::Close(Some(frame))).await;
        }
    }

    async fn talk(&mut self) -> End {
        let ready = ServerMessage::Ready { sample_rate: self.app.synthesizer.sample_rate() };
        if self.send(&ready).await.is_err() {
            return End::Gone;
        }
        let closing = self.app.closing.clone();
        loop {
            if let Err(error) = self.hand_over() {
                self.text.clear();
                if self.fail(error).await.is_err() {
                    return End::Gone;
                }
            }
            let speaking = matches!(self.voice, VoiceState::Speaking(_));
            if self.ending && !speaking {
                return match self.send(&ServerMessage::Done).await {
                    Ok(()) => End::Close(close_code::NORMAL, "done"),
                    Err(_) => End::Gone,
                };
            }
            let voice = &mut self.voice;
            let next = async move {
                match voice {
                    VoiceState::Speaking(ticket) => ticket.next().await,
                    _ => std::future::pending().await,
                }
            };
            let step = tokio::select! {
                event = next => self.heard(event).await,
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.told(message).await,
                    Some(Err(_)) | None => return End::Gone,
                },
                () = closing.cancelled(), if !speaking => return End::Close(close_code::AWAY, "the server is stopping"),
                () = tokio::time::sleep(IDLE), if !speaking => return End::Close(close_code::POLICY, "nothing was said"),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Gives the scheduler the text that can be spoken, if it has nothing of this session.
    fn hand_over(&mut self) -> Result<(), ApiError> {
        if matches!(self.voice, VoiceState::Speaking(_)) {
            return Ok(());
        }
        let Some(text) = self.text.take(self.ending) else { return Ok(()) };
        let work = match std::mem::replace(&mut self.voice, VoiceState::Unset) {
            VoiceState::Silent(utterance) => Work::More(utterance, text),
            _ => Work::New(Box::new(self.settings.get_or_insert_default().spec(&self.app, text, true)?)),
        };
        self.voice = VoiceState::Speaking(self.app.scheduler.submit(work, self.place.clone()));
        Ok(())
    }

    async fn heard(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Samples(samples) => {
                let message = Message::Binary(pcm(&samples).into());
                self.socket.send(message).await.map_err(|_| End::Gone)
            }
            Event::Done(utterance) => {
                self.voice = VoiceState::Silent(utterance);
                self.send(&ServerMessage::Spoken).await
            }
            Event::Failed(error) => {
                self.voice = VoiceState::Unset;
                self.fail(error).await
            }
        }
    }

    async fn told(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return Err(End::Close(close_code::UNSUPPORTED, "messages are text")),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Start(settings)) if self.settings.is_none() => {
                // Wrong settings are told at once, not with the first sentence.
                if let Err(error) = settings.spec(&self.app, "test".into(), true) {
                    self.fail(error).await?;
                    return Err(End::Close(close_code::POLICY, "unusable settings"));
                }
                self.settings = Some(settings);
            }
            Ok(ClientMessage::Start(_)) => {
                self.fail(ApiError::unreadable("start must be the first message")).await?;
            }
            Ok(ClientMessage::Text { text }) => {
                self.settings.get_or_insert_default();
                let most = self.app.options.limits.text;
                if !self.text.push(&text, most) {
                    let message = format!("more than {most} characters are waiting to be spoken");
                    self.fail(ApiError::too_large("text", message)).await?;
                }
            }
            Ok(ClientMessage::Flush) => self.text.flush(),
            Ok(ClientMessage::Cancel) => {
                self.text.clear();
                // Dropping the ticket cancels its job.
                self.voice = match std::mem::replace(&mut self.voice, VoiceState::Unset) {
                    VoiceState::Speaking(_) => VoiceState::Unset,
                    other => other,
                };
                self.send(&ServerMessage::Cancelled).await?;
            }
            Ok(ClientMessage::End) => self.ending = true,
            Err(e) => self.fail(ApiError::unreadable(format!("the message cannot be read: {e}"))).await?,
        }
        Ok(())
    }

    async fn fail(&mut self, error: ApiError) -> Result<(), End> {
        self.send(&ServerMessage::Error { error: error.details }).await
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        let Ok(json) = serde_json::to_string(message) else { return Err(End::Gone) };
        self.socket.send(Message::Text(json.into())).await.map_err(|_| End::Gone)
    }
}

/// Text that waits for the end of its sentence.
#[derive(Debug, Default)]
struct Pending {
    text: String,
    /// Speak all of it, whether or not a sentence has ended.
    flush: bool,
}

impl Pending {
    /// Adds text unless it would be more than `most` characters.
    fn push(&mut self, text: &str, most: usize) -> bool {
        let fits = self.text.chars().count() + text.chars().count() <= most;
        if fits {
            self.text.push_str(text);
        }
        fits
    }

    fn flush(&mut self) {
        self.flush = true;
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Text up to the last end of a sentence, or all of it if it is flushed or `ending`; nothing that has no letter.
    fn take(&mut self, ending: bool) -> Option<String> {
        let all = std::mem::take(&mut self.flush) || ending;
        let end = if all { self.text.len() } else { sentence_end(&self.text)? };
        let rest = self.text.split_off(end);
        let text = std::mem::replace(&mut self.text, rest);
        if text.chars().any(char::is_alphanumeric) { Some(text) } else { None }
    }
}

/// Where the last complete sentence of `text` ends, in bytes. A Latin mark ends a sentence only if a space follows, so
/// that a number or an address that is still being written is not cut.
fn sentence_end(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    let mut end = None;
    while let Some((at, mark)) = characters.next() {
        let next = characters.peek().map(|(_, c)| *c);
        let ends = match mark {
            '。' | '！' | '？' | '；' | '\n' => true,
            '.' | '!' | '?' | ';' | '…' => next.is_some_and(char::is_whitespace),
            _ => false,
        };
        if ends {
            end = Some(at + mark.len_utf8());
        }
    }
    end.filter(|end| text.get(..*end).is_some_and(|text| text.chars().count() >= SHORTEST || !text.is_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(text: &str) -> Pending {
        Pending { text: text.into(), flush: false }
    }

    #[test]
    fn whole_sentences_are_taken_and_the_rest_waits() {
        let mut text = pending("Good morning. How are you? I am");
        assert_eq!(text.take(false).as_deref(), Some("Good morning. How are you?"));
        assert_eq!(text.take(false), None);
        text.push(" fine, thanks. ", 100);
        assert_eq!(text.take(false).as_deref(), Some(" I am fine, thanks."));
    }

    #[test]
    fn a_mark_inside_a_number_ends_nothing() {
        assert_eq!(pending("It is exactly 3.").take(false), None);
        assert_eq!(pending("It is exactly 3.14").take(false), None);
    }

    #[test]
    fn short_latin_sentences_wait_and_chinese_ones_do_not() {
        assert_eq!(pending("Dr. ").take(false), None);
        assert_eq!(pending("你好。").take(false).as_deref(), Some("你好。"));
    }

    #[test]
    fn flush_and_end_take_everything_but_silence() {
        let mut text = pending("half a sent");
        text.flush();
        assert_eq!(text.take(false).as_deref(), Some("half a sent"));
        assert_eq!(pending("rest").take(true).as_deref(), Some("rest"));
        assert_eq!(pending(" ... ").take(true), None);
    }

    #[test]
    fn the_text_is_bounded() {
        let mut text = pending("12345");
        assert!(!text.push("67890", 8));
        assert!(text.push("678", 8));
        assert_eq!(text.text, "12345678");
    }
}
