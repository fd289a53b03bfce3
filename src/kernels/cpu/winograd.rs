//! Convolution over time with fewer multiplications, see [`toom_cook`](super::toom_cook): four outputs of three taps from
//! six products instead of twelve, of four taps from seven instead of sixteen.
//!
//! At each point there is an ordinary convolution over all channels, of as many taps as there are groups of four: these are
//! what [`Tile`] computes, and nearly all of the work. The four outputs lie `dilation` apart.
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::conv::{BLOCK, Columns, OVERRUN, Size, Tile, pack};
use super::level::arch;
use super::linear::Weight;
use super::share::Share;
use super::toom_cook::{MOST, OUTPUTS, TAPS, Transform, evaluate, interpolate};

/// Bytes that the inputs of one point may take: a part of the second-level cache, the rest is for the weights.
const TILE_BYTES: usize = 384 << 10;
/// Columns of a tile that has few channels.
const LONGEST: usize = 1536;
/// Columns that are computed together with the widest vectors.
const STEP: usize = 48;
/// With fewer products than this for an output, changing the order of the samples costs more than it saves.
const LEAST: usize = 256;

/// Whether a convolution of these sizes is faster this way.
pub fn pays(inputs: usize, outputs: usize, taps: usize) -> bool {
    taps >= 3 && inputs.min(outputs) * taps >= LEAST
}

/// Of three taps, or of groups of four.
const fn transform(taps: usize) -> Transform {
    Transform::of(if taps == 3 { 3 } else { 4 })
}

/// Taps in groups of the transform.
fn groups(taps: usize) -> usize {
    taps.div_ceil(transform(taps).taps)
}

/// Values of [`pack_weight`].
pub fn packed_len(inputs: usize, outputs: usize, taps: usize) -> usize {
    transform(taps).points * outputs.next_multiple_of(BLOCK) * inputs * groups(taps)
}

/// `weight` `[outputs, inputs, taps]` at the points: `[outputs / 8, points, inputs, groups, 8]`.
pub fn pack_weight(weight: &[f32], [outputs, inputs, taps]: [usize; 3]) -> Vec<f32> {
    assert_eq!(weight.len(), outputs * inputs * taps, "conv1d: a weight of another size");
    let (transform, groups) = (transform(taps), groups(taps));
    let mut packed = vec![0.0; packed_len(inputs, outputs, taps)];
    let (row, arch) = (groups * BLOCK, arch());
    let blocks = packed.par_chunks_mut(transform.points * inputs * row).zip(weight.par_chunks(BLOCK * inputs * taps));
    blocks.shared().for_each(|(packed, weight)| {
        arch.dispatch(PackBlock { packed, weight, inputs, taps, transform: &transform });
    });
    packed
}

/// Eight outputs, or as many as are left.
struct PackBlock<'a> {
    packed: &'a mut [f32],
    weight: &'a [f32],
    inputs: usize,
    taps: usize,
    transform: &'a Transform,
}

impl WithSimd for PackBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { packed, weight, inputs, taps, transform } = self;
        let groups = packed.len() / (transform.points * inputs * BLOCK);
        for input in 0..inputs {
            for group in 0..groups {
                // The taps of the group, each of all outputs.
                let mut values = [[0.0f32; BLOCK]; TAPS];
                for (output, weight) in weight.chunks_exact(inputs * taps).enumerate() {
                    let weight = &weight[input * taps..][..taps];
                    let weight = &weight[group * transform.taps..taps.min((group + 1) * transform.taps)];
                    weight.iter().zip(&mut values).for_each(|(weight, values)| values[output] = *weight);
                }
                for (point, factors) in transform.weight.iter().enumerate().take(transform.points) {
                    let out = &mut packed[((point * inputs + input) * groups + group) * BLOCK..][..BLOCK];
                    for (values, factor) in values.iter().zip(factors) {
                        out.iter_mut().zip(values).for_each(|(out, value)| *out += value * factor);
                    }
                }
            }
        }
    }
}

/// How the time of one tile is laid out.
#[derive(Clone, Copy)]
struct Layout {
    dilation: usize,
    groups: usize,
    /// Quadruples of outputs of a phase.
    count: usize,
}

impl Layout {
    /// Samples from one quadruple of a phase to the next.
    fn period(&self) -> usize {
        OUTPUTS * self.dilation
    }

    /// Columns of a phase: those after its quadruples only feed the later groups of taps.
    fn phase(&self) -> usize {
        self.count + self.groups - 1
    }

    /// Columns of all phases.
    fn columns(&self) -> usize {
        self.dilation * self.phase()
    }

    fn stride(&self) -> usize {
        self.columns() + OVERRUN
    }

