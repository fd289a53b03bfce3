//! Alias-free SnakeBeta: doubling, sine and halving over tiles that stay in the first cache.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::math::{fma, sin_squared};
use super::share::{Share, zeros};
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
    let mut out = zeros(x.len());
    if time == 0 {
        return out;
    }
    let (arch, filters) = (arch(), Filters::new());
    let rows = out.chunks_mut(time).zip(x.chunks(time)).enumerate();
    let chunks = rows.flat_map(|(row, (out, x))| out.chunks_mut(CHUNK).enumerate().map(move |chunk| (row, x, chunk)));
    chunks.collect::<Vec<_>>().into_par_iter().shared().for_each(|(row, x, (chunk, out))| {
        let (slope, scale) = (slope[row % channels], scale[row % channels]);
        for (tile, out) in out.chunks_mut(TILE).enumerate() {
            let start = chunk * CHUNK + tile * TILE;
            arch.dispatch(Tile { x, start, out, slope, scale, filters: &filters });
        }
    });
    out
}

/// The samples `start..start + out.len()` of a row.
struct Tile<'a> {
    x: &'a [f32],
    start: usize,
    out: &'a mut [f32],
    slope: f32,
    scale: f32,
    filters: &'a Filters,
}

// A closure would do, were it certain to be inlined into the function that has the vector instructions.
impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        one_tile(self);
    }
}

#[inline(always)]
fn one_tile(tile: Tile) {
    let Tile { x, start, out, slope, scale, filters: f } = tile;
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
    let x: [&[f32; WIDE]; 7] = [
        shifted(&input, 0),
        shifted(&input, 1),
        shifted(&input, 2),
        shifted(&input, 3),
        shifted(&input, 4),
        shifted(&input, 5),
        shifted(&input, 6),
    ];
    let (mut even, mut odd) = ([0.0f32; WIDE], [0.0f32; WIDE]);
    for i in 0..WIDE {
        let e = six(&f.up_even, [x[0][i], x[1][i], x[2][i], x[3][i], x[4][i], x[5][i]]);
        let o = six(&f.up_odd, [x[1][i], x[2][i], x[3][i], x[4][i], x[5][i], x[6][i]]);
        even[i] = fma(sin_squared(slope * e), scale, e);
        odd[i] = fma(sin_squared(slope * o), scale, o);
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
    let e: [&[f32; TILE]; 6] = [
        shifted(&even, 1),
        shifted(&even, 2),
        shifted(&even, 3),
        shifted(&even, 4),
        shifted(&even, 5),
        shifted(&even, 6),
    ];
    let o: [&[f32; TILE]; 6] =
        [shifted(&odd, 0), shifted(&odd, 1), shifted(&odd, 2), shifted(&odd, 3), shifted(&odd, 4), shifted(&odd, 5)];
    let mut done = [0.0f32; TILE];
    for i in 0..TILE {
        done[i] = six(&f.down_even, [e[0][i], e[1][i], e[2][i], e[3][i], e[4][i], e[5][i]])
            + six(&f.down_odd, [o[0][i], o[1][i], o[2][i], o[3][i], o[4][i], o[5][i]]);
    }
    out.copy_from_slice(&done[..out.len()]);
}

/// `N` values from `from` on, as an array: loops over it need no checks, and so become vector code.
#[inline(always)]
fn shifted<const N: usize>(x: &[f32], from: usize) -> &[f32; N] {
    match x.get(from..).and_then(<[f32]>::first_chunk) {
        Some(chunk) => chunk,
        None => unreachable!("tiles hold their reach"),
    }
}

#[inline(always)]
fn six(taps: &[f32; 6], x: [f32; 6]) -> f32 {
    let mut sum = taps[0] * x[0];
    for k in 1..6 {
        sum = fma(taps[k], x[k], sum);
    }
    sum
}
