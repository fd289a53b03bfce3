//! Products with a weight that lies in the order in which it is read.
use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::cpu::CpuKernels;
use super::cpu::linear::PANEL;
use super::on_cpu;

/// `[inputs, outputs]` as panels of 48 outputs, `[panels * inputs, 48]`, zero beyond the last output.
pub fn pack_linear<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    let dims = weight.dims();
    let (inputs, outputs) = (dims[0], dims[D - 1]);
    let panels = outputs.div_ceil(PANEL);
    let device = weight.device();
    let padded = if outputs.is_multiple_of(PANEL) {
        weight.reshape([inputs, outputs])
    } else {
        let rest = Tensor::zeros([inputs, panels * PANEL - outputs], &device);
        Tensor::cat(vec![weight.reshape([inputs, outputs]), rest], 1)
    };
    let panels = padded.reshape([inputs, panels, PANEL]).swap_dims(0, 1);
    // Through the host: a permuted view would be copied again by every call.
    let data = panels.into_data();
    let rows = data.num_elements() / PANEL;
    let mut shape = [1; D];
    shape[0] = rows;
    shape[D - 1] = PANEL;
    Tensor::<3>::from_data(data, &device).reshape(shape)
}

/// `x · weight + bias` for a weight of [`pack_linear`]: `[.., inputs]` -> `[.., outputs]`.
pub fn packed_linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    outputs: usize,
) -> Tensor<D> {
    let mut dims = x.dims();
    let inputs = std::mem::replace(&mut dims[D - 1], outputs);
    let rows = dims[..D - 1].iter().product();
    let x: Tensor<2> = x.reshape([rows, inputs]);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    let y: Tensor<2> = if on_cpu(&x.device()) {
        let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::linear(x, weight, bias))
    } else {
        x.matmul(unpack(weight, inputs, outputs)) + bias.unsqueeze()
    };
    y.reshape(dims)
}

/// The plain weight `[inputs, outputs]`.
fn unpack(weight: Tensor<2>, inputs: usize, outputs: usize) -> Tensor<2> {
    let panels = outputs.div_ceil(PANEL);
    let weight = weight.reshape([panels, inputs, PANEL]).swap_dims(0, 1);
    weight.reshape([inputs, panels * PANEL]).narrow(1, 0, outputs)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn equals_the_plain_form(rows in 1usize..70, inputs in 1usize..90, outputs in 1usize..200) {
            let device = Device::flex();
            let random = |dims| Tensor::<2>::random(dims, Distribution::Normal(0.0, 1.0), &device);
            let (x, weight) = (random([rows, inputs]), random([inputs, outputs]));
            let bias = Tensor::<1>::random([outputs], Distribution::Normal(0.0, 1.0), &device);
            let expected = x.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
            let packed = pack_linear(weight.clone());
            prop_assert_eq!(unpack(packed.clone(), inputs, outputs).into_data(), weight.into_data());
            let worst: f32 = (packed_linear(x, packed, Some(bias), outputs) - expected).abs().max().into_scalar();
            prop_assert!(worst < 1e-4, "{}", worst);
        }
    }
}
