//! Products of rows with a weight packed in panels of outputs.
//!
//! One loop serves both ends: many rows run at the speed of the multipliers, because a panel stays in the second-level
//! cache while the rows pass; a single row runs at the speed of the memory, because the weight is read once, in order.
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Outputs of a panel: three vectors of the widest instruction set.
pub const PANEL: usize = 48;
/// Vectors of outputs that are computed together.
const VECTORS: usize = 3;
/// Rows that a task takes at a time: they stay in the cache while a panel passes.
const ROWS: usize = 256;

/// `x` `[rows, inputs]`, `weight` `[panels, inputs, 48]`, `bias` `[outputs]` -> `[rows, outputs]`.
pub fn linear(x: &[f32], weight: &[f32], bias: &[f32], rows: usize) -> Vec<f32> {
    let outputs = bias.len();
    let panels = outputs.div_ceil(PANEL);
    let mut out = vec![0.0f32; rows * outputs];
    if out.is_empty() {
        return out;
    }
    let inputs = x.len() / rows;
    assert_eq!(x.len(), rows * inputs, "linear: an input of another width");
    assert_eq!(weight.len(), panels * inputs * PANEL, "linear: a weight for another input or bias");
    let (arch, target, blocks) = (Arch::new(), Target(out.as_mut_ptr()), rows.div_ceil(ROWS));
    // Neighbouring tasks share rows, so a thread that takes several keeps them in its cache; few rows are split by
    // panels only, each thread reading one stretch of the weight.
    let least = (panels * blocks).div_ceil(4 * rayon::current_num_threads().max(1));
    (0..blocks * panels).into_par_iter().with_min_len(least.max(1)).for_each(|task| {
        let (block, panel) = (task / panels, task % panels);
        let first = block * ROWS;
        let count = ROWS.min(rows - first);
        let column = panel * PANEL;
        // SAFETY: `out` is borrowed mutably for the whole loop and has `rows * outputs` values; each task writes its own
        // rows of its own columns.
        let out = unsafe { target.get().add(first * outputs + column) };
        arch.dispatch(Task {
            x: &x[first * inputs..(first + count) * inputs],
            inputs,
            weight: &weight[panel * inputs * PANEL..(panel + 1) * inputs * PANEL],
            bias: &bias[column..outputs.min(column + PANEL)],
            out,
            stride: outputs,
            rows: count,
        });
    });
    out
}

/// Start of the output; each task writes a part of its own.
struct Target(*mut f32);

// SAFETY: see `linear`: tasks write disjoint parts.
unsafe impl Sync for Target {}

impl Target {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

/// Some rows and one panel.
struct Task<'a> {
    /// `[rows, inputs]`
    x: &'a [f32],
    inputs: usize,
    /// `[inputs, PANEL]`
    weight: &'a [f32],
    /// Of the panel's outputs, as many as exist.
    bias: &'a [f32],
    /// The first of them in the first row; rows are `stride` apart.
    out: *mut f32,
    stride: usize,
    rows: usize,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut row = 0;
        // As many accumulators as the registers hold beside three vectors of weights and one input.
        if S::REGISTER_COUNT >= 32 {
            while self.rows - row >= 8 {
                self.block::<S, 8>(simd, row);
                row += 8;
            }
        }
        while self.rows - row >= 4 {
            self.block::<S, 4>(simd, row);
            row += 4;
        }
        match self.rows - row {
            3 => self.block::<S, 3>(simd, row),
            2 => self.block::<S, 2>(simd, row),
            1 => self.block::<S, 1>(simd, row),
            _ => {}
        }
    }
}

impl Task<'_> {
    /// The rows `first..first + N`.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&self, simd: S, first: usize) {
        let lanes = S::F32_LANES;
        let step = VECTORS * lanes;
        for part in (0..self.bias.len()).step_by(step) {
            let sums = self.sums::<S, N>(simd, first, part);
            for (n, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let column = part + v * lanes;
                    if column >= self.bias.len() {
                        break;
                    }
                    let count = lanes.min(self.bias.len() - column);
                    // SAFETY: `first + n < rows`, and the columns exist: the task's own part of the output.
                    let out = unsafe {
                        std::slice::from_raw_parts_mut(self.out.add((first + n) * self.stride + column), count)
                    };
                    simd.partial_store_f32s(out, *sum);
                }
            }
        }
    }

    /// `N` rows at `VECTORS` vectors of outputs from `part` on.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(&self, simd: S, first: usize, part: usize) -> [[S::f32s; VECTORS]; N] {
        let lanes = S::F32_LANES;
        let bias: [S::f32s; VECTORS] = std::array::from_fn(|v| {
            let start = (part + v * lanes).min(self.bias.len());
            simd.partial_load_f32s(&self.bias[start..self.bias.len().min(start + lanes)])
        });
        let mut sums = [bias; N];
        assert!(part + VECTORS * lanes <= PANEL && self.weight.len() == self.inputs * PANEL);
        assert!((first + N) * self.inputs <= self.x.len());
        let rows: [*const f32; N] = std::array::from_fn(|n| self.x[(first + n) * self.inputs..].as_ptr());
        let weight = self.weight.as_ptr().wrapping_add(part);
        for input in 0..self.inputs {
            // SAFETY: `input < inputs`: inside the rows; of the weight's row, `VECTORS` vectors from `part` are inside.
            unsafe {
                let w = weight.add(input * PANEL).cast::<S::f32s>();
                let w: [S::f32s; VECTORS] = std::array::from_fn(|v| w.add(v).read_unaligned());
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let x = simd.splat_f32s(*row.add(input));
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = simd.mul_add_e_f32s(x, w, *sum);
                    }
                }
            }
        }
        sums
    }
}
