//! The golden cases of every network, and the whole pipeline, on every device that this build has: the same goldens as
//! `tests/parity`, the same tolerances in f32.
//!
//! `cargo test --features ndarray,wgpu --test parity backends -- --nocapture` prints the tables. `wgpu` needs a Vulkan
//! driver, if only a software one (`apt-get install mesa-vulkan-drivers libvulkan1`).
#[cfg(feature = "wgpu")]
mod launches;
mod reads;

use std::time::Instant;

use indextts::{WeightType, device_by_name};

use crate::support::{Place, Row, at};
use crate::{bigvgan, campplus, codec, e2e, gpt, qwen, s2mel, w2v_bert};

/// One at a time on wgpu: launches are counted for the whole process, and times are to mean something.
#[cfg(feature = "wgpu")]
static WGPU: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// A golden case, and the network it belongs to.
type Case = (&'static str, fn());

/// Every network by itself. Codes are compared for equality inside the cases.
const NETWORKS: &[Case] = &[
    ("w2v-bert", w2v_bert::parity_w2v_bert),
    ("CAMPPlus", campplus::parity_campplus),
    ("semantic codec", codec::parity_semantic_codec),
    ("codec of 2.5", codec::parity_codec_2_5),
    ("GPT conditioning", gpt::conditioning_encoders_parity),
    ("GPT conditioning", gpt::emotion_parity),
    ("GPT conditioning", gpt::conditioning_v2_5_parity),
    ("GPT prompt", gpt::prompt_parity),
    ("GPT prompt", gpt::prefill_parity),
    ("GPT, teacher-forced", gpt::teacher_forced_parity),
    ("GPT latents", gpt::latent_parity),
    ("length regulator", s2mel::length_regulator_parity),
    ("length regulator", s2mel::gpt_projection_parity),
    ("DiT", s2mel::dit_parity),
    ("DiT", s2mel::padded_dit_parity),
    ("flow matching", s2mel::solver_parity),
    ("BigVGAN", bigvgan::bigvgan_parity),
    ("BigVGAN", bigvgan::alias_free_activation_parity),
    ("Qwen", qwen::parity_qwen),
];

/// What is equal in f32 only: greedy and beam codes, and with them the speech.
const CODES: &[Case] = &[
    ("GPT codes", gpt::greedy_codes_parity),
    ("GPT codes", gpt::beam_codes_parity),
    ("Qwen codes", qwen::parity_qwen_greedy),
    ("end to end", e2e::parity_end_to_end_plain),
    ("end to end", e2e::parity_end_to_end_emotion_vector),
];

/// A network's worst comparison, and its times.
struct Summary {
    network: &'static str,
    comparisons: usize,
    worst: Option<Row>,
    first: f64,
    again: f64,
}

/// Runs `cases` twice on the device called `name`, prints a table, and fails if any comparison does not hold.
fn compare(name: &str, weights: WeightType, slack: f64, cases: &[Case]) {
    let device = device_by_name(name).unwrap_or_else(|e| panic!("{e}"));
    let mut failed = Vec::new();
    let mut networks: Vec<Summary> = Vec::new();
    for (network, case) in cases {
        let run = || {
            let place = Place { device: device.clone(), weights, slack, rows: Vec::new() };
            let start = Instant::now();
            let rows = at(place, case);
            (start.elapsed().as_secs_f64(), rows)
        };
        let (first, rows) = run();
        let (again, repeated) = run();
        let broken = rows.iter().chain(&repeated).filter(|row| !row.holds());
        failed.extend(broken.map(|row| {
            let (largest, tolerance) = (row.difference.largest, row.tolerance);
            format!("{} {}: {largest:.3e}, tolerance {tolerance:.3e}", row.stage, row.name)
        }));
        let share = |row: &Row| row.difference.largest / row.tolerance;
        let count = rows.len();
        let worst = rows.into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
        match networks.last_mut() {
            Some(last) if last.network == *network => {
                last.comparisons += count;
                last.first += first;
                last.again += again;
                let both = [last.worst.take(), worst].into_iter().flatten();
                last.worst = both.max_by(|a, b| share(a).total_cmp(&share(b)));
            }
            _ => networks.push(Summary { network, comparisons: count, worst, first, again }),
        }
    }
    println!(
        "\n| {name}, {} | compared | nearest to its tolerance | max \\|diff\\| | tolerance | cosine | first, s | again, s |",
        weights.name()
    );
    println!("|---|---|---|---|---|---|---|---|");
    for Summary { network, comparisons, worst, first, again } in &networks {
        let worst = worst.as_ref().map_or_else(
            || "codes equal | | | ".into(),
            |row| {
                let difference = row.difference;
                format!("{} | {:.1e} | {:.1e} | {:.8}", row.name, difference.largest, row.tolerance, difference.cosine)
            },
        );
        println!("| {network} | {comparisons} | {worst} | {first:.2} | {again:.2} |");
    }
    assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
}

fn everything() -> Vec<Case> {
    [NETWORKS, CODES].concat()
}

#[test]
fn golden_cases_on_the_cpu() {
    compare("cpu", WeightType::F32, 1.0, &everything());
}

#[cfg(feature = "ndarray")]
#[test]
fn golden_cases_on_ndarray() {
    compare("ndarray", WeightType::F32, 1.0, &everything());
}

#[cfg(feature = "wgpu")]
#[test]
fn golden_cases_on_wgpu() {
    let _alone = WGPU.lock();
    compare("wgpu", WeightType::F32, 1.0, &everything());
}

/// Products in f16, everything else in f32, where the device computes in f16; where it does not, it says so.
#[cfg(feature = "wgpu")]
#[test]
fn golden_cases_in_f16_on_wgpu() {
    let _alone = WGPU.lock();
    half("wgpu");
}

#[cfg(feature = "cuda")]
#[test]
fn golden_cases_on_cuda() {
    compare("cuda", WeightType::F32, 1.0, &everything());
    half("cuda");
}

/// What the tolerances of f32 are multiplied with in f16: its numbers are 2^13 times coarser than those of f32, and the
/// tolerances of f32 leave room.
#[cfg(feature = "gpu")]
const HALF: f64 = 200.0;

#[cfg(feature = "gpu")]
fn half(name: &str) {
    let device = device_by_name(name).unwrap_or_else(|e| panic!("{e}"));
    if device.supports_dtype(burn::tensor::FloatDType::F16) {
        return compare(name, WeightType::F16, HALF, NETWORKS);
    }
    println!("{name} does not compute in f16");
    let precision = indextts::Precision { weights: WeightType::F16, gpt: None, ..Default::default() };
    let error = indextts::Synthesizer::load_with(e2e::files(), precision, &device).err().unwrap();
    assert!(error.to_string().contains("does not compute in f16"), "{error}");
}

#[cfg(feature = "rocm")]
#[test]
fn golden_cases_on_rocm() {
    compare("rocm", WeightType::F32, 1.0, &everything());
}
