//! Convolution over the frames and frequencies of channels-last images. With zeros around the image, the window of an output
//! is a few neighbouring rows of it, so that the products read the image as it lies.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::linear::{Rows, Start, Weight, linear_part};
use super::share::{Share, zeros};

#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub time: usize,
    pub frequencies: usize,
    pub channels: usize,
    /// Of both sides; odd.
    pub kernel: usize,
    /// Of the frequencies.
    pub stride: usize,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl Shape {
    pub fn output_frequencies(&self) -> usize {
        (self.frequencies - 1) / self.stride + 1
    }
}

/// `x` `[time, frequencies, channels]`, `weight` packed of `[kernel * kernel * channels, outputs]` (frames, frequencies,
/// channels), a `scale` and a `shift` for each output -> `out` `[time, output frequencies, outputs]`.
pub fn convolve(x: &[f32], weight: Weight<'_>, scale: &[f32], shift: &[f32], out: &mut [f32], shape: Shape) {
    let Shape { time, frequencies, channels, kernel, stride, relu } = shape;
    let (outputs, count, before) = (shift.len(), shape.output_frequencies(), kernel / 2);
    assert_eq!(x.len(), time * frequencies * channels, "convolution: an image of another size");
    assert_eq!(out.len(), time * count * outputs, "convolution: an output of another size");
    assert_eq!(scale.len(), outputs, "convolution: factors for other outputs");
    // Of windows that begin beyond the last output, the products are not used.
    let wide = (frequencies + 2 * before).next_multiple_of(stride);
    let (line, windows) = (wide * channels, wide / stride);
    let mut image = zeros((time + 2 * before) * line + (kernel - 1) * channels);
    let inner = image[before * line..].par_chunks_mut(line).zip(x.par_chunks(frequencies * channels));
    inner.shared().for_each(|(line, x)| line[before * channels..][..x.len()].copy_from_slice(x));
    let (no_bias, mut sums) = (vec![0.0; outputs], zeros(time * windows * outputs));
    for tap in 0..kernel {
        let data = &image[tap * line..];
        let rows = Rows { data, count: time * windows, width: kernel * channels, stride: stride * channels };
        let start = if tap == 0 { Start::Bias(&no_bias) } else { Start::Output };
        linear_part(rows, weight, kernel * rows.width, tap * rows.width, start, None, &mut sums);
    }
    let (arch, floor) = (arch(), if relu { 0.0 } else { f32::NEG_INFINITY });
    out.par_chunks_mut(count * outputs).zip(sums.par_chunks(windows * outputs)).shared().for_each(|(out, sums)| {
        arch.dispatch(Finish { out, sums, scale, shift, floor });
    });
}

struct Finish<'a> {
    out: &'a mut [f32],
    sums: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    floor: f32,
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let outputs = self.scale.len();
        for (out, sums) in self.out.chunks_exact_mut(outputs).zip(self.sums.chunks_exact(outputs)) {
            for (((out, sum), scale), shift) in out.iter_mut().zip(sums).zip(self.scale).zip(self.shift) {
                *out = (sum * scale + shift).max(self.floor);
            }
        }
    }
}
