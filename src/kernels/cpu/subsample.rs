//! The conformer's entry: a strided convolution, a ReLU and a wide projection, without the wide matrix between them.
use rayon::prelude::*;

use super::few_bits::{GROUP, QuantizedWeight};
use super::integer::quantized_part;
use super::linear::{Rows, Start, Weight, linear_part};
use super::share::{Share, zeros};

/// Convolution channels whose columns are projected at a time: a few megabytes.
const CHANNELS: usize = 8;

/// The weight of the projection.
#[derive(Clone, Copy)]
pub enum Projection<'a> {
    /// Packed `[panels, channels * columns, 48]`.
    Packed(Weight<'a>),
    Quantized(&'a QuantizedWeight),
}

/// `x` `[time, features]`; `kernel` `[channels, 9]` and `bias` `[channels]` of the convolution (3 x 3, stride 2, no
/// padding); `weight` of `channels * columns` inputs and `shift` `[outputs]` of the projection ->
/// `[frames, outputs]`. At the real size the convolution's output is 512 times as wide as its input.
pub fn subsample(
    x: &[f32],
    [time, features]: [usize; 2],
    kernel: &[f32],
    bias: &[f32],
    weight: Projection<'_>,
    shift: &[f32],
) -> Vec<f32> {
    let (frames, columns, channels) = ((time - 1) / 2, (features - 1) / 2, bias.len());
    assert_eq!(kernel.len(), 9 * channels, "subsample: a kernel of another size");
    assert!(x.len() == time * features && frames > 0 && columns > 0, "subsample: too small an input");
    // Even and odd columns apart: the stride is gone from the loops below.
    let split: Vec<[Vec<f32>; 2]> = x
        .chunks_exact(features)
        .map(|row| [row.iter().step_by(2).copied().collect(), row.iter().skip(1).step_by(2).copied().collect()])
        .collect();
    let mut out = vec![0.0; frames * shift.len()];
    let at_once = match weight {
        Projection::Packed(_) => CHANNELS,
        // Whole groups of inputs, however many columns there are.
        Projection::Quantized(_) => GROUP,
    };
    let mut wide = zeros(frames * columns * at_once.min(channels));
    for first in (0..channels).step_by(at_once) {
        let count = at_once.min(channels - first);
        let wide = &mut wide[..frames * columns * count];
        wide.par_chunks_mut(columns * count).enumerate().shared().for_each(|(frame, row)| {
            let rows = &split[2 * frame..2 * frame + 3];
            for (channel, row) in (first..).zip(row.chunks_exact_mut(columns)) {
                convolve(rows, &kernel[9 * channel..9 * channel + 9], bias[channel], row);
            }
        });
        let start = if first == 0 { Start::Bias(shift) } else { Start::Output };
        let from = first * columns;
        match weight {
            Projection::Packed(weight) => {
                linear_part(Rows::dense(wide, frames), weight, channels * columns, from, start, None, &mut out)
            }
            Projection::Quantized(weight) => quantized_part(wide, weight, from, start, None, &mut out),
        }
    }
    out
}

/// One output row of one channel.
fn convolve(rows: &[[Vec<f32>; 2]], kernel: &[f32], bias: f32, out: &mut [f32]) {
    out.fill(bias);
    for ([even, odd], taps) in rows.iter().zip(kernel.chunks_exact(3)) {
        let next = even.iter().skip(1);
        for (((o, a), b), c) in out.iter_mut().zip(even).zip(odd).zip(next) {
            *o += taps[0] * a + taps[1] * b + taps[2] * c;
        }
    }
    out.iter_mut().for_each(|o| *o = o.max(0.0));
}
