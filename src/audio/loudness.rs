//! Loudness after ITU-R BS.1770 and EBU R 128.
use ebur128::{EbuR128, Mode};

use crate::{Error, Result};

/// Highest peak after a change of loudness, of full scale: -1 dB.
const PEAK: f32 = 0.891;

/// Integrated loudness of mono `samples`, LUFS; none for what is too short or too quiet to have one.
pub fn integrated(samples: &[f32], rate: u32) -> Option<f64> {
    let mut meter = EbuR128::new(1, rate, Mode::I).ok()?;
    meter.add_frames_f32(samples).ok()?;
    meter.loudness_global().ok().filter(|loudness| loudness.is_finite())
}

/// Whether speech can have `target` LUFS.
///
/// # Errors
/// [`Error::Input`] for a target outside -70 to -5.
pub fn check(target: f64) -> Result<()> {
    match (-70.0..=-5.0).contains(&target) {
        true => Ok(()),
        false => Err(Error::Input {
            name: "loudness".into(),
            got: format!("{target} LUFS"),
            expected: "-70 to -5 LUFS; -16 is usual for speech".into(),
        }),
    }
}

/// Brings `samples` to `target` LUFS, or as near as their peaks allow. What has no loudness stays as it is.
///
/// # Errors
/// As [`check`].
pub fn normalize(samples: &mut [f32], rate: u32, target: f64) -> Result<()> {
    check(target)?;
    let Some(loudness) = integrated(samples, rate) else { return Ok(()) };
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let gain = (10f64.powf((target - loudness) / 20.0) as f32).min(PEAK / peak);
    samples.iter_mut().for_each(|sample| *sample *= gain);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS; one channel alone has 3.01 less.
    fn sine(level: f32) -> Vec<f32> {
        let amplitude = 10f32.powf(level / 20.0);
        (0..5 * 48_000).map(|i| amplitude * (i as f32 * 1000.0 * std::f32::consts::TAU / 48_000.0).sin()).collect()
    }

    #[test]
    fn loudness_is_that_of_the_standard() {
        let loudness = integrated(&sine(-23.0), 48_000).unwrap();
        assert!((loudness + 26.01).abs() < 0.1, "{loudness}");
    }

    #[test]
    fn the_target_is_met_unless_peaks_forbid() {
        let mut samples = sine(-40.0);
        normalize(&mut samples, 48_000, -20.0).unwrap();
        assert!((integrated(&samples, 48_000).unwrap() + 20.0).abs() < 0.1);
        normalize(&mut samples, 48_000, -5.0).unwrap();
        normalize(&mut samples, 48_000, -5.0).unwrap();
        assert!(samples.iter().all(|s| s.abs() <= PEAK + 1e-4));
        let mut silence = vec![0.0; 48_000];
        normalize(&mut silence, 48_000, -16.0).unwrap();
        assert!(silence.iter().all(|s| *s == 0.0));
        assert!(normalize(&mut samples, 48_000, 3.0).is_err());
    }
}
