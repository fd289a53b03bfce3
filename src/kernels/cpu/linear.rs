//! Products of rows with a weight packed in panels of outputs.
//!
//! One loop serves both ends: many rows run at the speed of the multipliers, because a panel stays in the second-level
//! cache while the rows pass; a single row runs at the speed of the memory, because the weight is read once, in order.
//! Where there is a matrix unit, it multiplies many rows ([`split`](super::split)).
use std::mem::MaybeUninit;
use std::ops::Range;

use half::{bf16, f16};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::activation::activate_rows;
use super::fetch::{Piece, Upcoming, fetch};
use super::level::arch;
use super::pairs::{self, Pairs};
use super::share::{Share, places, unwritten};
use super::split::{self, Split};
use crate::kernels::Activation;

/// Outputs of a panel: three vectors of the widest instruction set.
pub const PANEL: usize = 48;
/// Vectors of outputs that are computed together.
pub const VECTORS: usize = if cfg!(target_family = "wasm") { 2 } else { 3 };
/// Rows that a task takes at a time: they stay in the cache while a panel passes.
const ROWS: usize = 256;

/// Rows that are computed together at most.
const BLOCK: usize = 8;
/// Inputs of a panel from the one that is multiplied to the one that is fetched meanwhile: 3 KB. From twice as far, a few
/// rows read their weights an eighth more slowly.
pub const AHEAD: usize = 16;
/// Inputs that are multiplied at a time at most: with them a block of rows and a panel fit into the second-level cache.
const DEEPEST: usize = 1280;
/// Inputs of a panel that are widened at a time: 24 KiB, which stay in the first-level cache.
const WIDENED: usize = 128;
/// With more rows than this, products of pairs in bfloat16 pay for the conversion of the rows.
const FEW_ROWS: usize = 4;

/// Rows of an input. Windows over a signal overlap: then `stride` is smaller than `width`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub count: usize,
    pub width: usize,
    /// From the start of a row to that of the next.
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// `count` rows, one after another.
    pub fn dense(data: &'a [f32], count: usize) -> Self {
        assert!(count > 0 && data.len().is_multiple_of(count), "linear: uneven rows");
        let width = data.len() / count;
        Self { data, count, width, stride: width }
    }

    /// The rows `first..first + count`, of which only the columns `from..from + width`.
    fn part(self, first: usize, count: usize, from: usize, width: usize) -> Self {
        let start = first * self.stride + from;
        let end = start + (count - 1) * self.stride + width;
        Self { data: &self.data[start..end], count, width, stride: self.stride }
    }
}

/// A packed weight in the type in which it is kept. Half-precision types halve the memory; products are f32.
#[derive(Clone, Copy)]
pub enum Weight<'a> {
    /// `[panels, inputs, 48]`
    F32(&'a [f32]),
    /// `[panels, inputs, 48]`
    F16(&'a [f16]),
    /// `[panels, inputs / 2 rounded up, 48, 2]`: neighbouring inputs side by side, as the instruction wants them.
    Bf16(&'a [bf16]),
}

impl<'a> Weight<'a> {
    /// The inputs `from..from + width` of a panel.
    fn part(self, panel: usize, inputs: usize, from: usize, width: usize) -> Self {
        let range = (panel * inputs + from) * PANEL..(panel * inputs + from + width) * PANEL;
        match self {
            Self::F32(values) => Self::F32(&values[range]),
            Self::F16(values) => Self::F16(&values[range]),
            Self::Bf16(values) => {
                assert!(from.is_multiple_of(2), "linear: a pair of inputs is cut in two");
                let start = panel * inputs.next_multiple_of(2) + from;
                Self::Bf16(&values[start * PANEL..(start + width.next_multiple_of(2)) * PANEL])
            }
        }
    }

    pub fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Bf16(values) => values.len(),
        }
    }

    /// The values of `range` in f32, in `buffer` if they are kept as halves.
    pub fn widened<'b>(self, range: Range<usize>, buffer: &'b mut Vec<f32>) -> &'b [f32]
    where
        'a: 'b,
    {
        match self {
            Self::F32(values) => &values[range],
            Self::F16(values) => {
                buffer.resize(range.len(), 0.0);
                arch().dispatch(WidenHalves(&values[range], buffer));
                buffer
            }
            Self::Bf16(_) => unreachable!("pairs of bfloat16 are for products of rows"),
        }
    }

    /// Values of a weight of this size.
    fn expected(self, panels: usize, inputs: usize) -> usize {
        let inputs = if matches!(self, Self::Bf16(_)) { inputs.next_multiple_of(2) } else { inputs };
        panels * inputs * PANEL
    }
}

