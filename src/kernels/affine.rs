//! A scale and a shift for each channel, and a ReLU.
use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::cpu::CpuKernels;
use super::on_cpu;

/// `relu(x * scale + shift)`: `x` `[batch, time, channels]`, `scale` and `shift` `[channels]`.
pub fn affine_relu(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<3> {
    if !on_cpu(&x.device()) {
        return plain(x, scale, shift);
    }
    let [x, scale, shift] = [x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::affine_relu(x, scale, shift))
}

fn plain(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<3> {
    relu(x * scale.unsqueeze() + shift.unsqueeze())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::super::cpu::level::at_every_level;
    use super::*;

    #[test]
    fn equals_the_plain_form() {
        for [batch, time, channels] in [[1, 1, 1], [2, 30, 17], [1, 250, 512]] {
            let random = |dims: [usize; 3]| Tensor::<3>::random(dims, Distribution::Normal(0.0, 1.0), &Device::flex());
            let factors = || random([1, 1, channels]).reshape([channels]);
            let (x, scale, shift) = (random([batch, time, channels]), factors(), factors());
            let expected = plain(x.clone(), scale.clone(), shift.clone());
            at_every_level(|level| {
                let got = affine_relu(x.clone(), scale.clone(), shift.clone());
                let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
                assert!(worst < 1e-6, "{level:?}: {worst}");
            });
        }
    }
}
