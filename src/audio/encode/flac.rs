//! FLAC of 16 bits (RFC 9639).
use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr;
use flacenc::error::Verify;

use crate::audio::wav;

pub fn encode(samples: &[f32], rate: u32) -> Result<Vec<u8>, String> {
    let config = flacenc::config::Encoder::default().into_verified().map_err(|(_, e)| e.to_string())?;
    let samples: Vec<i32> = wav::pcm16(samples).into_iter().map(i32::from).collect();
    let source = flacenc::source::MemSource::from_samples(&samples, 1, 16, rate as usize);
    let block = config.block_size;
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, block).map_err(|e| e.to_string())?;
    // The last block, which may be shorter, does not count (RFC 9639, 8.2): readers would take the blocks for variable.
    stream.stream_info_mut().set_block_sizes(block, block).map_err(|e| e.to_string())?;
    let mut sink = ByteSink::new();
    stream.write(&mut sink).map_err(|e| e.to_string())?;
    Ok(sink.as_slice().to_vec())
}
