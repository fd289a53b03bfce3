//! `indextts serve` as a process.
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::{body, model};

/// Ends the process if the test fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn start(arguments: &[&str]) -> (Process, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_indextts"))
        .args(["serve", "--port", "0", "--model"])
        .arg(model())
        .args(arguments)
        .env_remove("INDEXTTS_API_KEY")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (Process(child), address.trim().to_string())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_listens_logs_no_text_and_ends_on_sigterm() {
    let voices = tempfile::tempdir().unwrap();
    let (mut process, address) = start(&["--voices", voices.path().to_str().unwrap()]);
    assert!(address.starts_with("http://127.0.0.1:"), "{address:?}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let speech = client.post(format!("{address}/v1/audio/speech")).json(&body("HELLO WORLD.", 0)).send().await.unwrap();
    assert_eq!(speech.status(), StatusCode::OK);
    assert_eq!(&speech.bytes().await.unwrap()[..4], b"RIFF");
    drop(client);

    let id = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let status = process.0.wait().unwrap();
    assert!(status.success(), "{status}");
    let log: Vec<String> = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    let log = log.join("\n");
    assert!(log.contains("/v1/audio/speech") && log.contains("stopped"), "{log}");
    assert!(!log.contains("HELLO"), "{log}");
    assert!(!log.contains('\x1b'), "colours in a file: {log}");
}

/// One JSON object a line, with what an operator searches for and nothing of what was said.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_json() {
    let voices = tempfile::tempdir().unwrap();
    let (mut process, address) = start(&["--voices", voices.path().to_str().unwrap(), "--log-format", "json"]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let speech = client.post(format!("{address}/v1/audio/speech")).header("x-request-id", "request-7");
    let speech = speech.json(&body("HELLO WORLD.", 0)).send().await.unwrap();
    assert_eq!(speech.status(), StatusCode::OK);
    drop((speech, client));
    let id = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(process.0.wait().unwrap().success());
    let lines: Vec<String> = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    let log: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let accepted = log.iter().find(|line| line["message"] == "speech accepted").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(accepted["characters"], 12);
    assert_eq!(accepted["span"]["path"], "/v1/audio/speech");
    assert_eq!(accepted["span"]["id"], "request-7");
    assert!(log.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()));
    assert!(!lines.concat().contains("HELLO"), "{lines:?}");
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_indextts"))
        .args(["serve", "--port", &port, "--model"])
        .arg(model())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(&port), "{stderr}");
}
