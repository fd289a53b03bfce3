//! Products with a weight that lies in the order in which it is read.
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::Activation;
use super::cpu::{CpuKernels, is_at_points, winograd_rows};
use super::on_cpu;
use super::panels::{PANEL, halves, pairs, to_panels};

/// The type in which weights are kept. On the CPU products are f32; a GPU multiplies in this type, and everything else
/// there (norms, softmax, sums of residuals, convolutions with kernels of several frames) is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightType {
    #[default]
    F32,
    /// Half the memory.
    F16,
    /// Half the memory, and twice the speed on processors with products of pairs (AVX-512 BF16), which round the inputs
    /// as well.
    Bf16,
}

impl WeightType {
    /// As `--dtype` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// `[inputs, outputs]` as panels of 48 outputs, `[panels, inputs, 48]` with zeros beyond the last output, or for bfloat16
/// `[panels, inputs / 2, 48, 2]`; in one row, so that no other weight has this shape.
pub fn pack_linear<const D: usize>(weight: Tensor<D>, kept: WeightType) -> Tensor<D> {
    let dims = weight.dims();
    let (inputs, outputs) = (dims[0], dims[D - 1]);
    let device = weight.device();
    let rows = weight.into_data().convert::<f32>();
    let panels = to_panels(rows.as_slice().unwrap_or_default(), inputs, outputs);
    drop(rows);
    in_one_row(kept_panels(panels, inputs, kept), &device)
}

/// Panels in the type in which they are kept.
pub fn kept_panels(panels: Vec<f32>, inputs: usize, kept: WeightType) -> TensorData {
    let length = panels.len();
    match kept {
        WeightType::F32 => TensorData::new(panels, [length]),
        WeightType::F16 => TensorData::new(halves(&panels), [length]),
        WeightType::Bf16 => {
            let pairs = pairs(&panels, inputs);
            let length = pairs.len();
            TensorData::new(pairs, [length])
        }
    }
}

/// A packed weight of any rank, in its own type.
pub fn in_one_row<const D: usize>(data: TensorData, device: &Device) -> Tensor<D> {
    let mut shape = [1; D];
    shape[D - 1] = data.num_elements();
    let dtype = data.dtype();
    Tensor::<1>::from_data(data, (device, dtype)).reshape(shape)
}

/// `x · weight + bias` for a weight of [`pack_linear`]: `[.., inputs]` -> `[.., outputs]`, after `then` if there is one.
pub fn packed_linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    outputs: usize,
    then: Option<Activation>,
) -> Tensor<D> {
    let mut dims = x.dims();
    let inputs = std::mem::replace(&mut dims[D - 1], outputs);
    let rows = dims[..D - 1].iter().product();
    let x: Tensor<2> = x.reshape([rows, inputs]);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    let y: Tensor<2> = if on_cpu(&x.device()) {
        let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::linear(x, weight, bias, then))
    } else {
        let y = x.matmul(unpack(weight, inputs, outputs)) + bias.unsqueeze();
        match then {
            Some(then) => then.forward(y),
            None => y,
        }
    };
    y.reshape(dims)
}

/// `sum + x · weight + bias`, without a tensor between the two: `sum` `[.., outputs]` to the same. On the CPU only.
pub fn packed_linear_add<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    sum: Tensor<D>,
) -> Tensor<D> {
    add_rows(x, bias, sum, |x, bias, sum| {
        let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as CpuKernels>::linear_add(x, weight, bias, sum.into_dispatch()))
    })
}

/// `product` of rows, a bias (zeros for none) and what is added to, for tensors of any rank.
pub(super) fn add_rows<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    sum: Tensor<D>,
    product: impl FnOnce(Tensor<2>, Tensor<1>, Tensor<2>) -> Tensor<2>,
) -> Tensor<D> {
    let (inputs, dims) = (x.dims()[D - 1], sum.dims());
    let (rows, outputs) = (dims[..D - 1].iter().product(), dims[D - 1]);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    product(x.reshape([rows, inputs]), bias, sum.reshape([rows, outputs])).reshape(dims)
}

/// `weight` `[outputs, inputs, kernel]` of a convolution over time, packed for [`packed_windows`]: as `[kernel * inputs,
/// outputs]`, or at the points where fewer products are needed. In one row of `D` dimensions.
pub fn pack_windows<const D: usize>(weight: Tensor<D>, kept: WeightType) -> Tensor<D> {
    let dims: [usize; 3] = weight.shape().dims();
    let [outputs, inputs, kernel] = dims;
    let device = weight.device();
    let rows: Tensor<2> = if is_at_points(kept.dtype(), [inputs, outputs, kernel]) {
        let data = weight.into_data().convert::<f32>();
        let values = winograd_rows::weight_at_points(data.as_slice().unwrap_or_default(), dims);
        let rows = values.len() / outputs;
        Tensor::from_data(TensorData::new(values, [rows, outputs]), &device)
    } else {
        weight.reshape(dims).permute([2, 1, 0]).reshape([kernel * inputs, outputs])
    };
    let packed = pack_linear(rows, kept);
    let mut shape = [1; D];
    shape[D - 1] = packed.dims()[1];
    packed.reshape(shape)
}

