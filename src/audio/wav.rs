//! 16-bit PCM wav files.
//!
//! Source: pipeline specification 2.9.
use std::io::{Cursor, Write};
use std::path::Path;

use crate::{Error, Result};

/// Samples from -1 to 1 as 16-bit PCM, rounded, as a saved file has them.
pub fn pcm16(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|s| (s.clamp(-1.0, 1.0) * 32_767.0).round() as i16).collect()
}

/// Samples from -1 to 1 as 16-bit PCM, cut towards zero: what the reference returns in memory.
pub fn pcm16_truncated(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|s| (s * 32_767.0).clamp(-32_767.0, 32_767.0) as i16).collect()
}

/// Samples from -1 to 1 as 16-bit little-endian PCM.
pub fn pcm16_bytes(samples: &[f32]) -> Vec<u8> {
    pcm16(samples).into_iter().flat_map(i16::to_le_bytes).collect()
}

/// The header of a mono file whose length is not known yet: both lengths are the largest possible, which players take as
/// "until the stream ends".
pub fn endless_header(rate: u32) -> Vec<u8> {
    const CHANNELS: u16 = 1;
    const BYTES: u16 = 2;
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend(u32::MAX.to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16u32.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(CHANNELS.to_le_bytes());
    header.extend(rate.to_le_bytes());
    header.extend((rate * u32::from(CHANNELS * BYTES)).to_le_bytes());
    header.extend((CHANNELS * BYTES).to_le_bytes());
    header.extend((8 * BYTES).to_le_bytes());
    header.extend(b"data");
    header.extend(u32::MAX.to_le_bytes());
    header
}

/// Writes a mono file. It appears under its name only when it is complete; parent directories are created. A device or
/// a pipe of that name is written to, never replaced.
pub fn write(path: &Path, samples: &[f32], rate: u32) -> Result<()> {
    put(path, &bytes(samples, rate, path)?)
}

/// Writes a mono file to a stream.
pub fn write_to(mut stream: impl Write, samples: &[f32], rate: u32) -> Result<()> {
    let name = Path::new("the output stream");
    let bytes = bytes(samples, rate, name)?;
    stream.write_all(&bytes).and_then(|()| stream.flush()).map_err(Error::io("write to", name))
}

/// Puts a whole file in place, as [`write`] does.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut device = std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?;
        return device.write_all(bytes).and_then(|()| device.flush()).map_err(Error::io("write", path));
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(Error::io("write into", parent))?;
    file.write_all(bytes).and_then(|()| file.flush()).map_err(Error::io("write", path))?;
    readable_by_all(&file);
    file.persist(path).map_err(|e| Error::io("put in place", path)(e.error))?;
    Ok(())
}

/// A mono file, or what is wrong.
pub(super) fn encode(samples: &[f32], rate: u32) -> Result<Vec<u8>, String> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::with_capacity(44 + 2 * samples.len()));
    let written = hound::WavWriter::new(&mut bytes, spec).and_then(|mut writer| {
        pcm16(samples).into_iter().try_for_each(|s| writer.write_sample(s))?;
        writer.finalize()
    });
    written.map(|()| bytes.into_inner()).map_err(|e| e.to_string())
}

fn bytes(samples: &[f32], rate: u32, path: &Path) -> Result<Vec<u8>> {
    encode(samples, rate).map_err(|what| Error::Format { path: path.into(), what, hint: "shorten the text".into() })
}

/// Temporary files are private; a result has the permissions of any other new file.
#[cfg(unix)]
fn readable_by_all(file: &tempfile::NamedTempFile) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn readable_by_all(_file: &tempfile::NamedTempFile) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::FileTypeExt;

    #[test]
    fn a_pipe_is_written_to_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        super::write(&pipe, &[0.5, -0.5], 22_050).unwrap();
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        let bytes = reader.join().unwrap();
        let mut wav = hound::WavReader::new(bytes.as_slice()).unwrap();
        assert_eq!(wav.samples::<i16>().map(|s| s.unwrap()).collect::<Vec<_>>(), [16_384, -16_384]);
    }
}
