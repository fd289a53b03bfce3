//! Products with weights of 8 or 4 bits.
//!
//! 32 inputs of an output share a scale, as do 32 inputs of a row, which are rounded to 8 bits on the way in; products
//! and their sums over a group are exact in integers (VNNI, where the processor has it), the rest is f32.
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::linear::PANEL;
use super::math::fma;

/// Inputs that share a scale.
pub const GROUP: usize = 32;
/// Rows that a task takes at a time.
const ROWS: usize = 64;
/// Inputs that one instruction multiplies and sums.
const QUAD: usize = 4;

/// How many bits a weight keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    Eight,
    Four,
}

impl Bits {
    /// The stored value of a group's largest. Four bits reach one step further below zero than above, so there the largest
    /// becomes -8 whatever its sign, and the scale may be negative.
    fn limit(self) -> f32 {
        match self {
            Self::Eight => 127.0,
            Self::Four => -8.0,
        }
    }

    /// Largest stored value, with its offset.
    fn top(self) -> i32 {
        match self {
            Self::Eight => 255,
            Self::Four => 15,
        }
    }

    /// What is added to a value to store it without a sign.
    fn offset(self) -> i32 {
        match self {
            Self::Eight => 128,
            Self::Four => 8,
        }
    }

    /// Bytes of a group of inputs in a panel.
    fn group_bytes(self) -> usize {
        match self {
            Self::Eight => GROUP * PANEL,
            Self::Four => GROUP * PANEL / 2,
        }
    }
}

/// A weight `[inputs, outputs]` in few bits.
#[derive(Debug)]
pub struct QuantizedWeight {
    bits: Bits,
    inputs: usize,
    outputs: usize,
    /// `[panels, groups, quads, 48, 4]` bytes; with four bits, the second half of the quads lies in the high nibbles of
    /// the first.
    values: Vec<u8>,
    /// `[panels, groups, 48]`
    scales: Vec<f32>,
}

impl QuantizedWeight {
    /// Rounds `weight` `[inputs, outputs]`.
    pub fn new(weight: &[f32], inputs: usize, outputs: usize, bits: Bits) -> Self {
        assert_eq!(weight.len(), inputs * outputs, "quantize: a weight of another size");
        let (panels, groups) = (outputs.div_ceil(PANEL), inputs.div_ceil(GROUP));
        let mut values = vec![0u8; panels * groups * bits.group_bytes()];
        let mut scales = vec![0f32; panels * groups * PANEL];
        values.par_chunks_mut(bits.group_bytes()).zip(scales.par_chunks_mut(PANEL)).enumerate().for_each(
            |(index, (values, scales))| {
                let (column, input) = (index / groups * PANEL, index % groups * GROUP);
                for c in 0..PANEL {
                    let at = |i: usize| match input + i < inputs && column + c < outputs {
                        true => weight[(input + i) * outputs + column + c],
                        false => 0.0,
                    };
                    let largest = (0..GROUP).map(at).fold(0f32, |m, v| if v.abs() > m.abs() { v } else { m });
                    scales[c] = largest / bits.limit();
                    let inverse = if largest != 0.0 { bits.limit() / largest } else { 0.0 };
                    for i in 0..GROUP {
                        let value = ((at(i) * inverse).round() as i32 + bits.offset()).min(bits.top()) as u8;
                        let (quad, lane) = (i / QUAD, i % QUAD);
                        let place = |quad: usize| (quad * PANEL + c) * QUAD + lane;
                        match bits {
                            Bits::Eight => values[place(quad)] = value,
                            Bits::Four => {
                                let half = GROUP / QUAD / 2;
                                values[place(quad % half)] |= value << (4 * (quad / half));
                            }
                        }
                    }
                }
            },
        );
        Self { bits, inputs, outputs, values, scales }
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weight that products are made with, `[inputs, outputs]`.
    pub fn restored(&self) -> Vec<f32> {
        let groups = self.inputs.div_ceil(GROUP);
        let at = |input: usize, output: usize| {
            let index = output / PANEL * groups + input / GROUP;
            let (c, i) = (output % PANEL, input % GROUP);
            let bytes = &self.values[index * self.bits.group_bytes()..];
            let (quad, lane, half) = (i / QUAD, i % QUAD, GROUP / QUAD / 2);
            let value = match self.bits {
                Bits::Eight => bytes[(quad * PANEL + c) * QUAD + lane],
                Bits::Four => bytes[(quad % half * PANEL + c) * QUAD + lane] >> (4 * (quad / half)) & 15,
            };
            (i32::from(value) - self.bits.offset()) as f32 * self.scales[index * PANEL + c]
        };
        (0..self.inputs * self.outputs).map(|i| at(i / self.outputs, i % self.outputs)).collect()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.values.len() + 4 * self.scales.len()
    }
}

/// Rows in 8 bits.
struct QuantizedRows {
    /// `[rows, groups, 32]`
    values: Vec<i8>,
    /// `[rows, groups]`
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
        let arch = Arch::new();
        let (values, scales) = (new.values.par_chunks_mut(groups * GROUP), new.scales.par_chunks_mut(groups));
        values.zip(scales).zip(new.sums.par_chunks_mut(groups)).zip(x.par_chunks(inputs)).for_each(
            |(((values, scales), sums), x)| {
                arch.dispatch(RoundRow { x, values, scales, sums });
            },
        );
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
            *scale = largest / 127.0;
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            let mut total = 0;
            for (value, x) in values.iter_mut().zip(group) {
                let rounded = (x * inverse).round_ties_even() as i32;
                total += rounded;
                *value = rounded as i8;
            }
            *sum = total;
        }
    }
}

