//! How good a recording is as a reference, and its best part.
//!
//! Speech is told from pauses by energy alone: frames well above the quietest ones. That needs no model, and is enough to
//! find the part in which most is said.
use super::decode::{MARGIN, ReferenceAudio};
use crate::Result;

/// Seconds of a recording that are searched for its best part.
pub const SEARCHED: usize = 300;
/// Length of a frame, seconds.
const FRAME: f64 = 0.02;
/// Samples at least this large count as full scale.
const FULL_SCALE: f32 = 0.999;
/// Share of samples at full scale from which a clip is audibly distorted.
const CLIPPED: f64 = 1e-3;
/// Ratio of speech to noise below which the noise becomes part of the voice, dB.
const NOISY: f64 = 15.0;
/// Speech that a good clip has at least, seconds.
const LITTLE: f64 = 3.0;
/// Share of the frames, the quietest, that are taken for noise; and of those, the loudest, that are taken for speech.
const EXTREMES: f64 = 0.1;
/// Power of digital silence, -120 dB: the ratio to nothing has no meaning.
const SILENCE: f64 = 1e-12;

/// What was measured on a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipQuality {
    /// Share of the samples at full scale, 0 to 1.
    pub clipped: f64,
    /// Estimated ratio of speech to noise, dB.
    pub snr: f64,
    /// Seconds of speech, pauses left out.
    pub speech: f64,
}

impl ClipQuality {
    pub fn of(audio: &ReferenceAudio) -> Self {
        let frames = Frames::of(audio);
        let samples = audio.samples();
        let clipped = samples.iter().filter(|s| s.abs() >= FULL_SCALE).count() as f64 / samples.len().max(1) as f64;
        let (noise, speech) = frames.levels();
        let active = frames.active();
        Self {
            clipped,
            snr: 10.0 * ((speech - noise).max(SILENCE) / noise).log10(),
            speech: active.iter().filter(|active| **active).count() as f64 * FRAME,
        }
    }

    /// What makes the recording a poor reference, with the measured values.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.clipped > CLIPPED {
            let percent = 100.0 * self.clipped;
            warnings
                .push(format!("{percent:.1} % of the clip is at full scale: it is distorted; record it more quietly"));
        }
        if self.snr < NOISY {
            let snr = self.snr;
            warnings.push(format!(
                "speech is only {snr:.0} dB above the noise: the voice will be noisy; use a cleaner clip"
            ));
        }
        if self.speech < LITTLE {
            let speech = self.speech;
            warnings.push(format!("only {speech:.1} s of the clip are speech: 5 to 15 seconds are better"));
        }
        warnings
    }
}

/// The `seconds` of `audio` with the most speech (and a little more, for the resampling filter), beginning in a pause if
/// there is one; all of it if it is no longer. `origin` names it in messages.
pub fn best_part(audio: ReferenceAudio, seconds: usize, origin: &str) -> Result<ReferenceAudio> {
    let rate = f64::from(audio.rate());
    if audio.samples().len() as f64 <= (seconds as f64 + MARGIN) * rate {
        return Ok(audio);
    }
    let frames = Frames::of(&audio);
    let active = frames.active();
    let window = (seconds as f64 / FRAME).round() as usize;
    // Speech before each frame, so that every window costs two look-ups.
    let mut before = vec![0usize];
    before.extend(active.iter().scan(0, |sum, active| {
        *sum += usize::from(*active);
        Some(*sum)
    }));
    let amount = |start: usize| before.get(start + window).zip(before.get(start)).map_or(0, |(end, start)| end - start);
    let starts = || 0..=active.len().saturating_sub(window);
    let in_pause = |start: &usize| *start == 0 || active.get(*start) == Some(&false);
    // The first of the best: `max_by_key` would take the last.
    let best = starts().filter(in_pause).rev().max_by_key(|start| amount(*start)).unwrap_or(0);
    let start = best * frames.length;
    let end = start + ((seconds as f64 + MARGIN) * rate) as usize;
    let samples = audio.samples();
    let part = samples.get(start..end.min(samples.len())).unwrap_or(samples).to_vec();
    ReferenceAudio::new(part, audio.rate(), origin)
}

/// Mean power of consecutive frames.
struct Frames {
    power: Vec<f64>,
    /// Samples of a frame.
    length: usize,
}

