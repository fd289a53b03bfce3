//! `indextts bench`.
mod distance;
mod machine;
mod report;

use std::ops::ControlFlow;
use std::time::Duration;

use indextts::audio::decode::{ReferenceAudio, load_reference};
use indextts::{Clock, Cost, Emotion, Options, REFERENCE_SECONDS, Request, Stage, Streaming, Synthesizer};

use super::Failure;
use super::args::Bench;
use super::progress::spinner;
use distance::Distance;
use machine::{Machine, Memory};
use report::Report;

/// Codes of the run that is not counted.
const WARM_UP_CODES: usize = 8;

/// One synthesis, and what it has cost.
pub struct Run {
    /// In the order in which they ran; those of the voice first.
    pub stages: Vec<(Stage, Cost)>,
    pub wall: Duration,
    pub cpu: Option<Duration>,
    /// Seconds of speech.
    pub speech: f64,
    pub codes: usize,
    /// Bytes of memory behind it.
    pub resident: Option<u64>,
}

/// Measures loading once and everything after it several times; prints Markdown, or a JSON object.
pub fn run(args: &Bench, quiet: bool) -> Result<(), Failure> {
    let clip = args.voice.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    let bar = spinner(quiet);
    bar.set_message("loading");
    let device = args.device.open()?;
    let clock = Clock::start();
    let synthesizer = args.model.load(args.precision.precision(&device), &device)?;
    let (load, load_cpu) = clock.elapsed();
    let loaded = Memory::now();

    let options = options(args, &synthesizer)?;
    // A short one first, for caches and pages.
    let mut warm_up = Options { steps: 1, ..options.clone() };
    warm_up.decode.max_codes = warm_up.decode.max_codes.min(WARM_UP_CODES);
    bar.set_message("warming up");
    measure(&synthesizer, clip.as_ref(), &args.text, &warm_up)?;
    let mut runs = Vec::new();
    let mut first_samples = Vec::new();
    for index in 0..args.runs {
        bar.set_message(format!("run {} of {}", index + 1, args.runs));
        runs.push(measure(&synthesizer, clip.as_ref(), &args.text, &options)?);
        if args.stream {
            first_samples.push(stream(&synthesizer, clip.as_ref(), &args.text, &options)?);
        }
    }
    let peak = Memory::now();
    let distance = match args.distance {
        true => {
            bar.set_message("the distance from f32");
            Some(Distance::measure(&synthesizer, args.model.files(), &device, clip.as_ref(), &args.text, &options)?)
        }
        false => None,
    };
    bar.set_message("the machine's own speed");
    let machine = Machine::measure(&device);
    bar.finish_and_clear();
    let report =
        Report { load, load_cpu, loaded, peak, runs, first_samples, distance, machine, options: &options, args };
    match args.json {
        true => println!("{}", report.json()),
        false => print!("{}", report.markdown()),
    }
    Ok(())
}

/// What is typed; segments are made once and kept whole, so that every run does the same.
fn options(args: &Bench, synthesizer: &Synthesizer) -> Result<Options, Failure> {
    let mut options = Options { trim: false, retries: 0, ..synthesizer.default_options() };
    options.decode.beams = args.beams.unwrap_or(options.decode.beams);
    options.decode.max_codes = args.max_codes.unwrap_or(options.decode.max_codes);
    options.steps = args.steps.or(args.precision.steps()).unwrap_or(options.steps);
    options.guidance = args.cfg.unwrap_or(options.guidance);
    options.max_segment_tokens = args.segment_tokens.unwrap_or(options.max_segment_tokens);
    options.check()?;
    Ok(options)
}

fn measure(
    synthesizer: &Synthesizer,
    clip: Option<&ReferenceAudio>,
    text: &str,
    options: &Options,
) -> Result<Run, Failure> {
    let clock = Clock::start();
    let (voice, listening) = match clip {
        Some(clip) => synthesizer.voice_measured(clip)?,
        None => synthesizer.voice_measured(&synthesizer.built_in_clip(None)?)?,
    };
    let request = Request { text, voice: &voice, emotion: Emotion::SameAsVoice, options: options.clone() };
    let speech = synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(()))?;
    let (wall, cpu) = clock.elapsed();
    Ok(Run {
        stages: listening.costs().chain(speech.timings.costs()).collect(),
        wall,
        cpu,
        speech: speech.samples.len() as f64 / f64::from(speech.sample_rate),
        codes: speech.codes,
        resident: Memory::now().resident,
    })
}

/// From a request to its first samples, the voice being ready.
fn stream(
    synthesizer: &Synthesizer,
    clip: Option<&ReferenceAudio>,
    text: &str,
    options: &Options,
) -> Result<Duration, Failure> {
    let voice = match clip {
        Some(clip) => synthesizer.voice(clip)?,
        None => synthesizer.built_in_voice(None)?,
    };
    let mut options = Options { streaming: Some(Streaming::default()), ..options.clone() };
    options.decode.beams = 1;
    let clock = Clock::start();
    let request = Request { text, voice: &voice, emotion: Emotion::SameAsVoice, options };
    let mut observer = |_| ControlFlow::Continue(());
    synthesizer.plan(&request, &mut observer)?.next_chunk(synthesizer, &mut observer)?;
    Ok(clock.elapsed().0)
}
