//! Attention over tiles of queries whose scores stay in the second-level cache.
//!
//! A tile is a panel of 48 queries, one in each lane. Its scores `[keys, 48]` are then what the second product wants as its
//! weight, and the softmax over the keys has no sums across lanes.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fetch::Piece;
use super::level::arch;
use super::linear::{PANEL, VECTORS, multiply, registers, store};
use super::math::exp;
use super::share::{Share, unwritten};

/// Keys whose biases are added together: their scores stay in the first-level cache.
const KEYS: usize = 32;
/// Values of a row from the one that is multiplied to the one that is fetched meanwhile.
const AHEAD: isize = 8;

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
    let mut out = unwritten(batch * queries * heads * width);
    let (arch, tiles, target) = (arch(), queries.div_ceil(PANEL), Rows(out.as_mut_ptr().cast()));
    (0..batch * heads * tiles).into_par_iter().shared().for_each_init(Vec::new, |buffer, index| {
        let (item, tile) = (index / tiles, index % tiles);
        let (b, h, first) = (item / heads, item % heads, tile * PANEL);
        let count = PANEL.min(queries - first);
        // Keys that the last query of the tile sees.
        let seen = if causal { keys - queries + first + count } else { keys };
        buffer.resize((size + seen + width) * PANEL, 0.0);
        let (panel, rest) = buffer.split_at_mut(size * PANEL);
        let (scores, sums) = rest.split_at_mut(seen * PANEL);
        pack(q, (b, h, first), count, scale, panel);
        let [_, _, next, step] = k.strides;
        arch.dispatch(Products { x: k.row(b, h, 0), next, step, panel, columns: count, out: scores });
        if let Some(bias) = bias {
            add_bias(bias, (b, h, first), count, scores);
        }
        if causal {
            for i in 0..count {
                let hidden = scores[(keys - queries + first + i + 1) * PANEL..].iter_mut().skip(i).step_by(PANEL);
                hidden.for_each(|score| *score = f32::NEG_INFINITY);
            }
        }
        let inverse = arch.dispatch(ColumnExponentials(scores)).map(|sum| 1.0 / sum);
        let [_, _, step, next] = v.strides;
        arch.dispatch(Products { x: v.row(b, h, 0), next, step, panel: scores, columns: count, out: sums });
        for (i, inverse) in inverse.iter().enumerate().take(count) {
            let place = ((b * queries + first + i) * heads + h) * width;
            // SAFETY: `target` holds `batch * queries` rows of `heads * width`; this index alone writes the part of head `h`
            // in the rows `first..first + count` of item `b`.
            let row = unsafe { target.get().add(place) };
            for (d, sum) in sums[i..].iter().step_by(PANEL).enumerate() {
                // SAFETY: the sums have as many rows as a value has numbers.
                unsafe { row.add(d).write(sum * inverse) };
            }
        }
    });
    // SAFETY: the part of every head in every row has been written.
    unsafe { out.assume_init() }.into_vec()
}

/// `count` queries from `at` (item, head, row) on, scaled, in the columns of `panel` `[size, PANEL]`; zeros in the others.
fn pack(q: &View, at: (usize, usize, usize), count: usize, scale: f32, panel: &mut [f32]) {
    panel.fill(0.0);
    for i in 0..count {
        let query = q.row(at.0, at.1, at.2 + i);
        for (d, value) in panel[i..].iter_mut().step_by(PANEL).enumerate() {
            // SAFETY: the view was checked; the query is one of its rows, and has as many values as the panel has rows.
            *value = scale * unsafe { *query.wrapping_offset(d as isize * q.strides[3]) };
        }
    }
}

/// The biases of `count` queries from `at` on, added to their columns of `scores` `[keys, PANEL]`.
fn add_bias(bias: &View, at: (usize, usize, usize), count: usize, scores: &mut [f32]) {
    for (block, scores) in scores.chunks_mut(KEYS * PANEL).enumerate() {
        let mut part = [[0.0; KEYS]; PANEL];
        for (i, part) in part[..count].iter_mut().enumerate() {
            let row = bias.row(at.0, at.1, at.2 + i);
            for (j, value) in part[..scores.len() / PANEL].iter_mut().enumerate() {
                // SAFETY: the view was checked; the key is one of its columns.
                *value = unsafe { *row.wrapping_offset((block * KEYS + j) as isize * bias.strides[3]) };
            }
        }
        for (j, scores) in scores.chunks_exact_mut(PANEL).enumerate() {
            scores.iter_mut().zip(&part).for_each(|(score, part)| *score += part[j]);
        }
    }
}

/// The products of rows with a panel.
struct Products<'a> {
    /// The first value of the first row. The rows, as many as `out` has, are `next` apart, their values, as many as `panel`
    /// has rows, `step`; `attention` has checked that they are there.
    x: *const f32,
    next: isize,
    step: isize,
    /// `[width, PANEL]`
    panel: &'a [f32],
    /// Of the panel, those that count.
    columns: usize,
    /// `[rows, PANEL]`
    out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.out.len() / PANEL;
        let mut row = 0;
        if registers::<S>() >= 32 {
            while rows - row >= 8 {
                self.block::<S, 8>(simd, row);
                row += 8;
            }
        }
        while rows - row >= 4 {
            self.block::<S, 4>(simd, row);
            row += 4;
        }
        while row < rows {
            self.block::<S, 1>(simd, row);
            row += 1;
        }
    }
}

impl Products<'_> {
    /// The rows `first..first + N`.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        let (lanes, width) = (S::F32_LANES, self.panel.len() / PANEL);
        let rows = std::array::from_fn(|n| self.x.wrapping_offset((first + n) as isize * self.next));
        // Where the values of a row lie apart, neighbouring rows share lines, which no processor expects.
        let meanwhile = Piece {
            start: self.x.wrapping_offset(first as isize * self.next + AHEAD * self.step).cast(),
            step: 4 * self.step,
        };
        for part in (0..self.columns).step_by(VECTORS * lanes) {
            let zeros = [[simd.splat_f32s(0.0); VECTORS]; N];
            // SAFETY: the rows are there; the parts are whole vectors of the panel.
            let sums = unsafe { multiply(simd, zeros, rows, self.step, &self.panel[part..], width, meanwhile) };
            for (sums, out) in sums.iter().zip(self.out[first * PANEL..].chunks_exact_mut(PANEL)) {
                for (sum, out) in sums.iter().zip(out[part..].chunks_exact_mut(lanes)) {
                    // SAFETY: as many values as there are.
                    unsafe { store(simd, out.as_mut_ptr(), out.len(), *sum) };
                }
            }
        }
    }
}

/// Replaces the scores `[keys, PANEL]` of a query in each column by `exp(score - largest)`; returns their sums.
struct ColumnExponentials<'a>(&'a mut [f32]);

impl WithSimd for ColumnExponentials<'_> {
    type Output = [f32; PANEL];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> [f32; PANEL] {
        let (keys, _) = self.0.as_chunks_mut::<PANEL>();
        let mut largest = [f32::NEG_INFINITY; PANEL];
        for key in &*keys {
            for (largest, score) in largest.iter_mut().zip(key) {
                *largest = largest.max(*score);
            }
        }
        let mut sums = [0.0; PANEL];
        for key in keys {
            for ((score, largest), sum) in key.iter_mut().zip(&largest).zip(&mut sums) {
                *score = exp(*score - largest);
                *sum += *score;
            }
        }
        sums
    }
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
