//! How often the host waits for a device. It waits where it reads a result, and `indextts::readback`, through which a request
//! reads, tells the log of each time.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indextts::{Emotion, Options, Request};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::e2e::{Golden, open};

/// Counts what the module logs.
struct Reads(Arc<AtomicUsize>);

impl Subscriber for Reads {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "indextts::readback"
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Reads of a sentence of so many codes, with so many steps of the flow matching.
fn reads(golden: &Golden, codes: usize, steps: usize) -> usize {
    let mut options = Options { steps, retries: 0, streaming: None, ..golden.options.clone() };
    options.decode.max_codes = codes;
    let request = Request { text: "HELLO WORLD.", voice: &golden.voice, emotion: Emotion::SameAsVoice, options };
    let count = Arc::new(AtomicUsize::new(0));
    let speech = tracing::subscriber::with_default(Reads(count.clone()), || {
        golden.synthesizer.synthesize(&request, &mut |_| ControlFlow::Continue(())).unwrap()
    });
    assert_eq!(speech.codes, codes, "the sentence ended by itself");
    count.load(Ordering::Relaxed)
}

#[test]
fn one_read_for_each_code_and_none_for_a_step_of_the_flow() {
    let golden = open();
    let few = reads(&golden, 8, 2);
    assert!(few > 8, "{few}: codes and samples at least");
    assert_eq!(reads(&golden, 20, 2) - few, 12);
    assert_eq!(reads(&golden, 8, 7), few);
    println!("| reads by the host | 1 per code, 0 per step of the flow matching, {} more |", few - 8);
}
