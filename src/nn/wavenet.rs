//! WaveNet residual stack with gated activations and global conditioning (van den Oord et al. 2016, WN of Glow-TTS).
use burn::prelude::*;
use burn::tensor::ops::PadMode;
use serde::{Deserialize, Serialize};

use crate::kernels::tanh_gate;
use crate::nn::linear::{Linear, LinearConfig, TimeConv};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveNetConfig {
    /// Channels of the input, the output and the conditioning vector.
    pub hidden: usize,
    pub layers: usize,
    pub kernel: usize,
    /// Layer `i` is dilated by `dilation_rate^i`.
    pub dilation_rate: usize,
}

/// `layers` times: gated dilated convolution, then a residual and a skip output; the sum of the skips comes out.
#[derive(Module, Debug)]
pub struct WaveNet {
    condition: Linear,
    gates: Vec<TimeConv>,
    outputs: Vec<TimeConv>,
    hidden: usize,
}

impl WaveNetConfig {
    pub fn init(&self, device: &Device) -> WaveNet {
        let gate = |layer: usize| {
            let dilation = self.dilation_rate.pow(layer as u32);
            LinearConfig::new(self.hidden, 2 * self.hidden).init_conv(self.kernel, dilation, device)
        };
        // The last layer feeds no further one, so it has a skip output only.
        let output = |layer: usize| {
            let channels = if layer + 1 < self.layers { 2 * self.hidden } else { self.hidden };
            LinearConfig::new(self.hidden, channels).init_conv(1, 1, device)
        };
        WaveNet {
            condition: LinearConfig::new(self.hidden, 2 * self.hidden * self.layers).init(device),
            gates: (0..self.layers).map(gate).collect(),
            outputs: (0..self.layers).map(output).collect(),
            hidden: self.hidden,
        }
    }
}

impl WaveNet {
    /// `x` `[batch, time, hidden]` under `condition` `[batch or 1, hidden]`; frames where `mask` `[batch, time, 1]` is 0
    /// stay 0.
    pub fn forward(&self, mut x: Tensor<3>, condition: Tensor<2>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let masked = |x: Tensor<3>| match mask {
            Some(mask) => x * mask.clone(),
            None => x,
        };
        let hidden = self.hidden;
        let condition = self.condition.forward(condition).unsqueeze_dim::<3>(1); // [batch, 1, 2 * hidden * layers]
        let mut skips: Option<Tensor<3>> = None;
        for (layer, (gate, output)) in self.gates.iter().zip(&self.outputs).enumerate() {
            let (left, right) = reach(gate);
            let gated = gate.forward(reflect_pad(x.clone(), left, right));
            let acts = tanh_gate(gated, condition.clone().narrow(2, 2 * hidden * layer, 2 * hidden));
            let mut skip = output.forward(acts);
            if layer + 1 < self.gates.len() {
                x = masked(x + skip.clone().narrow(2, 0, hidden));
                skip = skip.narrow(2, hidden, hidden);
            }
            skips = Some(match skips {
                Some(sum) => sum + skip,
                None => skip,
            });
        }
        masked(skips.unwrap_or(x))
    }

    /// How many earlier frames of the input an output frame depends on.
    pub fn lookback(&self) -> usize {
        self.gates.iter().map(|gate| reach(gate).0).sum()
    }
}

/// Frames that a gate reads before and after each of its outputs.
fn reach(gate: &TimeConv) -> (usize, usize) {
    let total = gate.reach();
    (total - total / 2, total / 2)
}

/// Mirrors the edges of `x` `[batch, time, channels]`; an input too short to mirror is first lengthened with zeros,
/// which are cut off again.
fn reflect_pad(x: Tensor<3>, left: usize, right: usize) -> Tensor<3> {
    if left.max(right) == 0 {
        return x;
    }
    let frames = x.dims()[1];
    let missing = (left.max(right) + 1).saturating_sub(frames);
    let x = if missing > 0 { x.pad([(0, missing), (0, 0)], PadMode::Constant(0.0)) } else { x };
    x.pad([(left, right), (0, 0)], PadMode::Reflect).narrow(1, 0, left + frames + right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_inputs_are_lengthened_before_they_are_mirrored() {
        let device = Device::flex();
        let pad = |values: &[f32]| -> Vec<f32> {
            let x = Tensor::<1>::from_floats(values, &device).reshape([1, values.len(), 1]);
            reflect_pad(x, 2, 2).into_data().try_to_vec().expect("f32")
        };
        assert_eq!(pad(&[1.0, 2.0, 3.0, 4.0]), [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0]);
        // [1, 2] becomes [1, 2, 0] and mirrors to [0, 2, 1, 2, 0, 2, 1].
        assert_eq!(pad(&[1.0, 2.0]), [0.0, 2.0, 1.0, 2.0, 0.0, 2.0]);
    }
}
