//! `POST /v1/audio/speech`.
use std::net::TcpListener;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;
use futures_util::future::join_all;
use indextts::audio::decode::reference_from_bytes;
use indextts::server::{ServeOptions, serve};
use indextts::{Emotion, EmotionVector, VoiceStore};
use serde_json::{Value, json};

use crate::harness::{LONG, Server, body, pcm, refused, samples, synthesizer, wav, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_speech_is_what_the_library_makes() {
    let server = Server::start(|_| {});
    let text = LONG.repeat(3);
    let want = samples(&text, "anna", 7, Emotion::SameAsVoice);
    let answer = server.speak(body(&text, 7)).await;
    assert_eq!(answer.headers()["content-type"], "audio/wav");
    assert!(answer.headers().contains_key("x-request-id"));
    assert_eq!(answer.bytes().await.unwrap(), wav(&want));
    let raw = server.spoken(with(body(&text, 7), json!({ "response_format": "pcm", "voice": "anna" }))).await;
    assert_eq!(raw, pcm(&want));
    assert_ne!(server.spoken(body(&text, 8)).await, wav(&want));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_same_samples_in_pieces() {
    let server = Server::start(|_| {});
    let text = LONG.repeat(4);
    let want = pcm(&samples(&text, "anna", 7, Emotion::SameAsVoice));

    let answer = server.speak(with(body(&text, 7), json!({ "response_format": "pcm", "stream": true }))).await;
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("audio/pcm"));
    let pieces: Vec<_> = answer.bytes_stream().map(Result::unwrap).collect().await;
    assert!(pieces.len() > 1, "the speech came in one piece");
    assert_eq!(pieces.concat(), want);

    let streamed = server.spoken(with(body(&text, 7), json!({ "stream_format": "audio" }))).await;
    assert_eq!(&streamed[..4], b"RIFF");
    assert_eq!(streamed[44..], want);

    let events = server.spoken(with(body(&text, 7), json!({ "stream_format": "sse" }))).await;
    let events = String::from_utf8(events).unwrap();
    let events = events.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
    let events: Vec<Value> = events.map(|event| serde_json::from_str(event).unwrap()).collect();
    let (last, deltas) = events.split_last().unwrap();
    assert_eq!(last["type"], "speech.audio.done");
    assert!(deltas.iter().all(|event| event["type"] == "speech.audio.delta"));
    let audio = deltas.iter().map(|event| BASE64_STANDARD.decode(event["audio"].as_str().unwrap()).unwrap());
    assert_eq!(audio.collect::<Vec<_>>().concat(), want);
}

/// A sentence that is longer than the first chunk is sent before all of it is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_inside_a_sentence() {
    let server = Server::start(|_| {});
    let whole = with(body("HELLO WORLD", 7), json!({ "max_codes": 120, "response_format": "pcm" }));
    let whole = server.spoken(whole).await;
    let stream = with(body("HELLO WORLD", 7), json!({ "max_codes": 120, "stream_format": "sse" }));
    let events = String::from_utf8(server.spoken(stream).await).unwrap();
    let deltas: Vec<Value> =
        events.split_terminator("\n\n").map(|event| serde_json::from_str(&event["data: ".len()..]).unwrap()).collect();
    let audio = deltas.iter().filter_map(|event| Some(BASE64_STANDARD.decode(event["audio"].as_str()?).unwrap()));
    let audio: Vec<Vec<u8>> = audio.collect();
    assert!(audio.len() > 2, "{} pieces", audio.len());
    assert_eq!(audio.concat().len(), whole.len());
    assert!(audio[0].len() * 3 < whole.len(), "{} of {} bytes in the first piece", audio[0].len(), whole.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn flac_is_lossless() {
    let server = Server::start(|_| {});
    let text = LONG.repeat(4);
    let flac = server.spoken(with(body(&text, 1), json!({ "response_format": "flac" }))).await;
    assert_eq!(&flac[..4], b"fLaC");
    let decoded = reference_from_bytes(flac, "flac", 60).unwrap();
    let want = wav(&samples(&text, "anna", 1, Emotion::SameAsVoice));
    let want = reference_from_bytes(want, "wav", 60).unwrap();
    assert_eq!(decoded.rate(), want.rate());
    assert_eq!(decoded.samples(), want.samples());
}

/// What `say` has options for: length, ends and loudness.
#[tokio::test(flavor = "multi_thread")]
async fn length_ends_and_loudness_are_as_asked() {
    let server = Server::start(|_| {});
    let spoken = async |fields: Value| {
        let bytes = server.spoken(with(with(body("HELLO WORLD", 7), json!({ "max_codes": 60 })), fields)).await;
        reference_from_bytes(bytes, "wav", 60).unwrap().samples().to_vec()
    };
    let long = spoken(json!({ "seconds": 2.0, "trim": false })).await;
    assert!(long.len().abs_diff(2 * 22_050) <= 256, "{} samples", long.len());
    // The library's own fade is there unless it is turned off.
    let level = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    let end = |samples: &[f32]| level(&samples[samples.len() - 44..]);
    let (raw, faded) = (json!({ "trim": false, "tail_fade": 0 }), json!({ "trim": false, "tail_fade": 20 }));
    let (raw, faded) = (spoken(raw).await, spoken(faded).await);
    assert!(end(&faded) < end(&raw) / 20.0);
    assert_eq!(raw[..raw.len() - 442], faded[..faded.len() - 442]);
    let quiet = spoken(json!({ "loudness": -30.0 })).await;
    let loudness = indextts::audio::loudness::integrated(&quiet, 22_050).unwrap();
    assert!((loudness + 30.0).abs() < 0.2, "{loudness} LUFS");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_the_speed_takes_twice_the_time() {
    let server = Server::start(|_| {});
    let length = async |speed: f64| {
        let fields = json!({ "max_codes": 60, "trim": false, "speed": speed, "response_format": "pcm" });
        server.spoken(with(body("HELLO", 7), fields)).await.len() / 2
    };
    let usual = length(1.0).await;
    for speed in [0.5, 2.0] {
        let (got, want) = (length(speed).await, usual as f64 / speed);
        // A frame of the mel more or less.
        assert!((got as f64 - want).abs() <= 256.0, "speed {speed}: {got} samples, {want} wanted");
    }
}

/// A mark changes the speaker, and only with `markup` is it one.
#[tokio::test(flavor = "multi_thread")]
async fn speakers_change_inside_a_text() {
    let server = Server::start(|_| {});
    let spoken = async |text: &str, fields: Value| server.spoken(with(body(text, 7), fields)).await;
    let bert = spoken("HELLO", json!({ "voice": "bert" })).await;
    assert_eq!(spoken("[voice:bert] HELLO", json!({ "voice": "anna", "markup": true })).await, bert);
    let ssml = "<speak><voice name='bert'>HELLO</voice></speak>";
    assert_eq!(spoken(ssml, json!({ "voice": "anna", "markup": true })).await, bert);
    assert_ne!(spoken("HELLO", json!({ "voice": "anna" })).await, bert);
    assert_ne!(spoken("[voice:bert] HELLO", json!({ "voice": "anna" })).await, bert);
}

/// Without a seed and a length the pieces of a stream follow the machine's speed, which changes no code: all samples come.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_at_the_pace_of_the_machine_is_complete() {
    let server = Server::start(|_| {});
    let fields = json!({ "max_codes": 120, "response_format": "pcm", "beams": 1 });
    let whole = server.spoken(with(body("HELLO WORLD", 0), fields.clone())).await;
    let mut paced = with(with(body("HELLO WORLD", 0), fields), json!({ "stream": true }));
    paced.as_object_mut().unwrap().remove("seed");
    for _ in 0..3 {
        assert_eq!(server.spoken(paced.clone()).await.len(), whole.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emotions_reach_the_model() {
    let server = Server::start(|_| {});
    let values = [0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0];
    let vector = EmotionVector::new(values).unwrap();
    let want = samples(LONG, "anna", 7, Emotion::Vector { vector, weight: 1.0 });
    let emotion = json!({ "emotion": { "vector": values } });
    assert_eq!(server.spoken(with(body(LONG, 7), emotion)).await, wav(&want));

    let bert = synthesizer().built_in_voice(Some("bert")).unwrap();
    let want = samples(LONG, "anna", 7, Emotion::Clip { clip: bert.emotion(), weight: 0.5 });
    let emotion = json!({ "emotion": { "voice": "bert", "weight": 0.5 } });
    assert_eq!(server.spoken(with(body(LONG, 7), emotion)).await, wav(&want));
}

/// Every client gets its own speech, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_never_mixed_up() {
    let server = Server::start(|options| options.workers = 2);
    let cases: Vec<(u64, &str, String)> =
        (0..20).map(|i| (i, if i % 2 == 0 { "anna" } else { "bert" }, LONG.repeat(1 + i as usize % 3))).collect();
    let answers = cases.iter().map(|(seed, voice, text)| {
        let stream = seed % 3 == 0;
        let fields = json!({ "voice": voice, "response_format": "pcm", "stream": stream });
        server.spoken(with(body(text, *seed), fields))
    });
    let answers = join_all(answers).await;
    for ((seed, voice, text), answer) in cases.iter().zip(answers) {
        let want = pcm(&samples(text, voice, *seed, Emotion::SameAsVoice));
        assert!(answer == want, "seed {seed}, voice {voice}: another speech");
    }
    assert_eq!(server.metric("indextts_jobs_total{outcome=\"ok\"}").await, 20.0);
    assert_eq!(server.metric("indextts_in_flight").await, 0.0);
}

/// Codes of requests that are there at the same time are decoded in the same passes, and are those that each has alone.
#[tokio::test(flavor = "multi_thread")]
async fn codes_of_several_requests_are_decoded_together() {
    let server = Server::start(|options| options.together = 3);
    let texts: Vec<String> = (1..6).map(|n| LONG.repeat(3 * n)).collect();
    let spoken = texts.iter().enumerate().map(|(index, text)| {
        let stream = json!({ "response_format": "pcm", "stream": index % 2 == 0 });
        server.spoken(with(body(text, index as u64), stream))
    });
    let spoken = futures_util::future::join_all(spoken).await;
    for (index, (text, spoken)) in texts.iter().zip(spoken).enumerate() {
        let want = pcm(&samples(text, "anna", index as u64, Emotion::SameAsVoice));
        assert!(spoken == want, "request {index} is spoken otherwise than alone");
    }
    let (steps, codes) =
        (server.metric("indextts_decode_steps_total").await, server.metric("indextts_decoded_together_total").await);
    assert!(steps > 0.0 && codes > 1.2 * steps && codes <= 3.0 * steps, "{codes} codes in {steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_with_the_reason() {
    let server = Server::start(|_| {});
    let cases = [
        (json!({ "input": " " }), 400, "no text"),
        (json!({}), 400, "input"),
        (json!({ "input": 7 }), 400, "invalid type"),
        (json!({ "input": "HI", "seeds": 7 }), 400, "no such field"),
        (json!({ "input": "HI", "model": "gpt-9" }), 404, "gpt-9"),
        (json!({ "input": "HI", "voice": "nobody" }), 404, "nobody"),
        (json!({ "input": "HI", "voice": "../../etc/passwd" }), 404, "voice"),
        (json!({ "input": "HI", "voice": "http://example.org/a.wav" }), 404, "voice"),
        (json!({ "input": "HI", "response_format": "aac" }), 400, "wav, pcm or flac"),
        (json!({ "input": "HI", "response_format": "tape" }), 400, "tape"),
        (json!({ "input": "HI", "response_format": "flac", "stream": true }), 400, "flac"),
        (json!({ "input": "HI [voice:nobody] HO", "markup": true }), 404, "nobody"),
        (json!({ "input": "HI [pause:x]", "markup": true }), 400, "500ms"),
        (json!({ "input": "HI", "speed": 100 }), 400, "0.25"),
        (json!({ "input": "HI", "language": "klingon" }), 400, "language"),
        (json!({ "input": "HI", "steps": 0 }), 400, "steps"),
        (json!({ "input": "HI", "beams": 0 }), 400, "beams"),
        (json!({ "input": "HI", "seconds": 5, "speed": 2 }), 400, "one of"),
        (json!({ "input": "HI", "seconds": -5 }), 400, "seconds"),
        (json!({ "input": "HI", "tail_fade": 5000 }), 400, "tail fade"),
        (json!({ "input": "HI", "loudness": 3 }), 400, "LUFS"),
        (json!({ "input": "HI", "loudness": -16, "stream": true }), 400, "streams"),
        (json!({ "input": "HI", "first_chunk": 0, "stream": true }), 400, "first chunk"),
        (json!({ "input": "HI", "emotion": { "text": "sad" } }), 400, "emotion"),
        (json!({ "input": "HI", "voice": "anton" }), 404, "anna, bert"),
        (json!({ "input": "HI", "emotion": { "vector": [9, 0, 0, 0, 0, 0, 0, 0] } }), 400, "happy"),
        (json!({ "input": "HI", "emotion": { "vector": [0, 0] } }), 400, "length"),
        (json!({ "input": "HI", "emotion": { "voice": "anna", "text": "x" } }), 400, "one of"),
        (json!({ "input": "HI", "emotion": { "colour": "red" } }), 400, "colour"),
    ];
    for (body, status, word) in cases {
        refused(server.speak(body).await, status, word).await;
    }
    let post = |media_type: &str, body: &'static str| {
        server.client.post(server.url("/v1/audio/speech")).header("content-type", media_type).body(body).send()
    };
    refused(post("application/json", "{").await.unwrap(), 400, "cannot be read").await;
    refused(post("text/plain", "{\"input\": \"HI\"}").await.unwrap(), 415, "JSON").await;
    refused(server.get("/v1/audio/speech").await, 405, "methods").await;
    refused(server.get("/v1/nothing").await, 404, "no such path").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_openai_find_what_they_know() {
    let server = Server::start(|_| {});
    let models: Value = server.get("/v1/models").await.json().await.unwrap();
    assert_eq!(models["object"], "list");
    assert_eq!(models["data"][0]["id"], "tiny");
    refused(server.get("/v1/models/gpt-9").await, 404, "gpt-9").await;
    for name in ["tiny", "tts-1", "tts-1-hd"] {
        let model: Value = server.get(&format!("/v1/models/{name}")).await.json().await.unwrap();
        assert_eq!(model, models["data"][0]);
        server.spoken(with(body("HI", 0), json!({ "model": name, "speed": 1.0, "voice": "bert" }))).await;
    }
    assert!(server.get("/").await.text().await.unwrap().starts_with("<!doctype html>"));
}

/// The document names exactly the routes that are there.
#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_describes_every_route() {
    let server = Server::start(|_| {});
    let document: Value = server.get("/openapi.json").await.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = server.url(&path.replace("{name}", "x").replace("{model}", "x"));
            let answer = server.client.request(method.clone(), url).send().await.unwrap();
            let missing = answer.status() == 405 || answer.text().await.unwrap().contains("no such path");
            assert!(!missing, "{method} {path}");
            found.push(format!("{method} {path}"));
        }
    }
    found.sort();
    let want = [
        "DELETE /v1/audio/voices/{name}",
        "GET /health",
        "GET /metrics",
        "GET /v1/audio/speech/ws",
        "GET /v1/audio/voices",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "POST /v1/audio/speech",
        "POST /v1/audio/voices",
    ];
    assert_eq!(found, want);
    // Every schema that is referred to is there.
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is not described");
    }
}

/// What clients of OpenAI's API have built in.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_voices_and_instructions_are_understood_as_far_as_they_can_be() {
    let server = Server::start(|options| {
        options.voice_aliases = [("nova".to_string(), "bert".to_string())].into();
    });
    let say = |fields: Value| server.spoken(with(body("HI", 7), fields));
    let (anna, bert) = (say(json!({ "voice": "anna" })).await, say(json!({ "voice": "bert" })).await);
    assert!(anna != bert);
    assert!(say(json!({ "voice": "alloy" })).await == anna, "a name of OpenAI's means the first voice");
    assert!(say(json!({ "voice": "nova" })).await == bert, "an alias means what it was given for");
    let told = json!({ "voice": "anna", "model": "gpt-4o-mini-tts", "instructions": "Speak cheerfully." });
    assert!(say(told).await == anna, "this model reads no emotion from text");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_nothing_is_refused_at_the_start() {
    let mut options = ServeOptions::new("tiny", VoiceStore::new("nowhere"));
    options.voice_aliases = [("nova".to_string(), "carl".to_string())].into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = serve(listener, synthesizer(), options, std::future::pending()).await.unwrap_err().to_string();
    assert!(error.contains("nova=carl") && error.contains("anna, bert"), "{error}");
}
