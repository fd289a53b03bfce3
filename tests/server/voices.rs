//! `/v1/audio/voices`.
use indextts::audio::decode::load_reference;
use indextts::{Emotion, REFERENCE_SECONDS, VoiceStore};
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{LONG, Server, body, refused, samples, synthesizer, wav, with};
use crate::support::{golden, without_clip};

async fn upload(server: &Server, name: &str, clip: Vec<u8>) -> Response {
    let form = Form::new().text("name", name.to_string()).part("file", Part::bytes(clip).file_name("clip.wav"));
    server.client.post(server.url("/v1/audio/voices")).multipart(form).send().await.unwrap()
}

fn clip() -> Vec<u8> {
    std::fs::read(golden("e2e/prompt24k.wav")).unwrap()
}

async fn names(server: &Server) -> Vec<String> {
    let list: Value = server.get("/v1/audio/voices").await.json().await.unwrap();
    assert_eq!(list["object"], "list");
    list["data"].as_array().unwrap().iter().map(|voice| voice["id"].as_str().unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_is_uploaded_used_listed_and_deleted() {
    let server = Server::start(|_| {});
    assert_eq!(names(&server).await, ["anna", "bert"]);
    let answer = upload(&server, "carl", clip()).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let voice: Value = answer.json().await.unwrap();
    assert_eq!((voice["id"].as_str(), voice["usable"].as_bool()), (Some("carl"), Some(true)));
    assert_eq!(names(&server).await, ["anna", "bert", "carl"]);

    // The clip is anna's: so is the speech.
    let want = wav(&samples(LONG, "anna", 7, Emotion::SameAsVoice));
    assert_eq!(server.spoken(with(body(LONG, 7), json!({ "voice": "carl" }))).await, want);

    let delete = |name: &str| server.client.delete(server.url(&format!("/v1/audio/voices/{name}"))).send();
    let deleted: Value = delete("carl").await.unwrap().json().await.unwrap();
    assert_eq!(deleted["deleted"], true);
    assert_eq!(names(&server).await, ["anna", "bert"]);
    refused(server.speak(with(body(LONG, 7), json!({ "voice": "carl" }))).await, 404, "carl").await;
    refused(delete("carl").await.unwrap(), 404, "carl").await;
    refused(delete("anna").await.unwrap(), 403, "belongs to the model").await;
    refused(delete("..%2F..%2Fx").await.unwrap(), 404, "no voice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_cannot_work_are_refused_and_leave_nothing_behind() {
    let server = Server::start(|options| options.limits.upload = 512 << 10);
    for name in ["", "../x", "a/b", ".x", "-x", "a b"] {
        refused(upload(&server, name, clip()).await, 400, "name").await;
    }
    refused(upload(&server, "anna", clip()).await, 409, "already").await;
    refused(upload(&server, "noise", b"not audio at all".to_vec()).await, 400, "audio").await;
    refused(upload(&server, "empty", Vec::new()).await, 400, "").await;
    refused(upload(&server, "large", vec![0; 700 << 10]).await, 413, "larger").await;
    let post = || server.client.post(server.url("/v1/audio/voices"));
    refused(post().json(&json!({ "name": "x" })).send().await.unwrap(), 415, "form").await;
    refused(post().multipart(Form::new().text("name", "x")).send().await.unwrap(), 400, "file").await;
    refused(post().multipart(Form::new().text("url", "http://x")).send().await.unwrap(), 400, "url").await;
    assert_eq!(std::fs::read_dir(server.voices.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_of_another_model_is_made_again_of_its_clip_or_refused() {
    let server = Server::start(|_| {});
    let synthesizer = synthesizer();
    let reference = load_reference(&golden("e2e/prompt24k.wav"), REFERENCE_SECONDS).unwrap();
    let voice = synthesizer.voice(&reference).unwrap();
    let store = VoiceStore::new(server.voices.path());
    store.save("carl", &voice, &reference, &synthesizer, false).unwrap();
    let path = store.path("carl").unwrap();
    let file = std::fs::read(&path).unwrap();
    // Same length, so the file stays readable.
    let (own, other) = (synthesizer.fingerprint().unwrap(), "0".repeat(64));
    let at = file.windows(own.len()).position(|window| window == own.as_bytes()).unwrap();
    let stale = [&file[..at], other.as_bytes(), &file[at + own.len()..]].concat();
    let own = server.spoken(with(body(LONG, 7), json!({ "voice": "carl" }))).await;
    std::fs::write(&path, stale).unwrap();
    assert_eq!(server.spoken(with(body(LONG, 7), json!({ "voice": "carl" }))).await, own);
    without_clip(&path);
    refused(server.speak(with(body(LONG, 7), json!({ "voice": "carl" }))).await, 409, "another model").await;
    let list: Value = server.get("/v1/audio/voices").await.json().await.unwrap();
    assert_eq!(list["data"][2]["usable"], false);
    // A damaged one is the server's fault, and its path is not the client's business.
    std::fs::write(&path, &file[..file.len() - 8]).unwrap();
    refused(server.speak(with(body(LONG, 7), json!({ "voice": "carl" }))).await, 500, "log").await;
}
