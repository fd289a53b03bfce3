//! Kernels of the CPU backend.
//!
//! Vector code is written once against [`pulp`], which compiles it for every instruction set and picks one at run time;
//! threads come from rayon's pool, as everywhere in the backend.
mod activation;
mod affine;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
pub mod conv;
pub mod conv_transpose;
pub mod decode;
pub mod depthwise;
mod fetch;
pub mod few_bits;
pub mod integer;
pub mod level;
pub mod linear;
mod math;
pub mod norm;
mod pairs;
pub mod plane;
mod relative;
mod rotary;
mod share;
mod snake;
mod split;
mod subsample;
mod team;
mod toom_cook;
pub mod winograd;
pub mod winograd_rows;

use std::sync::Arc;

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Shape};

use super::Activation;
use few_bits::QuantizedWeight;
use linear::{Rows, Start, Weight};
use norm::Statistics;
use share::zeros;
use subsample::Projection;

/// Operations that only the CPU backend has; callers ask `on_cpu` first.
#[backend_extension(Flex)]
pub trait CpuKernels: Backend {
    fn snake(x: FloatTensor<Self>, slope: FloatTensor<Self>, scale: FloatTensor<Self>) -> FloatTensor<Self>;

    fn conv1d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: conv::Shape,
    ) -> FloatTensor<Self>;

    fn conv1d_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sum: FloatTensor<Self>,
        shape: conv::Shape,
    ) -> FloatTensor<Self>;

    fn conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: conv_transpose::Shape,
    ) -> FloatTensor<Self>;

    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        then: Option<Activation>,
    ) -> FloatTensor<Self>;

    fn linear_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn linear_windows(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kernel: usize,
        dilation: usize,
    ) -> FloatTensor<Self>;

    fn quantized_linear(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: Arc<QuantizedWeight>,
        then: Option<Activation>,
    ) -> FloatTensor<Self>;

    fn quantized_linear_add(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sum: FloatTensor<Self>,
        weight: Arc<QuantizedWeight>,
    ) -> FloatTensor<Self>;

    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        before: usize,
    ) -> FloatTensor<Self>;

    fn by_key(x: FloatTensor<Self>, ignored: FloatTensor<Self>, left: usize, scale: f32) -> FloatTensor<Self>;

    fn norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        statistics: Statistics,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    fn rotate(x: FloatTensor<Self>, cos: FloatTensor<Self>, sin: FloatTensor<Self>, heads: usize) -> FloatTensor<Self>;

    fn subsample(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn quantized_subsample(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: Arc<QuantizedWeight>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    fn affine_relu(x: FloatTensor<Self>, scale: FloatTensor<Self>, shift: FloatTensor<Self>) -> FloatTensor<Self>;

    fn plane(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        shape: plane::Shape,
    ) -> FloatTensor<Self>;

    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;

    fn glu(x: FloatTensor<Self>) -> FloatTensor<Self>;

    fn tanh_gate(x: FloatTensor<Self>, condition: FloatTensor<Self>) -> FloatTensor<Self>;

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f32,
        causal: bool,
    ) -> FloatTensor<Self>;

    fn attention_biased(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self>;
}

impl CpuKernels for Flex {
    fn snake(x: FlexTensor, slope: FlexTensor, scale: FlexTensor) -> FlexTensor {
        let dims = dims::<3>(&x);
        let (x, slope, scale) = (contiguous(x), contiguous(slope), contiguous(scale));
        let out = snake::snake(floats(&x), floats(&slope), floats(&scale), dims);
        tensor(out, &dims)
    }

    fn conv1d(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, shape: conv::Shape) -> FlexTensor {
        let ([batch, _, time], [outputs]) = (dims(&x), dims(&bias));
        let mut out = zeros(batch * outputs * time);
        convolve(x, &weight, bias, &mut out, shape, false);
        tensor(out, &[batch, outputs, time])
    }

    fn conv1d_add(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        sum: FlexTensor,
        shape: conv::Shape,
    ) -> FlexTensor {
        let mut sum = whole(sum);
        convolve(x, &weight, bias, sum.storage_mut(), shape, true);
        sum
    }

    fn conv_transpose(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, shape: conv_transpose::Shape) -> FlexTensor {
        let [batch, _, time] = dims(&x);
        let (x, bias) = (contiguous(x), contiguous(bias));
        let out = conv_transpose::conv_transpose(floats(&x), [batch, time], packed(&weight), floats(&bias), &shape);
        tensor(out, &[batch, shape.outputs, shape.output_time(time)])
    }

    fn linear(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, then: Option<Activation>) -> FlexTensor {
        let ([rows, _], [outputs]) = (dims(&x), dims(&bias));
        let (x, bias) = (contiguous(x), contiguous(bias));
        let rows_of_x = Rows::dense(floats(&x), rows);
        tensor(linear::linear(rows_of_x, packed(&weight), floats(&bias), then), &[rows, outputs])
    }

    fn linear_add(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, sum: FlexTensor) -> FlexTensor {
        let [rows, inputs] = dims(&x);
        let (x, bias, mut sum) = (contiguous(x), contiguous(bias), whole(sum));
        let start = Start::Sum(floats(&bias));
        let rows_of_x = Rows::dense(floats(&x), rows);
        linear::linear_part(rows_of_x, packed(&weight), inputs, 0, start, None, sum.storage_mut());
        sum
    }

    fn linear_windows(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        kernel: usize,
        dilation: usize,
    ) -> FlexTensor {
        let ([batch, time, channels], [outputs]) = (dims(&x), dims(&bias));
        let (x, bias) = (contiguous(x), contiguous(bias));
        let count = time - dilation * (kernel - 1);
        let mut out = zeros(batch * count * outputs);
        if is_at_points(weight.dtype(), [channels, outputs, kernel]) {
            let sizes = [channels, kernel, dilation];
            winograd_rows::convolve(floats(&x), batch, packed(&weight), floats(&bias), &mut out, sizes);
            return tensor(out, &[batch, count, outputs]);
        }
        let items = floats(&x).chunks_exact(time * channels).zip(out.chunks_exact_mut(count * outputs));
        for (item, out) in items {
            linear::convolve(item, packed(&weight), floats(&bias), out, [channels, kernel, dilation]);
        }
        tensor(out, &[batch, count, outputs])
    }

    fn quantized_linear(
        x: FlexTensor,
        bias: FlexTensor,
        weight: Arc<QuantizedWeight>,
        then: Option<Activation>,
    ) -> FlexTensor {
        let ([rows, _], [outputs]) = (dims(&x), dims(&bias));
        let (x, bias) = (contiguous(x), contiguous(bias));
        tensor(integer::quantized_linear(floats(&x), &weight, floats(&bias), then), &[rows, outputs])
    }

    fn quantized_linear_add(
        x: FlexTensor,
        bias: FlexTensor,
        sum: FlexTensor,
        weight: Arc<QuantizedWeight>,
    ) -> FlexTensor {
        let (x, bias, mut sum) = (contiguous(x), contiguous(bias), whole(sum));
        integer::quantized_part(floats(&x), &weight, 0, Start::Sum(floats(&bias)), None, sum.storage_mut());
        sum
    }

    fn depthwise(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, before: usize) -> FlexTensor {
        let ([batch, time, channels], [_, _, taps]) = (dims(&x), dims(&weight));
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let out = depthwise::depthwise(floats(&x), floats(&weight), floats(&bias), [time, taps, before]);
        tensor(out, &[batch, time, channels])
    }

    fn by_key(x: FlexTensor, ignored: FlexTensor, left: usize, scale: f32) -> FlexTensor {
        let [batch, heads, time, distances] = dims(&x);
        let (x, ignored) = (contiguous(x), contiguous(ignored));
        let out = relative::by_key(floats(&x), [heads, time, distances], floats(&ignored), left, scale);
        tensor(out, &[batch, heads, time, time])
    }

    fn norm(x: FlexTensor, scale: FlexTensor, shift: FlexTensor, statistics: Statistics, epsilon: f32) -> FlexTensor {
        let [_, time, channels] = dims(&x);
        let (mut x, scale, shift) = (whole(x), contiguous(scale), contiguous(shift));
        norm::norm(x.storage_mut(), [time, channels], floats(&scale), floats(&shift), statistics, epsilon);
        x
    }

    fn rotate(x: FlexTensor, cos: FlexTensor, sin: FlexTensor, heads: usize) -> FlexTensor {
        let [_, time, width] = dims(&x);
        let (mut x, cos, sin) = (whole(x), contiguous(cos), contiguous(sin));
        rotary::rotate(x.storage_mut(), [time, width, heads], floats(&cos), floats(&sin));
        x
    }

    fn subsample(
        x: FlexTensor,
        kernel: FlexTensor,
        bias: FlexTensor,
        weight: FlexTensor,
        shift: FlexTensor,
    ) -> FlexTensor {
        subsampled([x, kernel, bias, shift], Projection::Packed(packed(&weight)))
    }

    fn quantized_subsample(
        x: FlexTensor,
        kernel: FlexTensor,
        bias: FlexTensor,
        weight: Arc<QuantizedWeight>,
        shift: FlexTensor,
    ) -> FlexTensor {
        subsampled([x, kernel, bias, shift], Projection::Quantized(&weight))
    }

    fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        let mut x = whole(x);
        activation::activate(x.storage_mut(), activation);
        x
    }

    fn affine_relu(x: FlexTensor, scale: FlexTensor, shift: FlexTensor) -> FlexTensor {
        let (mut x, scale, shift) = (whole(x), contiguous(scale), contiguous(shift));
        affine::affine_relu(x.storage_mut(), floats(&scale), floats(&shift));
        x
    }

    fn plane(
        x: FlexTensor,
        weight: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        shape: plane::Shape,
    ) -> FlexTensor {
        let ([batch, time, ..], [outputs]) = (dims::<4>(&x), dims(&shift));
        let (x, scale, shift) = (contiguous(x), contiguous(scale), contiguous(shift));
        let (scale, shift) = (floats(&scale), floats(&shift));
        let count = shape.output_frequencies();
        let mut out = zeros(batch * time * count * outputs);
        let size = time * shape.frequencies * shape.channels;
        for (x, out) in floats(&x).chunks_exact(size).zip(out.chunks_exact_mut(time * count * outputs)) {
            plane::convolve(x, packed(&weight), scale, shift, out, shape);
        }
        tensor(out, &[batch, time, count, outputs])
    }

    fn swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        assert_eq!(gate.layout().shape(), up.layout().shape(), "swiglu: gate and value have different shapes");
        let (mut gate, up) = (whole(gate), contiguous(up));
        activation::swiglu(gate.storage_mut(), floats(&up));
        gate
    }

    fn glu(x: FlexTensor) -> FlexTensor {
        let [batch, time, double] = dims(&x);
        let x = contiguous(x);
        tensor(activation::glu(floats(&x), double / 2), &[batch, time, double / 2])
    }

    fn tanh_gate(x: FlexTensor, condition: FlexTensor) -> FlexTensor {
        let [batch, time, double] = dims(&x);
        let (x, condition) = (contiguous(x), contiguous(condition));
        let out = activation::tanh_gate(floats(&x), floats(&condition), [time, double]);
        tensor(out, &[batch, time, double / 2])
    }

    fn attention(query: FlexTensor, key: FlexTensor, value: FlexTensor, scale: f32, causal: bool) -> FlexTensor {
        attend(&query, &key, &value, None, scale, causal)
    }

    fn attention_biased(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: FlexTensor,
        scale: f32,
    ) -> FlexTensor {
        attend(&query, &key, &value, Some(&bias), scale, false)
    }
}

