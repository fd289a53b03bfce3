//! Opus (RFC 6716, by libopus) in Ogg (RFC 7845).
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use opusic_c::{Application, Bitrate, Channels, Encoder, ErrorCode, SampleRate};

use crate::audio::resample::high_quality;

/// Rate of the codec and of the positions in the file, Hz; the samples are converted to it.
const RATE: u32 = 48_000;
/// 20 ms.
const FRAME: usize = 960;
/// Longest packet that one such frame may have, bytes (RFC 6716, 3.2.1).
const MAX_PACKET: usize = 1275;
/// A page a second at least, so that players can seek.
const PACKETS_PER_PAGE: usize = 50;
const BITS_PER_SECOND: u32 = 48_000;
/// A file has one logical stream, so that any number will do; a fixed one keeps equal speech equal bytes.
const SERIAL: u32 = 1;

pub fn encode(samples: &[f32], rate: u32) -> Result<Vec<u8>, String> {
    let codec = |e: ErrorCode| e.message().to_string();
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Audio).map_err(codec)?;
    encoder.set_bitrate(Bitrate::Value(BITS_PER_SECOND)).map_err(codec)?;
    let skip = encoder.get_look_ahead().map_err(codec)?;
    let skip = u16::try_from(skip).map_err(|_| format!("a delay of {skip} samples does not fit the header"))?;

    let mut samples = high_quality(samples, rate, RATE);
    let end = u64::from(skip) + samples.len() as u64;
    let packets = (end as usize).div_ceil(FRAME).max(1);
    samples.resize(packets * FRAME, 0.0);

    let io = |e: std::io::Error| e.to_string();
    let mut writer = PacketWriter::new(Vec::new());
    writer.write_packet(head(skip, rate), SERIAL, PacketWriteEndInfo::EndPage, 0).map_err(io)?;
    writer.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0).map_err(io)?;
    let mut packet = [0; MAX_PACKET];
    for (index, frame) in samples.chunks_exact(FRAME).enumerate() {
        let length = encoder.encode_float_to_slice(frame, &mut packet).map_err(codec)?;
        let info = match index + 1 {
            n if n == packets => PacketWriteEndInfo::EndStream,
            n if n % PACKETS_PER_PAGE == 0 => PacketWriteEndInfo::EndPage,
            _ => PacketWriteEndInfo::NormalPacket,
        };
        // The last position is before the end of its packet: so much of it is padding (RFC 7845, 4.4).
        let position = end.min(((index + 1) * FRAME) as u64);
        writer.write_packet(packet[..length].to_vec(), SERIAL, info, position).map_err(io)?;
    }
    Ok(writer.into_inner())
}

/// The identification header (RFC 7845, 5.1): one channel, no gain.
fn head(skip: u16, rate: u32) -> Vec<u8> {
    const VERSION: u8 = 1;
    const CHANNELS: u8 = 1;
    let mut head = b"OpusHead".to_vec();
    head.extend([VERSION, CHANNELS]);
    head.extend(skip.to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// The comment header (RFC 7845, 5.2): who wrote it, and no comments.
fn tags() -> Vec<u8> {
    let vendor = concat!("indextts ", env!("CARGO_PKG_VERSION"));
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor.as_bytes());
    tags.extend(0u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ogg::PacketReader;
    use opusic_c::Decoder;

    use super::super::chirp::{chirp, ratio};
    use super::*;

    /// As libopus decodes it again, skipping and cutting what the headers say.
    #[test]
    fn a_decoder_finds_the_samples_again() {
        for (rate, seconds) in [(22_050, 2.0), (24_000, 1.234), (22_050, 0.001)] {
            let samples = chirp(rate, seconds);
            let mut reader = PacketReader::new(Cursor::new(encode(&samples, rate).unwrap()));
            let head = reader.read_packet_expected().unwrap();
            assert!(head.first_in_stream() && head.last_in_page());
            assert_eq!(head.data[..10], *b"OpusHead\x01\x01");
            assert_eq!(head.data[12..], [&rate.to_le_bytes()[..], &[0; 3]].concat());
            let skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
            let tags = reader.read_packet_expected().unwrap();
            assert!(tags.last_in_page() && tags.data.starts_with(b"OpusTags"));

            let mut decoder = Decoder::new(Channels::Mono, SampleRate::Hz48000).unwrap();
            let (mut decoded, mut end) = (Vec::new(), 0);
            while let Some(packet) = reader.read_packet().unwrap() {
                let mut frame = [0.0; FRAME];
                assert_eq!(decoder.decode_float_to_slice(&packet.data, &mut frame, false).unwrap(), FRAME);
                decoded.extend(frame);
                assert!(decoded.len() - end <= (PACKETS_PER_PAGE + 1) * FRAME);
                if packet.last_in_page() {
                    end = packet.absgp_page() as usize;
                }
                assert_eq!(packet.last_in_stream(), end < decoded.len() && packet.last_in_page());
            }
            let wanted = high_quality(&samples, rate, RATE);
            assert_eq!(end - skip, wanted.len());
            if seconds > 1.0 {
                // In what it takes for speech the codec delays the sound by a fraction of a sample or two more.
                let inner = &wanted[2..wanted.len() - 2];
                let best = (0..4).map(|shift| ratio(inner, &decoded[skip + shift..][..inner.len()]));
                let best = best.fold(f64::MIN, f64::max);
                assert!(best > 8.0, "{rate} Hz: {best:.1} dB");
            }
        }
    }
}
