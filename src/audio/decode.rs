//! Reference clips from audio files: wav, aiff, flac, mp3, ogg vorbis, m4a (aac, alac) and mkv, any rate, any number of
//! channels.
//!
//! Files are read in a stream that ends once enough is decoded, so a recording of hours costs no more than a short one.
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::resample;
use crate::{Error, Result};

/// Shortest usable clip, seconds.
const SHORTEST: f64 = 0.5;
/// Peaks below this (-60 dB of full scale) are silence.
const SILENCE: f32 = 1e-3;
/// Rates of recordings of speech; anything else is a damaged header.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;
/// Decoded beyond the limit, so that the resampling filter sees the same neighbours as in the whole file; seconds.
pub(super) const MARGIN: f64 = 0.1;

/// A reference clip as it was recorded, mixed to mono.
#[derive(Debug, Clone)]
pub struct ReferenceAudio {
    /// From -1 to 1.
    samples: Vec<f32>,
    /// Hz.
    rate: u32,
}

impl ReferenceAudio {
    /// Checks samples that come from elsewhere; `origin` names them in messages.
    pub fn new(samples: Vec<f32>, rate: u32, origin: &str) -> Result<Self> {
        let wrong = |what: String, hint: &str| Error::Audio { origin: origin.into(), what, hint: hint.into() };
        if !RATES.contains(&rate) {
            return Err(wrong(format!("a sample rate of {rate} Hz"), "expected 4000 to 768000 Hz"));
        }
        if let Some(bad) = samples.iter().position(|s| !s.is_finite()) {
            return Err(wrong(
                format!("sample {bad} is not a number"),
                "the file is damaged, record or convert it again",
            ));
        }
        let seconds = samples.len() as f64 / f64::from(rate);
        if seconds < SHORTEST {
            let hint = "use at least half a second, better 5 to 15 seconds of clean speech";
            return Err(wrong(format!("only {seconds:.2} s of audio"), hint));
        }
        let peak = samples.iter().fold(0f32, |peak, s| peak.max(s.abs()));
        if peak < SILENCE {
            let hint = "use a clip in which somebody speaks";
            return Err(wrong(format!("the clip is silent (peak {peak:.1e} of full scale)"), hint));
        }
        Ok(Self { samples, rate })
    }

    /// Samples as recorded, mono.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Recorded rate, Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// The clip at another rate.
    pub fn resampled(&self, rate: u32) -> Vec<f32> {
        resample::high_quality(&self.samples, self.rate, rate)
    }
}

/// The first `seconds` of an audio file (and a little more, for the resampling filter).
pub fn load_reference(path: &Path, seconds: usize) -> Result<ReferenceAudio> {
    let origin = path.display().to_string();
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    let wrong = |what: &str, hint: &str| Error::Audio { origin: origin.clone(), what: what.into(), hint: hint.into() };
    if metadata.is_dir() {
        return Err(wrong("is a directory", "name an audio file"));
    }
    if metadata.len() == 0 {
        return Err(wrong("the file is empty", "record or copy it again"));
    }
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    decode(Box::new(file), extension.as_deref(), &origin, seconds)
}

/// As [`load_reference`], from a file's contents; `origin` names them in messages.
pub fn reference_from_bytes(bytes: Vec<u8>, origin: &str, seconds: usize) -> Result<ReferenceAudio> {
    decode(Box::new(std::io::Cursor::new(bytes)), None, origin, seconds)
}

fn decode(
    source: Box<dyn MediaSource>,
    extension: Option<&str>,
    origin: &str,
    seconds: usize,
) -> Result<ReferenceAudio> {
    // Decoders of a dozen formats read bytes that anybody may have written; a defect in one of them is this clip's
    // problem, not the process's.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_stream(source, extension, seconds)));
    let failed = |what: String| Error::Audio {
        origin: origin.into(),
        what,
        hint: "use wav, flac, mp3, ogg vorbis or m4a; `ffmpeg -i FILE clip.wav` converts anything else".into(),
    };
    let (samples, rate) = decoded.map_err(|_| failed("the decoder failed on damaged data".into()))?.map_err(failed)?;
    ReferenceAudio::new(samples, rate, origin)
}

fn decode_stream(
    source: Box<dyn MediaSource>,
    extension: Option<&str>,
    seconds: usize,
) -> std::result::Result<(Vec<f32>, u32), String> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| format!("not an audio file that can be read ({e})"))?;
    let track = format.default_track(TrackType::Audio).ok_or("holds no audio track")?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or("the audio track has no description")?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|e| format!("its codec is not supported ({e})"))?;

    let (mut mono, mut rate, mut interleaved) = (Vec::new(), 0, Vec::<f32>::new());
    let mut damaged = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) | Err(DecodeError::ResetRequired) => break,
            // A file that is cut off is used as far as it goes.
            Err(e) => {
                damaged = Some(e.to_string());
                break;
            }
        };
        if packet.track_id != id {
            continue;
        }
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(e @ (DecodeError::DecodeError(_) | DecodeError::IoError(_))) => {
                damaged = Some(e.to_string());
                continue;
            }
            Err(e) => {
                damaged = Some(e.to_string());
                break;
            }
        };
        let (spec_rate, channels) = (buffer.spec().rate(), buffer.num_planes());
        if rate == 0 {
            rate = spec_rate;
        }
        if spec_rate != rate || channels == 0 {
            damaged = Some("the sample rate changes in the middle".into());
            break;
        }
        interleaved.clear();
        buffer.copy_to_vec_interleaved(&mut interleaved);
        mono.extend(interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32));
        let limit = (seconds as f64 + MARGIN) * f64::from(rate);
        if mono.len() as f64 >= limit {
            mono.truncate(limit as usize);
            break;
        }
    }
    match damaged {
        Some(what) if mono.is_empty() => Err(format!("nothing could be decoded ({what})")),
        Some(what) => {
            tracing::warn!("the clip is damaged ({what}); {} samples before that are used", mono.len());
            Ok((mono, rate))
        }
        None if mono.is_empty() => Err("holds no samples".into()),
        None => Ok((mono, rate)),
    }
}