/// Whether the weight of windows `[inputs, outputs, kernel]` lies at the points of [`winograd_rows`].
pub fn is_at_points(dtype: DType, [inputs, outputs, kernel]: [usize; 3]) -> bool {
    dtype == DType::F32 && winograd_rows::pays(inputs, outputs, kernel)
}

fn subsampled(tensors: [FlexTensor; 4], weight: Projection<'_>) -> FlexTensor {
    let [time, features] = dims(&tensors[0]);
    let [x, kernel, bias, shift] = tensors.map(contiguous);
    let [kernel, bias, shift] = [&kernel, &bias, &shift].map(floats);
    let out = subsample::subsample(floats(&x), [time, features], kernel, bias, weight, shift);
    tensor(out, &[(time - 1) / 2, shift.len()])
}

fn convolve(x: FlexTensor, weight: &FlexTensor, bias: FlexTensor, out: &mut [f32], shape: conv::Shape, add: bool) {
    let (x, bias) = (contiguous(x), contiguous(bias));
    let ([batch, inputs, time], outputs) = (dims(&x), floats(&bias).len());
    let size = conv::Size { batch, inputs, outputs, time, taps: shape.taps, dilation: shape.dilation };
    let convolve = if shape.winograd { winograd::conv1d } else { conv::conv1d };
    convolve(floats(&x), packed(weight), floats(&bias), out, &size, add);
}

