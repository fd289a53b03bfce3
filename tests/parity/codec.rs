//! Both halves of the semantic codec against the reference.
use burn::tensor::Tensor;
use indextts::models::codec::{CodecDecoder, CodecDecoderConfig, SemanticCodec, SemanticCodecConfig};
use indextts_import::config::codec::{codec_decoder, semantic_codec};
use indextts_import::tables;

use crate::support::{Io, NETWORK, check_manifest, close, device, json, load, official};

fn codes(codes: Tensor<2, burn::tensor::Int>) -> Vec<i64> {
    codes.into_data().iter::<i64>().collect()
}

#[test]
pub fn parity_semantic_codec() {
    let device = device();
    let (config, vars) = semantic_codec(&json("semantic_codec/config.json")).unwrap();
    let config: SemanticCodecConfig = serde_json::from_value(config).unwrap();
    let codec: SemanticCodec =
        load(config.init(&device), tables::semantic_codec(), &vars, "semantic_codec/model.safetensors");
    let io = Io::open("semantic_codec/io.safetensors");
    let x: Tensor<3> = io.tensor("x", &device);
    let encoded = codec.encode(x.clone());
    close("codec", encoded.clone(), &io, "encoder_out", NETWORK);
    close("codec", codec.project(encoded).swap_dims(1, 2), &io, "z_e", NETWORK);
    let (got, vectors) = codec.quantize(x);
    assert_eq!(codes(got), io.ints("codes"));
    close("codec", vectors, &io, "quantized", NETWORK);
    let all = codec.embed(io.int_tensor("all_codes", &device));
    close("codec", all.swap_dims(1, 2), &io, "all_vq2emb_BDT", NETWORK);
    assert_eq!(codec.codebook_size(), io.ints("all_codes").len());
}

#[test]
pub fn parity_codec_2_5() {
    let device = device();
    let (config, vars) = codec_decoder(&json("codec_v2_5/config.json")).unwrap();
    let config: CodecDecoderConfig = serde_json::from_value(config).unwrap();
    let codec: CodecDecoder = load(config.init(&device), tables::codec_v2_5(), &vars, "codec_v2_5/codec.pth");
    let io = Io::open("codec_v2_5/io.safetensors");
    for case in ["even", "odd"] {
        let name = |part: &str| format!("{case}.{part}");
        let codes = io.int_tensor(&name("codes"), &device);
        close("codec", codec.embed(codes.clone()).swap_dims(1, 2), &io, &name("vq2emb"), NETWORK);
        close("codec", codec.decode(codes), &io, &name("decode"), NETWORK);
    }
}

#[test]
fn real_size_codec_keys_are_accounted_for() {
    let device = device();
    let (config, vars) = semantic_codec(&official("config_v2.json")["semantic_codec"]).unwrap();
    let config: SemanticCodecConfig = serde_json::from_value(config).unwrap();
    check_manifest(&config.init(&device), tables::semantic_codec(), &vars, "semantic_codec_v2_maskgct.json");
    let (config, vars) = codec_decoder(&official("config_v2_5.json")["semantic_codec"]).unwrap();
    let config: CodecDecoderConfig = serde_json::from_value(config).unwrap();
    check_manifest(&config.init(&device), tables::codec_v2_5(), &vars, "codec_v2_5.json");
}