    /// Quadruples of a tile, so that the inputs of a point fit into the cache and there is work for all threads, and in how
    /// many parts the outputs are shared out.
    fn tile(size: &Size, groups: usize) -> (usize, usize) {
        let Size { batch, inputs, outputs, time, dilation, .. } = *size;
        let total = time.div_ceil(OUTPUTS * dilation);
        let columns = (TILE_BYTES / 4 / inputs).clamp(STEP, LONGEST);
        let fitting = (columns / dilation).saturating_sub(groups - 1).max(STEP.div_ceil(dilation));
        let threads = rayon::current_num_threads().max(1);
        if outputs >= 64 * threads {
            return (total.div_ceil(total.div_ceil(fitting)), threads);
        }
        let tiles = total.div_ceil(fitting).next_multiple_of(threads.div_ceil(batch.max(1)));
        (total.div_ceil(tiles), 1)
    }
}

/// Buffers of a thread.
#[derive(Default)]
struct Buffers {
    samples: Vec<f32>,
    inputs: Vec<f32>,
    products: Vec<f32>,
    weight: Vec<f32>,
    line: Vec<f32>,
}

/// As [`conv1d`](super::conv::conv1d), for a weight of [`pack_weight`].
pub fn conv1d(x: &[f32], weight: Weight<'_>, bias: &[f32], out: &mut [f32], size: &Size, add: bool) {
    let Size { batch, inputs, outputs, time, taps, dilation } = *size;
    assert_eq!(x.len(), batch * inputs * time, "conv1d: an input of another size");
    assert_eq!(weight.len(), packed_len(inputs, outputs, taps), "conv1d: a weight of another size");
    assert_eq!(bias.len(), outputs, "conv1d: a bias for other outputs");
    assert_eq!(out.len(), batch * outputs * time, "conv1d: an output of another size");
    if out.is_empty() {
        return;
    }
    let (transform, groups) = (transform(taps), groups(taps));
    let (most, parts) = Layout::tile(size, groups);
    let (tiles, blocks) = (time.div_ceil(OUTPUTS * dilation).div_ceil(most), outputs.div_ceil(BLOCK));
    let target = Columns(out.as_mut_ptr());
    (0..batch * tiles * parts).into_par_iter().shared().for_each_init(Buffers::default, |buffers, index| {
        let (item, part, tile) = (index / parts / tiles, index % parts, index / parts % tiles);
        let start = tile * most * OUTPUTS * dilation;
        let count = most.min((time - start).div_ceil(OUTPUTS * dilation));
        let layout = Layout { dilation, groups, count };
        let length = (time - start).min(count * layout.period());
        let x = &x[item * inputs * time..][..inputs * time];
        // A quadruple reads two periods, and so does the last that feeds a later group of taps.
        let around = [size.reach(), groups * layout.period() - size.reach()];
        let stride = pack(x, time, [start, count * layout.period()], around, &mut buffers.samples);
        // What an earlier tile left is written over, but for columns that count for nothing.
        buffers.inputs.resize(transform.points * inputs * layout.stride(), 0.0);
        let evaluate = Evaluate { samples: &buffers.samples, stride, layout, inputs, points: &mut buffers.inputs };
        match transform.taps {
            3 => arch().dispatch(Of::<3, _>(evaluate)),
            _ => arch().dispatch(Of::<4, _>(evaluate)),
        }
        let own = blocks * part / parts..blocks * (part + 1) / parts;
        let rows = own.start * BLOCK..outputs.min(own.end * BLOCK);
        buffers.products.resize(transform.points * rows.len() * layout.stride(), 0.0);
        multiply(buffers, weight, inputs, own, rows.len(), layout, transform.points);
        // SAFETY: `out` is borrowed mutably for the whole loop, holds `outputs` rows of `time` for each item, and each
        // index writes the columns `start..start + length` of its own outputs of its item only.
        let out = unsafe { target.get().add((item * outputs + rows.start) * time + start) };
        let interpolate = Interpolate {
            products: &buffers.products,
            bias: &bias[rows],
            layout,
            line: &mut buffers.line,
            out,
            out_stride: time,
            length,
            add,
        };
        match transform.taps {
            3 => arch().dispatch(Of::<3, _>(interpolate)),
            _ => arch().dispatch(Of::<4, _>(interpolate)),
        }
    });
}

/// The convolution over all channels at each of the points, for the outputs of the blocks `own`.
fn multiply(
    buffers: &mut Buffers,
    weight: Weight<'_>,
    inputs: usize,
    own: Range<usize>,
    outputs: usize,
    layout: Layout,
    points: usize,
) {
    let Layout { groups, .. } = layout;
    let (stride, block) = (layout.stride(), inputs * groups * BLOCK);
    let zeros = vec![0.0; outputs];
    // Point by point: its inputs stay in the cache while the weights pass.
    for point in 0..points {
        let x = &buffers.inputs[point * inputs * stride..][..inputs * stride];
        let products = &mut buffers.products[point * outputs * stride..][..outputs * stride];
        let parts = zeros.chunks(BLOCK).zip(products.chunks_mut(BLOCK * stride));
        for (index, (bias, out)) in own.clone().zip(parts) {
            let first = (index * points + point) * block;
            arch().dispatch(Tile {
                x,
                stride,
                inputs,
                weight: weight.widened(first..first + block, &mut buffers.weight),
                bias,
                out: out.as_mut_ptr(),
                out_stride: stride,
                length: layout.columns() - (groups - 1),
                taps: groups,
                dilation: 1,
                add: false,
            });
        }
    }
}