impl Frames {
    fn of(audio: &ReferenceAudio) -> Self {
        let length = ((f64::from(audio.rate()) * FRAME).round() as usize).max(1);
        let power = |frame: &[f32]| frame.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / length as f64;
        Self { power: audio.samples().chunks_exact(length).map(power).collect(), length }
    }

    /// Mean power of the quietest and of the loudest frames.
    fn levels(&self) -> (f64, f64) {
        let mut sorted = self.power.clone();
        sorted.sort_by(f64::total_cmp);
        let count = ((sorted.len() as f64 * EXTREMES) as usize).max(1).min(sorted.len());
        let mean = |frames: &[f64]| frames.iter().sum::<f64>() / frames.len().max(1) as f64;
        let (quiet, loud) = (sorted.get(..count).unwrap_or(&[]), sorted.get(sorted.len() - count..).unwrap_or(&[]));
        (mean(quiet).max(SILENCE), mean(loud).max(SILENCE))
    }

    /// Which frames are speech: those nearer, in dB, to the loudest than to the quietest.
    fn active(&self) -> Vec<bool> {
        let (noise, speech) = self.levels();
        let threshold = (noise * speech).sqrt().max(speech * 1e-3);
        self.power.iter().map(|power| *power > threshold).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    /// White noise of a mean power, from a small generator.
    fn noise(seconds: f64, power: f64) -> Vec<f32> {
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0
        };
        // A uniform value from -1 to 1 has power 1/3.
        (0..(seconds * f64::from(RATE)) as usize).map(|_| (uniform() * (3.0 * power).sqrt()) as f32).collect()
    }

    fn clip(samples: Vec<f32>) -> ReferenceAudio {
        ReferenceAudio::new(samples, RATE, "test").unwrap()
    }

    /// Half a second of a tone, half a second of a pause, and so on.
    fn bursts(seconds: f64, amplitude: f64) -> Vec<f32> {
        let on = |t: f64| t.fract() < 0.5;
        let tone = |t: f64| (amplitude * (2.0 * std::f64::consts::PI * 200.0 * t).sin()) as f32;
        let times = (0..(seconds * f64::from(RATE)) as usize).map(|i| i as f64 / f64::from(RATE));
        times.map(|t| if on(t) { tone(t) } else { 0.0 }).collect()
    }

    #[test]
    fn the_ratio_of_speech_to_noise_is_estimated() {
        for want in [5.0, 10.0, 20.0, 40.0] {
            let speech_power = 0.25f64.powi(2) / 2.0;
            let noise = noise(10.0, speech_power / 10f64.powf(want / 10.0));
            let mixed = bursts(10.0, 0.25).iter().zip(&noise).map(|(a, b)| a + b).collect();
            let quality = ClipQuality::of(&clip(mixed));
            assert!((quality.snr - want).abs() < 2.0, "{want} dB: {quality:?}");
            assert!((quality.speech - 5.0).abs() < 0.3, "{want} dB: {quality:?}");
            assert_eq!(quality.warnings().len(), usize::from(want < 15.0), "{:?}", quality.warnings());
        }
    }

    #[test]
    fn samples_at_full_scale_are_counted() {
        let mut samples = bursts(10.0, 0.5);
        samples[..1600].fill(1.0);
        let quality = ClipQuality::of(&clip(samples));
        assert_eq!(quality.clipped, 0.01);
        assert!(quality.warnings()[0].contains("1.0 %"));
    }

    #[test]
    fn the_part_with_the_most_speech_is_taken_from_a_pause_on() {
        let silence = |seconds| noise(seconds, 1e-8);
        let samples = [silence(20.0), bursts(15.0, 0.5), silence(30.0)].concat();
        let part = best_part(clip(samples), 15, "test").unwrap();
        assert_eq!(part.samples().len(), (15.1 * f64::from(RATE)) as usize);
        let quality = ClipQuality::of(&part);
        assert!((quality.speech - 7.5).abs() < 0.1, "{quality:?}");
        assert!(part.samples()[0].abs() < 1e-3);
    }

    #[test]
    fn a_short_clip_is_left_alone() {
        let samples = bursts(10.0, 0.5);
        assert_eq!(best_part(clip(samples.clone()), 15, "test").unwrap().samples(), samples);
    }
}
