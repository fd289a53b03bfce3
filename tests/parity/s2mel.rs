//! Length regulator, DiT and flow-matching solver.
use std::ops::ControlFlow;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use indextts::Error;
use indextts::models::dit::timestep;
use indextts::models::flow::{SolveOptions, solve};
use indextts::models::length_regulator::{stretch, target_frames_v2};
use indextts::models::s2mel::{S2Mel, S2MelConfig};
use indextts_import::{Checkpoint, check_manifest, config, tables};
use serde_json::Value;

use super::support::{Io, NETWORK, SOLVE, close, close_slices, device, golden, json, load};

const WEIGHTS: &str = "s2mel/s2mel.pth";

fn model(device: &Device) -> S2Mel {
    let shapes = Checkpoint::open(&golden(WEIGHTS)).unwrap().shapes();
    let (config, vars) = config::s2mel::s2mel_v2(&json("s2mel/config.json"), &shapes).unwrap();
    let config: S2MelConfig = serde_json::from_value(config).unwrap();
    load(config.init(device), tables::s2mel_v2(), &vars, WEIGHTS)
}

/// Goldens hold mels as `[batch, mel_bins, time]`.
fn mel(io: &Io, name: &str, device: &Device) -> Tensor<3> {
    io.tensor::<3>(name, device).swap_dims(1, 2)
}

#[test]
pub fn length_regulator_parity() {
    let device = device();
    let regulator = model(&device).regulator;
    let io = Io::open("s2mel/length_regulator.io.safetensors");
    let projected = regulator.project(io.tensor("0.x", &device));
    let frames = io.ints("0.ylen")[0] as usize;
    close("regulator", projected.clone(), &io, "0.content_in_proj", NETWORK);
    close("regulator", stretch(projected, frames).swap_dims(1, 2), &io, "0.interp", NETWORK);
    for case in (0..).map_while(|i| io.has(&format!("{i}.x")).then(|| i.to_string())) {
        let frames = io.ints(&format!("{case}.ylen"))[0] as usize;
        let y = regulator.forward(io.tensor(&format!("{case}.x"), &device), frames);
        close("regulator", y, &io, &format!("{case}.y"), NETWORK);
    }
}

/// Several items at once, each with its own number of frames: those beyond are 0 in the golden.
#[test]
pub fn batched_length_regulator_parity() {
    let device = device();
    let regulator = model(&device).regulator;
    let io = Io::open("s2mel/length_regulator.io.safetensors");
    let lengths = io.ints("b.ylens");
    let frames = *lengths.iter().max().unwrap() as usize;
    let y = regulator.forward(io.tensor("b.x", &device), frames);
    let mask: Vec<f32> =
        lengths.iter().flat_map(|&n| (0..frames as i64).map(move |t| f32::from(u8::from(t < n)))).collect();
    let mask = Tensor::<1>::from_floats(mask.as_slice(), &device).reshape([lengths.len(), frames, 1]);
    close("regulator", y * mask, &io, "b.y", NETWORK);
}

#[test]
pub fn gpt_projection_parity() {
    let device = device();
    let projection = model(&device).gpt_projection.unwrap();
    let io = Io::open("s2mel/length_regulator.io.safetensors");
    close("gpt_layer", projection.forward(io.tensor("gpt_layer.x", &device)), &io, "gpt_layer.y", NETWORK);
}

#[test]
pub fn dit_parity() {
    let device = device();
    let dit = model(&device).dit;
    let io = Io::open("s2mel/io.safetensors");
    let prompt = mel(&io, "fwd.prompt_x", &device);
    let context = dit.context(prompt, io.tensor("fwd.style", &device), io.tensor("fwd.mu", &device), None);
    let x = mel(&io, "fwd.x", &device);
    let (time, wavenet_time) = dit.embed_time(&io.floats("fwd.t"), &device);
    close("dit", time.clone(), &io, "fwd.t1", NETWORK);
    close("dit", wavenet_time.clone(), &io, "fwd.t2", NETWORK);
    let merged = dit.merge(x.clone(), &context);
    close("dit", merged.clone(), &io, "fwd.x_in", NETWORK);
    let attended = dit.blocks[0].attend(merged.clone(), &time, &context.rotary, None);
    close("dit", attended, &io, "fwd.block0_attn", NETWORK);
    let block0 = dit.blocks[0].forward(merged.clone(), &mut Vec::new(), &time, &context.rotary, None);
    close("dit", block0, &io, "fwd.block0", NETWORK);
    let blocks = dit.run_blocks(merged, &time, &context);
    close("dit", blocks.clone(), &io, "fwd.block_last", NETWORK);
    let states = dit.normalise(blocks, &time);
    close("dit", states.clone(), &io, "fwd.transformer_out", NETWORK);
    let states = dit.add_long_skip(states, x.clone());
    let wave = dit.head.wave(states.clone(), wavenet_time, None);
    close("dit", wave.clone().swap_dims(1, 2), &io, "fwd.wavenet_out", NETWORK);
    close("dit", dit.head.project(states, wave, time), &io, "fwd.final_layer", NETWORK);
    let velocity = dit.velocity(x, &io.floats("fwd.t"), &context, 0);
    close("dit", velocity.swap_dims(1, 2), &io, "fwd.y", NETWORK);
}