/// A job with the transform of `TAPS` taps, which the compiler sees as constants.
struct Of<const TAPS: usize, J>(J);

/// From samples to their values at the points.
struct Evaluate<'a> {
    /// `[inputs, stride]`, the first being the first that any output reads.
    samples: &'a [f32],
    stride: usize,
    inputs: usize,
    layout: Layout,
    /// `[points, inputs, columns]`
    points: &'a mut [f32],
}

impl<const TAPS: usize> WithSimd for Of<TAPS, Evaluate<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Evaluate { samples, stride, inputs, layout, points } = self.0;
        let transform = const { Transform::of(TAPS) };
        let (dilation, period, wide, columns) = (layout.dilation, layout.period(), layout.phase(), layout.stride());
        // Every `period`-th sample side by side; quadruples read this one and the next.
        let length = wide + 1;
        let mut sorted = vec![0.0f32; period * length];
        for input in 0..inputs {
            sort(&samples[input * stride..][..stride], period, length, &mut sorted);
            for phase in 0..dilation {
                let read: [&[f32]; MOST] = std::array::from_fn(|i| {
                    let at = phase + dilation * i.min(transform.points - 1);
                    &sorted[at % period * length + at / period..][..wide]
                });
                for point in 0..transform.points {
                    let out = &mut points[(point * inputs + input) * columns + phase * wide..][..wide];
                    evaluate::<TAPS>(point, out, &read);
                }
            }
        }
    }
}

/// `samples` with every `period`-th side by side.
#[inline(always)]
fn sort(samples: &[f32], period: usize, length: usize, sorted: &mut [f32]) {
    let samples = &samples[..period * length];
    if period == OUTPUTS {
        let (first, rest) = sorted.split_at_mut(length);
        let (second, rest) = rest.split_at_mut(length);
        let (third, fourth) = rest.split_at_mut(length);
        for ((((four, a), b), c), d) in samples.chunks_exact(OUTPUTS).zip(first).zip(second).zip(third).zip(fourth) {
            (*a, *b, *c, *d) = (four[0], four[1], four[2], four[3]);
        }
        return;
    }
    for (phase, sorted) in sorted.chunks_exact_mut(length).enumerate() {
        for (value, sample) in sorted.iter_mut().zip(samples[phase..].iter().step_by(period)) {
            *value = *sample;
        }
    }
}

/// From the products at the points to the outputs.
struct Interpolate<'a> {
    /// `[points, outputs, columns]`
    products: &'a [f32],
    bias: &'a [f32],
    layout: Layout,
    line: &'a mut Vec<f32>,
    /// First column of the tile in the first output row; rows are `out_stride` apart.
    out: *mut f32,
    out_stride: usize,
    length: usize,
    add: bool,
}

impl<const TAPS: usize> WithSimd for Of<TAPS, Interpolate<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Interpolate { products, bias, layout, line, out, out_stride, length, add } = self.0;
        let transform = const { Transform::of(TAPS) };
        let Layout { dilation, count, .. } = layout;
        let (period, wide, columns, outputs) = (layout.period(), layout.phase(), layout.stride(), bias.len());
        line.clear();
        line.resize(count * period + OUTPUTS * count, 0.0);
        let (line, four) = line.split_at_mut(count * period);
        for (output, bias) in bias.iter().enumerate() {
            for phase in 0..dilation {
                let read: [&[f32]; MOST] = std::array::from_fn(|p| {
                    let p = p.min(transform.points - 1);
                    &products[(p * outputs + output) * columns + phase * wide..][..count]
                });
                for (i, four) in four.chunks_exact_mut(count).enumerate() {
                    interpolate::<TAPS>(i, four, &read);
                }
                mix(four, phase, dilation, line);
            }
            // SAFETY: `output` is one of the tile's, and `length` its columns.
            let out = unsafe { std::slice::from_raw_parts_mut(out.add(output * out_stride), length) };
            if add {
                out.iter_mut().zip(&*line).for_each(|(out, value)| *out += value + bias);
            } else {
                out.iter_mut().zip(&*line).for_each(|(out, value)| *out = value + bias);
            }
        }
    }
}

/// The outputs of a phase, `[4, count]`, to their places: the opposite of [`sort`].
#[inline(always)]
fn mix(four: &[f32], phase: usize, dilation: usize, line: &mut [f32]) {
    let count = four.len() / OUTPUTS;
    if dilation == 1 {
        let (first, rest) = four.split_at(count);
        let (second, rest) = rest.split_at(count);
        let (third, fourth) = rest.split_at(count);
        for ((((out, a), b), c), d) in line.chunks_exact_mut(OUTPUTS).zip(first).zip(second).zip(third).zip(fourth) {
            out.copy_from_slice(&[*a, *b, *c, *d]);
        }
        return;
    }
    for (i, values) in four.chunks_exact(count).enumerate() {
        for (out, value) in line[phase + dilation * i..].iter_mut().step_by(OUTPUTS * dilation).zip(values) {
            *out = *value;
        }
    }
}
