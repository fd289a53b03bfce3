//! Products with weights of 8 or 4 bits.
//!
//! 32 inputs of an output share a scale, as do 32 inputs of a row, which are rounded to 8 bits on the way in; products
//! and their sums over a group are exact in integers (VNNI, where the processor has it), the rest is f32.
use std::mem::MaybeUninit;

use half::f16;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::fetch::{Piece, Upcoming, fetch};
use super::few_bits::{Bits, GROUP, QUAD, QuantizedWeight, UNIT};
use super::level::arch;
use super::linear::{PANEL, Part, Start};
use super::math::{fma, nearest};
use super::share::{Share, places, unwritten};
use crate::kernels::Activation;

/// Rows that a task takes at a time.
const ROWS: usize = 64;
/// Up to this many rows are rounded by the calling thread: sooner done than handed out.
const FEW_ROWS: usize = 8;
/// Bytes from the values that are multiplied to those that are fetched meanwhile.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 6 << 10;

/// Rows in 8 bits.
struct QuantizedRows {
    /// `[rows, groups, 32]`
    values: Vec<i8>,
    /// `[rows, groups]`, times [`UNIT`].
    scales: Vec<f32>,
    /// Sums of the values, `[rows, groups]`.
    sums: Vec<i32>,
    groups: usize,
}

impl QuantizedRows {
    fn new(x: &[f32], rows: usize, inputs: usize) -> Self {
        let groups = inputs.div_ceil(GROUP);
        let mut new = Self {
            values: vec![0; rows * groups * GROUP],
            scales: vec![0.0; rows * groups],
            sums: vec![0; rows * groups],
            groups,
        };
        let arch = arch();
        if rows <= FEW_ROWS {
            let (values, scales) = (new.values.chunks_exact_mut(groups * GROUP), new.scales.chunks_exact_mut(groups));
            let rows = values.zip(scales).zip(new.sums.chunks_exact_mut(groups)).zip(x.chunks_exact(inputs));
            rows.for_each(|(((values, scales), sums), x)| arch.dispatch(RoundRow { x, values, scales, sums }));
            return new;
        }
        let (values, scales) = (new.values.par_chunks_mut(groups * GROUP), new.scales.par_chunks_mut(groups));
        let rows = values.zip(scales).zip(new.sums.par_chunks_mut(groups)).zip(x.par_chunks(inputs));
        rows.shared().for_each(|(((values, scales), sums), x)| arch.dispatch(RoundRow { x, values, scales, sums }));
        new
    }
}

struct RoundRow<'a> {
    x: &'a [f32],
    values: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i32],
}

impl WithSimd for RoundRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let groups = self.x.chunks(GROUP).zip(self.values.chunks_exact_mut(GROUP));
        for ((x, values), (scale, sum)) in groups.zip(self.scales.iter_mut().zip(self.sums)) {
            let mut group = [0f32; GROUP];
            group[..x.len()].copy_from_slice(x);
            let largest = group.iter().fold(0f32, |m, v| if v.abs() > m { v.abs() } else { m });
            *scale = largest / 127.0 * UNIT;
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            let mut total = 0;
            for (value, x) in values.iter_mut().zip(group) {
                *value = nearest(x * inverse) as i8;
                total += i32::from(*value);
            }
            *sum = total;
        }
    }
}

/// `x` `[rows, inputs]`, `bias` `[outputs]` -> `[rows, outputs]`, after `then` if there is one.
pub fn quantized_linear(x: &[f32], weight: &QuantizedWeight, bias: &[f32], then: Option<Activation>) -> Vec<f32> {
    let mut out = unwritten(x.len() / weight.inputs * weight.outputs);
    // SAFETY: a product that begins with a bias writes the whole output.
    unsafe {
        quantized_to(x, weight, 0, Start::Bias(bias), then, &mut out);
        out.assume_init().into_vec()
    }
}

/// The part of a product that the inputs from `from` on contribute, which begin a group: `x` `[rows, some inputs]`, `out`
/// `[rows, outputs]`; `then` is applied to the sum.
pub fn quantized_part(
    x: &[f32],
    weight: &QuantizedWeight,
    from: usize,
    start: Start<'_>,
    then: Option<Activation>,
    out: &mut [f32],
) {
    // SAFETY: the output holds numbers, and gets numbers.
    unsafe { quantized_to(x, weight, from, start, then, places(out)) }
}

