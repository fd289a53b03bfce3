//! The whole pipeline on every other device that this build has: the same golden, the same tolerances.
//!
//! `cargo test --features ndarray,wgpu --test parity backends`; `wgpu` needs a Vulkan driver, if only a software one
//! (`apt-get install mesa-vulkan-drivers libvulkan1`).
use std::time::Instant;

use indextts::{Emotion, device_by_name};

use crate::e2e::open_on;

fn end_to_end(name: &str) {
    let device = device_by_name(name).unwrap_or_else(|e| panic!("{e}"));
    let golden = open_on(&device);
    for run in ["first", "again"] {
        let start = Instant::now();
        golden.check("plain", golden.speak("plain", &Emotion::SameAsVoice));
        println!("{name:14} end to end, {run} run: {:.2} s", start.elapsed().as_secs_f64());
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn end_to_end_on_ndarray() {
    end_to_end("ndarray");
}

#[cfg(feature = "wgpu")]
#[test]
fn end_to_end_on_wgpu() {
    end_to_end("wgpu");
}
