//! Depthwise convolution over time, channels side by side.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::share::{Share, zeros};

/// Channels whose sums are kept in registers.
const CHANNELS: usize = 64;
/// Frames that a task takes: its inputs stay in the cache over all taps.
const FRAMES: usize = 64;

/// `x` `[batch, time, channels]`, `weight` `[channels, taps]` -> `out` of the size of `x`, `before` taps reading earlier
/// frames.
pub fn depthwise(x: &[f32], weight: &[f32], bias: &[f32], [time, taps, before]: [usize; 3]) -> Vec<f32> {
    let channels = bias.len();
    assert!(time > 0 && channels > 0 && before < taps, "depthwise: nothing to convolve");
    assert!(x.len().is_multiple_of(time * channels), "depthwise: an input of another size");
    assert_eq!(weight.len(), channels * taps, "depthwise: a weight for other channels");
    // A tap's weights of all channels side by side.
    let sorted: Vec<f32> = (0..taps).flat_map(|tap| weight.iter().skip(tap).step_by(taps)).copied().collect();
    let (arch, mut out) = (arch(), zeros(x.len()));
    let items = out.chunks_mut(time * channels).zip(x.chunks(time * channels));
    let parts = items.flat_map(|(out, x)| out.chunks_mut(FRAMES * channels).enumerate().map(move |part| (x, part)));
    parts.collect::<Vec<_>>().into_par_iter().shared().for_each(|(x, (index, out))| {
        arch.dispatch(Frames { x, weight: &sorted, bias, first: index * FRAMES, before, out });
    });
    out
}

/// Some frames of one item.
struct Frames<'a> {
    x: &'a [f32],
    /// `[taps, channels]`
    weight: &'a [f32],
    bias: &'a [f32],
    first: usize,
    before: usize,
    out: &'a mut [f32],
}

impl WithSimd for Frames<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { x, weight, bias, first, before, out } = self;
        let channels = bias.len();
        for (frame, out) in (first..).zip(out.chunks_exact_mut(channels)) {
            // The tap that reads the first frame there is.
            let skipped = before.saturating_sub(frame);
            let inputs = x[(frame + skipped - before) * channels..].chunks_exact(channels);
            let taps = weight[skipped * channels..].chunks_exact(channels);
            for start in (0..channels).step_by(CHANNELS) {
                let width = CHANNELS.min(channels - start);
                let range = start..start + width;
                let mut sums = [0.0f32; CHANNELS];
                sums[..width].copy_from_slice(&bias[range.clone()]);
                for (x, weight) in inputs.clone().zip(taps.clone()) {
                    let (x, weight) = (&x[range.clone()], &weight[range.clone()]);
                    match (<&[f32; CHANNELS]>::try_from(x), <&[f32; CHANNELS]>::try_from(weight)) {
                        (Ok(x), Ok(weight)) => add(&mut sums, x, weight),
                        _ => add(&mut sums[..width], x, weight),
                    }
                }
                out[range].copy_from_slice(&sums[..width]);
            }
        }
    }
}

#[inline(always)]
fn add(sums: &mut [f32], x: &[f32], weight: &[f32]) {
    for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weight) {
        *sum += x * weight;
    }
}
