//! Clean ends: what a model leaves behind its last word, and how loud the whole is.
use std::f32::consts::PI;

/// Below the loudest frame of a segment by this much, in decibels, a frame is silent.
const SILENT: f32 = 45.0;
/// Silence that is kept behind the last sound, in seconds.
const KEPT: f32 = 0.15;
/// A sound this short, in seconds, behind a silence of [`APART`] is a stray code, not speech.
const STRAY: f32 = 0.07;
const APART: f32 = 0.25;

/// Frames of a segment that are to be heard, of `levels` in decibels (one a frame, `rate` frames a second): without the
/// silence at its end and without a blip behind it. Silence in the middle stays.
pub fn audible(levels: &[f32], rate: f32) -> usize {
    let frames = |seconds: f32| (seconds * rate).round() as usize;
    let loudest = levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let loud = |level: &f32| *level > loudest - SILENT;
    let Some(mut last) = levels.iter().rposition(loud) else { return levels.len() };
    let quiet_before = |end: usize| levels[..end].iter().rposition(|level| !loud(level)).map_or(0, |at| at + 1);
    let begin = quiet_before(last + 1);
    if begin > 0
        && last + 1 - begin <= frames(STRAY)
        && let Some(before) = levels[..begin].iter().rposition(loud)
        && begin - 1 - before >= frames(APART)
    {
        last = before;
    }
    (last + 1 + frames(KEPT)).min(levels.len())
}

/// Lets the last `length` samples die away along half a cosine.
pub fn fade_out(samples: &mut [f32], length: usize) {
    let from = samples.len().saturating_sub(length);
    let tail = &mut samples[from..];
    let length = tail.len() as f32;
    for (i, sample) in tail.iter_mut().enumerate() {
        *sample *= 0.5 + 0.5 * (PI * (i as f32 + 1.0) / length).cos();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of runs: how many frames of 10 ms, and how loud.
    fn levels(runs: &[(usize, f32)]) -> Vec<f32> {
        runs.iter().flat_map(|&(count, level)| vec![level; count]).collect()
    }

    #[test]
    fn silence_and_blips_behind_the_speech_go() {
        for (runs, want) in [
            // Nothing to cut.
            (&[(100, -10.0)][..], 100),
            // Silence at the end, down to what is kept of it.
            (&[(100, -10.0), (80, -90.0)], 115),
            (&[(100, -10.0), (10, -90.0)], 110),
            // A blip behind a long silence.
            (&[(100, -10.0), (40, -90.0), (5, -20.0), (10, -90.0)], 115),
            // A blip that is near, or long, is speech.
            (&[(100, -10.0), (20, -90.0), (5, -20.0), (30, -90.0)], 140),
            (&[(100, -10.0), (40, -90.0), (12, -20.0)], 152),
            // Silence in the middle stays.
            (&[(50, -10.0), (60, -90.0), (50, -10.0)], 160),
            (&[(9, -10.0)], 9),
        ] {
            assert_eq!(audible(&levels(runs), 100.0), want, "{runs:?}");
        }
        assert_eq!(audible(&[], 100.0), 0);
    }

    #[test]
    fn a_fade_ends_in_silence_and_leaves_the_rest() {
        let mut samples = vec![1.0; 10];
        fade_out(&mut samples, 4);
        assert_eq!(samples[..6], [1.0; 6]);
        assert!(samples[6..].windows(2).all(|w| w[1] < w[0]));
        assert!(samples[9].abs() < 1e-6);
        let mut short = vec![1.0; 2];
        fade_out(&mut short, 100);
        assert!(short[1].abs() < 1e-6);
    }
}
