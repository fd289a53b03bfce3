//! Convolution with fewer multiplications (Toom-Cook; Winograd 1980, "Arithmetic Complexity of Computations"; Lavin and Gray
//! 2016 for networks).
//!
//! Inputs and weights are polynomials that are evaluated at a few points, multiplied there, and the product is interpolated:
//! four outputs of `n` taps take `n + 3` products instead of `4 n`.

/// Outputs that are computed together.
pub const OUTPUTS: usize = 4;
/// Taps of the largest transform.
pub const TAPS: usize = 5;
/// Points of the largest transform.
pub const MOST: usize = OUTPUTS + TAPS - 1;

/// `output · ((weight · taps) * (input · samples))`, in columns that exist.
pub struct Transform {
    pub points: usize,
    pub taps: usize,
    /// `[point, sample]`
    pub input: [[f32; MOST]; MOST],
    /// `[point, tap]`
    pub weight: [[f32; TAPS]; MOST],
    /// `[output, point]`
    pub output: [[f32; MOST]; OUTPUTS],
}

/// The points with the smallest errors in f32 among those of few bits; infinity is the last of each.
const THREE: Transform = Transform::at([0.0, 1.0, -1.0, 0.5, -2.0, f64::NAN, f64::NAN], 3);
const FOUR: Transform = Transform::at([0.0, 1.0, -1.0, 0.5, -0.5, -2.0, f64::NAN], 4);
const FIVE: Transform = Transform::at([0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0], 5);

impl Transform {
    /// For three, four or five taps.
    pub const fn of(taps: usize) -> Self {
        match taps {
            3 => THREE,
            4 => FOUR,
            5 => FIVE,
            _ => panic!("there are transforms of three to five taps"),
        }
    }

    /// For `taps` taps; of `at` the first `taps + 2` count.
    const fn at(at: [f64; MOST - 1], taps: usize) -> Self {
        let points = OUTPUTS + taps - 1;
        let finite = points - 1;
        let mut new = Self {
            points,
            taps,
            input: [[0.0; MOST]; MOST],
            weight: [[0.0; TAPS]; MOST],
            output: [[0.0; MOST]; OUTPUTS],
        };
        let mut p = 0;
        // The last point is infinity: the highest coefficients, and the polynomial that is zero at all others.
        while p < points {
            let mut factors = [0.0; MOST];
            factors[0] = 1.0;
            let (mut degree, mut scale, mut j) = (0, 1.0, 0);
            while j < finite {
                if j != p {
                    let mut i = degree + 1;
                    while i > 0 {
                        factors[i] = factors[i - 1] - at[j] * factors[i];
                        i -= 1;
                    }
                    factors[0] *= -at[j];
                    degree += 1;
                    if p < finite {
                        scale *= at[p] - at[j];
                    }
                }
                j += 1;
            }
            let mut i = 0;
            while i < points {
                new.input[p][i] = factors[i] as f32;
                i += 1;
            }
            let (mut power, mut i) = (1.0, 0);
            while i < OUTPUTS || i < taps {
                let (tap, output) = match p < finite {
                    true => (power / scale, power),
                    false => ((i + 1 == taps) as u8 as f64, (i + 1 == OUTPUTS) as u8 as f64),
                };
                if i < taps {
                    new.weight[p][i] = tap as f32;
                }
                if i < OUTPUTS {
                    new.output[i][p] = output as f32;
                }
                if p < finite {
                    power *= at[p];
                }
                i += 1;
            }
            p += 1;
        }
        new
    }
}

/// The values at a point of `samples`.
#[inline(always)]
pub fn evaluate<const TAPS: usize>(point: usize, out: &mut [f32], samples: &[&[f32]; MOST]) {
    match point {
        0 => combine(out, samples, const { &Transform::of(TAPS).input[0] }),
        1 => combine(out, samples, const { &Transform::of(TAPS).input[1] }),
        2 => combine(out, samples, const { &Transform::of(TAPS).input[2] }),
        3 => combine(out, samples, const { &Transform::of(TAPS).input[3] }),
        4 => combine(out, samples, const { &Transform::of(TAPS).input[4] }),
        5 => combine(out, samples, const { &Transform::of(TAPS).input[5] }),
        6 => combine(out, samples, const { &Transform::of(TAPS).input[6] }),
        _ => combine(out, samples, const { &Transform::of(TAPS).input[7] }),
    }
}

/// One of the four outputs, from the products at all points.
#[inline(always)]
pub fn interpolate<const TAPS: usize>(output: usize, out: &mut [f32], products: &[&[f32]; MOST]) {
    match output {
        0 => combine(out, products, const { &Transform::of(TAPS).output[0] }),
        1 => combine(out, products, const { &Transform::of(TAPS).output[1] }),
        2 => combine(out, products, const { &Transform::of(TAPS).output[2] }),
        _ => combine(out, products, const { &Transform::of(TAPS).output[3] }),
    }
}

/// The sum of rows times factors, of which many are zero or one; the compiler knows them, and leaves those out.
#[inline(always)]
fn combine(out: &mut [f32], rows: &[&[f32]; MOST], factors: &'static [f32; MOST]) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (row, factor) in rows.iter().zip(factors) {
            if *factor != 0.0 {
                sum += row[i] * factor;
            }
        }
        *out = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrices together are a convolution, whatever the numbers: products of powers of two are exact.
    #[test]
    fn the_matrices_are_a_convolution() {
        for taps in 3..=TAPS {
            let Transform { points, input, weight, output, .. } = Transform::of(taps);
            for (tap, sample) in (0..taps).flat_map(|tap| (0..points).map(move |sample| (tap, sample))) {
                for (i, output) in output.iter().enumerate() {
                    let product =
                        |p: usize| f64::from(output[p]) * f64::from(weight[p][tap]) * f64::from(input[p][sample]);
                    let got: f64 = (0..points).map(product).sum();
                    let expected = if i + tap == sample { 1.0 } else { 0.0 };
                    assert!((got - expected).abs() < 1e-6, "{taps} taps: {got} instead of {expected}");
                }
            }
        }
    }
}
