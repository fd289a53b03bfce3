//! Rotation of channel pairs by their position, in place.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::math::fma;
use super::share::Share;

/// Values that a thread takes at a time.
const CHUNK: usize = 16 << 10;

/// Rows of `width` values, of which the first `heads * size` are heads whose pairs are turned: row `i` by the angles of
/// position `i % time`, whose cosines and sines are rows of `cos` and `sin` `[time, size]` (each angle twice).
pub fn rotate(x: &mut [f32], [time, width, heads]: [usize; 3], cos: &[f32], sin: &[f32]) {
    let size = cos.len() / time.max(1);
    assert!(heads * size <= width && size.is_multiple_of(2), "rotary: heads beyond the row");
    assert!(cos.len() == time * size && sin.len() == cos.len(), "rotary: angles for other positions");
    assert!(width > 0 && x.len().is_multiple_of(time.max(1) * width), "rotary: uneven rows");
    let (arch, count) = (arch(), (CHUNK / width).max(1));
    x.par_chunks_mut(count * width).enumerate().shared().for_each(|(chunk, x)| {
        for (row, x) in (chunk * count..).zip(x.chunks_exact_mut(width)) {
            let first = row % time * size;
            let (cos, sin) = (&cos[first..][..size], &sin[first..][..size]);
            arch.dispatch(Row { x: &mut x[..heads * size], cos, sin });
        }
    });
}

struct Row<'a> {
    x: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for head in self.x.chunks_exact_mut(self.cos.len()) {
            let angles = self.cos.chunks_exact(2).zip(self.sin.chunks_exact(2));
            for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(angles) {
                let (a, b) = (pair[0], pair[1]);
                pair[0] = fma(a, cos[0], -b * sin[0]);
                pair[1] = fma(b, cos[1], a * sin[1]);
            }
        }
    }
}
