//! Alias-free SnakeBeta: doubling, sine and halving over tiles that stay in the first cache.
use pulp::Arch;
use rayon::prelude::*;

use super::math::sin_squared;
use crate::nn::snake::kaiser_sinc;

/// Output samples of a tile.
const TILE: usize = 512;
/// Samples on either side of a tile that the halving filter reads.
const REACH: usize = 3;
/// Doubled-rate samples of each phase.
const WIDE: usize = TILE + 2 * REACH;
/// Samples that a thread takes at a time.
const CHUNK: usize = 16 * TILE;

/// The twelve taps of both directions, six for each phase.
struct Filters {
    up_even: [f32; 6],
    up_odd: [f32; 6],
    down_even: [f32; 6],
    down_odd: [f32; 6],
}

impl Filters {
    fn new() -> Self {
        let h = kaiser_sinc();
        Self {
            // The factor 2 makes up for the zeros that doubling puts between the samples.
            up_even: std::array::from_fn(|i| 2.0 * h[11 - 2 * i]),
            up_odd: std::array::from_fn(|i| 2.0 * h[10 - 2 * i]),
            down_even: std::array::from_fn(|i| h[2 * i + 1]),
            down_odd: std::array::from_fn(|i| h[2 * i]),
        }
    }
}

/// `x` `[batch, channels, time]` row by row; `slope` and `scale` `[channels]`.
pub fn snake(x: &[f32], slope: &[f32], scale: &[f32], [_, channels, time]: [usize; 3]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    if time == 0 {
        return out;
    }
    let (arch, filters) = (Arch::new(), Filters::new());
    let rows = out.par_chunks_mut(time).zip(x.par_chunks(time)).enumerate();
    rows.for_each(|(row, (out, x))| {
        let (slope, scale) = (slope[row % channels], scale[row % channels]);
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
            for (tile, out) in out.chunks_mut(TILE).enumerate() {
                let start = chunk * CHUNK + tile * TILE;
                arch.dispatch(
                    #[inline(always)]
                    || one_tile(x, start, out, slope, scale, &filters),
                );
            }
        });
    });
    out
}

/// The samples `start..start + out.len()` of a row.
#[inline(always)]
fn one_tile(x: &[f32], start: usize, out: &mut [f32], slope: f32, scale: f32, f: &Filters) {
    let time = x.len();
    // Samples start - 6 .. start + TILE + 6, the edge samples repeated outwards.
    let mut input = [0.0f32; WIDE + 2 * REACH];
    let first = start as isize - 2 * REACH as isize;
    if first >= 0 && first as usize + input.len() <= time {
        input.copy_from_slice(&x[first as usize..first as usize + WIDE + 2 * REACH]);
    } else {
        for (i, v) in input.iter_mut().enumerate() {
            *v = x[(first + i as isize).clamp(0, time as isize - 1) as usize];
        }
    }
    let (mut even, mut odd) = ([0.0f32; WIDE], [0.0f32; WIDE]);
    for i in 0..WIDE {
        let w = |k: usize| input[i + k];
        let e = six(&f.up_even, [w(0), w(1), w(2), w(3), w(4), w(5)]);
        let o = six(&f.up_odd, [w(1), w(2), w(3), w(4), w(5), w(6)]);
        even[i] = sin_squared(slope * e).mul_add(scale, e);
        odd[i] = sin_squared(slope * o).mul_add(scale, o);
    }
    // The doubled signal is extended by its own first (even) and last (odd) sample.
    if start < REACH {
        let edge = even[REACH - start];
        even[..REACH - start].fill(edge);
        odd[..REACH - start].fill(edge);
    }
    let end = time + REACH - start; // index of the first sample beyond the row
    if end < WIDE {
        let edge = odd[end - 1];
        even[end..].fill(edge);
        odd[end..].fill(edge);
    }
    let mut done = [0.0f32; TILE];
    for i in 0..TILE {
        let (e, o) = (|k: usize| even[i + k], |k: usize| odd[i + k]);
        done[i] = six(&f.down_even, [e(1), e(2), e(3), e(4), e(5), e(6)])
            + six(&f.down_odd, [o(0), o(1), o(2), o(3), o(4), o(5)]);
    }
    out.copy_from_slice(&done[..out.len()]);
}

#[inline(always)]
fn six(taps: &[f32; 6], x: [f32; 6]) -> f32 {
    let mut sum = taps[0] * x[0];
    for k in 1..6 {
        sum = taps[k].mul_add(x[k], sum);
    }
    sum
}
