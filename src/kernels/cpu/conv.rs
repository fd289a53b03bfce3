//! Convolution over time as one register-tiled loop over inputs and taps.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fetch::fetch;
use super::level::arch;
use super::linear::{Weight, load, registers, store};
use super::share::Share;

/// Output channels whose weights lie side by side.
pub const BLOCK: usize = 8;
/// Bytes of input that a tile may take: a part of the second-level cache, the rest is for the weights.
const TILE_BYTES: usize = 256 << 10;
/// Longest tile in samples.
const LONGEST: usize = 1536;
/// Vectors of time that are computed together.
const VECTORS: usize = if cfg!(target_family = "wasm") { 2 } else { 3 };
/// Samples by which a tile may run over its end: the widest vector of any instruction set.
pub const OVERRUN: usize = 16;
/// Samples that are computed together with the widest vectors: tiles are multiples of this.
const STEP: usize = VECTORS * OVERRUN;
/// Inputs from the row that is multiplied to the one that is fetched meanwhile.
const AHEAD: usize = 2;
/// With at least this many outputs, a tile's are shared out among threads.
const MANY: usize = 64;

/// What its tensors do not tell of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub taps: usize,
    pub dilation: usize,
    /// Whether the weight is one of [`winograd::pack_weight`](super::winograd::pack_weight).
    pub winograd: bool,
}

/// The sizes of a convolution that keeps the length.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub time: usize,
    pub taps: usize,
    pub dilation: usize,
}

impl Size {
    pub fn outputs_len(&self) -> usize {
        self.batch * self.outputs * self.time
    }

    /// Values of a weight of [`pack_weight`].
    pub fn weight_len(&self) -> usize {
        self.outputs.next_multiple_of(BLOCK) * self.inputs * self.taps
    }

    /// Samples before the first that an output reads; as many after the last.
    pub fn reach(&self) -> usize {
        self.dilation * (self.taps - 1) / 2
    }

    /// Samples of a tile, small enough for the cache, and in how many parts its outputs are shared out, so that there is
    /// work for all threads.
    fn tile(&self) -> (usize, usize) {
        let fitting = (TILE_BYTES / 4 / self.inputs.max(1)).saturating_sub(2 * self.reach()).clamp(STEP, LONGEST);
        let threads = rayon::current_num_threads().max(1);
        if self.outputs >= MANY * threads {
            return (fitting / STEP * STEP, threads);
        }
        let tiles = self.time.div_ceil(fitting).next_multiple_of(threads.div_ceil(self.batch.max(1)));
        (self.time.div_ceil(tiles.max(1)).next_multiple_of(STEP), 1)
    }
}

/// `weight` `[outputs, inputs, taps]` in the order in which it is read: `[outputs / 8 rounded up, inputs, taps, 8]`, zero
/// beyond the last output.
pub fn pack_weight(weight: &[f32], [outputs, inputs, taps]: [usize; 3]) -> Vec<f32> {
    assert_eq!(weight.len(), outputs * inputs * taps, "conv1d: a weight of another size");
    let mut packed = vec![0.0; outputs.next_multiple_of(BLOCK) * inputs * taps];
    let row = inputs * taps;
    packed.par_chunks_mut(row * BLOCK).zip(weight.par_chunks(row * BLOCK)).shared().for_each(|(block, rows)| {
        for (output, row) in rows.chunks_exact(row).enumerate() {
            block[output..].iter_mut().step_by(BLOCK).zip(row).for_each(|(packed, value)| *packed = *value);
        }
    });
    packed
}