/// Items of different lengths: keys beyond the end are ignored and the WaveNet sees zeros there.
///
/// The golden stores only the output. Its inputs are the conditional item of `fwd.*` twice, the second time with
/// `0.8 x`, `-style` and `-mu`, at the times 0.2 and 0.6.
#[test]
pub fn padded_dit_parity() {
    let device = device();
    let dit = model(&device).dit;
    let io = Io::open("s2mel/io.safetensors");
    let lengths: Vec<usize> = io.ints("pad.x_lens").iter().map(|&n| n as usize).collect();
    let twice = |first: Tensor<3>, factor: f64| Tensor::cat(vec![first.clone(), first * factor], 0);
    let prompt = twice(mel(&io, "fwd.prompt_x", &device).narrow(0, 0, 1), 1.0);
    let style = twice(io.tensor::<2>("style", &device).unsqueeze_dim(1), -1.0).squeeze_dim(1);
    let context = dit.context(prompt, style, twice(io.tensor("mu", &device), -1.0), Some(&lengths));
    let x = twice(mel(&io, "fwd.x", &device).narrow(0, 0, 1), 0.8);
    close("dit", dit.velocity(x, &[0.2, 0.6], &context, 0).swap_dims(1, 2), &io, "pad.y", NETWORK);
}

/// The sinusoid frequencies are computed; the checkpoint holds them as a buffer.
#[test]
fn timestep_frequencies_parity() {
    let checkpoint = Checkpoint::open(&golden(WEIGHTS)).unwrap();
    for (key, tensor) in checkpoint.tensors.iter().filter(|(key, _)| key.ends_with(".freqs")) {
        close_slices("dit", &timestep::frequencies(), &tensor.floats().unwrap(), key, 1e-6);
    }
}

fn run(options: SolveOptions, step: &mut dyn FnMut(usize) -> ControlFlow<()>) -> Result<Tensor<3>, Error> {
    let device = device();
    let dit = model(&device).dit;
    let io = Io::open("s2mel/io.safetensors");
    let [noise, prompt, condition] = ["z", "prompt", "mu"].map(|name| io.tensor::<3>(name, &device));
    solve(&dit, noise, prompt, condition, io.tensor("style", &device), &options, step)
}

#[test]
pub fn solver_parity() {
    let io = Io::open("s2mel/io.safetensors");
    for (name, steps, guidance) in
        [("solve_n5_cfg0.7", 5, 0.7), ("solve_n25_cfg0.7", 25, 0.7), ("solve_n5_cfg0.0", 5, 0.0)]
    {
        let mut done = 0;
        let mel = run(SolveOptions { steps, guidance }, &mut |step| {
            done = step;
            ControlFlow::Continue(())
        });
        close("solver", mel.unwrap(), &io, name, SOLVE);
        assert_eq!(done, steps);
    }
}

#[test]
fn a_solve_can_be_cancelled() {
    let mut calls = 0;
    let result = run(SolveOptions::default(), &mut |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(calls, 1);
}

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

fn official(name: &str) -> Value {
    let config: Value = serde_json::from_str(&std::fs::read_to_string(here(name)).unwrap()).unwrap();
    config["s2mel"].clone()
}

#[test]
fn real_size_s2mel_matches_the_official_keys() {
    let manifest = here("keys/s2mel_v2.json");
    let shapes = Checkpoint::from_manifest(&manifest).unwrap().shapes();
    let v2 = config::s2mel::s2mel_v2(&official("configs/config_v2.json"), &shapes).unwrap();
    let v2_5 = config::s2mel::s2mel_v2_5(&official("configs/config_v2_5.json")).unwrap();
    let cases = [
        (v2, tables::s2mel_v2().unwrap(), manifest.clone()),
        (v2_5.clone(), tables::s2mel_v2_5().unwrap(), here("keys/s2mel_v2_5.json")),
        // The released 2.5 file is as large as one that still holds the projection of GPT latents.
        (v2_5, tables::s2mel_v2_5().unwrap(), manifest),
    ];
    for ((config, vars), table, manifest) in cases {
        let config: S2MelConfig = serde_json::from_value(config).unwrap();
        let schema = indextts::weights::schema(&config.init(&Device::flex()));
        check_manifest(&table, &vars, &manifest, &schema).unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    }
}

#[test]
fn target_frames_truncate_the_f32_product() {
    for codes in 0..3000 {
        assert_eq!(target_frames_v2(codes), (codes as f64 * 1.72) as usize, "{codes} codes");
    }
}
