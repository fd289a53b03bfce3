//! From scores by distance to scores by key: a stretch of each row is copied, what is farther away repeated.
use rayon::prelude::*;

use super::share::{Share, zeros};

/// Rows that a task takes.
const ROWS: usize = 64;

/// `x` `[batch, heads, time, distances]`, `ignored` `[batch, time]` -> `[batch, heads, time, time]`.
pub fn by_key(x: &[f32], [heads, time, distances]: [usize; 3], ignored: &[f32], left: usize, scale: f32) -> Vec<f32> {
    assert!(left < distances && heads > 0 && time > 0, "by_key: no distance");
    assert_eq!(x.len() / (heads * time * distances), ignored.len() / time, "by_key: keys of other items");
    let mut out = zeros(x.len() / distances * time);
    let tasks = out.par_chunks_mut(ROWS * time).zip(x.par_chunks(ROWS * distances));
    tasks.enumerate().shared().for_each(|(task, (out, x))| {
        let rows = out.chunks_exact_mut(time).zip(x.chunks_exact(distances));
        for (index, (out, x)) in (task * ROWS..).zip(rows) {
            let (query, item) = (index % time, index / time / heads);
            let ignored = &ignored[item * time..][..time];
            // Keys `first..end` have a distance of their own.
            let (first, end) = (query.saturating_sub(left), time.min(query + distances - left));
            let own = &x[first + left - query..][..end - first];
            out[..first].fill(x[0]);
            out[first..end].copy_from_slice(own);
            out[end..].fill(x[distances - 1]);
            out.iter_mut().zip(ignored).for_each(|(out, ignored)| *out = *out * scale + ignored);
        }
    });
    out
}
