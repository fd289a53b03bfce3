//! Normalisation with a scale and a shift for each item.
use burn::backend::Dispatch;
use burn::tensor::Tensor;

pub use super::cpu::norm::Statistics;

use super::cpu::CpuKernels;
use super::on_cpu;

/// Normalises the rows of `x` `[batch, time, channels]`, multiplies them by `scale` and adds `shift`, `[batch or 1, 1,
/// channels]` each.
pub fn modulated_norm(
    x: Tensor<3>,
    scale: Tensor<3>,
    shift: Tensor<3>,
    statistics: Statistics,
    epsilon: f64,
) -> Tensor<3> {
    if !on_cpu(&x.device()) {
        return plain(x, scale, shift, statistics, epsilon);
    }
    let [x, scale, shift] = [x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::norm(x, scale, shift, statistics, epsilon as f32))
}

fn plain(x: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>, statistics: Statistics, epsilon: f64) -> Tensor<3> {
    let x = match statistics {
        Statistics::Mean => x.clone() - x.mean_dim(2),
        Statistics::Rms => x,
    };
    let deviation = (x.clone().square().mean_dim(2) + epsilon).sqrt();
    x / deviation * scale + shift
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::super::cpu::level::at_every_level;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_the_plain_form(batch in 1usize..3, time in 1usize..60, channels in 1usize..700, shared: bool) {
            let device = Device::flex();
            let random = |dims| Tensor::<3>::random(dims, Distribution::Normal(0.5, 2.0), &device);
            let items = if shared { 1 } else { batch };
            let (x, scale) = (random([batch, time, channels]), random([items, 1, channels]));
            let shift = random([items, 1, channels]);
            for statistics in [Statistics::Mean, Statistics::Rms] {
                let expected = plain(x.clone(), scale.clone(), shift.clone(), statistics, 1e-5);
                at_every_level(|level| {
                    let got = modulated_norm(x.clone(), scale.clone(), shift.clone(), statistics, 1e-5);
                    let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
                    assert!(worst < 2e-5, "{statistics:?}, {level:?}: {worst}");
                });
            }
        }
    }
}
