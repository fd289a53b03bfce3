//! `indextts warmup`.
use std::ops::ControlFlow;
use std::time::Instant;

use indextts::audio::decode::ReferenceAudio;
use indextts::{Device, Emotion, Options, Request, device_name};

use super::Failure;
use super::args::Warmup;
use super::progress::spinner;

/// Seconds of the clips that are listened to, and codes of the segments that are spoken: kernels are chosen by the size
/// of what they work on, in steps of powers of two.
const CLIPS: [u32; 3] = [4, 8, 15];
const CODES: [usize; 3] = [40, 150, 400];

const TEXT: &str =
    "The weather was cold but the sun was shining today, and nobody in the whole town wanted to stay at home.";

/// Speaks what nobody hears, so that a GPU's kernels are compiled and chosen before somebody waits for them.
pub fn run(args: &Warmup, quiet: bool) -> Result<(), Failure> {
    let device = args.device.open()?;
    let name = device_name(&device);
    if device == Device::flex() {
        println!("{name} compiles nothing: there is nothing to warm up");
        return Ok(());
    }
    let bar = spinner(quiet);
    bar.set_message("loading");
    let synthesizer = args.model.load(args.precision.precision(&device), &device)?;
    let mut options = Options { retries: 0, trim: false, ..synthesizer.default_options() };
    options.steps = args.precision.steps().unwrap_or(options.steps).min(2);
    options.decode.beams = args.beams.unwrap_or(options.decode.beams);
    let longest = options.decode.max_codes;
    let speak = |seconds: u32, codes: usize| -> Result<f64, Failure> {
        let mut options = options.clone();
        options.decode.max_codes = codes.min(longest);
        let start = Instant::now();
        let voice = synthesizer.voice(&clip(seconds)?)?;
        let request = Request { text: TEXT, voice: &voice, emotion: Emotion::SameAsVoice, options };
        synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(()))?;
        Ok(start.elapsed().as_secs_f64())
    };
    for (seconds, codes) in CLIPS.into_iter().zip(CODES) {
        bar.set_message(format!("{name}: a clip of {seconds} s, up to {codes} codes"));
        let (first, again) = (speak(seconds, codes)?, speak(seconds, codes)?);
        bar.suspend(|| println!("clip of {seconds} s, up to {codes} codes: {first:.2} s at first, {again:.2} s then"));
    }
    bar.finish_and_clear();
    #[cfg(feature = "gpu")]
    match indextts::kernel_store() {
        Some(path) => println!("kept in {}", path.display()),
        None => println!(
            "kept by the driver alone: build with `--features kernel-store` to keep the choice of kernels, too"
        ),
    }
    Ok(())
}

/// A hum with harmonics, as loud as a voice: what it sounds like does not matter.
fn clip(seconds: u32) -> Result<ReferenceAudio, Failure> {
    const RATE: u32 = 22_050;
    let wave = |i: u32| {
        let phase = std::f32::consts::TAU * 120.0 * (i as f32 / RATE as f32);
        (1..8).map(|harmonic| (phase * harmonic as f32).sin() / harmonic as f32).sum::<f32>() * 0.1
    };
    Ok(ReferenceAudio::new((0..seconds * RATE).map(wave).collect(), RATE, "warmup")?)
}
