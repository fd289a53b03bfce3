//! BigVGAN vocoder.
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use indextts::WeightType;
use indextts::models::bigvgan::{BigVgan, BigVganConfig, PackedBigVgan};
use indextts::nn::snake::{Resampler, kaiser_sinc};
use indextts_import::{Checkpoint, Vars, check_manifest, config, tables};

use super::support::{Io, NETWORK, SOLVE, close, device, golden, load};

const WEIGHTS: &str = "bigvgan/bigvgan_generator.pt";

fn translated(path: &Path) -> (BigVganConfig, Vars) {
    let official = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (config, vars) = config::bigvgan::bigvgan(&official).unwrap();
    (serde_json::from_value(config).unwrap(), vars)
}

fn model(device: &Device) -> BigVgan {
    let (config, vars) = translated(&golden("bigvgan/config.json"));
    load(config.init(device), tables::bigvgan(), &vars, WEIGHTS)
}

#[test]
pub fn bigvgan_parity() {
    let device = device();
    let model = model(&device);
    let io = Io::open("bigvgan/io.safetensors");
    let mel: Tensor<3> = io.tensor("mel", &device);
    let pre = model.conv_pre.forward(mel.clone());
    close("bigvgan", pre.clone(), &io, "conv_pre", NETWORK);
    let up = model.upsamples[0].forward(pre);
    close("bigvgan", up.clone(), &io, "ups0", NETWORK);
    let block = model.blocks[0].forward(up, &Resampler::new(&device));
    close("bigvgan", block, &io, "resblock0", NETWORK);
    close("bigvgan", model.features(mel.clone()), &io, "activation_post", SOLVE);
    close("bigvgan", model.forward(mel.clone()), &io, "wav", SOLVE);
    // The form in which the CPU runs it.
    if device == Device::flex() {
        let packed = |kept| PackedBigVgan::new(model.clone(), kept).forward(mel.clone());
        close("packed bigvgan", packed(WeightType::F32), &io, "wav", SOLVE);
        let (half, wave) = (packed(WeightType::F16), io.tensor::<3>("wav", &device));
        let (noise, level) = ((half - wave.clone()).square().mean(), wave.square().mean());
        let distance: f32 = (noise / level).sqrt().into_scalar();
        println!("packed bigvgan f16   {:.1} dB of the level", 20.0 * distance.log10());
        // Rounded at the points where weights are evaluated, which interpolation makes four times as much of.
        assert!(distance < 5e-3, "a vocoder kept in f16 is {distance} of the level away");
    }
}

/// What a stream relies on: the samples of a frame depend on no frame farther away than the reach.
#[test]
fn samples_depend_on_frames_within_reach_only() {
    let device = device();
    let (config, _) = translated(&golden("bigvgan/config.json"));
    let (model, reach) = (model(&device), config.reach());
    let mel: Tensor<3> = Io::open("bigvgan/io.safetensors").tensor("mel", &device);
    let repeats = (3 * reach).div_ceil(mel.dims()[2]) + 1;
    let mel = mel.repeat_dim(2, repeats);
    let hop: usize = config.upsample_rates.iter().product();
    let (frames, from) = (mel.dims()[2], reach + 7);
    let whole = model.forward(mel.clone());
    // The largest difference behind frame `from` when only `context` frames before it are known.
    let difference = |context: usize| {
        let part = model.forward(mel.clone().narrow(2, from - context, frames - from + context));
        let count = (frames - from) * hop;
        let got = part.narrow(2, context * hop, count);
        (got - whole.clone().narrow(2, from * hop, count)).abs().max().into_scalar::<f32>()
    };
    assert!(difference(reach) < 1e-6, "{reach} frames: {:e}", difference(reach));
    assert!(difference(reach / 2) > 1e-6, "half of {reach} frames would do");
}

/// One anti-aliased activation. The golden interleaves the two phases of the doubled rate.
#[test]
pub fn alias_free_activation_parity() {
    let device = device();
    let activation = model(&device).blocks[0].activations[0].clone();
    let resampler = Resampler::new(&device);
    let io = Io::open("bigvgan/io.safetensors");
    let interleave = |x: Tensor<4>| {
        let [batch, channels, phases, time] = x.dims();
        x.swap_dims(2, 3).reshape([batch, channels, phases * time])
    };
    let x: Tensor<3> = io.tensor("act.x", &device);
    let up = resampler.up(x.clone());
    close("snake", interleave(up.clone()), &io, "act.up", NETWORK);
    close("snake", interleave(activation.snake(up)), &io, "act.snake", NETWORK);
    close("snake", activation.forward(x, &resampler), &io, "act.y", NETWORK);
}

/// The low-pass filter is computed; the checkpoint holds it in many places.
#[test]
fn filters_equal_the_checkpoints_parity() {
    let computed = kaiser_sinc();
    let checkpoint = Checkpoint::open(&golden(WEIGHTS)).unwrap();
    let mut found = 0;
    for (key, tensor) in checkpoint.tensors.iter().filter(|(key, _)| key.ends_with(".filter")) {
        let stored = tensor.floats().unwrap();
        assert_eq!(stored.len(), computed.len(), "{key}");
        let worst = stored.iter().zip(computed).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-7, "{key} differs by {worst:e}");
        found += 1;
    }
    assert!(found > 0);
}

#[test]
fn real_size_bigvgan_matches_the_official_keys() {
    let here = |path: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    let (config, vars) = translated(&here("configs/config_bigvgan.json"));
    let schema = indextts::weights::schema(&config.init(&Device::flex()));
    for manifest in ["keys/bigvgan.json", "keys/bigvgan_after_remove_weight_norm.json"] {
        check_manifest(&tables::bigvgan().unwrap(), &vars, &here(manifest), &schema)
            .unwrap_or_else(|problems| panic!("{manifest}:\n{}", problems.join("\n")));
    }
}
