//! MP3 by LAME.
use std::num::NonZeroU32;

use mp3lame_encoder::{Bitrate, Builder, FlushNoGap, Mode, MonoPcm, Quality, max_required_buffer_size};

pub fn encode(samples: &[f32], rate: u32) -> Result<Vec<u8>, String> {
    let said = |e: mp3lame_encoder::BuildError| format!("{rate} Hz: {e}");
    let mut encoder = Builder::new()
        .ok_or("LAME cannot be started")?
        .with_num_channels(1)
        .and_then(|builder| builder.with_sample_rate(rate))
        .and_then(|builder| builder.with_output_sample_rate(NonZeroU32::new(rate)))
        .and_then(|builder| builder.with_mode(Mode::Mono))
        .and_then(|builder| builder.with_brate(Bitrate::Kbps96))
        .and_then(|builder| builder.with_quality(Quality::Good))
        .and_then(|builder| builder.with_to_write_vbr_tag(true))
        .and_then(Builder::build)
        .map_err(said)?;
    let said = |e: mp3lame_encoder::EncodeError| e.to_string();
    // Room for a last, padded frame too.
    let mut bytes = Vec::with_capacity(max_required_buffer_size(samples.len()) + 7200);
    encoder.encode_to_vec(MonoPcm(samples), &mut bytes).map_err(said)?;
    encoder.flush_to_vec::<FlushNoGap>(&mut bytes).map_err(said)?;
    // The first frame was kept free for the tag, which tells decoders what of the ends is padding.
    let mut tag = Vec::with_capacity(encoder.lame_tag_size());
    if encoder.lame_tag_encode_to_vec(&mut tag).is_some()
        && let Some(place) = bytes.get_mut(..tag.len())
    {
        place.copy_from_slice(&tag);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::chirp::{chirp, ratio};
    use crate::audio::decode::load_reference;

    /// As symphonia decodes it again.
    #[test]
    fn a_decoder_finds_the_samples_again() {
        for rate in [22_050, 24_000] {
            let samples = chirp(rate, 2.0);
            let mut file = tempfile::Builder::new().suffix(".mp3").tempfile().unwrap();
            std::io::Write::write_all(&mut file, &super::encode(&samples, rate).unwrap()).unwrap();
            let decoded = load_reference(file.path(), 15).unwrap();
            assert_eq!(decoded.rate(), rate);
            let decoded = decoded.samples();
            // Decoders that know the tag cut the padding; others begin up to three frames of 576 samples late.
            let length = samples.len() - 2000;
            let best = (0..1800).map(|shift| ratio(&samples[..length], &decoded[shift..])).fold(f64::MIN, f64::max);
            assert!(best > 20.0, "{rate} Hz: {best:.1} dB");
            assert!(decoded.len().abs_diff(samples.len()) < 4 * 576, "{} samples", decoded.len());
        }
    }
}
