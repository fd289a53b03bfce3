//! Relations between the sizes of a configuration without which the networks cannot be built or do not fit together.
use serde_json::Value;

use super::{CodecConfig, ModelConfig};
use crate::models::gpt::Conditioning;

/// No size of any known model comes near it; a file that asks for more is damaged or hostile.
const LARGEST: u64 = 1 << 20;

impl ModelConfig {
    /// Every relation that does not hold, in words; empty for a usable configuration.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut found = Problems(Vec::new());
        // Serialising a plain structure cannot fail.
        oversized(&serde_json::to_value(self).unwrap_or_default(), "", &mut found);
        if found.0.is_empty() {
            self.check_audio(&mut found);
            self.check_features(&mut found);
            self.check_gpt(&mut found);
            self.check_s2mel(&mut found);
            self.check_bigvgan(&mut found);
        }
        found.0
    }

    fn check_audio(&self, found: &mut Problems) {
        let mel = &self.mel;
        found.range("mel.sample_rate", mel.sample_rate, 8_000, 192_000);
        found.range("mel.n_fft", mel.n_fft, 16, 1 << 16);
        found.range("mel.win_length", mel.win_length, 16, mel.n_fft);
        found.range("mel.hop_length", mel.hop_length, 1, mel.win_length);
        found.range("mel.n_mels", mel.n_mels, 1, mel.n_fft / 2);
        let nyquist = mel.sample_rate as f64 / 2.0;
        let top = mel.fmax.unwrap_or(nyquist);
        found.that(0.0 <= mel.fmin && mel.fmin < top && top <= nyquist, || {
            format!("mel.fmin and mel.fmax: got {} and {top}, expected a range within 0 to {nyquist} Hz", mel.fmin)
        });
    }

    fn check_features(&self, found: &mut Problems) {
        let (w2v, campplus) = (&self.w2v_bert, &self.campplus);
        found.equal("w2v_bert.input_size", w2v.input_size, 160, "two filterbank frames");
        found.heads("w2v_bert", w2v.heads, w2v.hidden_size, 1);
        found.range("w2v_bert.layers", w2v.layers, 1, 1024);
        found.range("w2v_bert.kernel", w2v.kernel, 1, 1024);
        let (CodecConfig::Semantic(crate::models::codec::SemanticCodecConfig(codec))
        | CodecConfig::Decoder(crate::models::codec::CodecDecoderConfig(codec))) = &self.codec;
        found.equal("codec's channels", codec.hidden_size, w2v.hidden_size, "w2v_bert.hidden_size");
        let sizes = [
            ("head_channels", campplus.head_channels),
            ("initial_channels", campplus.initial_channels),
            ("bottleneck", campplus.bottleneck),
            ("growth", campplus.growth),
            ("squeeze", campplus.squeeze),
            ("embedding_size", campplus.embedding_size),
        ];
        for (name, size) in sizes {
            found.range(&format!("campplus.{name}"), size, 1, 1 << 16);
        }
        found.that(self.emotion_groups.len() == 8 && !self.emotion_groups.contains(&0), || {
            format!("emotion_groups: got {:?}, expected the rows of each of eight emotions", self.emotion_groups)
        });
        if let Some(qwen) = &self.qwen {
            found.heads("qwen", qwen.heads, qwen.heads * qwen.head_size, 2);
            found.that(qwen.key_value_heads > 0 && qwen.heads.is_multiple_of(qwen.key_value_heads), || {
                format!("qwen.key_value_heads: got {}, expected a divisor of {}", qwen.key_value_heads, qwen.heads)
            });
        }
    }

    fn check_gpt(&self, found: &mut Problems) {
        let gpt = &self.gpt;
        if let Err(error) = gpt.validate() {
            found.0.push(error.to_string());
        }
        let width = self.w2v_bert.hidden_size;
        found.equal("gpt.emotion.conformer.features", gpt.emotion.conformer.features, width, "w2v_bert.hidden_size");
        match &gpt.conditioning {
            Conditioning::Latents(encoder) => {
                let features = encoder.conformer.features;
                found.equal("gpt.conditioning.conformer.features", features, width, "w2v_bert.hidden_size");
            }
            Conditioning::Vector { style, languages } => {
                found.equal("gpt.conditioning.style", *style, self.campplus.embedding_size, "campplus.embedding_size");
                found.range("gpt.conditioning.languages", *languages, 1, 1 << 16);
            }
        }
    }

    fn check_s2mel(&self, found: &mut Problems) {
        let (s2mel, dit) = (&self.s2mel, &self.s2mel.dit);
        let width = self.w2v_bert.hidden_size;
        found.equal("s2mel.length_regulator.input", s2mel.length_regulator.input, width, "w2v_bert.hidden_size");
        found.equal(
            "s2mel.dit.content",
            dit.content,
            s2mel.length_regulator.channels,
            "s2mel.length_regulator.channels",
        );
        found.equal("s2mel.dit.style", dit.style, self.campplus.embedding_size, "campplus.embedding_size");
        found.equal("s2mel.dit.mel_bins", dit.mel_bins, self.mel.n_mels, "mel.n_mels");
        found.equal("s2mel.dit.wavenet.hidden", dit.wavenet.hidden, dit.hidden, "s2mel.dit.hidden");
        // Rotary positions turn pairs of channels.
        found.heads("s2mel.dit", dit.heads, dit.hidden, 2);
        found.odd("s2mel.dit.wavenet.kernel", dit.wavenet.kernel);
        found.range("s2mel.dit.wavenet.dilation_rate", dit.wavenet.dilation_rate, 1, 16);
        if let Some(projection) = &s2mel.gpt_projection {
            let ends = (projection.sizes.first().copied(), projection.sizes.last().copied());
            found.that(projection.sizes.len() > 1 && ends == (Some(self.gpt.dim), Some(width)), || {
                format!(
                    "s2mel.gpt_projection.sizes: got {:?}, expected two or more, from gpt.dim ({}) to w2v_bert.hidden_size ({width})",
                    projection.sizes, self.gpt.dim
                )
            });
        }
    }

    fn check_bigvgan(&self, found: &mut Problems) {
        let vocoder = &self.bigvgan;
        found.equal("bigvgan.mel_bins", vocoder.mel_bins, self.mel.n_mels, "mel.n_mels");
        let (rates, kernels) = (&vocoder.upsample_rates, &vocoder.upsample_kernels);
        let fits = |(rate, kernel): (&usize, &usize)| *rate > 0 && kernel >= rate && (kernel - rate).is_multiple_of(2);
        found.that(
            rates.len() == kernels.len() && rates.len() <= 16 && rates.iter().zip(kernels).all(fits),
            || format!("bigvgan.upsample_kernels: got {kernels:?}, expected one for each rate of {rates:?}, larger by an even number"),
        );
        let samples = rates.iter().try_fold(1usize, |product, rate| product.checked_mul(*rate)).unwrap_or(0);
        found.equal("product of bigvgan.upsample_rates", samples, self.mel.hop_length, "mel.hop_length");
        found.that(
            rates.len() <= 16 && vocoder.channels > 0 && vocoder.channels.is_multiple_of(1 << rates.len().min(16)),
            || format!("bigvgan.channels: got {}, expected a multiple of 2^{}", vocoder.channels, rates.len()),
        );
        let (blocks, dilations) = (&vocoder.block_kernels, &vocoder.block_dilations);
        let usable = |row: &Vec<usize>| !row.is_empty() && row.iter().all(|d| (1..=1024).contains(d));
        found.that(!blocks.is_empty() && blocks.len() == dilations.len() && dilations.iter().all(usable), || {
            format!(
                "bigvgan.block_dilations: got {dilations:?}, expected a list of 1 or more for each kernel of {blocks:?}"
            )
        });
        for kernel in blocks {
            found.odd("bigvgan.block_kernels", *kernel);
        }
    }
}

