//! Kernels of the CPU backend.
//!
//! Vector code is written once against [`pulp`], which compiles it for every instruction set and picks one at run time;
//! threads come from rayon's pool, as everywhere in the backend.
pub mod conv;
mod math;
mod snake;

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Shape};

/// Operations that only the CPU backend has; callers ask `on_cpu` first.
#[backend_extension(Flex)]
pub trait CpuKernels: Backend {
    fn snake(x: FloatTensor<Self>, slope: FloatTensor<Self>, scale: FloatTensor<Self>) -> FloatTensor<Self>;

    fn conv1d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: usize,
    ) -> FloatTensor<Self>;

    fn conv1d_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sum: FloatTensor<Self>,
        dilation: usize,
    ) -> FloatTensor<Self>;
}

impl CpuKernels for Flex {
    fn snake(x: FlexTensor, slope: FlexTensor, scale: FlexTensor) -> FlexTensor {
        let dims = dims::<3>(&x);
        let (x, slope, scale) = (contiguous(x), contiguous(slope), contiguous(scale));
        let out = snake::snake(floats(&x), floats(&slope), floats(&scale), dims);
        tensor(out, &dims)
    }

    fn conv1d(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, dilation: usize) -> FlexTensor {
        let size = conv::Size::of(dims(&x), dims(&weight), dims(&bias), dilation);
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let mut out = vec![0.0; size.outputs_len()];
        conv::conv1d(floats(&x), floats(&weight), floats(&bias), &mut out, &size, false);
        tensor(out, &size.output_dims())
    }

    fn conv1d_add(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, sum: FlexTensor, dilation: usize) -> FlexTensor {
        let size = conv::Size::of(dims(&x), dims(&weight), dims(&bias), dilation);
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let mut sum = contiguous(sum);
        assert_eq!(dims::<3>(&sum), size.output_dims(), "conv1d_add: the sum has another shape than the convolution");
        // A view of a larger tensor is contiguous too, but its storage is not the view.
        if floats(&sum).len() != sum.storage::<f32>().len() {
            sum = tensor(floats(&sum).to_vec(), &size.output_dims());
        }
        conv::conv1d(floats(&x), floats(&weight), floats(&bias), sum.storage_mut(), &size, true);
        sum
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

fn floats(x: &FlexTensor) -> &[f32] {
    // `contiguous` has checked what this asks for.
    x.as_slice().unwrap_or_default()
}

fn tensor(values: Vec<f32>, dims: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(dims.to_vec())), DType::F32)
}
