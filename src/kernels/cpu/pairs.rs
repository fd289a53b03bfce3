//! Products of pairs in bfloat16, for processors that have them: by vectors (AVX-512 BF16), or by the matrix unit
//! ([`amx`](super::amx)).
//!
//! Inputs and weights are rounded to 8 bits of mantissa, sums are f32.
use half::bf16;

use super::linear::{Part, Rows};

#[cfg(not(target_arch = "x86_64"))]
mod implementation {
    use super::*;

    /// There are none.
    pub enum Pairs {}

    impl Pairs {
        pub fn of(_rows: Rows<'_>) -> Option<Self> {
            None
        }
    }

    pub fn multiply(x: &Pairs, _first: usize, _count: usize, _weight: &[bf16], _target: Part<'_>) {
        match *x {}
    }
}

#[cfg(target_arch = "x86_64")]
mod implementation {
    use std::arch::x86_64::{
        __m512bh, __m512i, __mmask16, _mm512_add_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_si512,
    };

    use rayon::prelude::*;

    use super::super::amx;
    use super::super::fetch::fetch;
    use super::super::level::{Level, allowed};
    use super::super::linear::{AHEAD, PANEL, Start};
    use super::super::share::Share;
    use super::*;

    /// Values that a thread converts at a time.
    const CHUNK: usize = 16 << 10;
    /// Vectors of 16 outputs in a panel.
    const VECTORS: usize = PANEL / 16;

    /// Rows in bfloat16, two neighbouring values in each element.
    pub struct Pairs {
        pub values: Vec<u32>,
        /// Elements of a row.
        pub width: usize,
        pub stride: usize,
    }

    fn detected() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16")
    }

    impl Pairs {
        /// Rounds `rows`, where the instructions are to be used.
        pub fn of(rows: Rows<'_>) -> Option<Self> {
            if !(allowed(Level::Avx512) && detected()) {
                return None;
            }
            let Rows { data, count, width, stride } = rows;
            if width.is_multiple_of(2) && stride.is_multiple_of(2) {
                return Some(Self { values: rounded(data), width: width / 2, stride: stride / 2 });
            }
            let even = width.next_multiple_of(2);
            let mut padded = vec![0.0; count * even];
            for (row, padded) in padded.chunks_exact_mut(even).enumerate() {
                padded[..width].copy_from_slice(&data[row * stride..][..width]);
            }
            Some(Self { values: rounded(&padded), width: even / 2, stride: even / 2 })
        }
    }

    fn rounded(values: &[f32]) -> Vec<u32> {
        assert!(detected(), "bf16: instructions that this processor lacks");
        let mut out = vec![0u32; values.len().div_ceil(2)];
        out.par_chunks_mut(CHUNK / 2).zip(values.par_chunks(CHUNK)).shared().for_each(|(out, values)| {
            // SAFETY: `detected`.
            unsafe { round(values, out) };
        });
        out
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn round(values: &[f32], out: &mut [u32]) {
        let whole = values.len() / 32;
        for (values, out) in values.chunks_exact(32).zip(out.chunks_exact_mut(16)) {
            // SAFETY: the chunks are as long as the vectors; neither needs alignment.
            unsafe {
                let low = _mm512_loadu_ps(values.as_ptr());
                let high = _mm512_loadu_ps(values.as_ptr().add(16));
                let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs);
            }
        }
        for (values, out) in values[whole * 32..].chunks(2).zip(&mut out[whole * 16..]) {
            let bits = |i: usize| u32::from(bf16::from_f32(values.get(i).copied().unwrap_or_default()).to_bits());
            *out = bits(0) | bits(1) << 16;
        }
    }

    /// The rows `first..first + count` of `x` times one panel `[pairs, 48, 2]`.
    pub fn multiply(x: &Pairs, first: usize, count: usize, weight: &[bf16], target: Part<'_>) {
        assert!(detected(), "bf16: instructions that this processor lacks");
        assert_eq!(weight.len(), x.width * 2 * PANEL, "bf16: a weight for another input");
        let x_end = (first + count - 1) * x.stride + x.width;
        assert!(count > 0 && x_end <= x.values.len(), "bf16: rows beyond the input");
        let done = if amx::available() { amx::multiply(x, [first, count], weight, &target) } else { 0 };
        if done == x.width {
            return;
        }
        let start = if done == 0 { target.start } else { Start::Output };
        let (weight, target) = (&weight[done * 2 * PANEL..], Part { start, ..target });
        // SAFETY: `detected`, and the bounds above.
        unsafe {
            let mut row = 0;
            while count - row >= 8 {
                block::<8>(x, [first, done], row, weight, &target);
                row += 8;
            }
            while count - row >= 4 {
                block::<4>(x, [first, done], row, weight, &target);
                row += 4;
            }
            while row < count {
                block::<1>(x, [first, done], row, weight, &target);
                row += 1;
            }
        }
    }

    /// The rows `row..row + N` after `first`, and of these the pairs from `from` on.
    ///
    /// # Safety
    /// The rows exist in `x` and in the target, and `weight` is one panel of these pairs.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn block<const N: usize>(
        x: &Pairs,
        [first, from]: [usize; 2],
        row: usize,
        weight: &[bf16],
        target: &Part<'_>,
    ) {
        let mask = |v: usize| -> __mmask16 {
            match target.columns.saturating_sub(16 * v) {
                16.. => !0,
                columns => (1 << columns) - 1,
            }
        };
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; N];
        // SAFETY: masked lanes are not touched, the others exist; `pair < width`.
        unsafe {
            for (n, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let out = target.out.add((row + n) * target.stride).cast_const();
                    let load = |start: *const f32| _mm512_maskz_loadu_ps(mask(v), start.wrapping_add(16 * v));
                    *sum = match target.start {
                        Start::Bias(bias) => load(bias.as_ptr()),
                        Start::Output => load(out),
                        Start::Sum(bias) => _mm512_add_ps(load(bias.as_ptr()), load(out)),
                    };
                }
            }
            let rows: [*const u32; N] =
                std::array::from_fn(|n| x.values.as_ptr().add((first + row + n) * x.stride + from));
            for pair in 0..x.width - from {
                let w = weight.as_ptr().add(pair * 2 * PANEL);
                fetch::<VECTORS>(w.wrapping_add(2 * AHEAD * PANEL).cast(), 64);
                let w: [__m512bh; VECTORS] =
                    std::array::from_fn(|v| std::mem::transmute(_mm512_loadu_si512(w.add(32 * v).cast())));
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(row.add(pair).read() as i32));
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = _mm512_dpbf16_ps(*sum, w, x);
                    }
                }
            }
            for (n, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let out = target.out.add((row + n) * target.stride).wrapping_add(16 * v);
                    _mm512_mask_storeu_ps(out, mask(v), *sum);
                }
            }
        }
    }
}