/// `x` `[rows, inputs]`, `bias` `[outputs]` -> `[rows, outputs]`, after `then` if there is one.
pub fn linear(x: Rows<'_>, weight: Weight<'_>, bias: &[f32], then: Option<Activation>) -> Vec<f32> {
    let mut out = unwritten(x.count * bias.len());
    // SAFETY: a product that begins with a bias writes the whole output.
    unsafe {
        linear_to(x, weight, x.width, 0, Start::Bias(bias), then, &mut out);
        out.assume_init().into_vec()
    }
}

/// A convolution over time: `x` `[time, channels]`, weight packed of `[kernel * channels, outputs]`, `bias` `[outputs]`,
/// `out` `[time - dilation * (kernel - 1), outputs]`.
pub fn convolve(
    x: &[f32],
    weight: Weight<'_>,
    bias: &[f32],
    out: &mut [f32],
    [channels, kernel, dilation]: [usize; 3],
) {
    let (inputs, count) = (kernel * channels, x.len() / channels - dilation * (kernel - 1));
    if dilation == 1 {
        let windows = Rows { data: x, count, width: inputs, stride: channels };
        return linear_part(windows, weight, inputs, 0, Start::Bias(bias), None, out);
    }
    for tap in 0..kernel {
        let frames = Rows { data: &x[tap * dilation * channels..], count, width: channels, stride: channels };
        let start = if tap == 0 { Start::Bias(bias) } else { Start::Output };
        linear_part(frames, weight, inputs, tap * channels, start, None, out);
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// `[outputs]`, for every row.
    Bias(&'a [f32]),
    /// What the output holds already.
    Output,
    /// Both.
    Sum(&'a [f32]),
}

impl<'a> Start<'a> {
    /// Of the bias, the outputs from `column` on that are in its panel.
    pub fn panel(self, column: usize) -> Self {
        let part = |bias: &'a [f32]| &bias[column..bias.len().min(column + PANEL)];
        match self {
            Self::Bias(bias) => Self::Bias(part(bias)),
            Self::Output => Self::Output,
            Self::Sum(bias) => Self::Sum(part(bias)),
        }
    }

    /// The bias, which may be empty.
    pub fn bias(self) -> &'a [f32] {
        match self {
            Self::Bias(bias) | Self::Sum(bias) => bias,
            Self::Output => &[],
        }
    }

    /// Whether what the output holds counts.
    pub fn keeps_output(self) -> bool {
        !matches!(self, Self::Bias(_))
    }
}

/// The part of a product that the inputs `from..` of `inputs` contribute: `x` `[rows, some inputs]`, `out`
/// `[rows, outputs]`; `then` is applied to the sum.
pub fn linear_part(
    x: Rows<'_>,
    weight: Weight<'_>,
    inputs: usize,
    from: usize,
    start: Start<'_>,
    then: Option<Activation>,
    out: &mut [f32],
) {
    // SAFETY: the output holds numbers, and gets numbers.
    unsafe { linear_to(x, weight, inputs, from, start, then, places(out)) }
}

/// As [`linear_part`], for an output that need not hold anything yet; afterwards all of it does.
///
/// # Safety
/// The output holds numbers if `start` keeps them.
pub unsafe fn linear_to(
    x: Rows<'_>,
    weight: Weight<'_>,
    inputs: usize,
    from: usize,
    start: Start<'_>,
    then: Option<Activation>,
    out: &mut [MaybeUninit<f32>],
) {
    let Rows { count: rows, width, stride, .. } = x;
    assert!(rows > 0 && width > 0 && out.len().is_multiple_of(rows), "linear: uneven rows");
    assert!((rows - 1) * stride + width <= x.data.len(), "linear: rows beyond the input");
    let outputs = out.len() / rows;
    let panels = outputs.div_ceil(PANEL);
    assert_eq!(weight.len(), weight.expected(panels, inputs), "linear: a weight for another input or output");
    assert!(from + width <= inputs, "linear: an input wider than the weight");
    if let Start::Bias(bias) | Start::Sum(bias) = start {
        assert_eq!(bias.len(), outputs, "linear: a bias for another output");
    }
    if out.is_empty() {
        return;
    }
    let in_parts = !matches!(weight, Weight::Bf16(_)) && split::pays(rows);
    let deepest = match weight {
        _ if in_parts => split::DEEPEST,
        Weight::F32(_) if rows > BLOCK => DEEPEST,
        _ => width,
    };
    if width > deepest {
        let depth = width.div_ceil(width.div_ceil(deepest)).next_multiple_of(split::INPUTS);
        for at in (0..width).step_by(depth) {
            let (count, rest) = (depth.min(width - at), width - at);
            let start = if at == 0 { start } else { Start::Output };
            let then = then.filter(|_| rest <= depth);
            // SAFETY: the caller's promise, and the first of these products writes all of the output.
            unsafe { linear_to(x.part(0, rows, at, count), weight, inputs, from + at, start, then, out) };
        }
        return;
    }
    if in_parts && let Some(parts) = Split::of(x) {
        // SAFETY: the caller's promise, and the sizes that were checked above.
        return unsafe { linear_in_parts(&parts, [rows, width], weight, [inputs, from], start, then, out) };
    }
    let pairs = match weight {
        Weight::Bf16(_) if rows > FEW_ROWS => Pairs::of(x),
        _ => None,
    };
    let (arch, target, blocks) = (arch(), Target(out.as_mut_ptr().cast()), rows.div_ceil(ROWS));
    // Neighbouring tasks share rows, so a thread that takes several keeps them in its cache; few rows are split by
    // panels only.
    (0..blocks * panels).into_par_iter().shared().for_each(|task| {
        let (block, panel) = (task / panels, task % panels);
        let first = block * ROWS;
        let count = ROWS.min(rows - first);
        let column = panel * PANEL;
        let target = Part {
            start: start.panel(column),
            columns: PANEL.min(outputs - column),
            // SAFETY: `out` is borrowed mutably for the whole loop and has `rows * outputs` values; each task writes its
            // own rows of its own columns.
            out: unsafe { target.get().add(first * outputs + column) },
            stride: outputs,
        };
        match (weight.part(panel, inputs, from, width), &pairs) {
            (Weight::F32(weight), _) => {
                // A single pass waits for its own panel.
                let upcoming = if count > BLOCK { Upcoming::behind(weight) } else { Upcoming::nothing(weight) };
                arch.dispatch(Task { x: x.part(first, count, 0, width), weight, upcoming, target });
            }
            (Weight::Bf16(weight), Some(pairs)) => pairs::multiply(pairs, first, count, weight, target),
            (weight, _) => widen(arch, x.part(first, count, 0, width), weight, target),
        }
        target.finish(count, then);
    });
}

/// As [`linear_to`], by the matrix unit.
///
/// # Safety
/// As there, and the sizes fit.
unsafe fn linear_in_parts(
    x: &Split,
    [rows, width]: [usize; 2],
    weight: Weight<'_>,
    [inputs, from]: [usize; 2],
    start: Start<'_>,
    then: Option<Activation>,
    out: &mut [MaybeUninit<f32>],
) {
    let (outputs, target) = (out.len() / rows, Target(out.as_mut_ptr().cast()));
    let panels = outputs.div_ceil(PANEL);
    let part = |panel| (panel * inputs + from) * PANEL..(panel * inputs + from + width) * PANEL;
    let place = |panel| {
        let column = panel * PANEL;
        // SAFETY: the column is one of the output's, which is borrowed mutably until all is written.
        let out = unsafe { target.get().add(column) };
        Part { start: start.panel(column), columns: PANEL.min(outputs - column), out, stride: outputs }
    };
    let done = |target: Part<'_>, rows| target.finish(rows, then);
    match weight {
        Weight::F32(values) => split::multiply(x, panels, |panel| (&values[part(panel)], place(panel)), done),
        Weight::F16(values) => split::multiply(x, panels, |panel| (&values[part(panel)], place(panel)), done),
        Weight::Bf16(_) => unreachable!("pairs of bfloat16 have products of their own"),
    }
}

/// The product with a half-precision weight, widened a stretch at a time.
fn widen(arch: Arch, x: Rows<'_>, weight: Weight<'_>, mut target: Part<'_>) {
    let mut buffer = [0.0f32; WIDENED * PANEL];
    for from in (0..x.width).step_by(WIDENED) {
        let width = WIDENED.min(x.width - from);
        let upcoming = match weight.part(0, x.width, from, width) {
            Weight::F32(values) => {
                buffer[..values.len()].copy_from_slice(values);
                Upcoming::behind(values)
            }
            Weight::F16(values) => {
                arch.dispatch(WidenHalves(values, &mut buffer));
                Upcoming::behind(values)
            }
            Weight::Bf16(values) => {
                arch.dispatch(WidenPairs(values, &mut buffer));
                Upcoming::behind(values)
            }
        };
        arch.dispatch(Task { x: x.part(0, x.count, from, width), weight: &buffer[..width * PANEL], upcoming, target });
        target.start = Start::Output;
    }
}

/// f16 to f32 in a form that vectorises; weights are finite.
struct WidenHalves<'a>(&'a [f16], &'a mut [f32]);

impl WithSimd for WidenHalves<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        // The exponents' biases differ by 112; multiplying also turns subnormal numbers into normal ones.
        let rebias = f32::from_bits((112 + 127) << 23);
        for (half, value) in self.0.iter().zip(self.1) {
            let bits = u32::from(half.to_bits());
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * rebias;
            *value = f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16);
        }
    }
}

