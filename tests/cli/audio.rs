//! Reference clips: every format, and everything that can be wrong with one.
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use indextts::Error;
use indextts::audio::decode::{ReferenceAudio, load_reference, reference_from_bytes};
use proptest::prelude::*;

use crate::support::golden;

const LIMIT: usize = 15;

/// One second of two tones in every format; `ffmpeg` made them (see tests/clips/README.md).
fn clip(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clips")).join(name)
}

const CLIPS: [&str; 9] = [
    "tone.wav",
    "tone_8bit_stereo.wav",
    "tone_float.wav",
    "tone.flac",
    "tone.mp3",
    "tone.ogg",
    "tone.m4a",
    "tone_alac.m4a",
    "tone.aiff",
];

/// Amplitude of a tone in the middle of the clip, away from the padding of lossy codecs.
fn amplitude(audio: &ReferenceAudio, hertz: f64) -> f64 {
    let rate = f64::from(audio.rate());
    let middle = &audio.samples()[(0.2 * rate) as usize..(0.8 * rate) as usize];
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in middle.iter().enumerate() {
        let (sin, cos) = (std::f64::consts::TAU * hertz * i as f64 / rate).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    2.0 * (re * re + im * im).sqrt() / middle.len() as f64
}

#[test]
fn every_format_is_read() {
    for name in CLIPS {
        let audio = load_reference(&clip(name), LIMIT).unwrap_or_else(|e| panic!("{name}: {e}"));
        let seconds = audio.samples().len() as f64 / f64::from(audio.rate());
        assert!((0.95..1.15).contains(&seconds), "{name}: {seconds} s");
        let (low, high) = (amplitude(&audio, 440.0), amplitude(&audio, 1000.0));
        println!("{name}: {} Hz, {seconds:.3} s, tones {low:.3} and {high:.3}", audio.rate());
        assert!((low - 0.3).abs() < 0.02 && (high - 0.1).abs() < 0.02, "{name}: {low} {high}");
    }
}

fn message(error: Error) -> String {
    assert!(matches!(error, Error::Audio { .. } | Error::Io { .. }), "{error:?}");
    error.to_string()
}

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn refused(name: &str, bytes: &[u8], expected: &str) {
    let (_directory, path) = file(name, bytes);
    let message = message(load_reference(&path, LIMIT).unwrap_err());
    assert!(message.contains(expected) && message.contains(name), "expected {expected:?} in: {message}");
}

fn wav(rate: u32, samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    samples.into_iter().for_each(|s| writer.write_sample(s).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn speech(n: usize) -> impl Iterator<Item = i16> {
    (0..n).map(|i| ((i as f32 * 0.05).sin() * 8000.0) as i16)
}

#[test]
fn unusable_clips_are_refused_with_the_reason() {
    assert!(message(load_reference("/nowhere/clip.wav".as_ref(), LIMIT).unwrap_err()).contains("/nowhere/clip.wav"));
    assert!(message(load_reference(&std::env::temp_dir(), LIMIT).unwrap_err()).contains("directory"));
    refused("empty.wav", b"", "empty");
    refused("page.mp3", b"<!DOCTYPE html><html><body>Not found</body></html>", "not an audio file");
    refused("short.wav", &wav(16_000, speech(7_000)), "0.44 s");
    refused("silent.wav", &wav(16_000, std::iter::repeat_n(0, 16_000)), "silent");
    refused("slow.wav", &wav(100, speech(1000)), "100 Hz");
    refused("none.wav", &wav(16_000, speech(0)), "");
    let opus = std::fs::read(clip("tone.opus")).unwrap();
    refused("tone.opus", &opus, "convert");
    let not_numbers = ReferenceAudio::new(vec![f32::NAN; 16_000], 16_000, "here").unwrap_err();
    assert!(message(not_numbers).contains("sample 0"));
}

#[test]
fn a_file_that_is_cut_off_is_used_as_far_as_it_goes() {
    let whole = std::fs::read(golden("e2e/prompt24k.wav")).unwrap();
    let (_directory, path) = file("cut.wav", &whole[..whole.len() * 2 / 3]);
    let cut = load_reference(&path, LIMIT).unwrap();
    let all = load_reference(&golden("e2e/prompt24k.wav"), LIMIT).unwrap();
    assert!(cut.samples().len() > all.samples().len() / 2);
    assert_eq!(cut.samples(), &all.samples()[..cut.samples().len()]);
}

#[test]
fn two_hours_cost_no_more_than_fifteen_seconds() {
    let rate = 8_000u32;
    let seconds = 7_200u32;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.wav");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let data = rate * seconds * 2;
    out.write_all(b"RIFF").unwrap();
    out.write_all(&(36 + data).to_le_bytes()).unwrap();
    out.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0").unwrap();
    out.write_all(&rate.to_le_bytes()).unwrap();
    out.write_all(&(rate * 2).to_le_bytes()).unwrap();
    out.write_all(b"\x02\0\x10\0data").unwrap();
    out.write_all(&data.to_le_bytes()).unwrap();
    let second: Vec<u8> = speech(rate as usize).flat_map(i16::to_le_bytes).collect();
    (0..seconds).for_each(|_| out.write_all(&second).unwrap());
    drop(out);
    let start = Instant::now();
    let audio = load_reference(&path, LIMIT).unwrap();
    println!("two hours: {:?} for {} samples", start.elapsed(), audio.samples().len());
    assert!(audio.samples().len() as f64 <= 15.2 * f64::from(rate));
    assert!(start.elapsed().as_secs_f64() < 2.0);
}

#[test]
fn cutting_before_resampling_changes_nothing() {
    let rate = 48_000;
    let long: Vec<f32> = (0..rate as usize * 3).map(|i| (i as f32 * 0.03).sin() * 0.5).collect();
    let cut = long[..(rate as f64 * 2.1) as usize].to_vec();
    let (long, cut) = (ReferenceAudio::new(long, rate, "a").unwrap(), ReferenceAudio::new(cut, rate, "b").unwrap());
    for to in [16_000u32, 22_050] {
        let n = 2 * to as usize;
        assert_eq!(long.resampled(to)[..n], cut.resampled(to)[..n], "{to} Hz");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Any bytes of any format changed or cut anywhere: a typed error or a clip, never a panic.
    #[test]
    fn damage_is_an_error_or_a_clip(which in 0..CLIPS.len(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), head in any::<bool>(), cut in prop::option::of(any::<prop::sample::Index>())) {
        let mut bytes = std::fs::read(clip(CLIPS[which])).unwrap();
        // Headers are where the damage does most.
        let reach = if head { bytes.len().min(200) } else { bytes.len() };
        for (at, value) in flips {
            bytes[at.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(error) = reference_from_bytes(bytes, "damaged", LIMIT) {
            prop_assert!(error.to_string().contains("damaged"));
        }
    }
}
