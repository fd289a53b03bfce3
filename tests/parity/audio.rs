//! Front ends and resamplers against the golden signals.
use indextts::audio::mel::MelConfig;
use indextts::audio::{fbank, resample};
use realfft::RealFftPlanner;

use crate::support::{Io, NETWORK, close_slices, golden, json};

const SIGNALS: [&str; 2] = ["espeak", "synth24k"];

fn io() -> Io {
    Io::open("audio/io.safetensors")
}

fn padding() -> f32 {
    json("audio/preprocessor_config.json")["padding_value"].as_f64().unwrap() as f32
}

fn mel_config() -> MelConfig {
    MelConfig { sample_rate: 22_050, n_fft: 1024, win_length: 1024, hop_length: 256, n_mels: 80, fmin: 0.0, fmax: None }
}

fn check_seamless(io: &Io, samples: &[f32], features: &str, mask: &str) {
    let got = fbank::seamless(samples, padding());
    assert_eq!([1, got.frames, 160].to_vec(), io.shape(features), "{features}");
    close_slices("audio", &got.data, &io.floats(features), features, NETWORK);
    let got: Vec<i64> = got.mask.iter().map(|m| i64::from(*m)).collect();
    assert_eq!(got, io.ints(mask), "{mask}");
}

#[test]
fn parity_seamless_features() {
    let io = io();
    for signal in SIGNALS {
        for (samples, suffix) in [("ta_16000_from_22050", ""), ("librosa_16000_emo", "_emo")] {
            let samples = io.floats(&format!("{signal}.{samples}"));
            check_seamless(
                &io,
                &samples,
                &format!("{signal}.w2v_features{suffix}"),
                &format!("{signal}.w2v_mask{suffix}"),
            );
        }
    }
    for case in (0..).map(|i| format!("len{i}")).take_while(|case| io.has(&format!("{case}.x"))) {
        let samples = io.floats(&format!("{case}.x"));
        check_seamless(&io, &samples, &format!("{case}.w2v_features"), &format!("{case}.w2v_mask"));
    }
}

#[test]
fn parity_kaldi_fbank() {
    let io = io();
    for signal in SIGNALS {
        let samples = io.floats(&format!("{signal}.ta_16000_from_22050"));
        let raw = format!("{signal}.kaldi_fbank");
        close_slices("audio", &fbank::log_mel(&samples, 1.0), &io.floats(&raw), &raw, NETWORK);
        let centred = format!("{signal}.kaldi_fbank_cmn");
        close_slices("audio", &fbank::kaldi(&samples), &io.floats(&centred), &centred, NETWORK);
    }
}

#[test]
fn parity_log_mel() {
    let (io, mel) = (io(), mel_config());
    let columns = io.shape("mel_basis_22050")[1];
    let ours: Vec<f32> = mel.filters().chunks(mel.n_fft / 2 + 1).flat_map(|row| row[..columns].to_vec()).collect();
    close_slices("audio", &ours, &io.floats("mel_basis_22050"), "mel_basis_22050", NETWORK);
    for signal in SIGNALS {
        let samples = io.floats(&format!("{signal}.librosa_22050"));
        let name = format!("{signal}.mel");
        assert_eq!(io.shape(&name)[2], mel.frames(samples.len()));
        close_slices("audio", &mel.log_mel(&samples), &io.floats(&name), &name, NETWORK);
    }
}

#[test]
fn parity_torchaudio_resampling() {
    let io = io();
    for signal in SIGNALS {
        let name = format!("{signal}.ta_16000_from_22050");
        let got = resample::sinc_hann(&io.floats(&format!("{signal}.librosa_22050")), 22_050, 16_000);
        close_slices("audio", &got, &io.floats(&name), &name, NETWORK);
        let raw = read(signal);
        if raw.1 == 24_000 {
            let name = format!("{signal}.ta_16000_from_24000");
            close_slices("audio", &resample::sinc_hann(&raw.0, 24_000, 16_000), &io.floats(&name), &name, NETWORK);
        }
    }
}

/// Samples and rate of a golden clip.
fn read(signal: &str) -> (Vec<f32>, u32) {
    let mut reader = hound::WavReader::open(golden(&format!("audio/{signal}.wav"))).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.bits_per_sample), (1, 16));
    (reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect(), spec.sample_rate)
}

/// Signal to noise in dB below `limit` times the Nyquist frequency.
fn pass_band_snr(got: &[f32], want: &[f32], limit: f64) -> f64 {
    assert_eq!(got.len(), want.len());
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(want.len());
    // A Hann window keeps what lies above the limit from leaking below it through the abrupt ends.
    let window = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / want.len() as f64).cos();
    let energy = |values: Vec<f64>| -> f64 {
        let mut values: Vec<f64> = values.iter().enumerate().map(|(i, v)| v * window(i)).collect();
        let mut spectrum = fft.make_output_vec();
        fft.process(&mut values, &mut spectrum).unwrap();
        spectrum[..(spectrum.len() as f64 * limit) as usize].iter().map(|z| z.norm_sqr()).sum()
    };
    let noise = energy(got.iter().zip(want).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect());
    10.0 * (energy(want.iter().map(|v| f64::from(*v)).collect()) / noise.max(1e-300)).log10()
}

/// soxr's HQ filter is not reproducible bit for bit; below 0.9 of the lower Nyquist frequency both must agree.
#[test]
fn parity_high_quality_resampling() {
    let io = io();
    for signal in SIGNALS {
        let (raw, rate) = read(signal);
        for (to, name) in [(22_050, "librosa_22050"), (16_000, "librosa_16000_emo")] {
            let name = format!("{signal}.{name}");
            let limit = 0.9 * f64::from(rate.min(to)) / f64::from(to);
            let snr = pass_band_snr(&resample::high_quality(&raw, rate, to), &io.floats(&name), limit);
            println!("audio          {name}: {snr:.1} dB in the pass band");
            assert!(snr >= 80.0, "{name}: {snr:.1} dB");
        }
    }
}
