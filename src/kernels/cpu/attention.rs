//! Attention over tiles of queries whose scores stay in the second-level cache.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::math::exp;

/// Queries of a tile.
const TILE: usize = 128;

/// A tensor `[batch, heads, rows, columns]` with any strides.
pub struct View<'a> {
    pub data: &'a [f32],
    pub start: usize,
    pub dims: [usize; 4],
    pub strides: [isize; 4],
}

impl View<'_> {
    /// Every element lies inside `data`.
    fn check(&self) {
        let (mut low, mut high) = (self.start as isize, self.start as isize);
        for (dim, stride) in self.dims.into_iter().zip(self.strides) {
            assert!(dim > 0, "attention: an empty dimension");
            let far = (dim as isize - 1) * stride;
            if far < 0 { low += far } else { high += far }
        }
        assert!(low >= 0 && (high as usize) < self.data.len(), "attention: a view beyond its data");
    }

    /// First element of a row; inside `data` for the indices of `dims`.
    fn row(&self, batch: usize, head: usize, row: usize) -> *const f32 {
        let [b, h, r, _] = self.strides;
        let offset = self.start as isize + batch as isize * b + head as isize * h + row as isize * r;
        self.data.as_ptr().wrapping_offset(offset)
    }
}

/// Start of the output; each thread writes rows of its own.
struct Rows(*mut f32);

// SAFETY: see `attention`: threads write disjoint rows.
unsafe impl Sync for Rows {}

impl Rows {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

/// The attended values, `[batch, queries, heads, out]` in row-major order.
pub fn attention(q: &View, k: &View, v: &View, bias: Option<&View>, scale: f32, causal: bool) -> Vec<f32> {
    let [batch, heads, queries, size] = q.dims;
    let [_, _, keys, width] = v.dims;
    assert_eq!(k.dims, [batch, heads, keys, size], "attention: the keys do not fit the queries");
    assert_eq!(v.dims[..2], [batch, heads], "attention: the values do not fit the queries");
    assert!(!causal || queries <= keys, "attention: more queries than keys");
    for view in [Some(q), Some(k), Some(v), bias].into_iter().flatten() {
        view.check();
    }
    if let Some(bias) = bias {
        assert_eq!(bias.dims, [batch, heads, queries, keys], "attention: the bias does not fit");
    }
    let mut out = vec![0.0f32; batch * queries * heads * width];
    let (arch, tiles, target) = (arch(), queries.div_ceil(TILE), Rows(out.as_mut_ptr()));
    (0..batch * heads * tiles).into_par_iter().for_each_init(Vec::new, |scores, index| {
        let (item, tile) = (index / tiles, index % tiles);
        let (b, h) = (item / heads, item % heads);
        let first = tile * TILE;
        let rows = TILE.min(queries - first);
        // Keys that the last query of the tile sees; `hidden` further ones are hidden from the first.
        let seen = if causal { keys - queries + first + rows } else { keys };
        scores.clear();
        scores.resize(rows * seen, 0.0);
        // SAFETY: the views were checked; a tile reads `rows` queries, `seen` keys of `size` each.
        unsafe {
            gemm::gemm(
                rows,
                seen,
                size,
                scores.as_mut_ptr(),
                1,
                seen as isize,
                false,
                q.row(b, h, first),
                q.strides[3],
                q.strides[2],
                k.row(b, h, 0),
                k.strides[2],
                k.strides[3],
                0.0,
                scale,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        let mut inverse = [0.0f32; TILE];
        for (i, row) in scores.chunks_exact_mut(seen).enumerate() {
            if let Some(bias) = bias {
                let (start, stride) = (bias.row(b, h, first + i), bias.strides[3]);
                for (j, score) in row.iter_mut().enumerate() {
                    // SAFETY: the view was checked; `j < keys`.
                    *score += unsafe { *start.wrapping_offset(j as isize * stride) };
                }
            }
            let visible = if causal { keys - queries + first + i + 1 } else { seen };
            let (row, hidden) = row.split_at_mut(visible);
            hidden.fill(0.0);
            inverse[i] = 1.0 / arch.dispatch(Exponentials(row));
        }
        // SAFETY: `target` holds `batch * queries` rows of `heads * width`; this index alone writes the part of head `h`
        // in the rows `first..first + rows` of item `b`. The views were checked.
        unsafe {
            let place = target.get().add(((b * queries + first) * heads + h) * width);
            gemm::gemm(
                rows,
                width,
                seen,
                place,
                1,
                (heads * width) as isize,
                false,
                scores.as_ptr(),
                1,
                seen as isize,
                v.row(b, h, 0),
                v.strides[3],
                v.strides[2],
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
            for (i, factor) in inverse.iter().enumerate().take(rows) {
                let row = std::slice::from_raw_parts_mut(place.add(i * heads * width), width);
                row.iter_mut().for_each(|v| *v *= factor);
            }
        }
    });
    out
}

/// Replaces scores by `exp(score - largest)`; returns their sum.
pub struct Exponentials<'a>(pub &'a mut [f32]);

impl WithSimd for Exponentials<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f32 {
        let row = self.0;
        let largest = lanes(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        row.iter_mut().for_each(|x| *x = exp(*x - largest));
        lanes(row, 0.0, |a, b| a + b)
    }
}

/// Folds `row` in as many independent lanes as vectors have.
#[inline(always)]
fn lanes(row: &[f32], start: f32, f: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    const LANES: usize = 32;
    let mut held = [start; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            held[i] = f(held[i], chunk[i]);
        }
    }
    rest.iter().chain(&held).copied().fold(start, f)
}
