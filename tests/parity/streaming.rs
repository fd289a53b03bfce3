//! Speech in chunks against the same speech at once.
use std::ops::ControlFlow;

use indextts::{Chunk, Emotion, ModelFiles, Options, Request, Streaming, Synthesizer, Utterance};

use crate::e2e::{Golden, open};

const TEXT: &str = "HELLO WORLD THIS IS A LONG SENTENCE. HELLO AGAIN.";

fn options(golden: &Golden, beams: usize) -> Options {
    let mut options = Options { seed: 3, ..golden.options.clone() };
    options.decode.max_codes = 140;
    options.decode.beams = beams;
    options.decode.do_sample = true;
    // The golden's network repeats itself otherwise.
    options.decode.repetition_penalty = 10.0;
    options
}

fn chunks(golden: &Golden, options: &Options) -> Vec<Chunk> {
    let request = Request { text: TEXT, voice: &golden.voice, emotion: Emotion::SameAsVoice, options: options.clone() };
    let mut observer = |_| ControlFlow::Continue(());
    let mut utterance: Utterance = golden.synthesizer.plan(&request, &mut observer).unwrap();
    std::iter::from_fn(|| utterance.next_chunk(&golden.synthesizer, &mut observer).unwrap()).collect()
}

fn joined(chunks: &[Chunk]) -> Vec<f32> {
    chunks.iter().flat_map(|chunk| chunk.samples.iter().copied()).collect()
}

/// Root of the mean square.
fn level(samples: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = samples.fold((0.0, 0), |(sum, count), s| (sum + s * s, count + 1));
    (sum / count.max(1) as f32).sqrt()
}

/// Log-spectral distance of `got` from `want`, dB: root of the mean square over bins of the difference of their power spectra in
/// dB, mean over frames (Gray and Markel 1976). Frames 50 dB below the loudest are left out, as are bins that far below their
/// frame's loudest.
fn spectral_distance(got: &[f32], want: &[f32]) -> f32 {
    const SIZE: usize = 1024;
    let transform = realfft::RealFftPlanner::<f32>::new().plan_fft_forward(SIZE);
    let spectra = |samples: &[f32]| -> Vec<Vec<f32>> {
        samples
            .windows(SIZE)
            .step_by(SIZE / 4)
            .map(|frame| {
                let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / SIZE as f32).cos();
                let mut frame: Vec<f32> = frame.iter().enumerate().map(|(i, s)| s * hann(i)).collect();
                let mut spectrum = transform.make_output_vec();
                transform.process(&mut frame, &mut spectrum).unwrap();
                spectrum.iter().map(|bin| bin.norm_sqr()).collect()
            })
            .collect()
    };
    let (got, want) = (spectra(got), spectra(want));
    let loudest = |frame: &[f32]| frame.iter().copied().fold(0.0, f32::max);
    let limit = 1e-5 * want.iter().map(|frame| loudest(frame)).fold(0.0, f32::max);
    let frames = got.iter().zip(&want).filter(|(_, want)| loudest(want) > limit);
    let distances: Vec<f32> = frames
        .map(|(got, want)| {
            let floor = 1e-5 * loudest(want);
            let decibels = |power: &f32| 10.0 * power.max(floor).log10();
            let bins = got.iter().zip(want).filter(|(_, want)| **want > floor);
            level(bins.map(|(got, want)| decibels(got) - decibels(want)))
        })
        .collect();
    distances.iter().sum::<f32>() / distances.len() as f32
}

/// What a stream is like beside the same speech in one go.
struct Report {
    /// Root of the mean square of the difference, of the speech's own.
    difference: f32,
    /// dB.
    spectral: f32,
    /// Step between the samples at a seam, of the typical step: the largest.
    step: f32,
    /// The largest step of the speech in one go, of the typical one: a click is larger.
    natural: f32,
    /// Energy of what is above speech (second differences) around a seam, against the same place in one go, dB: the largest.
    energy: f32,
    seams: usize,
}

fn compare(pieces: &[Chunk], want: &[f32]) -> Report {
    let got = joined(pieces);
    // The codes are the same, so is the length.
    assert_eq!(got.len(), want.len());
    let steps = |samples: &[f32]| samples.windows(2).map(|w| w[1] - w[0]).collect::<Vec<f32>>();
    let typical = level(steps(want).into_iter());
    let mut end = 0;
    let ends = pieces.iter().filter_map(|chunk| {
        end += chunk.samples.len();
        (!chunk.ends_segment).then_some(end)
    });
    let seams: Vec<usize> = ends.collect();
    // 5 ms before a seam, and the 5 ms behind it in which a chunk takes over and 5 more.
    let around = |samples: &[f32], seam: usize| {
        let part = steps(&steps(&samples[seam.saturating_sub(110)..(seam + 220).min(samples.len())]));
        level(part.into_iter()).max(1e-4)
    };
    let largest = |of: &dyn Fn(usize) -> f32| seams.iter().map(|seam| of(*seam)).fold(f32::NEG_INFINITY, f32::max);
    Report {
        difference: level(got.iter().zip(want).map(|(a, b)| a - b)) / level(want.iter().copied()),
        spectral: spectral_distance(&got, want),
        step: largest(&|seam| (got[seam] - got[seam - 1]).abs() / typical),
        natural: steps(want).into_iter().map(f32::abs).fold(0.0, f32::max) / typical,
        energy: largest(&|seam| 20.0 * (around(&got, seam) / around(want, seam)).log10()),
        seams: seams.len(),
    }
}

