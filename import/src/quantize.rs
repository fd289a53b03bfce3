//! Weights in eight or four bits, in the order in which a processor's product reads them.
//!
//! 32 inputs of an output share a scale: the largest of them becomes 127, or -8 in four bits, whose range reaches one step
//! further below zero than above. Scales are negative where that takes another sign. So a weight that is restored and
//! rounded again by the same rule is the same.
use half::f16;

use crate::panels::PANEL;

/// Inputs that share a scale.
const GROUP: usize = 32;
/// Inputs that one instruction multiplies and sums: their bytes lie side by side.
const QUAD: usize = 4;
/// Scales are kept in half precision, in units of this; values are rounded against what is kept.
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

    /// The bits in which a linear layer's weight is stored where the GPT is in these: the layers of the GPT that decodes, and
    /// of the text-to-emotion model, in the same; what hears the clip, whose errors every code would hear, in eight. All
    /// else is too small, or heard.
    pub fn of(self, file: &str, name: &str) -> Option<Self> {
        let within = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        match file {
            "gpt" if name.starts_with("blocks.") || name.starts_with("head.") => Some(self),
            "gpt" if within(&[".conformer.", ".perceiver."]) => Some(Self::Q8),
            "qwen" if name.starts_with("layers.") => Some(self),
            "w2v_bert" => Some(Self::Q8),
            _ => None,
        }
    }

    /// Shape of the values of a weight `[inputs, outputs]`, in bytes, and of its scales: `[panels, groups, bytes of a
    /// group]` and `[panels, groups, 48]`.
    pub fn shapes(self, inputs: usize, outputs: usize) -> [[usize; 3]; 2] {
        let (panels, groups) = (outputs.div_ceil(PANEL), inputs.div_ceil(GROUP));
        [[panels, groups, self.group_bytes()], [panels, groups, PANEL]]
    }

    fn group_bytes(self) -> usize {
        match self {
            Self::Q8 => GROUP * PANEL,
            Self::Q4 => GROUP * PANEL / 2,
        }
    }

    /// The stored value of a group's largest.
    fn limit(self) -> f32 {
        match self {
            Self::Q8 => 127.0,
            Self::Q4 => -8.0,
        }
    }

    /// What is added to a value, and the least and the most that is then stored.
    fn range(self) -> [f32; 3] {
        match self {
            Self::Q8 => [128.0, 1.0, 255.0],
            Self::Q4 => [8.0, 0.0, 15.0],
        }
    }

    /// Values and scales of `weight` `[inputs, outputs]`.
    pub fn round(self, weight: &[f32], inputs: usize, outputs: usize) -> (Vec<u8>, Vec<f16>) {
        let [values, scales] = self.shapes(inputs, outputs).map(|shape| shape.iter().product());
        let (mut values, mut scales) = (vec![0u8; values], vec![f16::ZERO; scales]);
        let groups = inputs.div_ceil(GROUP).max(1);
        let places = values.chunks_exact_mut(self.group_bytes()).zip(scales.chunks_exact_mut(PANEL)).enumerate();
        for (index, (values, scales)) in places {
            let (first, input) = (index / groups * PANEL, index % groups * GROUP);
            let (width, rows) = (PANEL.min(outputs - first), GROUP.min(inputs - input));
            let mut group = [[0f32; PANEL]; GROUP];
            for (row, values) in group[..rows].iter_mut().zip(weight[input * outputs..].chunks_exact(outputs)) {
                row[..width].copy_from_slice(&values[first..first + width]);
            }
            self.round_group(&group, values, scales);
        }
        (values, scales)
    }

    fn round_group(self, group: &[[f32; PANEL]; GROUP], values: &mut [u8], scales: &mut [f16]) {
        let [offset, least, most] = self.range();
        for (column, kept) in scales.iter_mut().enumerate() {
            let of_column = || group.iter().map(|row| row[column]);
            let largest = of_column().fold(0f32, |most, value| if value.abs() > most.abs() { value } else { most });
            *kept = self.kept(largest / self.limit() / UNIT);
            let scale = kept.to_f32() * UNIT;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            for (input, value) in of_column().enumerate() {
                // To the even one of two that are as near, as programs that round while they load do it.
                let byte = (value * inverse + offset).clamp(least, most).round_ties_even() as u8;
                let (quad, lane) = (input / QUAD, input % QUAD);
                // In four bits the second half of the quads lies in the high bits of the first.
                let (quad, shift) = match self {
                    Self::Q8 => (quad, 0),
                    Self::Q4 => (quad % (GROUP / QUAD / 2), 4 * (quad / (GROUP / QUAD / 2))),
                };
                values[(quad * PANEL + column) * QUAD + lane] |= byte << shift;
            }
        }
    }

    /// In half precision: with eight bits not above what the largest asks for, with four not below.
    fn kept(self, scale: f32) -> f16 {
        let exact = scale.clamp(-6.0e4, 6.0e4);
        let near = f16::from_f32(exact);
        match self {
            Self::Q8 if near.to_f32().abs() > exact.abs() => f16::from_bits(near.to_bits() - 1),
            Self::Q4 if near.to_f32().abs() < exact.abs() => f16::from_bits(near.to_bits() + 1),
            _ => near,
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
        let (values, scales) = Quantize::Q8.round(&[127.0, -63.4, 0.6], 3, 1);
        assert_eq!(scales[0].to_f32() * UNIT, 1.0);
        assert_eq!(scales[1], f16::ZERO);
        // With 128 added; the fourth input and other outputs are zero.
        assert_eq!(values[..8], [255, 65, 129, 128, 128, 128, 128, 128]);

        // -8, 7, -3, each with 8 added, and on their high sides the inputs 16 to 19, which are zero but for the last.
        let mut weight = [0.0; 20];
        weight[..3].copy_from_slice(&[8.0, -7.0, 3.0]);
        weight[19] = 4.0;
        let (values, scales) = Quantize::Q4.round(&weight, 20, 1);
        assert_eq!(scales[0].to_f32() * UNIT, -1.0);
        assert_eq!(values[..5], [0x80, 0x8f, 0x85, 0x48, 0x88]);
    }

    #[test]
    fn only_layers_that_decode_or_hear_are_quantised() {
        use Quantize::{Q4, Q8};
        assert_eq!(Q4.of("gpt", "blocks.3.qkv.weight"), Some(Q4));
        assert_eq!(Q4.of("gpt", "head.weight"), Some(Q4));
        assert_eq!(Q4.of("qwen", "layers.0.up.weight"), Some(Q4));
        assert_eq!(Q4.of("gpt", "emotion.conformer.layers.0.expand.weight"), Some(Q8));
        assert_eq!(Q4.of("gpt", "speaker.Latents.perceiver.context.weight"), Some(Q8));
        assert_eq!(Q4.of("w2v_bert", "layers.0.first.up.weight"), Some(Q8));
        assert_eq!(Q4.of("gpt", "emotion.out.weight"), None);
        assert_eq!(Q4.of("gpt", "speaker.Vector.projection.weight"), None);
        assert_eq!(Q4.of("s2mel", "dit.blocks.0.qkv.weight"), None);
    }
}
