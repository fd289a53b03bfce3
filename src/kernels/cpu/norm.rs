//! Normalisation of rows: statistics and the affine map in one pass over each row while it is in the cache.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::math::fma;
use super::share::Share;

/// Values that a thread takes at a time.
const CHUNK: usize = 16 << 10;
/// Sums that run side by side: two vectors of the widest instruction set.
const LANES: usize = 32;

/// What is taken off and divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// The mean and the standard deviation (layer norm, arXiv:1607.06450).
    Mean,
    /// Nothing and the root of the mean square (arXiv:1910.07467).
    Rms,
}

/// Rows of `channels` in place: normalised, times `scale`, plus `shift`. Row `i` belongs to item `i / time`; `scale` and
/// `shift` hold `channels` for each item or for all. `shift` may be empty.
pub fn norm(
    x: &mut [f32],
    [time, channels]: [usize; 2],
    scale: &[f32],
    shift: &[f32],
    statistics: Statistics,
    epsilon: f32,
) {
    assert!(channels > 0 && x.len().is_multiple_of(channels), "norm: uneven rows");
    let rows = x.len() / channels;
    for factors in [scale, shift] {
        let whole = factors.len() == channels || factors.len() * time == rows * channels;
        assert!(whole || factors.is_empty(), "norm: factors for another number of channels or items");
    }
    assert!(!scale.is_empty(), "norm: no scale");
    let of = |factors: &'_ [f32], row: usize| -> std::ops::Range<usize> {
        let item = if factors.len() > channels { row / time } else { 0 };
        item * channels..((item + 1) * channels).min(factors.len())
    };
    let (arch, count) = (arch(), (CHUNK / channels).max(1));
    let chunk = |(chunk, x): (usize, &mut [f32])| {
        for (row, x) in (chunk * count..).zip(x.chunks_exact_mut(channels)) {
            let (scale, shift) = (&scale[of(scale, row)], &shift[of(shift, row)]);
            arch.dispatch(Row { x, scale, shift, statistics, epsilon });
        }
    };
    match rows <= count {
        true => chunk((0, x)),
        false => x.par_chunks_mut(count * channels).enumerate().shared().for_each(chunk),
    }
}

struct Row<'a> {
    x: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    statistics: Statistics,
    epsilon: f32,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { x, scale, shift, statistics, epsilon } = self;
        let count = x.len() as f32;
        let mean = match statistics {
            Statistics::Mean => sum(x, |v| v) / count,
            Statistics::Rms => 0.0,
        };
        let variance = sum(x, |v| (v - mean) * (v - mean)) / count;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        if shift.is_empty() {
            x.iter_mut().zip(scale).for_each(|(v, scale)| *v = (*v - mean) * inverse * scale);
        } else {
            let factors = scale.iter().zip(shift);
            x.iter_mut().zip(factors).for_each(|(v, (scale, shift))| *v = fma((*v - mean) * inverse, *scale, *shift));
        }
    }
}

/// The sum of `f` over `x`, in independent lanes.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += f(*v);
        }
    }
    for (sum, v) in sums.iter_mut().zip(rest) {
        *sum += f(*v);
    }
    // In halves: fewer roundings than one after the other.
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] += sums[i + width];
        }
    }
    sums[0]
}
