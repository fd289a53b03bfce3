//! Sample-rate conversion by windowed-sinc interpolation at a rational ratio.
//!
//! Two filters share one implementation: the Hann-windowed one of torchaudio's defaults, which the reference applies
//! between its two speaker rates and which must be matched exactly, and a Kaiser-windowed one of high quality for the
//! conversion from a file's own rate, where the reference uses soxr's HQ setting. Own code, because both have to place
//! the output exactly on the input's time axis: rubato's filters delay by a fraction of a sample that it cannot remove.
use std::f64::consts::PI;

/// Converts `samples` as `torchaudio.functional.resample` does by default: Hann window of 6 zero crossings, cut-off at
/// 0.99 of the lower Nyquist frequency. Output: `ceil(n * to / from)` samples.
pub fn sinc_hann(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    const CROSSINGS: f64 = 6.0;
    let window = |t: f64| (PI * t / CROSSINGS / 2.0).cos().powi(2);
    convert(samples, from, to, &Filter { crossings: CROSSINGS, cut_off: 0.99, window: &window })
}

/// Converts `samples` with a pass band of 0.91 of the lower Nyquist frequency and 120 dB of attenuation above it.
/// Output: `ceil(n * to / from)` samples, on the same time axis.
pub fn high_quality(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    const ATTENUATION: f64 = 120.0;
    /// End of the pass band and start of the stop band, in lower Nyquist frequencies.
    const PASS: f64 = 0.912;
    const STOP: f64 = 1.0;
    let beta = 0.1102 * (ATTENUATION - 8.7);
    let cut_off = (PASS + STOP) / 2.0;
    // Kaiser's estimate of the length; zero crossings are counted at the cut-off.
    let length = (ATTENUATION - 7.95) / (14.36 * (STOP - PASS) / 2.0);
    let crossings = (length / 2.0 * cut_off).ceil();
    let scale = bessel_i0(beta).recip();
    let window = |t: f64| bessel_i0(beta * (1.0 - (t / crossings).powi(2)).max(0.0).sqrt()) * scale;
    convert(samples, from, to, &Filter { crossings, cut_off, window: &window })
}

struct Filter<'a> {
    /// Half-width in zero crossings of the sinc.
    crossings: f64,
    /// In lower Nyquist frequencies.
    cut_off: f64,
    /// Weight at a distance from the centre, in zero crossings.
    window: &'a dyn Fn(f64) -> f64,
}

fn convert(samples: &[f32], from: u32, to: u32, filter: &Filter<'_>) -> Vec<f32> {
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    let divisor = gcd(from, to);
    let (from, to) = ((from / divisor) as usize, (to / divisor) as usize);
    // Zero crossings per input sample.
    let base = from.min(to) as f64 * filter.cut_off / from as f64;
    let half = (filter.crossings / base).ceil() as isize;
    // One row of taps per output phase; row p is centred at input time p * from / to.
    let kernel = |phase: usize| -> Vec<f32> {
        let offset = (phase * from % to) as f64 / to as f64;
        (-half..=half + 1)
            .map(|tap| {
                let t = ((tap as f64 - offset) * base).clamp(-filter.crossings, filter.crossings);
                let sinc = if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) };
                (sinc * (filter.window)(t) * base) as f32
            })
            .collect()
    };
    let count = (samples.len() * to).div_ceil(from);
    let kernels: Vec<Vec<f32>> = (0..to.min(count)).map(kernel).collect();
    (0..count)
        .map(|i| {
            let first = (i * from / to) as isize - half;
            let taps = &kernels[i % to];
            let skip = (-first).max(0) as usize;
            let start = (first + skip as isize) as usize;
            let sum = taps.iter().skip(skip).zip(samples.iter().skip(start));
            sum.map(|(tap, sample)| f64::from(*tap) * f64::from(*sample)).sum::<f64>() as f32
        })
        .collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..200 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}
