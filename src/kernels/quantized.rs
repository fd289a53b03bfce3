//! Linear layers whose weights are kept in 8 or 4 bits.
use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor, TensorData};

pub use super::cpu::few_bits::{Bits, Held, QuantizedWeight};

use super::Activation;
use super::cpu::CpuKernels;
use super::linear::add_rows;
use super::on_cpu;

/// `x · weight + bias`: `[.., inputs]` -> `[.., outputs]`, after `then` if there is one. On the CPU rows are rounded to 8
/// bits, too.
pub fn quantized_linear<const D: usize>(
    x: Tensor<D>,
    weight: &Arc<QuantizedWeight>,
    bias: Option<Tensor<1>>,
    then: Option<Activation>,
) -> Tensor<D> {
    let mut dims = x.dims();
    let outputs = weight.outputs();
    let inputs = std::mem::replace(&mut dims[D - 1], outputs);
    let rows = dims[..D - 1].iter().product();
    let x: Tensor<2> = x.reshape([rows, inputs]);
    let device = x.device();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &device));
    let y: Tensor<2> = if on_cpu(&device) {
        let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
        Tensor::from_dispatch(<Dispatch as CpuKernels>::quantized_linear(x, bias, weight.clone(), then))
    } else {
        let y = x.matmul(restored(weight, inputs, &device)) + bias.unsqueeze();
        match then {
            Some(then) => then.forward(y),
            None => y,
        }
    };
    y.reshape(dims)
}

/// `sum + x · weight + bias`, without a tensor between the two: `sum` `[.., outputs]` to the same. On the CPU only.
pub fn quantized_linear_add<const D: usize>(
    x: Tensor<D>,
    weight: &Arc<QuantizedWeight>,
    bias: Option<Tensor<1>>,
    sum: Tensor<D>,
) -> Tensor<D> {
    add_rows(x, bias, sum, |x, bias, sum| {
        let [x, bias, sum] = [x.into_dispatch(), bias.into_dispatch(), sum.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::quantized_linear_add(x, bias, sum, weight.clone()))
    })
}

/// The weight that products are made with, `[inputs, outputs]`.
fn restored(weight: &QuantizedWeight, inputs: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(weight.restored(), [inputs, weight.outputs()]), device)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn is_as_near_as_its_bits_allow(rows in 1usize..12, inputs in 1usize..200, outputs in 1usize..120) {
            let device = Device::flex();
            let random = |dims| Tensor::<2>::random(dims, Distribution::Uniform(-1.0, 1.0), &device);
            let (x, plain) = (random([rows, inputs]), random([inputs, outputs]));
            let bias = Tensor::<1>::random([outputs], Distribution::Default, &device);
            let values: Vec<f32> = plain.clone().into_data().iter::<f32>().collect();
            // Half a step; with four bits a whole one for a value that is the largest with the other sign.
            for (bits, farthest) in [(Bits::Eight, 0.5 / 127.0), (Bits::Four, 1.0 / 8.0)] {
                let weight = Arc::new(QuantizedWeight::new(&values, inputs, outputs, bits));
                let restored = restored(&weight, inputs, &device);
                let worst: f32 = (restored.clone() - plain.clone()).abs().max().into_scalar();
                prop_assert!(worst <= 1.0001 * farthest, "{:?}: {}", bits, worst);
                // Against the restored weight only the rounding of the rows is left: half a step of at most 1 / 127 in
                // each product.
                let expected = x.clone().matmul(restored) + bias.clone().unsqueeze();
                let got = quantized_linear(x.clone(), &weight, Some(bias.clone()), None);
                let worst: f32 = (got - expected).abs().max().into_scalar();
                prop_assert!(worst <= inputs as f32 * 0.51 / 127.0, "{:?}: {}", bits, worst);
            }
        }
    }
}
