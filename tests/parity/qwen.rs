//! The text-to-emotion model against the reference.
use burn::tensor::Device;
use indextts::models::qwen::{Qwen, QwenConfig};
use indextts_import::config::qwen::qwen;
use indextts_import::tables;

use crate::support::{Io, NETWORK, check_manifest, close, json, load, official};

fn open() -> Qwen {
    let (config, vars) = qwen(&json("qwen_emo/config.json"), None).unwrap();
    let config: QwenConfig = serde_json::from_value(config).unwrap();
    load(config.init(&Device::flex()), tables::qwen(), &vars, "qwen_emo/model.safetensors")
}

#[test]
fn parity_qwen() {
    let model = open();
    let io = Io::open("qwen_emo/io.safetensors");
    let ids: Vec<u32> = io.ints("input_ids").iter().map(|id| *id as u32).collect();
    let mut cache = model.cache();
    let states = model.states(&ids, &mut cache);
    close("qwen", states[0].clone(), &io, "hidden1", NETWORK);
    let last = states[states.len() - 1].clone();
    close("qwen", last.clone(), &io, "hidden_last_normed", NETWORK);
    let logits = model.logits(last);
    close("qwen", logits, &io, "logits", NETWORK);
}

#[test]
fn parity_qwen_greedy() {
    let model = open();
    let io = Io::open("qwen_emo/io.safetensors");
    let mut ids: Vec<u32> = io.ints("input_ids").iter().map(|id| *id as u32).collect();
    let want = io.ints("greedy");
    let mut cache = model.cache();
    let mut got = Vec::new();
    for _ in 0..want.len() {
        let row = model.next(&ids, &mut cache);
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        got.push(best as i64);
        ids = vec![best as u32];
    }
    assert_eq!(got, want);
}

#[test]
fn real_size_qwen_keys_are_accounted_for() {
    let (config, vars) = qwen(&official("config_qwen3_0_6b.json"), None).unwrap();
    let config: QwenConfig = serde_json::from_value(config).unwrap();
    check_manifest(&config.init(&Device::flex()), tables::qwen(), &vars, "qwen3_0_6b_emo.json");
}
