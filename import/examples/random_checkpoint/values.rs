//! Random values with which the networks stay finite.
use std::io::{self, Write};

use crate::Entry;

/// Writes the values of `entry`, little-endian, in its element type.
pub fn write(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let mut random = Random::new(&entry.key);
    let (centre, spread) = distribution(entry);
    let n = entry.elements();
    let mut buffer = Vec::with_capacity(1 << 16);
    for i in 0..n {
        let value = if forbidden(entry, i) { -30.0 } else { centre + spread * random.symmetric() };
        match entry.dtype.as_str() {
            "int64" => buffer.extend_from_slice(&(i as i64).to_le_bytes()),
            "bfloat16" => buffer.extend_from_slice(&half::bf16::from_f32(value).to_le_bytes()),
            "float16" => buffer.extend_from_slice(&half::f16::from_f32(value).to_le_bytes()),
            _ => buffer.extend_from_slice(&value.to_le_bytes()),
        }
        if buffer.len() >= 1 << 16 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

/// The logits of start (8192) and stop (8193) are pushed down: a random model should neither emit a code that has no
/// row in the codebook nor stop before the limit that a measurement asks for.
fn forbidden(entry: &Entry, index: usize) -> bool {
    entry.key == "mel_head.bias" && index >= 8192
}

/// Centre and half-width of a uniform distribution.
fn distribution(entry: &Entry) -> (f32, f32) {
    let key = entry.key.as_str();
    let norm_like = entry.shape.len() == 1;
    if key.ends_with("running_var") || key == "var" {
        (1.0, 0.2)
    } else if key.ends_with("weight_g") {
        (1.0, 0.1)
    } else if key.ends_with("alpha") || key.ends_with("beta") || key.ends_with("filter") {
        (0.0, 0.1)
    } else if norm_like && (key.ends_with("weight") || key.ends_with("gamma")) {
        (1.0, 0.1)
    } else if norm_like {
        (0.0, 0.02)
    } else {
        let fan_in: usize = entry.shape.iter().skip(1).product();
        (0.0, (3.0 / fan_in.max(1) as f32).sqrt().min(1.0))
    }
}

/// xorshift64*, seeded by the key: the same file on every run.
struct Random(u64);

impl Random {
    fn new(key: &str) -> Self {
        Self(key.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)) | 1)
    }

    /// Uniform in -1..1.
    fn symmetric(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }
}
