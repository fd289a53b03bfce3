//! w2v-bert against the reference.
use burn::tensor::{Device, Tensor};
use indextts::Bits;
use indextts::models::w2v_bert::{FeatureStats, FeatureStatsConfig, W2vBert, W2vBertConfig};
use indextts::nn::linear::{FewBits, StoredBits};
use indextts_import::config::w2v_bert::w2v_bert;
use indextts_import::{Vars, tables};

use crate::support::{Io, NETWORK, check_manifest, close, device, json, load, official};

fn layer() -> usize {
    json("w2v_bert/extra.json")["layer"].as_u64().unwrap() as usize
}

fn open() -> (W2vBert, FeatureStats) {
    let device = device();
    let (config, vars) = w2v_bert(&json("w2v_bert/config.json"), layer()).unwrap();
    let config: W2vBertConfig = serde_json::from_value(config).unwrap();
    let stats = FeatureStatsConfig { size: config.hidden_size }.init(&device);
    (
        load(config.init(&device), tables::w2v_bert(), &vars, "w2v_bert/model.safetensors"),
        load(stats, tables::w2v_stats(), &Vars::default(), "w2v_bert/wav2vec2bert_stats.pt"),
    )
}

#[test]
pub fn parity_w2v_bert() {
    let device = device();
    let (model, stats) = open();
    let io = Io::open("w2v_bert/io.safetensors");
    for case in ["full", "oddlen"] {
        let name = |part: &str| format!("{case}.{part}");
        let features: Tensor<3> = io.tensor(&name("input_features"), &device);
        let mask = io.int_tensor::<2>(&name("attention_mask"), &device).equal_elem(1);
        let states = model.hidden_states(features.clone(), Some(mask.clone()));
        close("w2v_bert", states[0].clone(), &io, &name("hidden0"), NETWORK);
        close("w2v_bert", states[1].clone(), &io, &name("hidden1"), NETWORK);
        let output = model.forward(features, Some(mask));
        close("w2v_bert", output.clone(), &io, &name("hidden_k"), NETWORK);
        close("w2v_bert", stats.normalize(output), &io, &name("emb_normalised"), NETWORK);
    }
}

/// As it is kept beside a GPT in few bits.
#[test]
fn w2v_bert_in_eight_bits_stays_near() {
    let device = device();
    let io = Io::open("w2v_bert/io.safetensors");
    let model = open().0.quantize(FewBits::new(Bits::Eight, &StoredBits::new()));
    for case in ["full", "oddlen"] {
        let mask = io.int_tensor::<2>(&format!("{case}.attention_mask"), &device).equal_elem(1);
        let got = model.forward(io.tensor(&format!("{case}.input_features"), &device), Some(mask));
        let want = io.tensor::<3>(&format!("{case}.hidden_k"), &device);
        let length = |x: Tensor<3>| x.square().sum().sqrt();
        let cosine: f32 = ((got.clone() * want.clone()).sum() / (length(got) * length(want))).into_scalar();
        println!("w2v_bert       q8    cosine {cosine:.5} ({case})");
        assert!(cosine > 0.999, "{case}: {cosine}");
    }
}

#[test]
fn real_size_w2v_bert_keys_are_accounted_for() {
    let (config, vars) = w2v_bert(&official("config_w2v_bert.json"), 17).unwrap();
    let config: W2vBertConfig = serde_json::from_value(config).unwrap();
    check_manifest(&config.init(&Device::flex()), tables::w2v_bert(), &vars, "w2v_bert.json");
    let stats = FeatureStatsConfig { size: config.hidden_size }.init(&Device::flex());
    check_manifest(&stats, tables::w2v_stats(), &Vars::default(), "wav2vec2bert_stats.json");
}
