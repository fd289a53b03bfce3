//! Weights in eight or four bits.
//!
//! 32 inputs of an output share a scale: the largest of them becomes 127, or -8 in four bits, whose range reaches one step
//! further below zero than above (its scale is negative where the largest is positive). So a weight that is restored and
//! rounded again by the same rule is the same.
use burn_pack::{Bytes, DType};
use half::f16;

/// Inputs that share a scale.
const GROUP: usize = 32;
/// Programs keep scales in half precision, in units of this: a scale is rounded so here, too, and values against it.
const UNIT: f32 = 1.0 / 1024.0;

/// Bits of a stored weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantize {
    Q8,
    Q4,
}

impl Quantize {
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// Whether a weight is stored so: the linear layers of the GPT that decodes, and of the text-to-emotion model. All
    /// else is too small, or heard.
    pub fn applies(file: &str, name: &str, shape: &[usize]) -> bool {
        let layers: &[&str] = match file {
            "gpt" => &["blocks.", "head."],
            "qwen" => &["layers."],
            _ => &[],
        };
        shape.len() == 2 && name.ends_with(".weight") && layers.iter().any(|layer| name.starts_with(layer))
    }

    /// Type and shape of the values of a weight `[inputs, outputs]`, and shape of its scales.
    pub fn layout(self, inputs: usize, outputs: usize) -> (DType, [usize; 2], [usize; 2]) {
        let scales = [inputs.div_ceil(GROUP), outputs];
        match self {
            Self::Q8 => (DType::I8, [inputs, outputs], scales),
            Self::Q4 => (DType::U8, [inputs.div_ceil(2), outputs], scales),
        }
    }

    /// Scales `[inputs / 32, outputs]` of `weight` `[inputs, outputs]`.
    pub fn scales(self, weight: &[f32], outputs: usize) -> Vec<f32> {
        let limit = match self {
            Self::Q8 => 127.0,
            Self::Q4 => -8.0,
        };
        let mut scales = Vec::with_capacity(weight.len() / GROUP + outputs);
        for group in weight.chunks(GROUP * outputs) {
            let mut largest = vec![0f32; outputs];
            for row in group.chunks_exact(outputs) {
                for (largest, value) in largest.iter_mut().zip(row) {
                    if value.abs() > largest.abs() {
                        *largest = *value;
                    }
                }
            }
            scales.extend(largest.iter().map(|largest| {
                let largest = if self == Self::Q8 { largest.abs() } else { *largest };
                self.kept(largest / limit / UNIT).to_f32() * UNIT
            }));
        }
        scales
    }

    /// In half precision: with eight bits not above what the largest asks for, with four not below, as programs do it.
    fn kept(self, scale: f32) -> f16 {
        let exact = scale.clamp(-6.0e4, 6.0e4);
        let near = f16::from_f32(exact);
        match self {
            Self::Q8 if near.to_f32().abs() > exact.abs() => f16::from_bits(near.to_bits() - 1),
            Self::Q4 if near.to_f32().abs() < exact.abs() => f16::from_bits(near.to_bits() + 1),
            _ => near,
        }
    }

    /// The values of `weight` `[inputs, outputs]` under its `scales`.
    pub fn values(self, weight: &[f32], scales: &[f32], outputs: usize) -> Bytes {
        let rounded = |input: usize, output: usize, value: f32| {
            let scale = scales[input / GROUP * outputs + output];
            if scale == 0.0 { 0 } else { (value / scale).round() as i32 }
        };
        let rows = weight.chunks_exact(outputs).enumerate();
        match self {
            Self::Q8 => {
                let mut values: Vec<i8> = Vec::with_capacity(weight.len());
                for (input, row) in rows {
                    values.extend(row.iter().enumerate().map(|(o, v)| rounded(input, o, *v).clamp(-127, 127) as i8));
                }
                Bytes::from_elems(values)
            }
            Self::Q4 => {
                let inputs = weight.len() / outputs.max(1);
                // Zero is 8.
                let mut values = vec![0x88u8; inputs.div_ceil(2) * outputs];
                for (input, row) in rows {
                    let bytes = &mut values[input / 2 * outputs..][..outputs];
                    let shift = 4 * (input % 2);
                    for (output, (byte, value)) in bytes.iter_mut().zip(row).enumerate() {
                        let value = (rounded(input, output, *value) + 8).clamp(0, 15) as u8;
                        *byte = *byte & !(15 << shift) | value << shift;
                    }
                }
                Bytes::from_elems(values)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: steps of 1 with eight bits, of -1 with four.
    #[test]
    fn known_weights_round_as_they_should() {
        // One output, three inputs.
        let weight = [127.0, -63.4, 0.6];
        let scales = Quantize::Q8.scales(&weight, 1);
        assert_eq!(scales, [1.0]);
        let bytes: Vec<u8> = Quantize::Q8.values(&weight, &scales, 1).to_vec();
        assert_eq!(bytes, [127i8 as u8, -63i8 as u8, 1]);

        let weight = [8.0, -7.0, 3.0];
        let scales = Quantize::Q4.scales(&weight, 1);
        assert_eq!(scales, [-1.0]);
        // -8, 7, -3, and a zero to fill up, each with 8 added.
        let bytes: Vec<u8> = Quantize::Q4.values(&weight, &scales, 1).to_vec();
        assert_eq!(bytes, [0xf0, 0x85]);
    }

    #[test]
    fn only_layers_that_decode_are_quantised() {
        assert!(Quantize::applies("gpt", "blocks.3.qkv.weight", &[4, 12]));
        assert!(Quantize::applies("gpt", "head.weight", &[4, 9]));
        assert!(Quantize::applies("qwen", "layers.0.up.weight", &[4, 9]));
        assert!(!Quantize::applies("gpt", "text_embedding.weight", &[4, 9]));
        assert!(!Quantize::applies("gpt", "emotion.out.weight", &[4, 9]));
        assert!(!Quantize::applies("s2mel", "dit.blocks.0.qkv.weight", &[4, 9]));
        assert!(!Quantize::applies("gpt", "blocks.0.qkv.bias", &[4]));
    }
}