/// As [`quantized_part`], for an output that need not hold anything yet; afterwards all of it does.
///
/// # Safety
/// The output holds numbers if `start` keeps them.
unsafe fn quantized_to(
    x: &[f32],
    weight: &QuantizedWeight,
    from: usize,
    start: Start<'_>,
    then: Option<Activation>,
    out: &mut [MaybeUninit<f32>],
) {
    let outputs = weight.outputs;
    let rows = out.len() / outputs;
    let width = x.len() / rows.max(1);
    assert_eq!(out.len(), rows * outputs, "quantized linear: an output of another size");
    assert_eq!(x.len(), rows * width, "quantized linear: uneven rows");
    let ends = from + width == weight.inputs || from + width < weight.inputs && width.is_multiple_of(GROUP);
    assert!(ends && from.is_multiple_of(GROUP), "quantized linear: inputs that are no whole groups");
    if let Start::Bias(bias) | Start::Sum(bias) = start {
        assert_eq!(bias.len(), outputs, "quantized linear: a bias for another output");
    }
    if out.is_empty() {
        return;
    }
    let x = QuantizedRows::new(x, rows, width);
    let (panels, blocks) = (outputs.div_ceil(PANEL), rows.div_ceil(ROWS));
    let (target, form) = (Target(out.as_mut_ptr().cast()), Form::best());
    (0..blocks * panels).into_par_iter().shared().for_each(|task| {
        let (block, panel) = (task / panels, task % panels);
        let (first, column) = (block * ROWS, panel * PANEL);
        let rows = first..rows.min(first + ROWS);
        let target = Part {
            start: start.panel(column),
            columns: PANEL.min(outputs - column),
            // SAFETY: inside `out`, which is borrowed mutably for the whole loop; tasks write disjoint parts.
            out: unsafe { target.get().add(first * outputs + column) },
            stride: outputs,
        };
        let count = rows.len();
        form.run(Task::new(&x, weight, [panel, from / GROUP], rows, target));
        target.finish(count, then);
    });
}

/// How products are computed.
#[derive(Clone, Copy)]
enum Form {
    /// As the compiler sees fit, for any processor.
    Portable(Arch),
    Avx2,
    Vnni,
}

impl Form {
    fn best() -> Self {
        if vnni::available() {
            Self::Vnni
        } else if avx2::available() {
            Self::Avx2
        } else {
            Self::Portable(arch())
        }
    }

    fn run(self, task: Task<'_>) {
        match self {
            Self::Portable(arch) => arch.dispatch(task),
            Self::Avx2 => avx2::run(&task),
            Self::Vnni => vnni::run(&task),
        }
    }
}

/// Start of the output; each task writes a part of its own.
struct Target(*mut f32);

// SAFETY: see `quantized_linear`: tasks write disjoint parts.
unsafe impl Sync for Target {}

impl Target {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

/// Some rows and one panel.
struct Task<'a> {
    x: &'a QuantizedRows,
    rows: std::ops::Range<usize>,
    bits: Bits,
    /// `[groups, ...]`
    values: &'a [u8],
    /// `[groups, 48]`
    scales: &'a [f16],
    target: Part<'a>,
}

impl<'a> Task<'a> {
    fn new(
        x: &'a QuantizedRows,
        weight: &'a QuantizedWeight,
        [panel, first]: [usize; 2],
        rows: std::ops::Range<usize>,
        target: Part<'a>,
    ) -> Self {
        let size = weight.bits.group_bytes();
        let groups = panel * weight.inputs.div_ceil(GROUP) + first..;
        assert!(rows.end * x.groups <= x.sums.len(), "quantized linear: rows beyond the input");
        Self {
            x,
            rows,
            bits: weight.bits,
            values: &weight.values[groups.start * size..][..x.groups * size],
            scales: &weight.scales[groups.start * PANEL..][..x.groups * PANEL],
            target,
        }
    }

    /// Of the next panel, what is fetched while the rows from `row` on are computed, in blocks of `rows`.
    #[cfg(target_arch = "x86_64")]
    fn piece(&self, row: usize, rows: usize) -> Piece {
        let (passes, steps) = (self.rows.len().div_ceil(rows), self.values.len() / (PANEL * QUAD));
        // A single pass waits for its own panel.
        let upcoming = if passes > 1 { Upcoming::behind(self.values) } else { Upcoming::nothing(self.values) };
        upcoming.share((row - self.rows.start) / rows, passes, steps)
    }

