//! Log-mel filterbank features in Kaldi's manner: for w2v-bert (scaled, normalised, stacked) and for CAMPPlus.
//!
//! Source: network specification 1.1 (Seamless, computed in f64) and 1.2 (Kaldi). The two differ in the scale of the
//! samples and in what is normalised afterwards.
use std::f64::consts::PI;

use realfft::RealFftPlanner;

/// Rate of the samples both front ends take, Hz.
pub const RATE: usize = 16_000;
/// Mel bins of both front ends.
pub const BINS: usize = 80;

const FRAME: usize = 400;
const HOP: usize = 160;
const FFT: usize = 512;
const LOW: f64 = 20.0;
const HIGH: f64 = 8_000.0;
const PRE_EMPHASIS: f64 = 0.97;
/// `f32::EPSILON`: the smallest mel energy whose logarithm is taken.
const FLOOR: f64 = 1.192_092_955_078_125e-7;

/// w2v-bert features.
#[derive(Debug, Clone)]
pub struct SeamlessFeatures {
    /// `[frames, 160]`, row-major: two successive frames of 80 bins in each row.
    pub data: Vec<f32>,
    pub frames: usize,
    /// False for a row whose second half is padding.
    pub mask: Vec<bool>,
}

/// w2v-bert features of 16 kHz samples: each bin with zero mean and unit variance over the clip, `padding` in place of
/// a missing last frame.
pub fn seamless(samples: &[f32], padding: f32) -> SeamlessFeatures {
    let mut fbank = log_mel(samples, 32_768.0);
    normalise(&mut fbank);
    let count = fbank.len() / BINS;
    fbank.resize(count.next_multiple_of(2) * BINS, padding);
    let frames = count.div_ceil(2);
    SeamlessFeatures { data: fbank, frames, mask: (0..frames).map(|row| 2 * row + 1 < count).collect() }
}

/// CAMPPlus features of 16 kHz samples from -1 to 1: `[frames, 80]`, the mean over the clip removed from each bin.
pub fn kaldi(samples: &[f32]) -> Vec<f32> {
    let mut fbank = log_mel(samples, 1.0);
    remove_mean(&mut fbank);
    fbank
}

/// `[frames, 80]` log-mel energies of whole frames only.
pub fn log_mel(samples: &[f32], scale: f64) -> Vec<f32> {
    if samples.len() < FRAME {
        return Vec::new();
    }
    let frames = 1 + (samples.len() - FRAME) / HOP;
    let window: Vec<f64> = povey_window();
    let filters = mel_filters();
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(FFT);
    let (mut buffer, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    let mut out = Vec::with_capacity(frames * BINS);
    for frame in 0..frames {
        let source = &samples[frame * HOP..][..FRAME];
        let mean = source.iter().map(|v| f64::from(*v) * scale).sum::<f64>() / FRAME as f64;
        buffer[FRAME..].fill(0.0);
        for (value, sample) in buffer.iter_mut().zip(source) {
            *value = f64::from(*sample) * scale - mean;
        }
        // Backwards, so that each sample still sees its predecessor; the first is its own.
        for i in (1..FRAME).rev() {
            buffer[i] -= PRE_EMPHASIS * buffer[i - 1];
        }
        buffer[0] *= 1.0 - PRE_EMPHASIS;
        buffer.iter_mut().zip(&window).for_each(|(value, weight)| *value *= weight);
        // The buffers come from the plan, so their lengths fit.
        if fft.process(&mut buffer, &mut spectrum).is_err() {
            return Vec::new();
        }
        // The reference keeps the spectrum as complex64.
        let power = |bin: usize| {
            let (re, im) = (f64::from(spectrum[bin].re as f32), f64::from(spectrum[bin].im as f32));
            re * re + im * im
        };
        for filter in &filters {
            let energy: f64 = filter.weights.iter().enumerate().map(|(i, w)| w * power(filter.first + i)).sum();
            out.push(energy.max(FLOOR).ln() as f32);
        }
    }
    out
}

/// A symmetric Hann window to the power of 0.85.
fn povey_window() -> Vec<f64> {
    (0..FRAME).map(|i| (0.5 - 0.5 * (2.0 * PI * i as f64 / (FRAME - 1) as f64).cos()).powf(0.85)).collect()
}

/// A triangular filter: its weights from bin `first` on.
struct Filter {
    first: usize,
    weights: Vec<f64>,
}

fn mel(hertz: f64) -> f64 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

/// Triangles that are straight on the mel axis.
fn mel_filters() -> Vec<Filter> {
    let (low, high) = (mel(LOW), mel(HIGH));
    let edge = |i: usize| low + (high - low) * i as f64 / (BINS + 1) as f64;
    let bins: Vec<f64> = (0..=FFT / 2).map(|k| mel(k as f64 * RATE as f64 / FFT as f64)).collect();
    (0..BINS)
        .map(|i| {
            let (left, centre, right) = (edge(i), edge(i + 1), edge(i + 2));
            let weight = |m: f64| ((m - left) / (centre - left)).min((right - m) / (right - centre)).max(0.0);
            let first = bins.iter().position(|m| *m > left).unwrap_or(0);
            let weights = bins[first..].iter().take_while(|m| **m < right).map(|m| weight(*m)).collect();
            Filter { first, weights }
        })
        .collect()
}

fn mean(fbank: &[f32], bin: usize) -> f64 {
    let column = fbank.iter().skip(bin).step_by(BINS);
    column.map(|v| f64::from(*v)).sum::<f64>() / (fbank.len() / BINS).max(1) as f64
}

fn remove_mean(fbank: &mut [f32]) {
    for bin in 0..BINS {
        let mean = mean(fbank, bin);
        fbank.iter_mut().skip(bin).step_by(BINS).for_each(|v| *v = (f64::from(*v) - mean) as f32);
    }
}

/// Zero mean and unit sample variance of each bin.
fn normalise(fbank: &mut [f32]) {
    let count = fbank.len() / BINS;
    for bin in 0..BINS {
        let mean = mean(fbank, bin);
        let squares: f64 = fbank.iter().skip(bin).step_by(BINS).map(|v| (f64::from(*v) - mean).powi(2)).sum();
        let deviation = (squares / (count.max(2) - 1) as f64 + 1e-7).sqrt();
        let scale = |v: &mut f32| *v = ((f64::from(*v) - mean) / deviation) as f32;
        fbank.iter_mut().skip(bin).step_by(BINS).for_each(scale);
    }
}