/// `[pairs, 48, 2]` to `[2 pairs, 48]`.
struct WidenPairs<'a>(&'a [bf16], &'a mut [f32]);

impl WithSimd for WidenPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (pairs, rows) in self.0.chunks_exact(2 * PANEL).zip(self.1.chunks_exact_mut(2 * PANEL)) {
            let (even, odd) = rows.split_at_mut(PANEL);
            for ((pair, even), odd) in pairs.chunks_exact(2).zip(even).zip(odd) {
                *even = f32::from_bits(u32::from(pair[0].to_bits()) << 16);
                *odd = f32::from_bits(u32::from(pair[1].to_bits()) << 16);
            }
        }
    }
}

/// Where a task writes: its own rows of its own columns.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub start: Start<'a>,
    /// Of the panel's outputs, as many as exist.
    pub columns: usize,
    /// The first of them in the first row; rows are `stride` apart.
    pub out: *mut f32,
    pub stride: usize,
}

impl Part<'_> {
    /// The same columns of the rows from `first` on.
    pub fn at_row(self, first: usize) -> Self {
        Self { out: self.out.wrapping_add(first * self.stride), ..self }
    }

    /// Applies `then` to the task's `rows` rows.
    pub fn finish(&self, rows: usize, then: Option<Activation>) {
        if let Some(activation) = then {
            // SAFETY: the task's own part of the output.
            unsafe { activate_rows(self.out, [rows, self.columns, self.stride], activation) };
        }
    }
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