    /// Writes the sums of the row `index` of this task.
    ///
    /// # Safety
    /// The row exists in the target.
    #[inline(always)]
    unsafe fn store(&self, index: usize, sums: &[f32; PANEL]) {
        let Part { start, columns, out, stride } = self.target;
        let bias = start.bias();
        for (c, sum) in sums.iter().enumerate().take(columns) {
            let sum = sum + bias.get(c).copied().unwrap_or_default();
            // SAFETY: the caller's promise; the columns exist, and hold something if it is kept.
            unsafe {
                let out = out.add(index * stride + c);
                out.write(if start.keeps_output() { out.read() + sum } else { sum });
            }
        }
    }
}

impl WithSimd for Task<'_> {
    type Output = ();

    /// The portable form; its results are those of the instructions, in the same order.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let groups = self.x.groups;
        let mut wide = vec![0i32; groups * GROUP * PANEL];
        for (values, wide) in
            self.values.chunks_exact(self.bits.group_bytes()).zip(wide.chunks_exact_mut(GROUP * PANEL))
        {
            widen(values, wide, self.bits);
        }
        for (index, row) in self.rows.clone().enumerate() {
            let mut sums = [0f32; PANEL];
            for group in 0..groups {
                let at = row * groups + group;
                let mut products = [-self.bits.offset() * self.x.sums[at]; PANEL];
                let x = &self.x.values[at * GROUP..][..GROUP];
                let wide = &wide[group * GROUP * PANEL..][..GROUP * PANEL];
                for (x, w) in x.iter().zip(wide.chunks_exact(PANEL)) {
                    for (product, w) in products.iter_mut().zip(w) {
                        *product += i32::from(*x) * w;
                    }
                }
                let scales = &self.scales[group * PANEL..][..PANEL];
                for ((sum, product), scale) in sums.iter_mut().zip(products).zip(scales) {
                    *sum = fma(product as f32, scale.to_f32() * self.x.scales[at], *sum);
                }
            }
            // SAFETY: the task's own part of the output.
            unsafe { self.store(index, &sums) };
        }
    }
}

