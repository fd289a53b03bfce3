//! Samples to the bytes of an answer.
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::audio::encode::Encoding;
use crate::audio::wav;

/// Formats that OpenAI's API names. What cannot be made is known, so that the refusal can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Wav,
    /// 16-bit little-endian samples at the model's rate, mono.
    Pcm,
    Flac,
    Mp3,
    Opus,
    Aac,
}

impl Format {
    /// Refuses what cannot be made.
    pub fn check(self, stream: bool) -> Result<Self, ApiError> {
        let name = format!("{self:?}").to_lowercase();
        let refused = |why: String| Err(ApiError::invalid("response_format", why));
        match (self, self.encoding()) {
            (Self::Wav | Self::Pcm, _) => Ok(self),
            (_, None) => refused(format!("{name} is not made here; use wav, pcm or flac")),
            (_, Some(encoding)) if !encoding.is_available() => {
                let feature = encoding.name();
                refused(format!("{name} needs a server built with `--features {feature}`; use wav, pcm or flac"))
            }
            _ if stream => refused(format!("{name} is not streamed here; use wav or pcm")),
            _ => Ok(self),
        }
    }

    /// The kind of file, for those that the library knows.
    fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Wav => Some(Encoding::Wav),
            Self::Flac => Some(Encoding::Flac),
            Self::Mp3 => Some(Encoding::Mp3),
            Self::Opus => Some(Encoding::Opus),
            Self::Pcm | Self::Aac => None,
        }
    }

    pub fn media_type(self, rate: u32) -> String {
        match self {
            Self::Wav => "audio/wav".into(),
            Self::Pcm => format!("audio/pcm;rate={rate};channels=1"),
            Self::Flac => "audio/flac".into(),
            Self::Mp3 => "audio/mpeg".into(),
            Self::Opus => "audio/ogg".into(),
            Self::Aac => "audio/aac".into(),
        }
    }

    /// A whole speech.
    pub fn encode(self, samples: &[f32], rate: u32) -> Result<Vec<u8>, ApiError> {
        match self.encoding() {
            Some(encoding) => Ok(encoding.encode(samples, rate)?),
            None if self == Self::Pcm => Ok(pcm(samples)),
            None => self.check(false).and(Err(ApiError::internal())),
        }
    }

    /// What precedes the samples of a stream.
    pub fn header(self, rate: u32) -> Vec<u8> {
        match self {
            Self::Wav => wav::endless_header(rate),
            _ => Vec::new(),
        }
    }
}

/// 16-bit little-endian samples.
pub fn pcm(samples: &[f32]) -> Vec<u8> {
    wav::pcm16_bytes(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header differs from a finished file's in the two lengths only.
    #[test]
    fn a_streamed_wav_has_the_header_of_a_file() {
        let mut file = Format::Wav.encode(&[0.5, -0.5], 22_050).unwrap();
        let streamed = Format::Wav.header(22_050);
        file[4..8].fill(0xff);
        file[40..44].fill(0xff);
        assert_eq!(streamed, file[..44]);
        assert_eq!(pcm(&[0.5, -0.5]), file[44..]);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        for format in [Format::Mp3, Format::Opus, Format::Aac] {
            let Err(error) = format.check(false) else { continue };
            assert!(error.details.message.contains("wav, pcm or flac"));
            assert!(error.is_clients());
        }
        assert!(Format::Aac.check(false).is_err());
        assert_eq!(Format::Mp3.check(false).is_ok(), cfg!(feature = "mp3"));
        assert_eq!(Format::Opus.check(false).is_ok(), cfg!(feature = "opus"));
        for format in [Format::Flac, Format::Mp3, Format::Opus] {
            assert!(format.check(true).is_err());
        }
    }
}