/// `x` `[rows, inputs]`, `bias` `[outputs]` -> `[rows, outputs]`.
pub fn quantized_linear(x: &[f32], weight: &QuantizedWeight, bias: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (weight.inputs, weight.outputs);
    assert!(bias.len() == outputs && x.len().is_multiple_of(inputs), "quantized linear: a weight for other rows");
    let rows = x.len() / inputs;
    let mut out = vec![0.0f32; rows * outputs];
    if out.is_empty() {
        return out;
    }
    let x = QuantizedRows::new(x, rows, inputs);
    let (panels, blocks) = (outputs.div_ceil(PANEL), rows.div_ceil(ROWS));
    let (arch, target, vnni) = (Arch::new(), Target(out.as_mut_ptr()), vnni::available());
    let least = (panels * blocks).div_ceil(4 * rayon::current_num_threads().max(1));
    (0..blocks * panels).into_par_iter().with_min_len(least.max(1)).for_each(|task| {
        let (block, panel) = (task / panels, task % panels);
        let (first, column) = (block * ROWS, panel * PANEL);
        let panel_values = x.groups * weight.bits.group_bytes();
        let task = Task {
            x: &x,
            rows: first..rows.min(first + ROWS),
            bits: weight.bits,
            values: &weight.values[panel * panel_values..][..panel_values],
            scales: &weight.scales[panel * x.groups * PANEL..][..x.groups * PANEL],
            bias: &bias[column..outputs.min(column + PANEL)],
            // SAFETY: inside `out`, which is borrowed mutably for the whole loop; tasks write disjoint parts.
            out: unsafe { target.get().add(first * outputs + column) },
            stride: outputs,
        };
        if vnni { vnni::run(&task) } else { arch.dispatch(task) }
    });
    out
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
    scales: &'a [f32],
    /// Of the panel's outputs, as many as exist.
    bias: &'a [f32],
    /// The first of them in the first row; rows are `stride` apart.
    out: *mut f32,
    stride: usize,
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
                    *sum = fma(product as f32, scale * self.x.scales[at], *sum);
                }
            }
            for (c, bias) in self.bias.iter().enumerate() {
                // SAFETY: the task's own part of the output.
                unsafe { self.out.add(index * self.stride + c).write(sums[c] + bias) };
            }
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
mod vnni {
    pub fn available() -> bool {
        false
    }

    pub fn run(_task: &super::Task<'_>) {
        unreachable!("never called where `available` is false");
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::*;

    const VECTORS: usize = PANEL / 16;

    /// Whether this processor has the instructions.
    pub fn available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    }

    pub fn run(task: &Task<'_>) {
        assert!(available(), "integer: instructions that this processor lacks");
        let groups = task.x.groups;
        assert!(task.rows.end * groups <= task.x.sums.len() && task.scales.len() == groups * PANEL);
        assert_eq!(task.values.len(), groups * task.bits.group_bytes(), "quantized linear: a panel of another size");
        let mut row = task.rows.start;
        // SAFETY: `available`, and the bounds above.
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
                for quad in 0..task.bits.group_bytes() / (PANEL * QUAD) {
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
                for (n, (sums, products)) in sums.iter_mut().zip(products).enumerate() {
                    let scale = _mm512_set1_ps(*x.scales.as_ptr().add(at[n]));
                    for (v, (sum, product)) in sums.iter_mut().zip(products).enumerate() {
                        let scale = _mm512_mul_ps(_mm512_loadu_ps(scales.add(16 * v)), scale);
                        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), scale, *sum);
                    }
                }
            }
            for (n, sums) in sums.iter().enumerate() {
                let out = task.out.add((row - task.rows.start + n) * task.stride);
                for (v, sum) in sums.iter().enumerate() {
                    let mask: __mmask16 = match task.bias.len().saturating_sub(16 * v) {
                        16.. => !0,
                        columns => (1 << columns) - 1,
                    };
                    let bias = _mm512_maskz_loadu_ps(mask, task.bias.as_ptr().wrapping_add(16 * v));
                    _mm512_mask_storeu_ps(out.wrapping_add(16 * v), mask, _mm512_add_ps(*sum, bias));
                }
            }
        }
        N
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The portable form and the instructions agree to the last bit.
    #[test]
    fn every_form_computes_the_same() {
        let (inputs, outputs) = (70, 61);
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin() * 3.0).collect::<Vec<f32>>();
        let (weight, bias) = (wave(inputs * outputs, 0.37), wave(outputs, 1.1));
        for bits in [Bits::Eight, Bits::Four] {
            let weight = QuantizedWeight::new(&weight, inputs, outputs, bits);
            for rows in [1, 2, 3, 4, 9] {
                let x = QuantizedRows::new(&wave(rows * inputs, 0.73), rows, inputs);
                let run = |vector: bool| {
                    let mut out = vec![0f32; rows * outputs];
                    for panel in 0..2 {
                        let size = x.groups * bits.group_bytes();
                        let task = Task {
                            x: &x,
                            rows: 0..rows,
                            bits,
                            values: &weight.values[panel * size..][..size],
                            scales: &weight.scales[panel * x.groups * PANEL..][..x.groups * PANEL],
                            bias: &bias[panel * PANEL..outputs.min(panel * PANEL + PANEL)],
                            out: out[panel * PANEL..].as_mut_ptr(),
                            stride: outputs,
                        };
                        if vector { vnni::run(&task) } else { Arch::new().dispatch(task) }
                    }
                    out
                };
                if vnni::available() {
                    assert_eq!(run(false), run(true), "{bits:?}, {rows} rows");
                }
            }
        }
    }
}
