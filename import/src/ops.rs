//! The arithmetic of an import: shapes first (no data needed), then values.
use crate::table::Op;

impl Op {
    /// The canonical shape, or what the official shapes should have been.
    pub fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, (String, String)> {
        let wrong = |expected: String| Err((expected, format!("{:?}", inputs)));
        match (self, inputs) {
            (Op::Copy | Op::Sqrt, [shape]) => Ok(shape.to_vec()),
            (Op::Transpose, [[out, input]]) => Ok(vec![*input, *out]),
            (Op::Transpose, _) => wrong("[out, in]".into()),
            (Op::PointwiseTranspose, [[out, input, 1]]) => Ok(vec![*input, *out]),
            (Op::PointwiseTranspose, _) => wrong("[out, in, 1]".into()),
            (Op::Reshape(to), [from]) => {
                if from.iter().product::<usize>() == to.iter().product::<usize>() {
                    Ok(to.clone())
                } else {
                    wrong(format!("as many elements as {to:?}"))
                }
            }
            (Op::WeightNorm(then), [g, v]) => {
                let mut expected = vec![1; v.len()];
                if let (Some(first), Some(n)) = (expected.first_mut(), v.first()) {
                    *first = *n;
                }
                if *g == expected { then.shape(&[v]) } else { wrong(format!("g {expected:?} beside v {v:?}")) }
            }
            (Op::BatchNormScale { .. } | Op::BatchNormShift { .. }, [var, others @ ..]) => {
                if var.len() == 1 && others.iter().all(|o| o == var) {
                    Ok(var.to_vec())
                } else {
                    wrong("vectors of one length".into())
                }
            }
            _ => wrong("another number of tensors".into()),
        }
    }

    /// The canonical values; `shapes` are the official ones, already checked by [`Op::shape`].
    pub fn apply(&self, mut inputs: Vec<Vec<f32>>, shapes: &[Vec<usize>]) -> Vec<f32> {
        match self {
            Op::Copy | Op::Reshape(_) => inputs.swap_remove(0),
            Op::Sqrt => inputs.swap_remove(0).into_iter().map(f32::sqrt).collect(),
            Op::Transpose | Op::PointwiseTranspose => transpose(&inputs[0], shapes[0][0], shapes[0][1]),
            Op::WeightNorm(then) => {
                let v = inputs.pop().unwrap_or_default();
                let g = inputs.pop().unwrap_or_default();
                then.apply(vec![weight_norm(&g, v)], &shapes[1..])
            }
            Op::BatchNormScale { eps } => {
                let weight = inputs.get(1);
                scale(&inputs[0], weight, *eps).map(|s| s as f32).collect()
            }
            Op::BatchNormShift { eps } => {
                let (mean, bias) = (&inputs[1], inputs.get(3));
                let shift = |(i, s): (usize, f64)| bias.map_or(0.0, |b| b[i] as f64) - mean[i] as f64 * s;
                scale(&inputs[0], inputs.get(2), *eps).enumerate().map(|x| shift(x) as f32).collect()
            }
        }
    }
}

fn scale<'a>(var: &'a [f32], weight: Option<&'a Vec<f32>>, eps: f64) -> impl Iterator<Item = f64> + 'a {
    var.iter().enumerate().map(move |(i, &v)| weight.map_or(1.0, |w| w[i] as f64) / (v as f64 + eps).sqrt())
}

/// `g * v / |v|` per row of the first axis, norms in f64.
fn weight_norm(g: &[f32], mut v: Vec<f32>) -> Vec<f32> {
    if g.is_empty() {
        return v;
    }
    let row = v.len() / g.len();
    for (values, &g) in v.chunks_exact_mut(row.max(1)).zip(g) {
        let norm = values.iter().map(|&x| x as f64 * x as f64).sum::<f64>().sqrt();
        let factor = if norm > 0.0 { g as f64 / norm } else { 0.0 };
        values.iter_mut().for_each(|x| *x = (*x as f64 * factor) as f32);
    }
    v
}

/// Row-major `[rows, columns]` to `[columns, rows]`, in blocks that fit the cache.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for r0 in (0..rows).step_by(BLOCK) {
        for c0 in (0..columns).step_by(BLOCK) {
            for r in r0..(r0 + BLOCK).min(rows) {
                for c in c0..(c0 + BLOCK).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    out
}
