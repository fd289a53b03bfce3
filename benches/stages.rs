//! The networks that take the time, at the full size of 2.0 with random weights and without a model's files: against what
//! this machine's memory and multipliers give at best, measured in the same run.
//!
//!     cargo bench --locked --bench stages [-- NAME..]
//!
//! Names are gpt, dit, wave and voice. A sentence of 100 codes (2 s), a reference of 5 s.
use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};
use indextts::kernels::{self, Bits, WeightType};
use indextts::models::bigvgan::{BigVganConfig, PackedBigVgan};
use indextts::models::dit::DitConfig;
use indextts::models::gpt::GptConfig;
use indextts::models::w2v_bert::W2vBertConfig;
use indextts::nn::linear::{FewBits, StoredBits, pack};
use indextts::pipeline::decode::{DecodeOptions, decode, rng::seeded};
use serde_json::{from_value, json};

const RUNS: usize = 3;
const CODES: usize = 100;
/// Rows of the prompt: conditioning, text and start.
const PROMPT: usize = 49;
/// Frames of the reference and of the sentence.
const FRAMES: [usize; 2] = [431, 172];

/// Random matrices in place of zeros; vectors stay.
struct Random;

impl ModuleMapper for Random {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|t| if D > 1 { t.random_like(Distribution::Normal(0.0, 0.02)) } else { t })
    }
}

fn random<const D: usize>(dims: [usize; D]) -> Tensor<D> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), &Device::flex())
}