fn attend(
    query: &FlexTensor,
    key: &FlexTensor,
    value: &FlexTensor,
    bias: Option<&FlexTensor>,
    scale: f32,
    causal: bool,
) -> FlexTensor {
    let ([batch, heads, queries, _], [_, _, _, width]) = (dims(query), dims(value));
    let bias = bias.map(view);
    let out = attention::attention(&view(query), &view(key), &view(value), bias.as_ref(), scale, causal);
    // Heads inside the rows, where the next linear layer wants them.
    tensor(out, &[batch, queries, heads, width]).permute(&[0, 2, 1, 3])
}

fn view(x: &FlexTensor) -> attention::View<'_> {
    let strides = x.layout().strides();
    attention::View {
        data: x.storage(),
        start: x.layout().start_offset(),
        dims: dims(x),
        strides: std::array::from_fn(|i| strides[i]),
    }
}

fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    std::array::from_fn(|i| x.layout().shape()[i])
}

/// `x` in row-major order, as f32.
fn contiguous(x: FlexTensor) -> FlexTensor {
    assert_eq!(x.dtype(), DType::F32, "the CPU kernels compute in f32");
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// As [`contiguous`], and without anything before or after it in its storage: a view of a larger tensor is copied.
fn whole(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
    if floats(&x).len() == x.storage::<f32>().len() {
        return x;
    }
    let shape = x.layout().shape().clone();
    FlexTensor::new(Bytes::from_elems(floats(&x).to_vec()), Layout::contiguous(shape), DType::F32)
}

fn floats(x: &FlexTensor) -> &[f32] {
    // `contiguous` has checked what this asks for.
    x.as_slice().unwrap_or_default()
}

/// A weight of [`pack_linear`](super::pack_linear) in whatever type it is kept.
fn packed(weight: &FlexTensor) -> Weight<'_> {
    assert!(weight.is_contiguous() && weight.layout().start_offset() == 0, "a packed weight lies as it was made");
    match weight.dtype() {
        DType::F16 => Weight::F16(weight.storage()),
        DType::BF16 => Weight::Bf16(weight.storage()),
        _ => Weight::F32(floats(weight)),
    }
}

fn tensor(values: Vec<f32>, dims: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(dims.to_vec())), DType::F32)
}
