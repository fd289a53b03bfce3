//! Codes of several utterances decoded together against the same decoded alone.
use std::ops::ControlFlow;

use indextts::{Chunk, Emotion, Error, Options, Progress, Request, Streaming, Utterance};

use crate::e2e::{Golden, open};

const TEXTS: [&str; 4] = [
    "HELLO WORLD THIS IS A LONG SENTENCE. HELLO AGAIN.",
    "HELLO AGAIN.",
    "A LONG SENTENCE IS THIS.",
    "WORLD. THIS WORLD. HELLO WORLD.",
];

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Unlike each other in everything: text, length, seed, beams, chunks.
fn all(golden: &Golden) -> Vec<Utterance> {
    let options = |index: usize| {
        let mut options = Options { seed: 3 + index as u64, ..golden.options.clone() };
        options.decode.max_codes = [70, 20, 41, 50][index];
        options.decode.beams = [1, 3, 1, 2][index];
        options.decode.do_sample = index != 2;
        options.decode.repetition_penalty = 10.0;
        options.streaming = index.is_multiple_of(2).then_some(Streaming { first_seconds: Some(0.3) });
        options
    };
    let plan = |(index, text): (usize, &&str)| {
        let options = options(index);
        let request = Request { text, voice: &golden.voice, emotion: Emotion::SameAsVoice, options };
        golden.synthesizer.plan(&request, &mut on).unwrap()
    };
    TEXTS.iter().enumerate().map(plan).collect()
}

fn alone(golden: &Golden, mut utterance: Utterance) -> Vec<Chunk> {
    std::iter::from_fn(|| utterance.next_chunk(&golden.synthesizer, &mut on).unwrap()).collect()
}

fn samples(chunks: &[Chunk]) -> Vec<Vec<f32>> {
    chunks.iter().map(|chunk| chunk.samples.clone()).collect()
}

/// As the server does it: a chunk is made as soon as its codes are there, while the others go on.
#[test]
fn together_every_utterance_is_as_alone() {
    let golden = open();
    let want: Vec<_> = all(&golden).into_iter().map(|utterance| samples(&alone(&golden, utterance))).collect();
    let mut utterances = all(&golden);
    let mut got = vec![Vec::new(); utterances.len()];
    let mut most = 0;
    utterances.iter_mut().for_each(|utterance| utterance.prepare(&golden.synthesizer, &mut on).unwrap());
    while utterances.iter().any(|utterance| !utterance.is_spoken()) {
        for (utterance, got) in utterances.iter_mut().zip(&mut got) {
            if !utterance.is_spoken() && !utterance.wants_codes() {
                let chunk = utterance.next_chunk(&golden.synthesizer, &mut on).unwrap().unwrap();
                got.push(chunk.samples);
                utterance.prepare(&golden.synthesizer, &mut on).unwrap();
            }
        }
        most = most.max(utterances.iter().filter(|utterance| utterance.wants_codes()).count());
        golden.synthesizer.decode_together(&mut utterances.iter_mut().collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(most, utterances.len());
    assert!(got == want, "samples differ");
}

/// A search that cannot go on tells so itself, and the others do not notice.
#[test]
fn a_chunk_that_is_given_up_leaves_the_others_alone() {
    let golden = open();
    let want: Vec<_> = all(&golden).into_iter().map(|utterance| samples(&alone(&golden, utterance))).collect();
    let mut utterances = all(&golden);
    utterances.iter_mut().for_each(|utterance| utterance.prepare(&golden.synthesizer, &mut on).unwrap());
    for _ in 0..5 {
        golden.synthesizer.decode_together(&mut utterances.iter_mut().collect::<Vec<_>>()).unwrap();
    }
    let cancelled = utterances[0].next_chunk(&golden.synthesizer, &mut |_| ControlFlow::Break(()));
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    utterances.remove(3);
    for (utterance, want) in utterances.into_iter().zip(&want) {
        assert!(samples(&alone(&golden, utterance)) == *want, "samples differ");
    }
}
