//! Speech in chunks against the same speech at once.
use std::ops::ControlFlow;

use indextts::{
    Chunk, Emotion, ModelFiles, Noise, Options, Request, Streaming, Synthesizer, Timings, Utterance, Voice,
};

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
    /// The step that one of a hundred steps of the speech in one go exceeds, of the typical one.
    large_step: f32,
    /// Energy of what is above speech (second differences) around a seam, against the same place in one go, dB: the largest.
    energy: f32,
    /// The same where no seam is near: what one of a hundred places exceeds.
    large_energy: f32,
    seams: usize,
}

/// What one of a hundred values exceeds.
fn large(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[(values.len() * 99 / 100).min(values.len() - 1)]
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
    let around = |samples: &[f32], place: usize| {
        let part = steps(&steps(&samples[place.saturating_sub(110)..(place + 220).min(samples.len())]));
        level(part.into_iter()).max(1e-4)
    };
    let energy = |place: usize| 20.0 * (around(&got, place) / around(want, place)).log10();
    let largest = |of: &dyn Fn(usize) -> f32| seams.iter().map(|seam| of(*seam)).fold(f32::NEG_INFINITY, f32::max);
    let apart = |place: &usize| seams.iter().all(|seam| place.abs_diff(*seam) > 440);
    Report {
        difference: level(got.iter().zip(want).map(|(a, b)| a - b)) / level(want.iter().copied()),
        spectral: spectral_distance(&got, want),
        step: largest(&|seam| (got[seam] - got[seam - 1]).abs() / typical),
        large_step: large(steps(want).into_iter().map(f32::abs).collect()) / typical,
        energy: largest(&energy),
        large_energy: large((220..want.len() - 220).step_by(110).filter(apart).map(energy).collect()),
        seams: seams.len(),
    }
}

impl Report {
    fn print(&self, name: &str) {
        let Self { difference, spectral, step, large_step, energy, large_energy, seams } = self;
        println!(
            "streaming, {name}: {seams} seams, difference {difference:.4} of the level, log-spectral distance {spectral:.2} dB, \
             steps at seams up to {step:.2} of the typical one (one of a hundred elsewhere above {large_step:.2}), \
             energy there up to {energy:+.1} dB (one of a hundred places elsewhere above {large_energy:+.1})"
        );
    }

    /// A seam is not told from any other place.
    fn is_smooth(&self) -> bool {
        self.step < self.large_step && self.energy < self.large_energy.max(1.0)
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
    assert!(report.is_smooth() && report.spectral < 1.0);
}

/// The model that is built in, which speaks, its voice, and a text of two segments.
#[cfg(feature = "nano")]
struct Speaker {
    nano: Synthesizer,
    voice: Voice,
    options: Options,
}

#[cfg(feature = "nano")]
impl Speaker {
    const TEXT: &str = "The weather was cold, but the sun was shining over the hills, and nobody wanted to go home before the evening.";

    fn load() -> Self {
        let nano = Synthesizer::load(ModelFiles::nano(), &burn::tensor::Device::flex()).unwrap();
        let voice = nano.built_in_voice(None).unwrap();
        let options = Options { seed: 3, trim: false, ..nano.default_options() };
        Self { nano, voice, options }
    }

    fn plan(&self, options: Options) -> Utterance {
        let request = Request { text: Self::TEXT, voice: &self.voice, emotion: Emotion::SameAsVoice, options };
        self.nano.plan(&request, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    fn speak(&self, streaming: Option<Streaming>) -> Vec<Chunk> {
        let mut utterance = self.plan(Options { streaming, ..self.options.clone() });
        let mut observer = |_| ControlFlow::Continue(());
        std::iter::from_fn(|| utterance.next_chunk(&self.nano, &mut observer).unwrap()).collect()
    }

    /// Speech in one go of the first codes of a segment.
    fn of_codes(&self, ids: &[u32], codes: &[u32], segment: u64, options: &Options) -> Vec<f32> {
        let conditioning = self.nano.conditioning(&self.voice, &Emotion::SameAsVoice, options).unwrap();
        let noise = Noise::Seeded { segment };
        self.nano.speak_codes(ids, codes, &self.voice, &conditioning, options, noise).unwrap().samples
    }
}

/// A stream is as near to the speech in one go as can be: as pieces are that each are spoken in one go, with the codes that
/// the stream had by then. What is missing is what only later codes tell. And no seam is heard.
#[cfg(feature = "nano")]
#[test]
fn a_stream_of_speech_has_no_seams() {
    let speaker = Speaker::load();
    let whole = speaker.speak(None);
    let want = joined(&whole);
    // 40 ms: what is at the wrong place is at least as far from its own.
    let late = spectral_distance(&want[..want.len() - 882], &want[882..]);
    println!("streaming, nano, the same 40 ms late: log-spectral distance {late:.2} dB");
    let streamed = speaker.speak(Some(Streaming { first_seconds: Some(0.3) }));
    let report = compare(&streamed, &want);
    report.print("nano, from 0.3 s");

    let plan = speaker.plan(speaker.options.clone());
    // Codes of 40 ms: chunks of 8, 16, 32, and 8 that are known beyond each.
    let known = |chunk: u32| 8 * ((2 << chunk) - 1) + 8;
    let (mut known_only, mut drawn) = (Vec::new(), Vec::new());
    for (segment, in_one_go) in whole.iter().enumerate() {
        let ids = plan.tokens(segment).unwrap();
        let conditioning = speaker.nano.conditioning(&speaker.voice, &Emotion::SameAsVoice, &speaker.options).unwrap();
        let (noise, timings) = (Noise::Seeded { segment: segment as u64 }, &mut Timings::default());
        let mut on = |_, _, _| ControlFlow::Continue(());
        let options = &speaker.options;
        let spoken = speaker.nano.speak(ids, &speaker.voice, &conditioning, options, noise, timings, &mut on).unwrap();
        let silence = vec![0.0; in_one_go.silence];
        known_only.extend(&silence);
        let mut end = 0;
        for (chunk, piece) in (0..).zip(streamed.iter().filter(|chunk| chunk.segment == segment)) {
            let codes = &spoken.codes[..known(chunk).min(spoken.codes.len())];
            let one_go = speaker.of_codes(ids, codes, segment as u64, options);
            let length = piece.samples.len() - piece.silence;
            known_only.extend(&one_go[end..end + length]);
            end += length;
        }
        // Other noise, so other samples of the same codes.
        let other = Options { seed: options.seed + 1, ..options.clone() };
        drawn.extend(silence);
        drawn.extend(speaker.of_codes(ids, &spoken.codes, segment as u64, &other));
    }
    let (known_only, drawn) = (spectral_distance(&known_only, &want), spectral_distance(&drawn, &want));
    println!(
        "streaming, nano, each piece in one go of the codes known by then: log-spectral distance {known_only:.2} dB"
    );
    println!("streaming, nano, in one go with other noise: log-spectral distance {drawn:.2} dB");
    assert!(report.seams >= 4 && report.is_smooth());
    assert!(report.spectral < 1.2 * known_only && report.spectral < late / 3.0);
}

/// Wherever the pace of the machine puts them.
#[cfg(feature = "nano")]
#[test]
fn a_stream_at_the_pace_of_the_machine_has_no_seams() {
    let speaker = Speaker::load();
    let want = joined(&speaker.speak(None));
    let pieces = speaker.speak(Some(Streaming { first_seconds: None }));
    let report = compare(&pieces, &want);
    report.print("nano, at the machine's pace");
    assert!(report.seams >= 1, "{} pieces", pieces.len());
    assert!(report.step < report.large_step && report.energy < 6.0);
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