/// `out` `[batch, out, time]` becomes the convolution of `x` with a weight of [`pack_weight`], or has it added.
pub fn conv1d(x: &[f32], weight: Weight<'_>, bias: &[f32], out: &mut [f32], size: &Size, add: bool) {
    assert_eq!(x.len(), size.batch * size.inputs * size.time, "conv1d: an input of another size");
    assert_eq!(weight.len(), size.weight_len(), "conv1d: a weight of another size");
    assert_eq!(bias.len(), size.outputs, "conv1d: a bias for other outputs");
    assert_eq!(out.len(), size.outputs_len(), "conv1d: an output of another size");
    assert_eq!(size.taps % 2, 1, "conv1d: an even kernel cannot keep the length");
    if size.time == 0 {
        return;
    }
    let (arch, (tile, parts)) = (arch(), size.tile());
    let (tiles, blocks) = (size.time.div_ceil(tile), size.outputs.div_ceil(BLOCK));
    let block_len = size.inputs * size.taps * BLOCK;
    let out = Columns(out.as_mut_ptr());
    let buffers = || [Vec::new(), Vec::new()];
    (0..size.batch * tiles * parts).into_par_iter().shared().for_each_init(buffers, |[buffer, widened], index| {
        let (item, part, start) = (index / parts / tiles, index % parts, index / parts % tiles * tile);
        let length = tile.min(size.time - start);
        let x = &x[item * size.inputs * size.time..][..size.inputs * size.time];
        let stride = pack(x, size.time, [start, length], [size.reach(); 2], buffer);
        // Of the output channels, whole blocks.
        let (first, end) = (blocks * part / parts, blocks * (part + 1) / parts);
        // Weights in half precision are widened a block at a time: it stays in the cache until it has been used.
        let at_once = if matches!(weight, Weight::F32(_)) { (end - first).max(1) } else { 1 };
        for first in (first..end).step_by(at_once) {
            let end = end.min(first + at_once);
            let outputs = first * BLOCK..(end * BLOCK).min(size.outputs);
            // SAFETY: `out` is borrowed mutably for the whole loop, holds `outputs` rows of `time` for each item, and each
            // index writes the columns `start..start + length` of its own outputs of its item only.
            let out = unsafe { out.get().add((item * size.outputs + outputs.start) * size.time + start) };
            arch.dispatch(Tile {
                x: buffer,
                stride,
                inputs: size.inputs,
                weight: weight.widened(first * block_len..end * block_len, widened),
                bias: &bias[outputs],
                out,
                out_stride: size.time,
                length,
                taps: size.taps,
                dilation: size.dilation,
                add,
            });
        }
    });
}

/// Start of the output; each thread writes columns of its own.
pub struct Columns(pub *mut f32);

// SAFETY: see `conv1d`: threads write disjoint columns.
unsafe impl Sync for Columns {}

impl Columns {
    pub fn get(&self) -> *mut f32 {
        self.0
    }
}

/// Copies the samples `start..start + length` of rows of `time`, and `before` and `after` further ones, zeros beyond the
/// edges, row behind row into `buffer`; returns the row length.
pub fn pack(
    x: &[f32],
    time: usize,
    [start, length]: [usize; 2],
    [before, after]: [usize; 2],
    buffer: &mut Vec<f32>,
) -> usize {
    let stride = length + OVERRUN + before + after;
    buffer.clear();
    buffer.resize(x.len() / time * stride, 0.0);
    let from = start.saturating_sub(before).min(time);
    let to = (start + length + after).min(time);
    let offset = from + before - start;
    for (row, x) in buffer.chunks_exact_mut(stride).zip(x.chunks_exact(time)) {
        row[offset..offset + to - from].copy_from_slice(&x[from..to]);
    }
    stride
}

