//! Transposed convolution over time: each output phase is a short convolution of its own, without zero-stuffing and
//! without a column buffer.
//!
//! Output `q * stride + r` is a sum over inputs `q - m` and taps `m * stride + r + padding`. The phases `r` with the same
//! first `m` read the same inputs: they are the rows of one ordinary convolution.
use rayon::prelude::*;

use super::conv::{BLOCK, Tile, pack};
use super::level::arch;
use super::linear::Weight;
use super::share::{Share, zeros};

/// Bytes of input and of output that a tile may take.
const TILE_BYTES: usize = 128 << 10;
const LONGEST: usize = 768;
/// Tiles are multiples of this.
const STEP: usize = 48;

/// The sizes of a transposed convolution.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// The phases that read the same inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `r`
    pub phases: Vec<usize>,
    /// How many inputs after `q` the last tap reads: `-m` of the first.
    pub ahead: usize,
}

impl Shape {
    /// Taps of a phase.
    pub fn taps(&self) -> usize {
        self.kernel.div_ceil(self.stride)
    }

    /// At most two.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for phase in 0..self.stride {
            let ahead = (phase + self.padding) / self.stride;
            match groups.last_mut() {
                Some(group) if group.ahead == ahead => group.phases.push(phase),
                _ => groups.push(Group { phases: vec![phase], ahead }),
            }
        }
        groups
    }

    /// Rows of a group's convolution, rounded up to whole blocks.
    pub fn rows(&self, group: &Group) -> usize {
        (self.outputs * group.phases.len()).next_multiple_of(BLOCK)
    }

    /// Length of the output of `time` inputs.
    pub fn output_time(&self, time: usize) -> usize {
        ((time - 1) * self.stride + self.kernel).saturating_sub(2 * self.padding)
    }

    /// `weight` `[inputs, outputs, kernel]` in the order in which it is read: for each group `[rows / 8, inputs, taps, 8]`,
    /// its rows being all phases of the first output, of the second, and so on; zeros beyond the last.
    pub fn pack(&self, weight: &[f32]) -> Vec<f32> {
        let (taps, stride) = (self.taps(), self.stride);
        let mut packed = Vec::with_capacity(weight.len());
        for group in self.groups() {
            let value = |row: usize, input: usize, tap: usize| {
                let (output, phase) = (row / group.phases.len(), group.phases[row % group.phases.len()]);
                // The first tap reads the earliest input: the largest `m`.
                let m = (taps - 1 - tap) as isize - group.ahead as isize;
                let place = m * stride as isize + (phase + self.padding) as isize;
                let exists = output < self.outputs && (0..self.kernel as isize).contains(&place);
                if exists { weight[(input * self.outputs + output) * self.kernel + place as usize] } else { 0.0 }
            };
            for first in (0..self.rows(&group)).step_by(BLOCK) {
                for input in 0..self.inputs {
                    for tap in 0..taps {
                        packed.extend((first..first + BLOCK).map(|row| value(row, input, tap)));
                    }
                }
            }
        }
        packed
    }
}

/// `x` `[batch, in, time]` -> `[batch, out, output_time]`.
pub fn conv_transpose(
    x: &[f32],
    [batch, time]: [usize; 2],
    weight: Weight<'_>,
    bias: &[f32],
    shape: &Shape,
) -> Vec<f32> {
    let (groups, taps, length) = (shape.groups(), shape.taps(), shape.output_time(time));
    assert_eq!(x.len(), batch * shape.inputs * time, "conv_transpose: an input of another size");
    assert_eq!(bias.len(), shape.outputs, "conv_transpose: a bias for other outputs");
    let size = |group: &Group| shape.rows(group) * shape.inputs * taps;
    assert_eq!(weight.len(), groups.iter().map(size).sum::<usize>(), "conv_transpose: a weight of another size");
    let mut out = zeros(batch * shape.outputs * length);
    if out.is_empty() {
        return out;
    }
    let quotients = length.div_ceil(shape.stride);
    // A task has one tile of time and some of the outputs, whose blocks are whole in every group.
    let per_block = BLOCK.max(shape.outputs.div_ceil(4).next_multiple_of(BLOCK));
    let parts = shape.outputs.div_ceil(per_block);
    let widest = shape.inputs.max(per_block * shape.stride);
    let tile = (TILE_BYTES / 4 / widest / STEP * STEP).clamp(STEP, LONGEST);
    let tiles = quotients.div_ceil(tile);
    let arch = arch();
    let target = Target(out.as_mut_ptr());
    let tasks = (0..batch * tiles * parts).into_par_iter().shared();
    tasks.for_each_init(Default::default, |buffers: &mut [Vec<f32>; 3], index| {
        let [input, wide, widened] = buffers;
        let (item, part, start) = (index / parts / tiles, index % parts, index / parts % tiles * tile);
        let count = tile.min(quotients - start);
        let (first, end) = (part * per_block, ((part + 1) * per_block).min(shape.outputs));
        let ahead = groups.iter().map(|group| group.ahead).max().unwrap_or(0);
        let x = &x[item * shape.inputs * time..][..shape.inputs * time];
        let stride = pack(x, time, [start, count], [taps - 1, ahead], input);
        let mut begin = 0;
        for group in &groups {
            let phases = group.phases.len();
            let (rows, place) = ((end - first) * phases, begin + first * phases * shape.inputs * taps);
            begin += size(group);
            let biases: Vec<f32> = (0..rows).map(|row| bias[first + row / phases]).collect();
            wide.clear();
            wide.resize(rows * count, 0.0);
            arch.dispatch(Tile {
                // Inputs from `q - (taps - 1) + ahead` on.
                x: &input[group.ahead..],
                stride,
                inputs: shape.inputs,
                weight: weight.widened(place..place + rows.next_multiple_of(BLOCK) * shape.inputs * taps, widened),
                bias: &biases,
                out: wide.as_mut_ptr(),
                out_stride: count,
                length: count,
                taps,
                dilation: 1,
                add: false,
            });
            for (row, values) in wide.chunks_exact(count).enumerate() {
                let (output, phase) = (first + row / phases, group.phases[row % phases]);
                let from = start * shape.stride + phase;
                let exists = length.saturating_sub(from).div_ceil(shape.stride).min(count);
                for (i, value) in values[..exists].iter().enumerate() {
                    // SAFETY: `from + i * stride < length`; tasks have outputs and times of their own.
                    unsafe {
                        *target.get().add((item * shape.outputs + output) * length + from + i * shape.stride) = *value;
                    }
                }
            }
        }
    });
    out
}

/// Start of the output; each task writes a part of its own.
struct Target(*mut f32);

// SAFETY: see `conv_transpose`: tasks write disjoint parts.
unsafe impl Sync for Target {}

impl Target {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_that_read_the_same_inputs_go_together() {
        let shape = |kernel, stride| Shape { inputs: 1, outputs: 1, kernel, stride, padding: (kernel - stride) / 2 };
        assert_eq!(
            shape(8, 4).groups(),
            [Group { phases: vec![0, 1], ahead: 0 }, Group { phases: vec![2, 3], ahead: 1 }]
        );
        assert_eq!(shape(4, 2).groups().len(), 2);
        assert_eq!(shape(8, 4).output_time(5), 20);
    }
}
