//! Rotary position embedding on interleaved channel pairs (Su et al. 2021, "RoFormer").
use burn::tensor::{Device, Tensor, TensorData};

use crate::kernels::{on_cpu, rotate_heads};

/// The rotations of positions `0..frames` for one head size.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[1, frames, 1, head_dim]`, each angle twice.
    cos: Tensor<4>,
    sin: Tensor<4>,
    /// `[head_dim, head_dim]`, sends every pair `(a, b)` to `(-b, a)`.
    quarter_turn: Tensor<2>,
}

impl Rotary {
    /// Pair `i` of `head_dim` channels turns by `position * base^(-2i / head_dim)`; angles are f32 as in the reference.
    pub fn new(frames: usize, head_dim: usize, base: f64, device: &Device) -> Self {
        let frequencies: Vec<f32> =
            (0..head_dim / 2).map(|i| 1.0 / base.powf(f64::from((2 * i) as f32 / head_dim as f32)) as f32).collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..frames)
                .flat_map(|position| frequencies.iter().map(move |w| f(f64::from(position as f32 * w)) as f32))
                .flat_map(|v| [v, v])
                .collect();
            Tensor::from_data(TensorData::new(values, [1, frames, 1, head_dim]), device)
        };
        let mut turn = vec![0f32; head_dim * head_dim];
        for even in (0..head_dim).step_by(2) {
            turn[(even + 1) * head_dim + even] = -1.0;
            turn[even * head_dim + even + 1] = 1.0;
        }
        let quarter_turn = Tensor::from_data(TensorData::new(turn, [head_dim, head_dim]), device);
        Self { cos: table(f64::cos), sin: table(f64::sin), quarter_turn }
    }

    /// Rotates the first `heads` heads in each row `[batch, frames, width]`.
    pub fn apply_to_heads(&self, x: Tensor<3>, heads: usize) -> Tensor<3> {
        let [frames, size] = [self.cos.dims()[1], self.cos.dims()[3]];
        if on_cpu(&x.device()) {
            let table = |x: &Tensor<4>| x.clone().reshape([frames, size]);
            return rotate_heads(x, heads, table(&self.cos), table(&self.sin));
        }
        let [batch, _, width] = x.dims();
        let turned = self.apply(x.clone().narrow(2, 0, heads * size).reshape([batch, frames, heads, size]));
        let rest = x.narrow(2, heads * size, width - heads * size);
        Tensor::cat(vec![turned.reshape([batch, frames, heads * size]), rest], 2)
    }

    /// Rotates queries or keys `[batch, frames, heads, head_dim]`.
    ///
    /// The turned pairs come from a product with a signed permutation: exact, and far cheaper than strided slices.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let dims @ [batch, frames, heads, head_dim] = x.dims();
        let turned = x.clone().reshape([batch * frames * heads, head_dim]).matmul(self.quarter_turn.clone());
        x * self.cos.clone() + turned.reshape(dims) * self.sin.clone()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::kernels::at_every_level;

    #[test]
    fn turns_each_pair_by_its_own_angle() {
        let device = Device::flex();
        let rotary = Rotary::new(3, 4, 10000.0, &device);
        let x = Tensor::<4>::from_data(TensorData::new([1f32, 0.0, 0.0, 1.0].repeat(3), [1, 3, 1, 4]), &device);
        let got: Vec<f32> = rotary.apply(x).into_data().try_to_vec().expect("f32");
        for (position, row) in got.chunks_exact(4).enumerate() {
            let (a, b) = (position as f64, position as f64 * 0.01);
            for (got, want) in row.iter().zip([a.cos(), a.sin(), -b.sin(), b.cos()]) {
                assert!((f64::from(*got) - want).abs() < 1e-6, "position {position}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn in_place_equals_the_plain_form() {
        let device = Device::flex();
        let (batch, frames, heads, size) = (2, 70, 3, 10);
        let rotary = Rotary::new(frames, size, 10000.0, &device);
        let x = Tensor::<3>::random([batch, frames, 4 * size], Distribution::Normal(0.0, 1.0), &device);
        let turned = rotary.apply(x.clone().narrow(2, 0, heads * size).reshape([batch, frames, heads, size]));
        let expected = Tensor::cat(vec![turned.reshape([batch, frames, heads * size]), x.clone().narrow(2, 30, 10)], 2);
        at_every_level(|level| {
            let got = rotary.apply_to_heads(x.clone(), heads);
            let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
            assert!(worst < 1e-6, "{level:?}: {worst}");
        });
    }
}
