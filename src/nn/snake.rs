//! Alias-free SnakeBeta activation of BigVGAN (Lee et al. 2022; Karras et al. 2021 for the filtered nonlinearity).
use std::f64::consts::PI;

use burn::module::Param;
use burn::nn::Initializer;
use burn::prelude::*;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;

/// Taps of the low-pass filter at the doubled rate.
const TAPS: usize = 12;
/// Samples to either side that a filter reads at the single rate.
pub const REACH: usize = TAPS / 4;
const WIDTH: usize = 2 * REACH + 1;
/// Guards the division by `exp(beta)`.
const EPSILON: f64 = 1e-9;

/// `x + sin^2(exp(alpha) x) / exp(beta)` at twice the sampling rate; the parameters are stored as logarithms.
#[derive(Module, Debug)]
pub struct AliasFreeSnake {
    alpha: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
}

impl AliasFreeSnake {
    pub fn new(channels: usize, device: &Device) -> Self {
        Self { alpha: Initializer::Zeros.init([channels], device), beta: Initializer::Zeros.init([channels], device) }
    }

    /// `[batch, channels, time]` to the same.
    pub fn forward(&self, x: Tensor<3>, resampler: &Resampler) -> Tensor<3> {
        resampler.down(self.snake(resampler.up(x)))
    }

    /// SnakeBeta alone, on both phases `[batch, channels, 2, time]`.
    pub fn snake(&self, x: Tensor<4>) -> Tensor<4> {
        let (slope, scale) = self.factors();
        let wave = (x.clone() * slope.reshape([1, -1, 1, 1])).sin();
        x + wave.square() * scale.reshape([1, -1, 1, 1])
    }

    /// Slope inside the sine and scale of its square, `[channels]` each.
    pub fn factors(&self) -> (Tensor<1>, Tensor<1>) {
        (self.alpha.val().exp(), (self.beta.val().exp() + EPSILON).recip())
    }
}

/// Doubles and halves the sampling rate with a Kaiser-windowed sinc; the edge samples are repeated outwards.
///
/// A doubled signal is kept as its even and odd samples (its two phases), `[batch, channels, 2, time]`: both directions
/// are then short centred convolutions without zero-stuffing, and nothing is interleaved in between.
#[derive(Debug, Clone)]
pub struct Resampler {
    up: Filter,
    down: Filter,
}

impl Resampler {
    pub fn new(device: &Device) -> Self {
        let h = kaiser_sinc();
        let mut up = vec![[0f32; WIDTH]; 2];
        let mut down = vec![[0f32; WIDTH]; 2];
        for i in 0..TAPS / 2 {
            // The factor 2 makes up for the zeros that doubling puts between the samples.
            up[0][i] = 2.0 * h[TAPS - 1 - 2 * i];
            up[1][i + 1] = 2.0 * h[TAPS - 2 - 2 * i];
            down[0][i + 1] = h[2 * i + 1];
            down[1][i] = h[2 * i];
        }
        Self { up: Filter::new(&up, [2, 1], device), down: Filter::new(&down, [1, 2], device) }
    }

    /// `[batch, channels, time]` to the two phases `[batch, channels, 2, time]` at twice the rate.
    pub fn up(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, channels, time] = x.dims();
        let x = x.reshape([batch * channels, 1, time]);
        let (first, last) = (x.clone().narrow(2, 0, 1), x.clone().narrow(2, time - 1, 1));
        self.up.apply(x, first, last).reshape([batch, channels, 2, time])
    }

    /// The two phases `[batch, channels, 2, time]` to `[batch, channels, time]` at half the rate.
    pub fn down(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, channels, _, time] = x.dims();
        let x = x.reshape([batch * channels, 2, time]);
        // The doubled signal starts with its first even and ends with its last odd sample.
        let first = x.clone().narrow(1, 0, 1).narrow(2, 0, 1);
        let last = x.clone().narrow(1, 1, 1).narrow(2, time - 1, 1);
        self.down.apply(x, first, last).reshape([batch, channels, time])
    }
}

