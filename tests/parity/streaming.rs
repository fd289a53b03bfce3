//! Speech in chunks against the same speech at once.
use std::ops::ControlFlow;

use indextts::{Chunk, Emotion, Options, Request, Streaming, Utterance};

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

#[test]
fn chunks_join_to_the_speech_of_one_go() {
    let golden = open();
    let whole = options(&golden, 1);
    let streamed = Options { streaming: Some(Streaming { first_seconds: 0.3 }), ..whole.clone() };
    let want = joined(&chunks(&golden, &whole));
    let pieces = chunks(&golden, &streamed);
    let got = joined(&pieces);
    let ends = pieces.iter().filter(|chunk| chunk.ends_segment).count();
    assert!(pieces.len() > ends + 2, "{} chunks of {ends} segments", pieces.len());
    // The codes are the same, so is the length.
    assert_eq!(got.len(), want.len());

    let distance = level(got.iter().zip(&want).map(|(a, b)| a - b)) / level(want.iter().copied());
    let steps = |samples: &[f32]| samples.windows(2).map(|w| w[1] - w[0]).collect::<Vec<f32>>();
    let typical = level(steps(&want).into_iter());
    let mut seam = 0;
    let at_seams = pieces.iter().filter_map(|chunk| {
        seam += chunk.samples.len();
        (!chunk.ends_segment).then(|| (got[seam] - got[seam - 1]).abs() / typical)
    });
    let worst = at_seams.fold(0.0, f32::max);
    println!("streaming      distance {distance:.4} of the level, steps at seams up to {worst:.2} of the typical one");
    assert!(worst < 4.0, "a click of {worst} times the typical step");
}

#[test]
fn the_first_chunk_needs_no_more_than_its_own_codes() {
    let golden = open();
    let streamed = Options { streaming: Some(Streaming { first_seconds: 0.5 }), ..options(&golden, 1) };
    let first = &chunks(&golden, &streamed)[0];
    let seconds = first.samples.len() as f64 / f64::from(golden.synthesizer.sample_rate());
    assert!((0.4..0.6).contains(&seconds), "{seconds}");
    assert!(!first.ends_segment);
}

#[test]
fn several_beams_give_out_whole_segments() {
    let golden = open();
    let whole = options(&golden, 3);
    let streamed = Options { streaming: Some(Streaming::default()), ..whole.clone() };
    let pieces = chunks(&golden, &streamed);
    assert!(pieces.iter().all(|chunk| chunk.ends_segment));
    assert_eq!(joined(&pieces), joined(&chunks(&golden, &whole)));
}

/// A chunk that was cancelled is made in full when it is asked for again.
#[test]
fn a_cancelled_chunk_can_be_asked_for_again() {
    let golden = open();
    let options = Options { streaming: Some(Streaming::default()), ..options(&golden, 1) };
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
