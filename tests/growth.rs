//! A process that serves for weeks must not grow: what a request takes it gives back.
use std::alloc::System;
use std::ops::ControlFlow;

use indextts::{Emotion, ModelFiles, Options, Request, Streaming, Synthesizer, device_by_name};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are taken and not given back.
fn live() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

#[test]
fn requests_give_back_what_they_take() {
    let synthesizer = Synthesizer::load(ModelFiles::nano(), &device_by_name("cpu").unwrap()).unwrap();
    let voice = synthesizer.built_in_voice(None).unwrap();
    let mut options = Options { steps: 1, prompt_seconds: Some(0.5), ..synthesizer.default_options() };
    options.decode.max_codes = 12;
    let request = |streaming: Option<Streaming>, seed: u64| {
        let options = Options { seed, streaming, retries: 0, ..options.clone() };
        let request = Request { text: "Good morning.", voice: &voice, emotion: Emotion::SameAsVoice, options };
        let speech = synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(!speech.samples.is_empty());
    };
    // Whole, in a stream, and broken off.
    let round = |seed: u64| {
        request(None, seed);
        request(Some(Streaming { first_seconds: Some(0.1) }), seed);
        let options = Options { seed, ..options.clone() };
        let broken = Request { text: "Good morning.", voice: &voice, emotion: Emotion::SameAsVoice, options };
        synthesizer.synthesize(&broken, &mut |_| ControlFlow::Break(())).unwrap_err();
    };
    // Buffers of threads and compiled patterns stay.
    (0..10).for_each(round);
    let before = live();
    (10..60).for_each(round);
    let grown = live() - before;
    assert!(grown < 50_000, "150 requests have left {grown} bytes behind");
}