pub use implementation::{Pairs, multiply};

#[cfg(test)]
mod tests {
    use super::super::level::at_every_level;
    use super::super::linear::{PANEL, Rows, Start, Weight, linear_part};
    use super::*;

    /// Vectors and the matrix unit round inputs and weights alike, others the weights only; sums are exact to f32 in all.
    #[test]
    fn every_level_rounds_as_it_says() {
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        for (rows, inputs, outputs) in [(5, 31, 48), (16, 64, 50), (33, 100, 61), (70, 1300, 97)] {
            let (x, bias, plain) = (wave(rows * inputs, 0.73), wave(outputs, 1.1), wave(inputs * outputs, 0.37));
            let even = inputs.next_multiple_of(2);
            let mut weight = vec![bf16::ZERO; outputs.next_multiple_of(PANEL) * even];
            for (i, value) in plain.iter().enumerate() {
                let (input, output) = (i / outputs, i % outputs);
                let (panel, column) = (output / PANEL, output % PANEL);
                weight[(panel * even + input / 2 * 2) * PANEL + 2 * column + input % 2] = bf16::from_f32(*value);
            }
            at_every_level(|level| {
                let rounds = Pairs::of(Rows::dense(&x, rows)).is_some();
                let mut out = vec![0.0; rows * outputs];
                let whole = Rows::dense(&x, rows);
                linear_part(whole, Weight::Bf16(&weight), inputs, 0, Start::Bias(&bias), None, &mut out);
                for (i, got) in out.iter().enumerate() {
                    let (row, output) = (i / outputs, i % outputs);
                    let products = (0..inputs).map(|input| {
                        let x = x[row * inputs + input];
                        let x = if rounds { bf16::from_f32(x).to_f64() } else { f64::from(x) };
                        x * bf16::from_f32(plain[input * outputs + output]).to_f64()
                    });
                    let expected = f64::from(bias[output]) + products.sum::<f64>();
                    let difference = (f64::from(*got) - expected).abs();
                    assert!(difference < 1e-4, "{level:?} {rows} {inputs} {outputs} at {i}: {difference}");
                }
            });
        }
    }
}
