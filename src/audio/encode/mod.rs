//! Speech as the bytes of an audio file. Every encoder but that of wav is a feature of the build.
#[cfg(feature = "flac")]
mod flac;
#[cfg(feature = "mp3")]
mod mp3;
#[cfg(feature = "opus")]
mod opus;

use std::path::Path;

use super::wav;
use crate::{Error, Result};

/// A kind of audio file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 16-bit PCM.
    Wav,
    /// 16 bits, lossless.
    Flac,
    /// 96 kbit/s at the samples' own rate.
    Mp3,
    /// Opus in Ogg, 48 kbit/s.
    Opus,
}

/// Samples from -1 to 1 of one channel and their rate in Hz, to bytes or what failed.
type Encoder = fn(&[f32], u32) -> Result<Vec<u8>, String>;

impl Encoding {
    /// What the name of a file asks for: wav, unless it ends as those of another kind do.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "flac" => Self::Flac,
            "mp3" => Self::Mp3,
            "opus" | "ogg" => Self::Opus,
            _ => Self::Wav,
        }
    }

    /// Its name, which is also that of the feature it needs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
        }
    }

    /// Whether this build can make it.
    pub fn is_available(self) -> bool {
        self.encoder().is_some()
    }

    /// # Errors
    /// [`Error::Input`] if this build cannot make it.
    pub fn check(self) -> Result<()> {
        self.available().map(drop)
    }

    /// A whole file of one channel.
    ///
    /// # Errors
    /// [`Error::Input`] if this build has no such encoder, [`Error::Generation`] if it fails.
    pub fn encode(self, samples: &[f32], rate: u32) -> Result<Vec<u8>> {
        self.available()?(samples, rate).map_err(|what| Error::Generation {
            stage: "encoder",
            what: format!("{}: {what}", self.name()),
            hint: "write a wav file instead".into(),
        })
    }

    fn available(self) -> Result<Encoder> {
        self.encoder().ok_or_else(|| Error::Input {
            name: "format".into(),
            got: self.name().into(),
            expected: format!(
                "wav: this build has no other encoder of that kind; build it with `--features {}`",
                self.name()
            ),
        })
    }

    fn encoder(self) -> Option<Encoder> {
        match self {
            Self::Wav => Some(wav::encode),
            #[cfg(feature = "flac")]
            Self::Flac => Some(flac::encode),
            #[cfg(feature = "mp3")]
            Self::Mp3 => Some(mp3::encode),
            #[cfg(feature = "opus")]
            Self::Opus => Some(opus::encode),
            #[cfg(not(all(feature = "flac", feature = "mp3", feature = "opus")))]
            _ => None,
        }
    }
}

/// Writes a file of the kind that its name asks for; otherwise as [`wav::write`].
pub fn write(path: &Path, samples: &[f32], rate: u32) -> Result<()> {
    wav::put(path, &Encoding::of(path).encode(samples, rate)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_chooses() {
        for (name, encoding) in [
            ("a.wav", Encoding::Wav),
            ("a.mp3/b", Encoding::Wav),
            ("a", Encoding::Wav),
            ("a.FLAC", Encoding::Flac),
            ("a.b.mp3", Encoding::Mp3),
            ("a.opus", Encoding::Opus),
            ("a.ogg", Encoding::Opus),
        ] {
            assert_eq!(Encoding::of(Path::new(name)), encoding, "{name}");
        }
    }

    #[test]
    fn what_this_build_lacks_names_its_feature() {
        for encoding in [Encoding::Wav, Encoding::Flac, Encoding::Mp3, Encoding::Opus] {
            match encoding.encode(&[0.0; 100], 22_050) {
                Ok(bytes) => assert!(encoding.is_available() && !bytes.is_empty()),
                Err(error) => {
                    assert!(!encoding.is_available());
                    assert!(error.to_string().contains(&format!("--features {}", encoding.name())), "{error}");
                }
            }
        }
    }
}

/// What the tests of lossy encoders share.
#[cfg(all(test, any(feature = "mp3", feature = "opus")))]
mod chirp {
    use std::f64::consts::TAU;

    /// A tone that rises from 200 Hz to 3 kHz, so that no shift but the right one matches.
    pub fn chirp(rate: u32, seconds: f64) -> Vec<f32> {
        let samples = (f64::from(rate) * seconds) as usize;
        let value = |n: usize| {
            let t = n as f64 / f64::from(rate);
            0.5 * (TAU * (200.0 + 1400.0 * t / seconds) * t).sin()
        };
        (0..samples).map(|n| value(n) as f32).collect()
    }

    /// Energy of `reference` over that of its difference from `other`, dB.
    pub fn ratio(reference: &[f32], other: &[f32]) -> f64 {
        let energy = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let difference = energy(&mut reference.iter().zip(other).map(|(a, b)| a - b));
        10.0 * (energy(&mut reference.iter().copied()) / difference).log10()
    }
}
