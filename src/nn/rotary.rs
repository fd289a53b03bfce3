//! Rotary position embedding on interleaved channel pairs (Su et al. 2021, "RoFormer").
use burn::tensor::{Device, Tensor, TensorData};

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
    use super::*;

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
}
