//! Samples to the bytes of an answer.
use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr;
use flacenc::error::Verify;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::audio::wav;

/// Formats that OpenAI's API names. What cannot be made here is known, so that the refusal can say so.
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
        match self {
            Self::Wav | Self::Pcm => Ok(self),
            Self::Flac if stream => {
                Err(ApiError::invalid("response_format", "flac is not streamed here; use wav or pcm"))
            }
            Self::Flac => Ok(self),
            Self::Mp3 | Self::Opus | Self::Aac => {
                let name = format!("{self:?}").to_lowercase();
                Err(ApiError::invalid("response_format", format!("{name} is not made here; use wav, pcm or flac")))
            }
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
        match self {
            Self::Wav => {
                let mut bytes = Vec::with_capacity(44 + 2 * samples.len());
                wav::write_to(&mut bytes, samples, rate)?;
                Ok(bytes)
            }
            Self::Pcm => Ok(pcm(samples)),
            Self::Flac => flac(samples, rate),
            other => other.check(false).and(Err(ApiError::internal())),
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

fn flac(samples: &[f32], rate: u32) -> Result<Vec<u8>, ApiError> {
    let failed = |what: String| {
        tracing::error!("flac: {what}");
        ApiError::internal()
    };
    let config = flacenc::config::Encoder::default().into_verified().map_err(|(_, e)| failed(e.to_string()))?;
    let samples: Vec<i32> = wav::pcm16(samples).into_iter().map(i32::from).collect();
    let source = flacenc::source::MemSource::from_samples(&samples, 1, 16, rate as usize);
    let block = config.block_size;
    let mut stream =
        flacenc::encode_with_fixed_block_size(&config, source, block).map_err(|e| failed(e.to_string()))?;
    // The last block, which may be shorter, does not count (RFC 9639, 8.2): readers would take the blocks for variable.
    stream.stream_info_mut().set_block_sizes(block, block).map_err(|e| failed(e.to_string()))?;
    let mut sink = ByteSink::new();
    stream.write(&mut sink).map_err(|e| failed(e.to_string()))?;
    Ok(sink.as_slice().to_vec())
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
            let error = format.check(false).unwrap_err();
            assert!(error.details.message.contains("wav, pcm or flac"));
            assert!(error.is_clients());
        }
        assert!(Format::Flac.check(true).is_err());
    }
}