/// Median of a few runs, in seconds; the first does not count.
fn median(mut run: impl FnMut()) -> f64 {
    run();
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

/// What the machine gives at best, with our own products: GB/s and GFLOP/s.
struct Machine {
    memory: f64,
    products: f64,
}

impl Machine {
    fn measure() -> Self {
        let seconds = |sizes| kernels::product_seconds(WeightType::F32, sizes, &Device::flex());
        let (wide, large) = ([1, 1024, 65536], [512, 1024, 4096]);
        let size = |sizes: [usize; 3]| sizes.iter().product::<usize>() as f64 / 1e9;
        Self { memory: 4.0 * size(wide) / seconds(wide), products: 2.0 * size(large) / seconds(large) }
    }
}

fn gpt() {
    let conformer = |dim, hidden, heads, layers| json!({"features": 1024, "dim": dim, "hidden": hidden, "heads": heads, "layers": layers, "kernel": 15, "positions": 5000});
    let perceiver = |dim, latents, heads| json!({"context": 512, "dim": dim, "latents": latents, "layers": 2, "heads": heads, "head_dim": 64, "hidden": 2 * dim});
    let config: GptConfig = from_value(json!({
        "dim": 1280, "layers": 24, "heads": 20, "text_tokens": 12001, "text_positions": 602, "start_text": 0, "stop_text": 1,
        "codes": 8194, "code_positions": 1818, "start_code": 8192, "stop_code": 8193,
        "emotion": {"conformer": conformer(512, 1024, 4, 4), "perceiver": perceiver(1024, 1, 4)},
        "conditioning": {"latents": {"conformer": conformer(512, 2048, 8, 6), "perceiver": perceiver(1280, 32, 8)}},
    }))
    .expect("the sizes of 2.0");
    let device = Device::flex();
    println!("| GPT, 100 codes | beams | s | ms a code | GB a code | GB/s | of memory | x f32 |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut f32s = [0f64; 4];
    for (name, bits, bytes) in
        [("f32", None, 4.0), ("8 bits", Some(Bits::Eight), 1.0625), ("4 bits", Some(Bits::Four), 0.5625)]
    {
        let model = config.init(&device).map(&mut Random);
        let model = match bits {
            Some(bits) => model.quantize(FewBits::new(bits, &StoredBits::new())),
            None => model,
        };
        let model = pack(model, WeightType::F32, &device);
        let prefix = random([1, PROMPT, 1280]);
        for beams in [1, 3] {
            let options = DecodeOptions { beams, max_codes: CODES, ..Default::default() };
            // Memory is measured beside each: it changes most on machines that are shared.
            let machine = Machine::measure();
            let mut count = 0;
            let seconds = median(|| {
                count = 0;
                let mut progress = |codes| {
                    count = codes;
                    ControlFlow::Continue(())
                };
                decode(&model, prefix.clone(), &options, &mut seeded(1), &mut progress).expect("codes");
            });
            let prefill = median(|| {
                model.prefill(prefix.clone(), &mut model.cache());
            });
            let step = (seconds - prefill) / (count.max(2) - 1) as f64;
            let gigabytes = bytes * (24.0 * 12.0 * 1280.0 * 1280.0 + 1280.0 * 8194.0) / 1e9;
            if bits.is_none() {
                f32s[beams] = step;
            }
            println!(
                "| {name} | {beams} | {seconds:.2} | {:.1} | {gigabytes:.2} | {:.1} | {:.0} % of {:.1} | {:.2} |",
                1e3 * step,
                gigabytes / step,
                100.0 * gigabytes / step / machine.memory,
                machine.memory,
                f32s[beams] / step,
            );
        }
    }
}

fn dit() {
    let config: DitConfig = from_value(json!({
        "mel_bins": 80, "content": 512, "style": 192, "hidden": 512, "layers": 13, "heads": 8, "ffn": 1536,
        "wavenet": {"hidden": 512, "layers": 8, "kernel": 5, "dilation_rate": 1},
    }))
    .expect("the sizes of 2.0");
    let device = Device::flex();
    let (prompt, total) = (FRAMES[0], FRAMES[0] + FRAMES[1]);
    println!("| DiT, a step of 2 x {total} frames | s | GFLOP | GFLOP/s | of products |");
    println!("|---|---|---|---|---|");
    for (name, kept) in [("f32", WeightType::F32), ("bf16", WeightType::Bf16)] {
        let machine = Machine::measure();
        let dit = pack(config.init(&device).map(&mut Random), kept, &device);
        let context = dit.context(random([2, total, 80]), random([2, 192]), random([2, total, 512]), None);
        let x = random([1, total, 80]);
        let seconds = median(|| {
            dit.velocity(x.clone(), &[0.3], &context, prompt);
        });
        // Of the head, what the sentence needs: its frames and those that the WaveNet looks back to.
        let (all, head) = (2.0 * total as f64, 2.0 * (FRAMES[1] + dit.head.wavenet.lookback()) as f64);
        let blocks = 13.0 * (4.0 * 512.0 * 512.0 + 3.0 * 512.0 * 1536.0) + 6.0 * 2.0 * 512.0 * 512.0;
        let attention = 13.0 * 2.0 * 512.0 * total as f64;
        let wavenet = 8.0 * 5.0 * 512.0 * 1024.0 + 7.5 * 512.0 * 1024.0;
        let around = 4.0 * 512.0 * 512.0 + 2.0 * 80.0 * 512.0;
        let flops = 2.0 * (all * (blocks + attention) + head * (wavenet + around)) / 1e9;
        let speed = flops / seconds;
        let share = 100.0 * speed / machine.products;
        println!("| {name} | {seconds:.3} | {flops:.0} | {speed:.0} | {share:.0} % of {:.0} |", machine.products);
    }
}

fn wave() {
    let config: BigVganConfig = from_value(json!({
        "mel_bins": 80, "channels": 1536, "upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernels": [8, 8, 4, 4, 4, 4],
        "block_kernels": [3, 7, 11], "block_dilations": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "tanh_at_final": false,
    }))
    .expect("the sizes of 2.0");
    let device = Device::flex();
    let frames = FRAMES[1];
    let vocoder = PackedBigVgan::new(config.init(&device).map(&mut Random), WeightType::F32);
    let machine = Machine::measure();
    let seconds = median(|| {
        vocoder.forward(random([1, 80, frames]));
    });
    // Six convolutions with each of the kernels; a transposed one uses kernel / stride = 2 inputs a sample.
    let (mut flops, mut channels, mut time) = (7.0 * 80.0 * 1536.0 * frames as f64, 1536.0, frames as f64);
    for rate in [4.0, 4.0, 2.0, 2.0, 2.0, 2.0] {
        time *= rate;
        flops += 2.0 * channels * channels / 2.0 * time;
        channels /= 2.0;
        flops += 6.0 * 21.0 * channels * channels * time;
    }
    let flops = 2.0 * flops / 1e9;
    println!("| BigVGAN, {frames} frames | GFLOP | GFLOP/s | of products |");
    println!("|---|---|---|---|");
    let (speed, peak) = (flops / seconds, machine.products);
    println!("| {seconds:.3} s | {flops:.0} | {speed:.0} | {:.0} % of {peak:.0} |", 100.0 * speed / peak);
}

fn voice() {
    let config: W2vBertConfig = from_value(json!({
        "input_size": 160, "hidden_size": 1024, "layers": 17, "heads": 16, "feed_forward": 4096, "left_distances": 64,
        "right_distances": 8, "kernel": 31, "norm_epsilon": 1e-5,
    }))
    .expect("the sizes of 2.0");
    let device = Device::flex();
    let encoder = pack(config.init(&device).map(&mut Random), WeightType::F32, &device);
    let machine = Machine::measure();
    let features = random([1, 249, 160]);
    let seconds = median(|| {
        encoder.forward(features.clone(), None);
    });
    let flops = 2.0 * 249.0 * 17.0 * (1024.0 * 1024.0 * (4.0 + 16.0 + 3.0) + 3.0 * 249.0 * 1024.0) / 1e9;
    println!("| w2v-bert, 249 frames | GFLOP | GFLOP/s | of products |");
    println!("|---|---|---|---|");
    let (speed, peak) = (flops / seconds, machine.products);
    println!("| {seconds:.3} s | {flops:.0} | {speed:.0} | {:.0} % of {peak:.0} |", 100.0 * speed / peak);
}

fn main() {
    // Cargo passes `--bench`.
    let names: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let stages: [(&str, fn()); 4] = [("voice", voice), ("gpt", gpt), ("dit", dit), ("wave", wave)];
    for (name, stage) in stages {
        if names.is_empty() || names.iter().any(|n| n == name) {
            stage();
            println!();
        }
    }
}
