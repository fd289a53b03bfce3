//! CAMPPlus against the reference.
use burn::tensor::{Device, Tensor};
use indextts::models::campplus::{CamPlus, CamPlusConfig};
use indextts_import::config::campplus::campplus;
use indextts_import::{Checkpoint, tables};

use crate::support::{Io, NETWORK, check_manifest, close, device, golden, json, keys, load_f32};

#[test]
pub fn parity_campplus() {
    let device = device();
    let file = "campplus/campplus_cn_common.bin";
    let (config, vars) = campplus(&Checkpoint::open(&golden(file)).unwrap().shapes()).unwrap();
    let config: CamPlusConfig = serde_json::from_value(config).unwrap();
    let stated = json("campplus/config.json");
    assert_eq!(stated["embedding_size"], config.embedding_size);
    assert_eq!(stated["growth_rate"], config.growth);
    assert_eq!(stated["init_channels"], config.initial_channels);
    // In f32 on every device and with every `--dtype`, as the pipeline loads it.
    let model: CamPlus = load_f32(config.init(&device), tables::campplus(), &vars, file);
    let io = Io::open("campplus/io.safetensors");
    for case in ["long", "short"] {
        let name = |part: &str| format!("{case}.{part}");
        let x: Tensor<3> = io.tensor(&name("x"), &device);
        let head = model.head(x.clone());
        if io.has(&name("fcm")) {
            close("campplus", head.clone(), &io, &name("fcm"), NETWORK);
        }
        let tdnn = model.tdnn(head);
        close("campplus", tdnn.clone(), &io, &name("tdnn"), NETWORK);
        close("campplus", model.first_block(tdnn), &io, &name("block1"), NETWORK);
        close("campplus", model.forward(x), &io, &name("embedding"), NETWORK);
    }
}

#[test]
fn real_size_campplus_keys_are_accounted_for() {
    let shapes = Checkpoint::from_manifest(&keys("campplus.json")).unwrap().shapes();
    let (config, vars) = campplus(&shapes).unwrap();
    let config: CamPlusConfig = serde_json::from_value(config).unwrap();
    assert_eq!((config.embedding_size, config.layers), (192, [12, 24, 16]));
    check_manifest(&config.init(&Device::flex()), tables::campplus(), &vars, "campplus.json");
}
