//! A scale and a shift for each channel, and a ReLU, in one pass.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::share::Share;

/// Values that a thread takes at a time.
const CHUNK: usize = 32 << 10;

/// Rows of as many channels as there are scales, in place.
pub fn affine_relu(x: &mut [f32], scale: &[f32], shift: &[f32]) {
    let channels = scale.len();
    assert!(channels > 0 && shift.len() == channels, "affine: factors for different channels");
    assert!(x.len().is_multiple_of(channels), "affine: uneven rows");
    let (arch, rows) = (arch(), (CHUNK / channels).max(1));
    x.par_chunks_mut(rows * channels).shared().for_each(|x| arch.dispatch(Rows { x, scale, shift }));
}

struct Rows<'a> {
    x: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for row in self.x.chunks_exact_mut(self.scale.len()) {
            for ((x, scale), shift) in row.iter_mut().zip(self.scale).zip(self.shift) {
                *x = (*x * scale + shift).max(0.0);
            }
        }
    }
}
