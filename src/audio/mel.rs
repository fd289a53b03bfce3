//! The log-mel spectrogram that the flow matching produces and the vocoder takes.
//!
//! Source: network specification 1.3 (librosa's Slaney filters, magnitude, natural logarithm).
use std::f64::consts::PI;

use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};

/// Inside the square root of the magnitude.
const MAGNITUDE_FLOOR: f32 = 1e-9;
/// The smallest mel magnitude whose logarithm is taken.
const LOG_FLOOR: f32 = 1e-5;

/// Sizes and rates of a log-mel spectrogram.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelConfig {
    /// Hz.
    pub sample_rate: usize,
    pub n_fft: usize,
    pub win_length: usize,
    pub hop_length: usize,
    pub n_mels: usize,
    /// Lowest frequency, Hz.
    pub fmin: f64,
    /// Highest frequency, Hz; none is the Nyquist frequency.
    pub fmax: Option<f64>,
}

impl MelConfig {
    /// Frames of `samples` samples.
    pub fn frames(&self, samples: usize) -> usize {
        let padded = samples + 2 * self.padding();
        if padded < self.n_fft { 0 } else { 1 + (padded - self.n_fft) / self.hop_length }
    }

    fn padding(&self) -> usize {
        (self.n_fft - self.hop_length) / 2
    }

    /// `[n_mels, frames]`, row-major, of samples from -1 to 1.
    pub fn log_mel(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.frames(samples.len());
        let padded = reflect(samples, self.padding());
        let window = self.window();
        let filters = self.filters();
        // In f32 as the reference: its rounding in quiet bins is then nearly ours, which f64 would not share.
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(self.n_fft);
        let (mut buffer, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
        let mut magnitude = vec![0f32; self.n_fft / 2 + 1];
        let mut out = vec![0f32; self.n_mels * frames];
        for frame in 0..frames {
            let source = &padded[frame * self.hop_length..][..self.n_fft];
            for ((value, sample), weight) in buffer.iter_mut().zip(source).zip(&window) {
                *value = sample * weight;
            }
            // The buffers come from the plan, so their lengths fit.
            if fft.process(&mut buffer, &mut spectrum).is_err() {
                return Vec::new();
            }
            for (m, z) in magnitude.iter_mut().zip(&spectrum) {
                *m = (z.re * z.re + z.im * z.im + MAGNITUDE_FLOOR).sqrt();
            }
            for (bin, row) in filters.chunks_exact(magnitude.len()).enumerate() {
                let sum: f32 = row.iter().zip(&magnitude).map(|(w, m)| w * m).sum();
                out[bin * frames + frame] = sum.max(LOG_FLOOR).ln();
            }
        }
        out
    }

    /// A periodic Hann window of `win_length`, centred in `n_fft`.
    fn window(&self) -> Vec<f32> {
        let mut window = vec![0.0; self.n_fft];
        let start = (self.n_fft - self.win_length.min(self.n_fft)) / 2;
        for (i, value) in window[start..].iter_mut().take(self.win_length).enumerate() {
            *value = (0.5 - 0.5 * (2.0 * PI * i as f64 / self.win_length as f64).cos()) as f32;
        }
        window
    }

    /// `[n_mels, n_fft / 2 + 1]`, row-major: triangles on the Slaney mel scale, each with unit area.
    pub fn filters(&self) -> Vec<f32> {
        let bins = self.n_fft / 2 + 1;
        let (low, high) = (slaney_mel(self.fmin), slaney_mel(self.fmax.unwrap_or(self.sample_rate as f64 / 2.0)));
        let edge = |i: usize| slaney_hertz(low + (high - low) * i as f64 / (self.n_mels + 1) as f64);
        let mut filters = Vec::with_capacity(self.n_mels * bins);
        for i in 0..self.n_mels {
            let (left, centre, right) = (edge(i), edge(i + 1), edge(i + 2));
            let area = 2.0 / (right - left);
            filters.extend((0..bins).map(|k| {
                let hertz = k as f64 * self.sample_rate as f64 / self.n_fft as f64;
                let weight = ((hertz - left) / (centre - left)).min((right - hertz) / (right - centre)).max(0.0);
                (weight * area) as f32
            }));
        }
        filters
    }
}

/// Linear to 1000 Hz, logarithmic above.
const SLANEY_STEP: f64 = 200.0 / 3.0;
const SLANEY_BREAK: f64 = 1000.0;

fn slaney_log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn slaney_mel(hertz: f64) -> f64 {
    if hertz < SLANEY_BREAK {
        hertz / SLANEY_STEP
    } else {
        SLANEY_BREAK / SLANEY_STEP + (hertz / SLANEY_BREAK).ln() / slaney_log_step()
    }
}

fn slaney_hertz(mel: f64) -> f64 {
    let at_break = SLANEY_BREAK / SLANEY_STEP;
    if mel < at_break { mel * SLANEY_STEP } else { SLANEY_BREAK * (slaney_log_step() * (mel - at_break)).exp() }
}

/// Mirrors the ends without repeating the end samples. Shorter signals are mirrored as often as needed.
fn reflect(samples: &[f32], padding: usize) -> Vec<f32> {
    let n = samples.len() as isize;
    if n < 2 {
        return vec![samples.first().copied().unwrap_or(0.0); samples.len() + 2 * padding];
    }
    let period = 2 * (n - 1);
    let index = |i: isize| {
        let i = i.rem_euclid(period);
        if i < n { i } else { period - i }
    };
    (-(padding as isize)..n + padding as isize).map(|i| samples[index(i) as usize]).collect()
}
