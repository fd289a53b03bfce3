//! `indextts text` as typed.
use std::process::{Command, Output};

use serde_json::Value;

use crate::say::model;

fn indextts(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_indextts")).args(arguments).env_remove("INDEXTTS_MODEL").output().unwrap()
}

fn shown(arguments: &[&str]) -> String {
    let output = indextts(&[&["text"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_string()
}

#[test]
fn the_spoken_form_needs_no_model() {
    assert_eq!(shown(&["I have 2 cats."]), "I have two cats.");
    assert_eq!(shown(&["2", "--lang", "zh"]), "二");
    let json: Value = serde_json::from_str(&shown(&["我有2只猫", "--json"])).unwrap();
    assert_eq!((json["language"].as_str(), json["spoken"].as_str()), (Some("zh"), Some("我有两只猫")));
}

#[test]
fn a_glossary_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("words.yaml");
    std::fs::write(&file, "M.2: {en: M two}\n").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(shown(&["An M.2 slot", "--lang", "en", "--glossary", path]), "An M two slot");
    std::fs::write(&file, "- no table").unwrap();
    let refused = indextts(&["text", "x", "--glossary", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("words.yaml"));
}

#[test]
fn a_model_shows_its_tokens_and_what_it_does_not_know() {
    let model = model().to_str().unwrap();
    let text = shown(&["Hello world. Please say it again.", "--model", model]);
    assert!(text.contains("language en") && text.contains("segment 1 (") && text.contains("▁HELLO"), "{text}");
    let json: Value = serde_json::from_str(&shown(&["Hello 猫.", "--json", "--model", model])).unwrap();
    assert!(json["segments"][0]["ids"].as_array().is_some_and(|ids| !ids.is_empty()));
    assert_eq!(
        json["segments"][0]["ids"].as_array().unwrap().len(),
        json["segments"][0]["tokens"].as_array().unwrap().len()
    );
    assert!(
        !json["unknown"].as_array().unwrap().is_empty() && !json["warnings"].as_array().unwrap().is_empty(),
        "{json}"
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    for (arguments, code, message) in [
        (vec!["text", " "], 1, "no text"),
        (vec!["text", "x", "--lang", "klingon"], 2, "zh, en, ja, es, ar"),
        (vec!["text", "x", "--glossary", "/nowhere.yaml"], 2, "nowhere.yaml"),
        (vec!["text", "x", "--ja-dictionary", "/nowhere.dic"], 2, "nowhere.dic"),
        (vec!["text", "x", "--model", "/nowhere"], 2, "nowhere"),
    ] {
        let output = indextts(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message) && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