/// One tile of some outputs.
pub struct Tile<'a> {
    /// `[in, stride]`: at least `length + dilation * (taps - 1) + OVERRUN` samples a row, of which the last count for
    /// nothing.
    pub x: &'a [f32],
    pub stride: usize,
    pub inputs: usize,
    /// `[blocks, in, taps, 8]`
    pub weight: &'a [f32],
    /// `[outputs]`, as many as there are.
    pub bias: &'a [f32],
    /// First column of the tile in the first output row; rows are `out_stride` apart.
    pub out: *mut f32,
    pub out_stride: usize,
    pub length: usize,
    pub taps: usize,
    pub dilation: usize,
    /// Whether what the output holds counts.
    pub add: bool,
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
        let needed = self.length + self.dilation * (self.taps - 1) + OVERRUN;
        assert!(
            self.inputs > 0 && (self.inputs - 1) * self.stride + needed <= self.x.len(),
            "conv1d: too short a tile"
        );
        let block_len = self.inputs * self.taps * BLOCK;
        assert!(self.weight.len() >= self.bias.len().div_ceil(BLOCK) * block_len, "conv1d: too few weights");
        for (block, weight) in self.weight.chunks_exact(block_len).enumerate() {
            for part in (0..BLOCK).step_by(ROWS) {
                let first = block * BLOCK + part;
                match self.bias.len().saturating_sub(first) {
                    0 => {}
                    // A single output would fill a vector of outputs with seven that nobody wants.
                    1 => self.rows::<S, 1, 6>(simd, &weight[part..], first),
                    _ => self.rows::<S, ROWS, VECTORS>(simd, &weight[part..], first),
                }
            }
        }
    }

    /// The outputs `first..first + ROWS`, as far as they exist.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const WIDE: usize>(&self, simd: S, weight: &[f32], first: usize) {
        let lanes = S::F32_LANES;
        let mut at = 0;
        while self.length - at > (WIDE - 1) * lanes {
            self.columns::<S, ROWS, WIDE>(simd, weight, first, at);
            at += WIDE * lanes;
            if at >= self.length {
                return;
            }
        }
        while at < self.length {
            self.columns::<S, ROWS, 1>(simd, weight, first, at);
            at += lanes;
        }
    }

    /// `WIDE` vectors of time from `at` on, the last of which may reach beyond the tile.
    #[inline(always)]
    fn columns<S: Simd, const ROWS: usize, const WIDE: usize>(&self, simd: S, weight: &[f32], first: usize, at: usize) {
        let lanes = S::F32_LANES;
        let sums = self.sums::<S, ROWS, WIDE>(simd, weight, first, at);
        let rows = ROWS.min(self.bias.len() - first);
        for (r, sums) in sums.iter().enumerate().take(rows) {
            for (v, sum) in sums.iter().enumerate() {
                let begin = at + v * lanes;
                let count = lanes.min(self.length.saturating_sub(begin));
                // SAFETY: `first + r` is an output and `begin + count <= length`: inside the tile's columns.
                unsafe {
                    let out = self.out.add((first + r) * self.out_stride + begin);
                    let sum = if self.add { simd.add_f32s(*sum, load(simd, out, count)) } else { *sum };
                    store(simd, out, count, sum);
                }
            }
        }
    }

    /// `ROWS` outputs at `WIDE` vectors of time from `at` on.
    #[inline(always)]
    fn sums<S: Simd, const ROWS: usize, const WIDE: usize>(
        &self,
        simd: S,
        weight: &[f32],
        first: usize,
        at: usize,
    ) -> [[S::f32s; WIDE]; ROWS] {
        let (inputs, taps, dilation) = (self.inputs, self.taps, self.dilation);
        let bias: [f32; ROWS] = std::array::from_fn(|r| self.bias.get(first + r).copied().unwrap_or_default());
        let mut sums = bias.map(|b| [simd.splat_f32s(b); WIDE]);
        assert!(at + (WIDE - 1) * S::F32_LANES < self.length && S::F32_LANES <= OVERRUN);
        assert!(weight.len() >= inputs * taps * BLOCK - (BLOCK - ROWS));
        let mut w = weight.as_ptr();
        for input in 0..inputs {
            // SAFETY: from every row's start on there are `length + dilation * (taps - 1) + OVERRUN` samples (see `run`); the last vector starts
            // before `length`, a tap reaches `dilation * (taps - 1)` further, and a vector is at most `OVERRUN` wide.
            let row = unsafe { self.x.as_ptr().add(input * self.stride + at) };
            for tap in 0..taps {
                // SAFETY: as above; of the weights, `ROWS` from the place of this input and tap lie inside `weight`.
                unsafe {
                    let x = row.add(tap * dilation).cast::<S::f32s>();
                    fetch::<WIDE>(x.wrapping_byte_add(4 * AHEAD * self.stride).cast(), size_of::<S::f32s>());
                    let x: [S::f32s; WIDE] = std::array::from_fn(|v| x.add(v).read_unaligned());
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