/// A centred convolution `[rows, in, time] -> [rows, out, time]` that sees the same sample everywhere beyond an edge.
#[derive(Debug, Clone)]
struct Filter {
    /// `[out, in, WIDTH]`
    kernel: Tensor<3>,
    /// Weight of the sample before the start in each of the first outputs, `[1, out, REACH]`.
    before: Tensor<3>,
    /// Weight of the sample after the end in each of the last outputs, `[1, out, REACH]`.
    after: Tensor<3>,
}

impl Filter {
    /// `taps` of each output from each input, input by input.
    fn new(taps: &[[f32; WIDTH]], [outputs, inputs]: [usize; 2], device: &Device) -> Self {
        let edge = |weight: fn(&[f32; WIDTH], usize) -> f32| {
            let weights = taps.chunks_exact(inputs).flat_map(|taps| {
                (0..REACH).map(move |output| taps.iter().map(|taps| weight(taps, output)).sum::<f32>())
            });
            Tensor::from_data(TensorData::new(weights.collect(), [1, outputs, REACH]), device)
        };
        Self {
            kernel: Tensor::from_data(TensorData::new(taps.concat(), [outputs, inputs, WIDTH]), device),
            before: edge(|taps, output| taps[..REACH - output].iter().sum()),
            after: edge(|taps, output| taps[WIDTH - 1 - output..].iter().sum()),
        }
    }

    /// `first` and `last` `[rows, 1, 1]` are the samples repeated outwards. They are added where they are missing from
    /// a convolution of the bare signal, which saves a padded copy.
    fn apply(&self, x: Tensor<3>, first: Tensor<3>, last: Tensor<3>) -> Tensor<3> {
        let y = conv1d(x, self.kernel.clone(), None, ConvOptions::new([1], [REACH], [1], 1));
        let time = y.dims()[2];
        let reach = REACH.min(time);
        let y = add_at(y, 0, first * self.before.clone().narrow(2, 0, reach));
        add_at(y, time - reach, last * self.after.clone().narrow(2, REACH - reach, reach))
    }
}

/// Adds `part` to the frames of `x` from `start` on.
fn add_at(x: Tensor<3>, start: usize, part: Tensor<3>) -> Tensor<3> {
    let [rows, channels, length] = part.dims();
    let region = [0..rows, 0..channels, start..start + length];
    let sum = x.clone().slice(region.clone()) + part;
    x.slice_assign(region, sum)
}

/// The low-pass filter of both directions: cutoff at a quarter of the doubled rate, transition half-width 0.3, taps
/// summing to 1.
pub fn kaiser_sinc() -> [f32; TAPS] {
    let (cutoff, half_width) = (0.25, 0.3);
    let half = (TAPS / 2) as f64;
    let attenuation = 2.285 * (half - 1.0) * PI * 4.0 * half_width + 7.95;
    let beta = 0.1102 * (attenuation - 8.7); // Kaiser's rule for more than 50 dB
    let taps: [f64; TAPS] = std::array::from_fn(|n| {
        let time = n as f64 - half + 0.5;
        let position = time / (half - 0.5); // -1 at the first tap, 1 at the last
        let window = bessel_i0(beta * (1.0 - position * position).max(0.0).sqrt()) / bessel_i0(beta);
        let phase = PI * 2.0 * cutoff * time;
        2.0 * cutoff * window * phase.sin() / phase
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|t| (t / sum) as f32)
}

/// Modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..64 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_symmetric_and_sum_to_one() {
        let h = kaiser_sinc();
        assert!((h.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((0..TAPS).all(|i| h[i] == h[TAPS - 1 - i]));
    }

    #[test]
    fn a_constant_passes_up_and_down_unchanged() {
        let device = Device::flex();
        let resampler = Resampler::new(&device);
        for time in [1, 2, 9] {
            let x = Tensor::<3>::full([2, 3, time], 0.7, &device);
            let got: Vec<f32> = resampler.down(resampler.up(x)).into_data().try_to_vec().expect("f32");
            assert_eq!(got.len(), 6 * time);
            assert!(got.iter().all(|v| (v - 0.7).abs() < 1e-5), "{time} samples: {got:?}");
        }
    }
}
