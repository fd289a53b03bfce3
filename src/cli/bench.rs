//! `indextts bench`.
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indextts::audio::decode::load_reference;
use indextts::{
    Device, Emotion, Precision, REFERENCE_SECONDS, Request, Speech, Stage, Synthesizer, WeightType, kernels,
};

use super::Failure;
use super::args::Bench;
use super::progress::spinner;

/// One synthesis, and what it cost.
struct Run {
    voice: Duration,
    speech: Speech,
    wall: Duration,
    cpu: Option<Duration>,
}

/// Measures loading once and everything after it several times; prints a Markdown table of medians and all rows.
pub fn run(args: &Bench, quiet: bool) -> Result<(), Failure> {
    let clip = args.voice.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    let bar = spinner(quiet);
    bar.set_message("loading");
    let device = args.device.open()?;
    let start = Instant::now();
    let synthesizer = Synthesizer::load_with(args.model.files(), args.precision.precision(&device), &device)?;
    let load = start.elapsed();

    let mut options = synthesizer.default_options();
    options.decode.beams = args.beams.unwrap_or(options.decode.beams);
    options.decode.max_codes = args.max_codes.unwrap_or(options.decode.max_codes);
    options.steps = args.steps.or(args.precision.steps()).unwrap_or(options.steps);
    options.check()?;
    let mut runs = Vec::new();
    for index in 0..args.runs {
        bar.set_message(format!("run {} of {}", index + 1, args.runs));
        let (start, cpu) = (Instant::now(), cpu_time());
        let voice = match &clip {
            Some(clip) => synthesizer.voice(clip)?,
            None => synthesizer.built_in_voice(None)?,
        };
        let prepared = start.elapsed();
        let request =
            Request { text: &args.text, voice: &voice, emotion: Emotion::SameAsVoice, options: options.clone() };
        let speech = synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(()))?;
        let cpu = cpu.zip(cpu_time()).map(|(before, after)| after.saturating_sub(before));
        runs.push(Run { voice: prepared, speech, wall: start.elapsed(), cpu });
    }
    bar.set_message("the machine's own speed");
    let machine = Machine::measure(&device);
    bar.finish_and_clear();
    print(load, &runs, &machine)
}

fn print(load: Duration, runs: &[Run], machine: &Machine) -> Result<(), Failure> {
    let first = runs.first().ok_or_else(|| Failure::Usage("at least one run is needed".into()))?;
    let audio = |run: &Run| run.speech.samples.len() as f64 / f64::from(run.speech.sample_rate);
    let mut stages: Vec<(&str, Vec<f64>)> =
        vec![("voice", runs.iter().map(|run| run.voice.as_secs_f64()).collect::<Vec<_>>())];
    for (stage, _) in first.speech.timings.iter() {
        let of = |run: &Run| -> f64 {
            run.speech.timings.iter().filter(|(s, _)| *s == stage).map(|(_, time)| time.as_secs_f64()).sum()
        };
        stages.push((stage.name(), runs.iter().map(of).collect()));
    }
    stages.push(("total", runs.iter().map(|run| run.wall.as_secs_f64()).collect()));
    println!("| stage | median, s | of speech | rows, s |");
    println!("|---|---|---|---|");
    println!("| load | {:.2} | | {:.2} |", load.as_secs_f64(), load.as_secs_f64());
    let length = median(runs.iter().map(audio).collect());
    for (name, rows) in &stages {
        let middle = median(rows.clone());
        let rows: Vec<String> = rows.iter().map(|seconds| format!("{seconds:.2}")).collect();
        println!("| {name} | {middle:.2} | {:.2} x | {} |", middle / length, rows.join(" "));
    }
    println!();
    println!("{length:.2} s of speech, {} semantic codes", first.speech.codes);
    let of = |stage: Stage| {
        let times = runs.iter().flat_map(|run| run.speech.timings.iter());
        median(times.filter(|(s, _)| *s == stage).map(|(_, time)| time.as_secs_f64()).collect())
    };
    println!("GPT: {:.1} codes/s", first.speech.codes as f64 / of(Stage::Gpt).max(1e-9));
    let busy: Vec<f64> = runs.iter().filter_map(|run| Some(run.cpu?.as_secs_f64() / run.wall.as_secs_f64())).collect();
    if !busy.is_empty() {
        println!("processors busy: {:.2} of {}", median(busy), machine.threads);
    }
    if let Some(bytes) = peak_memory() {
        println!("peak memory: {:.2} GB", bytes as f64 / 1e9);
    }
    println!(
        "machine: {} threads, products of f32 {:.0} GFLOP/s, of {} weights {:.0} GFLOP/s, memory {:.1} GB/s",
        machine.threads,
        machine.f32,
        machine.short.name(),
        machine.fast,
        machine.memory
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What the machine does at best, with our own kernels: the measure for the stages.
struct Machine {
    threads: usize,
    /// GFLOP/s of large products.
    f32: f64,
    /// The type in which weights are multiplied fastest, and how fast.
    short: WeightType,
    fast: f64,
    /// GB/s of reading a weight for a single row.
    memory: f64,
}

impl Machine {
    fn measure(device: &Device) -> Self {
        let product = |kept: WeightType, [rows, inputs, outputs]: [usize; 3]| {
            kernels::product_seconds(kept, [rows, inputs, outputs], device)
        };
        let large = [512, 1024, 4096];
        let flops = 2.0 * large.iter().product::<usize>() as f64 / 1e9;
        // 256 MB: beyond every cache.
        let wide = [1, 1024, 65536];
        let bytes = 4.0 * wide.iter().product::<usize>() as f64 / 1e9;
        let short = Precision::fast(device).weights;
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            f32: flops / product(WeightType::F32, large),
            short,
            fast: flops / product(short, large),
            memory: bytes / product(WeightType::F32, wide),
        }
    }
}

/// Processor time of this process so far; Linux only.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in brackets, which may hold spaces: user and system time are the 12th and 13th fields, in
    // hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

/// The most memory this process has had; Linux only.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
