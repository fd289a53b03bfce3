//! Convolution over time as one register-tiled loop over inputs and taps.
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::linear::registers;

/// Output channels whose weights lie side by side.
pub const BLOCK: usize = 8;
/// Bytes of input that a tile may take: a part of the second-level cache, the rest is for the weights.
const TILE_BYTES: usize = 256 << 10;
/// Longest tile in samples.
const LONGEST: usize = 1536;
/// Vectors of time that are computed together.
const VECTORS: usize = if cfg!(target_family = "wasm") { 2 } else { 3 };
/// Samples by which tiles may run over their end: the widest step of any instruction set.
const OVERRUN: usize = VECTORS * 16;

/// The sizes of a convolution that keeps the length.
pub struct Size {
    batch: usize,
    inputs: usize,
    outputs: usize,
    time: usize,
    taps: usize,
    dilation: usize,
}

impl Size {
    /// From the dimensions of input `[batch, in, time]`, packed weights `[out / 8, in, taps, 8]` and bias `[out]`.
    pub fn of(x: [usize; 3], weight: [usize; 4], bias: [usize; 1], dilation: usize) -> Self {
        let [batch, inputs, time] = x;
        let [blocks, weight_inputs, taps, block] = weight;
        assert_eq!((weight_inputs, block), (inputs, BLOCK), "conv1d: the weights are for another input");
        assert_eq!(blocks, bias[0].div_ceil(BLOCK), "conv1d: the bias is for another number of outputs");
        assert_eq!(taps % 2, 1, "conv1d: an even kernel cannot keep the length");
        Self { batch, inputs, outputs: bias[0], time, taps, dilation }
    }

    pub fn output_dims(&self) -> [usize; 3] {
        [self.batch, self.outputs, self.time]
    }

    pub fn outputs_len(&self) -> usize {
        self.batch * self.outputs * self.time
    }

    /// Samples before the first that an output reads; as many after the last.
    fn reach(&self) -> usize {
        self.dilation * (self.taps - 1) / 2
    }

    /// Samples of a tile: small enough for the cache, and tiles enough for all threads.
    fn tile(&self) -> usize {
        let fitting = (TILE_BYTES / 4 / self.inputs.max(1)).saturating_sub(2 * self.reach()).clamp(OVERRUN, LONGEST);
        let threads = rayon::current_num_threads().max(1);
        let tiles = self.time.div_ceil(fitting).next_multiple_of(threads.div_ceil(self.batch.max(1)));
        self.time.div_ceil(tiles.max(1)).next_multiple_of(OVERRUN)
    }
}

/// `out` `[batch, out, time]` becomes the convolution of `x`, or has it added.
pub fn conv1d(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32], size: &Size, add: bool) {
    assert_eq!(x.len(), size.batch * size.inputs * size.time);
    assert_eq!(weight.len(), size.outputs.div_ceil(BLOCK) * size.inputs * size.taps * BLOCK);
    assert_eq!(bias.len(), size.outputs);
    assert_eq!(out.len(), size.outputs_len());
    if size.time == 0 {
        return;
    }
    let (arch, tile) = (Arch::new(), size.tile());
    let tiles = size.time.div_ceil(tile);
    let out = Columns(out.as_mut_ptr());
    (0..size.batch * tiles).into_par_iter().for_each_init(Vec::new, |buffer, index| {
        let (item, start) = (index / tiles, index % tiles * tile);
        let length = tile.min(size.time - start);
        let stride = pack(&x[item * size.inputs * size.time..][..size.inputs * size.time], start, length, size, buffer);
        // SAFETY: `out` is borrowed mutably for the whole loop, holds `outputs` rows of `time` for each item, and each
        // index writes the columns `start..start + length` of its item only, which no other index has.
        let out = unsafe { out.get().add(item * size.outputs * size.time + start) };
        arch.dispatch(Tile { x: buffer, stride, weight, bias, out, length, size, add });
    });
}

/// Start of the output; each thread writes columns of its own.
struct Columns(*mut f32);

// SAFETY: see `conv1d`: threads write disjoint columns.
unsafe impl Sync for Columns {}

