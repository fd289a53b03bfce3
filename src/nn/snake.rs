//! Alias-free SnakeBeta activation of BigVGAN (Lee et al. 2022; Karras et al. 2021 for the filtered nonlinearity).
use std::f64::consts::PI;

use burn::module::Param;
use burn::nn::Initializer;
use burn::prelude::*;
use burn::tensor::module::conv1d;
use burn::tensor::ops::{ConvOptions, PadMode};

const TAPS: usize = 12;
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
        let per_channel = |p: &Param<Tensor<1>>| p.val().exp().reshape([1, -1, 1, 1]);
        let wave = (x.clone() * per_channel(&self.alpha)).sin();
        x + wave.square() * (per_channel(&self.beta) + EPSILON).recip()
    }
}

/// Doubles and halves the sampling rate with a Kaiser-windowed sinc.
///
/// A doubled signal is kept as its even and odd samples (its two phases), `[batch, channels, 2, time]`: both directions
/// are then plain convolutions without zero-stuffing, and nothing is interleaved in between.
#[derive(Debug, Clone)]
pub struct Resampler {
    up: Tensor<3>,
    down: Tensor<3>,
}

impl Resampler {
    pub fn new(device: &Device) -> Self {
        let h = kaiser_sinc();
        let mut up = [[0f32; TAPS / 2 + 1]; 2];
        let mut down = [[0f32; TAPS / 2]; 2];
        for i in 0..TAPS / 2 {
            // The factor 2 makes up for the zeros that doubling puts between the samples.
            up[0][i] = 2.0 * h[TAPS - 1 - 2 * i];
            up[1][i + 1] = 2.0 * h[TAPS - 2 - 2 * i];
            down[0][i] = h[2 * i];
            down[1][i] = h[2 * i + 1];
        }
        let kernel = |taps: Vec<f32>, shape: [usize; 3]| Tensor::from_data(TensorData::new(taps, shape), device);
        Self {
            up: kernel(up.concat(), [2, 1, TAPS / 2 + 1]),
            down: kernel(down.concat(), [1, 2, TAPS / 2]),
        }
    }

    /// `[batch, channels, time]` to the two phases `[batch, channels, 2, time]` at twice the rate.
    pub fn up(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, channels, time] = x.dims();
        let reach = TAPS / 4;
        let x = x.reshape([batch * channels, 1, time]).pad([(reach, reach)], PadMode::Edge);
        filter(x, &self.up).reshape([batch, channels, 2, time])
    }

    /// The two phases `[batch, channels, 2, time]` to `[batch, channels, time]` at half the rate.
    ///
    /// The doubled signal is extended by its first sample 5 times and by its last 6 times. The odd phase of the
    /// extended signal is the even one of the original and the other way round, because 5 is odd.
    pub fn down(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, channels, _, time] = x.dims();
        let x = x.reshape([batch * channels, 2, time]);
        let even = x.clone().narrow(1, 0, 1);
        let odd = x.narrow(1, 1, 1);
        let first = |n| even.clone().narrow(2, 0, 1).expand([-1, -1, n]);
        let last = |n| odd.clone().narrow(2, time - 1, 1).expand([-1, -1, n]);
        let phases = Tensor::cat(
            vec![
                Tensor::cat(vec![first(3), odd.clone(), last(2)], 2),
                Tensor::cat(vec![first(2), even.clone(), last(3)], 2),
            ],
            1,
        );
        filter(phases, &self.down).reshape([batch, channels, time])
    }
}

fn filter(x: Tensor<3>, kernel: &Tensor<3>) -> Tensor<3> {
    conv1d(x, kernel.clone(), None, ConvOptions::new([1], [0], [1], 1))
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
        let x = Tensor::<3>::full([2, 3, 9], 0.7, &device);
        let got: Vec<f32> = resampler.down(resampler.up(x)).into_data().to_vec().expect("f32");
        assert_eq!(got.len(), 54);
        assert!(got.iter().all(|v| (v - 0.7).abs() < 1e-5), "{got:?}");
    }
}