/// Vector registers to count on. WebAssembly has as many as one likes; x86-64 processors, which most of it runs on, hold 16
/// of its vectors, and the browser spills the rest.
pub const fn registers<S: Simd>() -> usize {
    if cfg!(target_family = "wasm") { 16 } else { S::REGISTER_COUNT }
}

/// Some rows and one panel.
struct Task<'a> {
    x: Rows<'a>,
    /// `[inputs, PANEL]`
    weight: &'a [f32],
    upcoming: Upcoming,
    target: Part<'a>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut row = 0;
        // As many accumulators as the registers hold beside three vectors of weights and one input.
        if registers::<S>() >= 32 {
            while self.x.count - row >= 8 {
                self.block::<S, 8>(simd, row);
                row += 8;
            }
        }
        while self.x.count - row >= 4 {
            self.block::<S, 4>(simd, row);
            row += 4;
        }
        match self.x.count - row {
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
        let Part { start, columns, out, stride } = self.target;
        for part in (0..columns).step_by(step) {
            let sums = self.sums::<S, N>(simd, first, part);
            for (n, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let column = part + v * lanes;
                    if column >= columns {
                        break;
                    }
                    let count = lanes.min(columns - column);
                    // SAFETY: `first + n < rows`, and the columns exist: the task's own part of the output, of which
                    // what is read is there.
                    unsafe {
                        let out = out.add((first + n) * stride + column);
                        let sum = match start {
                            Start::Bias(_) => *sum,
                            Start::Output | Start::Sum(_) => simd.add_f32s(*sum, load(simd, out, count)),
                        };
                        store(simd, out, count, sum);
                    }
                }
            }
        }
    }

    /// `N` rows at `VECTORS` vectors of outputs from `part` on.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(&self, simd: S, first: usize, part: usize) -> [[S::f32s; VECTORS]; N] {
        let lanes = S::F32_LANES;
        let bias = self.target.start.bias();
        let bias: [S::f32s; VECTORS] = std::array::from_fn(|v| {
            let start = (part + v * lanes).min(bias.len());
            // SAFETY: as many values as there are.
            unsafe { load(simd, bias[start..].as_ptr(), lanes.min(bias.len() - start)) }
        });
        let Rows { data, width, stride, .. } = self.x;
        assert!(part + VECTORS * lanes <= PANEL && self.weight.len() == width * PANEL);
        assert!((first + N - 1) * stride + width <= data.len());
        let rows: [*const f32; N] = std::array::from_fn(|n| data[(first + n) * stride..].as_ptr());
        // SAFETY: the rows have `width` inputs from there on, the weight has `width` rows, and the vectors are inside them.
        unsafe { multiply(simd, [bias; N], rows, 1, &self.weight[part..], width, self.piece::<S>(first, part)) }
    }

    /// What is fetched while the rows from `first` on and the outputs from `part` on are computed.
    #[inline(always)]
    fn piece<S: Simd>(&self, first: usize, part: usize) -> Piece {
        let (rows, step) = (block_rows::<S>(), VECTORS * S::F32_LANES);
        let (blocks, parts) = (self.x.count.div_ceil(rows), PANEL / step);
        self.upcoming.share(first / rows * parts + part / step, blocks * parts, self.x.width)
    }
}