impl Report {
    fn print(&self, name: &str) {
        let Self { difference, spectral, step, natural, energy, seams } = self;
        println!(
            "streaming, {name}: {seams} seams, difference {difference:.4} of the level, log-spectral distance {spectral:.2} dB, \
             steps at seams up to {step:.2} of the typical one (elsewhere {natural:.2}), energy there up to {energy:+.1} dB"
        );
    }
}

#[test]
fn chunks_join_to_the_speech_of_one_go() {
    let golden = open();
    let whole = options(&golden, 1);
    let streamed = Options { streaming: Some(Streaming { first_seconds: Some(0.3) }), ..whole.clone() };
    let want = joined(&chunks(&golden, &whole));
    let pieces = chunks(&golden, &streamed);
    let ends = pieces.iter().filter(|chunk| chunk.ends_segment).count();
    assert!(pieces.len() > ends + 2, "{} chunks of {ends} segments", pieces.len());
    let report = compare(&pieces, &want);
    report.print("golden");
    assert!(report.step < 4.0, "a click of {} times the typical step", report.step);
}

/// With the model that is built in, which speaks: a stream is nearer to the speech in one go than that is to itself a
/// little later, and no seam is heard.
#[cfg(feature = "nano")]
#[test]
fn a_stream_of_speech_has_no_seams() {
    let nano = Synthesizer::load(ModelFiles::nano(), &burn::tensor::Device::flex()).unwrap();
    let voice = nano.built_in_voice(None).unwrap();
    let text = "The weather was cold, but the sun was shining over the hills, and nobody wanted to go home before the evening.";
    let spoken = |options: &Options| -> Vec<Chunk> {
        let request = Request { text, voice: &voice, emotion: Emotion::SameAsVoice, options: options.clone() };
        let mut observer = |_| ControlFlow::Continue(());
        let mut utterance = nano.plan(&request, &mut observer).unwrap();
        std::iter::from_fn(|| utterance.next_chunk(&nano, &mut observer).unwrap()).collect()
    };
    let whole = Options { seed: 3, trim: false, ..nano.default_options() };
    let want = joined(&spoken(&whole));
    // 40 ms: what is at the wrong place is at least as far from its own.
    let late = spectral_distance(&want[..want.len() - 882], &want[882..]);
    println!("40 ms late: log-spectral distance {late:.2} dB");
    for (name, first_seconds) in [("nano, from 0.3 s", Some(0.3)), ("nano, at the machine's pace", None)] {
        let pieces = spoken(&Options { streaming: Some(Streaming { first_seconds }), ..whole.clone() });
        let report = compare(&pieces, &want);
        report.print(name);
        assert!(report.seams >= 1, "{} pieces", pieces.len());
        assert!(report.spectral < late && report.step < report.natural && report.energy < 6.0);
    }
}

#[test]
fn the_first_chunk_needs_no_more_than_its_own_codes() {
    let golden = open();
    let streamed = Options { streaming: Some(Streaming::fixed()), ..options(&golden, 1) };
    let first = &chunks(&golden, &streamed)[0];
    let seconds = first.samples.len() as f64 / f64::from(golden.synthesizer.sample_rate());
    assert!((0.4..0.6).contains(&seconds), "{seconds}");
    assert!(!first.ends_segment);
}

#[test]
fn several_beams_give_out_whole_segments() {
    let golden = open();
    let whole = options(&golden, 3);
    let streamed = Options { streaming: Some(Streaming::fixed()), ..whole.clone() };
    let pieces = chunks(&golden, &streamed);
    assert!(pieces.iter().all(|chunk| chunk.ends_segment));
    assert_eq!(joined(&pieces), joined(&chunks(&golden, &whole)));
}

/// A chunk that was cancelled is made in full when it is asked for again.
#[test]
fn a_cancelled_chunk_can_be_asked_for_again() {
    let golden = open();
    let options = Options { streaming: Some(Streaming::fixed()), ..options(&golden, 1) };
    let want = chunks(&golden, &options);
    let request = Request { text: TEXT, voice: &golden.voice, emotion: Emotion::SameAsVoice, options };
    let mut utterance = golden.synthesizer.plan(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    let mut calls = 0;
    let mut got = Vec::new();
    while got.len() < want.len() {
        let mut observer = |_| {
            calls += 1;
            if calls % 29 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match utterance.next_chunk(&golden.synthesizer, &mut observer) {
            Ok(Some(chunk)) => got.push(chunk),
            Ok(None) => panic!("over after {} chunks", got.len()),
            Err(indextts::Error::Cancelled) => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert!(calls > 29 * 3, "{calls} calls");
    assert_eq!(joined(&got), joined(&want));
}