/// Reports every integer of `value` that no network can have.
fn oversized(value: &Value, path: &str, found: &mut Problems) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| oversized(value, &format!("{path}.{name}"), found));
        }
        Value::Array(rows) => rows.iter().for_each(|row| oversized(row, path, found)),
        Value::Number(number) => {
            let size = number.as_u64().filter(|size| *size > LARGEST);
            found.that(size.is_none(), || format!("{}: got {number}, expected at most {LARGEST}", &path[1..]));
        }
        _ => {}
    }
}

struct Problems(Vec<String>);

impl Problems {
    fn that(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    fn equal(&mut self, name: &str, got: usize, expected: usize, source: &str) {
        self.that(got == expected, || format!("{name}: got {got}, expected {expected} ({source})"));
    }

    fn range(&mut self, name: &str, got: usize, least: usize, most: usize) {
        self.that((least..=most).contains(&got), || format!("{name}: got {got}, expected {least} to {most}"));
    }

    fn odd(&mut self, name: &str, got: usize) {
        self.that(got % 2 == 1, || format!("{name}: got {got}, expected an odd number"));
    }

    fn heads(&mut self, name: &str, heads: usize, width: usize, multiple: usize) {
        let fits = heads > 0 && width > 0 && width.is_multiple_of(heads) && (width / heads).is_multiple_of(multiple);
        self.that(fits, || {
            format!("{name}.heads: got {heads}, expected a divisor of {width} that leaves a multiple of {multiple}")
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ModelConfig;

    const OFFICIAL: &str = include_str!("../../tests/configs/model_v2.json");

    fn with(path: &str, value: serde_json::Value) -> Result<ModelConfig, String> {
        let mut config: serde_json::Value = serde_json::from_str(OFFICIAL).unwrap();
        *config.pointer_mut(path).unwrap() = value;
        ModelConfig::parse(&config.to_string())
    }

    #[test]
    fn the_official_sizes_fit_together() {
        ModelConfig::parse(OFFICIAL).unwrap();
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        for (path, value, message) in [
            ("/w2v_bert/heads", 0u64, "w2v_bert.heads: got 0"),
            ("/w2v_bert/heads", 3, "w2v_bert.heads: got 3"),
            ("/w2v_bert/input_size", 80, "expected 160"),
            ("/mel/hop_length", 0, "mel.hop_length: got 0"),
            ("/mel/n_mels", 100, "s2mel.dit.mel_bins: got 80, expected 100"),
            ("/gpt/heads", 7, "a divisor of dim"),
            ("/gpt/stop_code", 9000, "stop_code"),
            ("/campplus/embedding_size", 64, "s2mel.dit.style: got 192, expected 64"),
            ("/bigvgan/upsample_rates/0", 8, "bigvgan.upsample_kernels"),
            ("/bigvgan/channels", 100, "a multiple of 2^6"),
            ("/bigvgan/block_kernels/0", 4, "expected an odd number"),
            ("/gpt/dim", 1 << 40, "expected at most"),
        ] {
            // A changed copy of one field may break several relations; the one asked for is among them.
            let error = with(path, value.into()).unwrap_err();
            assert!(
                error.contains(message) || path == "/bigvgan/upsample_rates/0" && error.contains("product"),
                "{path}: {error}"
            );
        }
    }
}
