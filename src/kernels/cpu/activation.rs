//! Activations and gates over pieces that threads share out.
use pulp::Arch;
use rayon::prelude::*;

use super::math::{gelu, gelu_tanh, sigmoid, silu, tanh};
use crate::kernels::Activation;

/// Values that a thread takes at a time.
const CHUNK: usize = 16 << 10;

pub fn activate(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::Silu => map(x, silu),
        Activation::Gelu => map(x, gelu),
        Activation::GeluTanh => map(x, gelu_tanh),
    }
}

#[inline(always)]
fn map(x: &mut [f32], f: impl Fn(f32) -> f32 + Copy + Sync) {
    let arch = Arch::new();
    x.par_chunks_mut(CHUNK).for_each(|x| {
        arch.dispatch(
            #[inline(always)]
            || x.iter_mut().for_each(|v| *v = f(*v)),
        );
    });
}

/// `gate` becomes `silu(gate) * up`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    let arch = Arch::new();
    gate.par_chunks_mut(CHUNK).zip(up.par_chunks(CHUNK)).for_each(|(gate, up)| {
        arch.dispatch(
            #[inline(always)]
            || gate.iter_mut().zip(up).for_each(|(g, u)| *g = silu(*g) * u),
        );
    });
}

/// Rows of `2 * channels` to rows of `channels`.
pub fn glu(x: &[f32], channels: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.len() / 2];
    let (arch, rows) = (Arch::new(), (CHUNK / channels.max(1)).max(1));
    out.par_chunks_mut(rows * channels).zip(x.par_chunks(rows * 2 * channels)).for_each(|(out, x)| {
        arch.dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(2 * channels)) {
                    let (value, gate) = x.split_at(channels);
                    for ((o, v), g) in out.iter_mut().zip(value).zip(gate) {
                        *o = v * sigmoid(*g);
                    }
                }
            },
        );
    });
    out
}

/// `x` `[batch, 2 channels, time]`, `condition` `[batch, 2 channels]` -> `[batch, channels, time]`.
pub fn tanh_gate(x: &[f32], condition: &[f32], [_, double, time]: [usize; 3]) -> Vec<f32> {
    let (mut out, channels, arch) = (vec![0.0; x.len() / 2], double / 2, Arch::new());
    if time == 0 {
        return out;
    }
    out.par_chunks_mut(time).enumerate().with_min_len((CHUNK / time).max(1)).for_each(|(row, out)| {
        let (item, channel) = (row / channels, row % channels);
        let [first, second] = [channel, channels + channel].map(|c| item * double + c);
        let (a, b) = (&x[first * time..][..time], &x[second * time..][..time]);
        let (ca, cb) = (condition[first], condition[second]);
        arch.dispatch(
            #[inline(always)]
            || {
                for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
                    *o = tanh(a + ca) * sigmoid(b + cb);
                }
            },
        );
    });
    out
}