/// Rows that are computed together: as many as the registers hold beside three vectors of weights and one input.
const fn block_rows<S: Simd>() -> usize {
    if registers::<S>() >= 32 { BLOCK } else { BLOCK / 2 }
}

/// `sums` and the products of `N` rows with some vectors of a panel `[width, PANEL]` that begins before `weight`;
/// `meanwhile` is fetched.
///
/// # Safety
/// Of each row the `width` values that are `step` apart can be read, and `VECTORS` vectors in each row of the weight.
#[inline(always)]
pub unsafe fn multiply<S: Simd, const N: usize>(
    simd: S,
    mut sums: [[S::f32s; VECTORS]; N],
    rows: [*const f32; N],
    step: isize,
    weight: &[f32],
    width: usize,
    meanwhile: Piece,
) -> [[S::f32s; VECTORS]; N] {
    let weight = weight.as_ptr();
    for input in 0..width {
        // SAFETY: the caller's promise, for `input < width`.
        unsafe {
            fetch::<VECTORS>(weight.wrapping_add((input + AHEAD) * PANEL).cast(), size_of::<S::f32s>());
            meanwhile.fetch(input);
            let w = weight.add(input * PANEL).cast::<S::f32s>();
            let w: [S::f32s; VECTORS] = std::array::from_fn(|v| w.add(v).read_unaligned());
            for (sums, row) in sums.iter_mut().zip(rows) {
                let x = simd.splat_f32s(*row.offset(input as isize * step));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = simd.mul_add_e_f32s(x, w, *sum);
                }
            }
        }
    }
    sums
}

