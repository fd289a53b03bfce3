//! Activations and gates over pieces that threads share out.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::math::{gelu, gelu_tanh, mish, sigmoid, silu, tanh};
use super::share::{Share, zeros};
use crate::kernels::Activation;

/// Values that a thread takes at a time.
const CHUNK: usize = 16 << 10;

pub fn activate(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::Silu => map(x, silu),
        Activation::Gelu => map(x, gelu),
        Activation::GeluTanh => map(x, gelu_tanh),
        Activation::Mish => map(x, mish),
    }
}

fn map(x: &mut [f32], f: impl Fn(f32) -> f32 + Copy + Sync) {
    let arch = arch();
    x.par_chunks_mut(CHUNK).shared().for_each(|x| arch.dispatch(Map(x, f)));
}

/// `rows` rows of `columns` values from `first` on, `stride` apart, in place.
///
/// # Safety
/// The rows are valid for reads and writes, and nothing else uses them meanwhile.
pub unsafe fn activate_rows(first: *mut f32, [rows, columns, stride]: [usize; 3], activation: Activation) {
    let arch = arch();
    for row in 0..rows {
        // SAFETY: the caller's promise.
        let row = unsafe { std::slice::from_raw_parts_mut(first.add(row * stride), columns) };
        match activation {
            Activation::Silu => arch.dispatch(Map(row, silu)),
            Activation::Gelu => arch.dispatch(Map(row, gelu)),
            Activation::GeluTanh => arch.dispatch(Map(row, gelu_tanh)),
            Activation::Mish => arch.dispatch(Map(row, mish)),
        }
    }
}

/// A function of each value. (Closures would do for all of these, were they certain to be inlined into the function
/// that has the vector instructions.)
struct Map<'a, F>(&'a mut [f32], F);

impl<F: Fn(f32) -> f32> WithSimd for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.0.iter_mut().for_each(|v| *v = self.1(*v));
    }
}

/// `gate` becomes `silu(gate) * up`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    let arch = arch();
    let chunks = gate.par_chunks_mut(CHUNK).zip(up.par_chunks(CHUNK)).shared();
    chunks.for_each(|(gate, up)| arch.dispatch(SwiGlu(gate, up)));
}

struct SwiGlu<'a>(&'a mut [f32], &'a [f32]);

impl WithSimd for SwiGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.0.iter_mut().zip(self.1).for_each(|(g, u)| *g = silu(*g) * u);
    }
}

/// Rows of `2 * channels` to rows of `channels`.
pub fn glu(x: &[f32], channels: usize) -> Vec<f32> {
    let mut out = zeros(x.len() / 2);
    if channels == 0 {
        return out;
    }
    let (arch, rows) = (arch(), (CHUNK / channels).max(1));
    out.par_chunks_mut(rows * channels).zip(x.par_chunks(rows * 2 * channels)).shared().for_each(|(out, x)| {
        for (out, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(2 * channels)) {
            let (values, gates) = x.split_at(channels);
            arch.dispatch(Glu { out, values, gates });
        }
    });
    out
}

struct Glu<'a> {
    out: &'a mut [f32],
    values: &'a [f32],
    gates: &'a [f32],
}

impl WithSimd for Glu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for ((o, v), g) in self.out.iter_mut().zip(self.values).zip(self.gates) {
            *o = v * sigmoid(*g);
        }
    }
}

/// `x` `[batch, time, 2 channels]`, `condition` `[batch, 2 channels]` -> `[batch, time, channels]`.
pub fn tanh_gate(x: &[f32], condition: &[f32], [time, double]: [usize; 2]) -> Vec<f32> {
    let (mut out, channels, arch) = (zeros(x.len() / 2), double / 2, arch());
    if out.is_empty() {
        return out;
    }
    let count = (CHUNK / channels).max(1);
    let chunks = out.par_chunks_mut(count * channels).zip(x.par_chunks(count * double)).enumerate().shared();
    chunks.for_each(|(chunk, (out, x))| {
        let rows = out.chunks_exact_mut(channels).zip(x.chunks_exact(double));
        for (row, (out, x)) in (chunk * count..).zip(rows) {
            let condition = &condition[row / time * double..][..double];
            arch.dispatch(TanhGate {
                out,
                value: [x, condition].map(|v| &v[..channels]),
                gate: [x, condition].map(|v| &v[channels..]),
            });
        }
    });
    out
}

/// One frame.
struct TanhGate<'a> {
    out: &'a mut [f32],
    /// Values and what is added to them.
    value: [&'a [f32]; 2],
    gate: [&'a [f32]; 2],
}

impl WithSimd for TanhGate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let ([a, ca], [b, cb]) = (self.value, self.gate);
        for ((o, (a, ca)), (b, cb)) in self.out.iter_mut().zip(a.iter().zip(ca)).zip(b.iter().zip(cb)) {
            *o = tanh(a + ca) * sigmoid(b + cb);
        }
    }
}