impl Columns {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

/// Copies the samples that a tile reads, zeros beyond the edges, row behind row into `buffer`; returns the row length.
fn pack(x: &[f32], start: usize, length: usize, size: &Size, buffer: &mut Vec<f32>) -> usize {
    let reach = size.reach();
    let stride = length + OVERRUN + 2 * reach;
    buffer.clear();
    buffer.resize(size.inputs * stride, 0.0);
    let from = start.saturating_sub(reach);
    let to = (start + length + reach).min(size.time);
    let offset = from + reach - start;
    for (row, x) in buffer.chunks_exact_mut(stride).zip(x.chunks_exact(size.time)) {
        row[offset..offset + to - from].copy_from_slice(&x[from..to]);
    }
    stride
}

/// One tile, all outputs.
struct Tile<'a> {
    /// `[in, stride]`: `length + 2 * reach` samples, then at least `OVERRUN` zeros.
    x: &'a [f32],
    stride: usize,
    weight: &'a [f32],
    bias: &'a [f32],
    /// First column of the tile in the first output row; rows are `size.time` apart.
    out: *mut f32,
    length: usize,
    size: &'a Size,
    add: bool,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many accumulators as the registers hold beside three vectors of input and one weight.
        if registers::<S>() >= 32 { self.run::<S, 8>(simd) } else { self.run::<S, 4>(simd) }
    }
}

impl Tile<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(&self, simd: S) {
        let block_len = self.size.inputs * self.size.taps * BLOCK;
        for (block, weight) in self.weight.chunks_exact(block_len).enumerate() {
            for part in (0..BLOCK).step_by(ROWS) {
                let first = block * BLOCK + part;
                if first < self.size.outputs {
                    self.rows::<S, ROWS>(simd, &weight[part..], first);
                }
            }
        }
    }

    /// The outputs `first..first + ROWS`, as far as they exist.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize>(&self, simd: S, weight: &[f32], first: usize) {
        let lanes = S::F32_LANES;
        let step = VECTORS * lanes;
        let rows = ROWS.min(self.size.outputs - first);
        let bias: [f32; ROWS] = std::array::from_fn(|r| if r < rows { self.bias[first + r] } else { 0.0 });
        for at in (0..self.length).step_by(step) {
            let sums = self.sums::<S, ROWS>(simd, weight, &bias, at);
            let width = step.min(self.length - at);
            for (r, sums) in sums.iter().enumerate().take(rows) {
                for (v, sum) in sums.iter().enumerate() {
                    let begin = v * lanes;
                    if begin >= width {
                        break;
                    }
                    let count = lanes.min(width - begin);
                    // SAFETY: `first + r < outputs` and `at + begin + count <= length`: inside the tile's columns.
                    let out = unsafe {
                        let start = self.out.add((first + r) * self.size.time + at + begin);
                        std::slice::from_raw_parts_mut(start, count)
                    };
                    let sum = if self.add { simd.add_f32s(*sum, simd.partial_load_f32s(out)) } else { *sum };
                    simd.partial_store_f32s(out, sum);
                }
            }
        }
    }

    /// `ROWS` outputs at `VECTORS` vectors of time from `at` on.
    #[inline(always)]
    fn sums<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        weight: &[f32],
        bias: &[f32; ROWS],
        at: usize,
    ) -> [[S::f32s; VECTORS]; ROWS] {
        let (taps, dilation) = (self.size.taps, self.size.dilation);
        let mut sums = bias.map(|b| [simd.splat_f32s(b); VECTORS]);
        assert!(at < self.length && self.x.len() >= self.size.inputs * self.stride);
        assert!(weight.len() >= self.size.inputs * taps * BLOCK - (BLOCK - ROWS));
        let mut w = weight.as_ptr();
        for input in 0..self.size.inputs {
            // SAFETY: a row has `length + 2 * reach + OVERRUN` samples; `at < length`, a tap reaches at most `2 * reach`
            // further, and `VECTORS` vectors are at most `OVERRUN` wide.
            let row = unsafe { self.x.as_ptr().add(input * self.stride + at) };
            for tap in 0..taps {
                // SAFETY: as above; of the weights, `ROWS` from the place of this input and tap lie inside `weight`.
                unsafe {
                    let x = row.add(tap * dilation).cast::<S::f32s>();
                    let x: [S::f32s; VECTORS] = std::array::from_fn(|v| x.add(v).read_unaligned());
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let w = simd.splat_f32s(*w.add(r));
                        for (sum, x) in sums.iter_mut().zip(x) {
                            *sum = simd.mul_add_e_f32s(w, x, *sum);
                        }
                    }
                    w = w.wrapping_add(BLOCK);
                }
            }
        }
        sums
    }
}
