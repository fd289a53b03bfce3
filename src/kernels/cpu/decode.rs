//! Attention of one new token per sequence over rows that sequences share.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::attention::Exponentials;
use super::level::arch;
use super::math::fma;
use super::share::Share;

/// Vectors of values that are summed together.
const VECTORS: usize = 4;

/// Keys or values: `[heads, capacity, size]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub capacity: usize,
    pub size: usize,
}

impl<'a> Rows<'a> {
    fn head(self, head: usize) -> &'a [f32] {
        &self.data[head * self.capacity * self.size..][..self.capacity * self.size]
    }
}

/// `query` `[sequences, stride]`, of which the first `heads * size` are the queries; `tables` the rows that each sequence
/// has, in any order -> `[sequences, heads * size]`. Scores are scaled by `1 / sqrt(size)`.
///
/// A head's rows are read for one sequence after the other: rows that sequences share come from memory once.
pub fn attend(
    query: &[f32],
    stride: usize,
    keys: Rows<'_>,
    values: Rows<'_>,
    tables: &[Vec<u32>],
    heads: usize,
) -> Vec<f32> {
    let (size, sequences) = (keys.size, tables.len());
    assert!(size > 0 && values.size == size && values.capacity == keys.capacity, "decode: keys and values differ");
    assert!(query.len() >= sequences * stride && heads * size <= stride, "decode: queries of another size");
    let rows = tables.iter().flatten().max().map_or(0, |row| *row as usize + 1);
    assert!(rows <= keys.capacity, "decode: a row beyond the cache");
    let mut by_head = vec![0f32; heads * sequences * size];
    let (arch, scale) = (arch(), 1.0 / (size as f32).sqrt());
    by_head.par_chunks_mut(sequences * size).enumerate().shared().for_each_init(Vec::new, |scores, (head, out)| {
        let (keys, values) = (keys.head(head), values.head(head));
        for (sequence, (table, out)) in tables.iter().zip(out.chunks_exact_mut(size)).enumerate() {
            let query = &query[sequence * stride + head * size..][..size];
            scores.clear();
            scores.resize(table.len(), 0.0);
            arch.dispatch(Head { query, keys, values, table, scale, scores, out });
        }
    });
    let mut out = vec![0f32; by_head.len()];
    for (head, rows) in by_head.chunks_exact(sequences * size).enumerate() {
        for (sequence, row) in rows.chunks_exact(size).enumerate() {
            out[(sequence * heads + head) * size..][..size].copy_from_slice(row);
        }
    }
    out
}

/// One head of one sequence.
struct Head<'a> {
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    table: &'a [u32],
    scale: f32,
    scores: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { query, keys, values, table, scale, scores, out } = self;
        let size = query.len();
        for (score, row) in scores.iter_mut().zip(table) {
            *score = scale * dot(simd, query, &keys[*row as usize * size..][..size]);
        }
        let inverse = 1.0 / Exponentials(&mut *scores).with_simd(simd);
        // As many values at a time as stay in registers while the rows pass.
        let width = VECTORS * S::F32_LANES;
        for (part, out) in out.chunks_mut(width).enumerate() {
            let from = part * width;
            if out.len() == width {
                let mut sums = [simd.splat_f32s(0.0); VECTORS];
                for (score, row) in scores.iter().zip(table) {
                    let (value, _) = S::as_simd_f32s(&values[*row as usize * size + from..][..width]);
                    let score = simd.splat_f32s(*score);
                    for (sum, value) in sums.iter_mut().zip(value) {
                        *sum = simd.mul_add_e_f32s(score, *value, *sum);
                    }
                }
                let (out, _) = S::as_mut_simd_f32s(out);
                let inverse = simd.splat_f32s(inverse);
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = simd.mul_f32s(sum, inverse));
            } else {
                out.fill(0.0);
                for (score, row) in scores.iter().zip(table) {
                    let value = &values[*row as usize * size + from..][..out.len()];
                    out.iter_mut().zip(value).for_each(|(sum, value)| *sum = fma(*score, *value, *sum));
                }
                out.iter_mut().for_each(|out| *out *= inverse);
            }
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        sums[i % 2] = simd.mul_add_e_f32s(*a, *b, sums[i % 2]);
    }
    let sum = simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]));
    a_rest.iter().zip(b_rest).fold(sum, |sum, (a, b)| fma(*a, *b, sum))
}