/// A vector of the first `count` values from `start` on, with zeros for the others. A whole one is no call: pulp's masked
/// form is, and makes the caller save its registers.
///
/// # Safety
/// The values can be read.
#[inline(always)]
pub unsafe fn load<S: Simd>(simd: S, start: *const f32, count: usize) -> S::f32s {
    // SAFETY: the caller's promise; a vector of numbers is as many of them, side by side.
    unsafe {
        match count {
            count if count >= S::F32_LANES => start.cast::<S::f32s>().read_unaligned(),
            _ => simd.partial_load_f32s(std::slice::from_raw_parts(start, count)),
        }
    }
}

/// The first `count` values of `vector` to `start`, which need not hold anything yet.
///
/// # Safety
/// The values can be written.
#[inline(always)]
pub unsafe fn store<S: Simd>(simd: S, start: *mut f32, count: usize, vector: S::f32s) {
    // SAFETY: the caller's promise; a vector of numbers is as many of them, side by side.
    unsafe {
        match count {
            count if count >= S::F32_LANES => start.cast::<S::f32s>().write_unaligned(vector),
            _ => {
                // Numbers first: pulp wants a slice of them.
                start.write_bytes(0, count);
                simd.partial_store_f32s(std::slice::from_raw_parts_mut(start, count), vector);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::at_every_level;
    use super::*;

    #[test]
    fn every_finite_half_is_widened_exactly() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|h| h.is_finite()).collect();
        at_every_level(|level| {
            let mut values = vec![0.0; halves.len()];
            arch().dispatch(WidenHalves(&halves, &mut values));
            assert!(halves.iter().zip(&values).all(|(h, v)| h.to_f32().to_bits() == v.to_bits()), "{level:?}");
        });
    }

    /// In parts, of which the first adds to what is there and the last applies the activation.
    #[test]
    fn a_deep_product_is_one_product() {
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let (rows, inputs, outputs) = (BLOCK + 3, 2 * DEEPEST + 7, PANEL + 5);
        let (x, bias, plain) = (wave(rows * inputs, 0.73), wave(outputs, 1.1), wave(inputs * outputs, 0.37));
        let mut weight = vec![0.0; outputs.next_multiple_of(PANEL) * inputs];
        for (i, value) in plain.iter().enumerate() {
            let (input, output) = (i / outputs, i % outputs);
            weight[(output / PANEL * inputs + input) * PANEL + output % PANEL] = *value;
        }
        let held = wave(rows * outputs, 0.11);
        at_every_level(|level| {
            let (mut out, then) = (held.clone(), Some(Activation::Silu));
            linear_part(Rows::dense(&x, rows), Weight::F32(&weight), inputs, 0, Start::Sum(&bias), then, &mut out);
            for (i, got) in out.iter().enumerate() {
                let (row, output) = (i / outputs, i % outputs);
                let products = (0..inputs)
                    .map(|input| f64::from(x[row * inputs + input]) * f64::from(plain[input * outputs + output]));
                let sum = f64::from(held[i]) + f64::from(bias[output]) + products.sum::<f64>();
                let difference = (f64::from(*got) - sum / (1.0 + (-sum).exp())).abs();
                assert!(difference < 2e-4, "{level:?} at {i}: {difference}");
            }
        });
    }
}