/// A convolution over time as a product with windows of `kernel` frames, `dilation` apart: `x` `[batch, time, channels]`,
/// `weight` of [`pack_windows`] -> `[batch, time - dilation * (kernel - 1), outputs]`. On the CPU only.
pub fn packed_windows(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, kernel: usize, dilation: usize) -> Tensor<3> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as CpuKernels>::linear_windows(x, weight, bias, kernel, dilation))
}

/// The plain weight `[inputs, outputs]`, of one kept in f32.
fn unpack(weight: Tensor<2>, inputs: usize, outputs: usize) -> Tensor<2> {
    let panels = outputs.div_ceil(PANEL);
    let weight = weight.reshape([panels, inputs, PANEL]).swap_dims(0, 1);
    weight.reshape([inputs, panels * PANEL]).narrow(1, 0, outputs)
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::conv1d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Distribution, FloatDType};
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
            let packed = pack_linear(weight.clone(), WeightType::F32);
            prop_assert_eq!(unpack(packed, inputs, outputs).into_data(), weight.clone().into_data());
            // Half-precision forms against weights (and, in pairs, rows) rounded in the plain form: sums of up to 90
            // products of normal numbers.
            let rounded = |x: &Tensor<2>, dtype: FloatDType| -> Tensor<2> {
                let x: Tensor<2> = x.clone().cast(dtype);
                x.cast(FloatDType::F32)
            };
            for (kept, dtype) in
                [(WeightType::F32, FloatDType::F32), (WeightType::F16, FloatDType::F16), (WeightType::Bf16, FloatDType::BF16)]
            {
                let packed = pack_linear(weight.clone(), kept);
                let got = packed_linear(x.clone(), packed, Some(bias.clone()), outputs, None);
                let near = rounded(&weight, dtype);
                let exact = x.clone().matmul(near.clone()) + bias.clone().unsqueeze();
                let pairs = rounded(&x, dtype).matmul(near) + bias.clone().unsqueeze();
                let worst = |expected: Tensor<2>| -> f32 { (got.clone() - expected).abs().max().into_scalar() };
                let worst = if kept == WeightType::Bf16 { worst(exact).min(worst(pairs)) } else { worst(exact) };
                prop_assert!(worst < 1e-4, "{:?}: {}", kept, worst);
            }
        }

        #[test]
        fn windows_equal_a_convolution(
            time in 13usize..40, channels in 1usize..20, outputs in 1usize..100, dilation in 1usize..4,
        ) {
            // Pairs of channels must not be cut by the frames of a dilated window.
            let channels = 2 * channels;
            let device = Device::flex();
            let random = |dims| Tensor::<3>::random(dims, Distribution::Normal(0.0, 1.0), &device);
            let (frames, x, weight) = (5, random([2, time, channels]), random([outputs, channels, 5]));
            let bias = Tensor::<1>::random([outputs], Distribution::Normal(0.0, 1.0), &device);
            let options = ConvOptions::new([1], [0], [dilation], 1);
            let expected = conv1d(x.clone().swap_dims(1, 2), weight.clone(), Some(bias.clone()), options).swap_dims(1, 2);
            for (kept, tolerance) in [(WeightType::F32, 1e-4), (WeightType::Bf16, 0.2)] {
                let packed: Tensor<2> = pack_windows(weight.clone(), kept).reshape([1, -1]);
                let got = packed_windows(x.clone(), packed, bias.clone(), frames, dilation);
                let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
                prop_assert!(worst < tolerance, "{:?}: {}", kept, worst);
            }
        }

        /// Of numbers up to 1: the transforms' rounding is that of values up to a hundred times as large.
        #[test]
        fn fewer_products_equal_a_convolution(
            (batch, time, dilation) in (1usize..3, 13usize..60, 1usize..4),
            (channels, outputs, taps) in (64usize..100, 64usize..140, 3usize..6),
        ) {
            let device = Device::flex();
            prop_assert!(is_at_points(DType::F32, [channels, outputs, taps]));
            let random = |dims| Tensor::<3>::random(dims, Distribution::Uniform(-1.0, 1.0), &device);
            let (x, weight) = (random([batch, time, channels]), random([outputs, channels, taps]));
            let bias = Tensor::<1>::random([outputs], Distribution::Normal(0.0, 1.0), &device);
            let options = ConvOptions::new([1], [0], [dilation], 1);
            let expected = conv1d(x.clone().swap_dims(1, 2), weight.clone(), Some(bias.clone()), options).swap_dims(1, 2);
            let packed: Tensor<2> = pack_windows(weight, WeightType::F32).reshape([1, -1]);
            let got = packed_windows(x, packed, bias, taps, dilation);
            let worst: f32 = (got - expected).abs().max().into_scalar();
            prop_assert!(worst < 1e-4, "{}", worst);
        }
    }
}