/// Stored values of a group, `[32, 48]`.
#[inline(always)]
fn widen(values: &[u8], wide: &mut [i32], bits: Bits) {
    let half = GROUP / QUAD / 2;
    for i in 0..GROUP {
        let (quad, lane) = (i / QUAD, i % QUAD);
        let row = &mut wide[i * PANEL..][..PANEL];
        let (stored, shift) = match bits {
            Bits::Eight => (quad, 0),
            Bits::Four => (quad % half, 4 * (quad / half)),
        };
        let mask = if bits == Bits::Four { 15 } else { 255 };
        for (w, quads) in row.iter_mut().zip(values[stored * PANEL * QUAD..].chunks_exact(QUAD)) {
            *w = i32::from(quads[lane] >> shift & mask);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod none {
    pub fn available() -> bool {
        false
    }

    pub fn run(_task: &super::Task<'_>) {
        unreachable!("never called where `available` is false");
    }
}
#[cfg(not(target_arch = "x86_64"))]
use {none as avx2, none as vnni};

/// Five instructions for what VNNI does in one.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::super::level::{Level, allowed};
    use super::*;

    /// Vectors of 8 outputs that are computed together: half a panel.
    const VECTORS: usize = PANEL / 16;

    pub fn available() -> bool {
        allowed(Level::Avx2) && detected()
    }

    fn detected() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
    }

    pub fn run(task: &Task<'_>) {
        assert!(detected(), "integer: instructions that this processor lacks");
        let mut row = task.rows.start;
        // SAFETY: `detected`, and what `Task::new` has checked.
        unsafe {
            while row < task.rows.end {
                row += match (task.bits, task.rows.end - row) {
                    (Bits::Eight, 3..) => block::<3, false>(task, row),
                    (Bits::Eight, 2) => block::<2, false>(task, row),
                    (Bits::Eight, _) => block::<1, false>(task, row),
                    (Bits::Four, 3..) => block::<3, true>(task, row),
                    (Bits::Four, 2) => block::<2, true>(task, row),
                    (Bits::Four, _) => block::<1, true>(task, row),
                };
            }
        }
    }

    /// The rows `row..row + N`; returns `N`.
    ///
    /// # Safety
    /// The rows exist in the input and the output, and the values are one panel of the kind.
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn block<const N: usize, const FOUR: bool>(task: &Task<'_>, row: usize) -> usize {
        let x = task.x;
        let (groups, stored) = (x.groups, task.bits.group_bytes());
        let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        let offset = _mm256_set1_epi8(task.bits.offset() as u8 as i8);
        let mut sums = [[0f32; PANEL]; N];
        // SAFETY: all reads are inside what the caller promises; nothing needs alignment.
        unsafe {
            for half in 0..2 {
                let mut halves = [[_mm256_setzero_ps(); VECTORS]; N];
                for group in 0..groups {
                    let values = task.values.as_ptr().add(group * stored + half * PANEL / 2 * QUAD);
                    let at: [usize; N] = std::array::from_fn(|n| (row + n) * groups + group);
                    let inputs: [*const i8; N] = std::array::from_fn(|n| x.values.as_ptr().add(at[n] * GROUP));
                    let mut products = [[_mm256_setzero_si256(); VECTORS]; N];
                    for quad in 0..GROUP / QUAD {
                        let (place, high) =
                            if FOUR { (quad % (GROUP / QUAD / 2), quad >= GROUP / QUAD / 2) } else { (quad, false) };
                        fetch::<VECTORS>(values.wrapping_add(place * PANEL * QUAD + AHEAD), 32);
                        let weights: [__m256i; VECTORS] = std::array::from_fn(|v| {
                            let w = _mm256_loadu_si256(values.add(place * PANEL * QUAD + 32 * v).cast());
                            let w = if high { _mm256_srli_epi16::<4>(w) } else { w };
                            let w = if FOUR { _mm256_and_si256(w, nibble) } else { w };
                            // With its sign.
                            _mm256_sub_epi8(w, offset)
                        });
                        let sizes = weights.map(|w| _mm256_abs_epi8(w));
                        for (products, input) in products.iter_mut().zip(inputs) {
                            let x = _mm256_set1_epi32(input.add(quad * QUAD).cast::<i32>().read_unaligned());
                            for ((product, w), size) in products.iter_mut().zip(weights).zip(sizes) {
                                // Both are at most 127 in size: pairs do not overflow 16 bits.
                                let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, w));
                                *product = _mm256_add_epi32(*product, _mm256_madd_epi16(pairs, ones));
                            }
                        }
                    }
                    let scales = task.scales.as_ptr().add(group * PANEL + half * PANEL / 2);
                    let scales: [__m256; VECTORS] =
                        std::array::from_fn(|v| _mm256_cvtph_ps(_mm_loadu_si128(scales.add(8 * v).cast())));
                    for (n, (sums, products)) in halves.iter_mut().zip(products).enumerate() {
                        let factor = _mm256_set1_ps(*x.scales.as_ptr().add(at[n]));
                        for ((sum, product), scale) in sums.iter_mut().zip(products).zip(scales) {
                            *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), _mm256_mul_ps(scale, factor), *sum);
                        }
                    }
                }
                for (sums, halves) in sums.iter_mut().zip(halves) {
                    for (v, sum) in halves.into_iter().enumerate() {
                        _mm256_storeu_ps(sums.as_mut_ptr().add(half * PANEL / 2 + 8 * v), sum);
                    }
                }
            }
            for (n, sums) in sums.iter().enumerate() {
                task.store(row - task.rows.start + n, sums);
            }
        }
        N
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::super::level::{Level, allowed};
    use super::*;

    const VECTORS: usize = PANEL / 16;

    pub fn available() -> bool {
        allowed(Level::Avx512) && detected()
    }

    fn detected() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    }

    pub fn run(task: &Task<'_>) {
        assert!(detected(), "integer: instructions that this processor lacks");
        let mut row = task.rows.start;
        // SAFETY: `detected`, and what `Task::new` has checked.
        unsafe {
            while row < task.rows.end {
                row += match (task.bits, task.rows.end - row) {
                    (Bits::Eight, 4..) => block::<4, false>(task, row),
                    (Bits::Eight, 3) => block::<3, false>(task, row),
                    (Bits::Eight, 2) => block::<2, false>(task, row),
                    (Bits::Eight, _) => block::<1, false>(task, row),
                    (Bits::Four, 4..) => block::<4, true>(task, row),
                    (Bits::Four, 3) => block::<3, true>(task, row),
                    (Bits::Four, 2) => block::<2, true>(task, row),
                    (Bits::Four, _) => block::<1, true>(task, row),
                };
            }
        }
    }

    /// The rows `row..row + N`; returns `N`.
    ///
    /// # Safety
    /// The rows exist in the input and the output, and the values are one panel of the kind.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn block<const N: usize, const FOUR: bool>(task: &Task<'_>, row: usize) -> usize {
        let x = task.x;
        let groups = x.groups;
        let nibble = _mm512_set1_epi8(15);
        let quads = task.bits.group_bytes() / (PANEL * QUAD);
        let meanwhile = task.piece(row, 4);
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; N];
        // SAFETY: all reads are inside what the caller promises; nothing needs alignment.
        unsafe {
            let mut values = task.values.as_ptr();
            for group in 0..groups {
                let at: [usize; N] = std::array::from_fn(|n| (row + n) * groups + group);
                let mut products: [[__m512i; VECTORS]; N] = std::array::from_fn(|n| {
                    [_mm512_set1_epi32(-task.bits.offset() * *x.sums.as_ptr().add(at[n])); VECTORS]
                });
                let inputs: [*const i8; N] = std::array::from_fn(|n| x.values.as_ptr().add(at[n] * GROUP));
                for quad in 0..quads {
                    meanwhile.fetch(group * quads + quad);
                    fetch::<VECTORS>(values.wrapping_add(AHEAD), 64);
                    let stored: [__m512i; VECTORS] =
                        std::array::from_fn(|v| _mm512_loadu_si512(values.add(64 * v).cast()));
                    values = values.add(64 * VECTORS);
                    let low = if FOUR { stored.map(|w| _mm512_and_si512(w, nibble)) } else { stored };
                    for (products, input) in products.iter_mut().zip(inputs) {
                        let x = _mm512_set1_epi32(input.add(quad * QUAD).cast::<i32>().read_unaligned());
                        for (product, w) in products.iter_mut().zip(low) {
                            *product = _mm512_dpbusd_epi32(*product, w, x);
                        }
                    }
                    if FOUR {
                        let high = stored.map(|w| _mm512_and_si512(_mm512_srli_epi16::<4>(w), nibble));
                        for (products, input) in products.iter_mut().zip(inputs) {
                            let input = input.add(GROUP / 2 + quad * QUAD);
                            let x = _mm512_set1_epi32(input.cast::<i32>().read_unaligned());
                            for (product, w) in products.iter_mut().zip(high) {
                                *product = _mm512_dpbusd_epi32(*product, w, x);
                            }
                        }
                    }
                }
                let scales = task.scales.as_ptr().add(group * PANEL);
                let scales: [__m512; VECTORS] =
                    std::array::from_fn(|v| _mm512_cvtph_ps(_mm256_loadu_si256(scales.add(16 * v).cast())));
                for (n, (sums, products)) in sums.iter_mut().zip(products).enumerate() {
                    let factor = _mm512_set1_ps(*x.scales.as_ptr().add(at[n]));
                    for ((sum, product), scale) in sums.iter_mut().zip(products).zip(scales) {
                        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), _mm512_mul_ps(scale, factor), *sum);
                    }
                }
            }
            for (n, vectors) in sums.iter().enumerate() {
                let mut sums = [0f32; PANEL];
                for (v, sum) in vectors.iter().enumerate() {
                    _mm512_storeu_ps(sums.as_mut_ptr().add(16 * v), *sum);
                }
                task.store(row - task.rows.start + n, &sums);
            }
        }
        N
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::at_every_level;
    use super::*;

    /// All forms agree to the last bit.
    #[test]
    fn every_form_computes_the_same() {
        let (inputs, outputs) = (70, 61);
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin() * 3.0).collect::<Vec<f32>>();
        let (weight, bias) = (wave(inputs * outputs, 0.37), wave(outputs, 1.1));
        for bits in [Bits::Eight, Bits::Four] {
            let weight = QuantizedWeight::new(&weight, inputs, outputs, bits);
            for rows in [1, 2, 3, 4, 9] {
                let x = wave(rows * inputs, 0.73);
                let mut expected: Option<Vec<f32>> = None;
                at_every_level(|level| {
                    let mut out = wave(rows * outputs, 0.11);
                    quantized_part(&x, &weight, 0, Start::Sum(&bias), None, &mut out);
                    let expected = expected.get_or_insert_with(|| out.clone());
                    assert_eq!(&out, expected, "{bits:?}, {rows} rows, {level:?}");
                });
            }
        }
    }
}
