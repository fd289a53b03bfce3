//! Two-dimensional convolution over frames and frequencies.
use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::kernels::{PlaneShape, packed_plane};
use crate::nn::norm::Affine;

/// A convolution that keeps the number of frames, and batch normalisation.
#[derive(Module, Debug)]
pub struct PlaneConv {
    conv: PlaneWeight,
    norm: Affine,
    kernel: usize,
    stride: usize,
}

/// The weight of a [`PlaneConv`].
#[derive(Module, Debug)]
pub struct PlaneWeight {
    /// `[outputs, inputs, kernel (frequencies), kernel (frames)]`, or packed by [`pack`](crate::nn::linear::pack).
    weight: Param<Tensor<4>>,
}

impl PlaneConv {
    /// `kernel` is odd and that of both sides, `stride` that of the frequencies.
    pub fn new([inputs, outputs]: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let weight = Initializer::Zeros.init([outputs, inputs, kernel, kernel], device);
        Self { conv: PlaneWeight { weight }, norm: Affine::new(outputs, device), kernel, stride }
    }

    /// `[batch, time, frequencies, inputs]` -> `[batch, time, (frequencies - 1) / stride + 1, outputs]`, after a ReLU if
    /// `rectified`.
    pub fn forward(&self, x: Tensor<4>, rectified: bool) -> Tensor<4> {
        let Self { kernel, stride, .. } = *self;
        let weight = self.conv.weight.val();
        if weight.dims()[2..] == [kernel, kernel] {
            let options = ConvOptions::new([stride, 1], [kernel / 2, kernel / 2], [1, 1], 1);
            let y = self.norm.forward(conv2d(x.permute([0, 3, 2, 1]), weight, None, options));
            return if rectified { relu(y) } else { y }.permute([0, 3, 2, 1]);
        }
        let [_, time, frequencies, channels] = x.dims();
        let shape = PlaneShape { time, frequencies, channels, kernel, stride, relu: rectified };
        let (scale, shift) = self.norm.factors();
        packed_plane(x, weight.flatten::<1>(0, 3).unsqueeze(), scale, shift, shape)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleMapper;
    use burn::tensor::Distribution;

    use super::*;
    use crate::kernels::{WeightType, at_every_level};
    use crate::nn::linear::pack;

    struct Random;

    impl ModuleMapper for Random {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|t| t.random_like(Distribution::Normal(0.0, 1.0)))
        }
    }

    #[test]
    fn packed_equals_plain() {
        let device = Device::flex();
        for (sizes, kernel, stride) in
            [([1, 32], 3, 1), ([7, 50], 3, 2), ([32, 32], 1, 2), ([5, 3], 1, 1), ([2, 4], 5, 3), ([3, 2], 3, 3)]
        {
            let plain = PlaneConv::new(sizes, kernel, stride, &device).map(&mut Random);
            let packed = pack(plain.clone(), WeightType::F32, &device);
            for (time, frequencies) in [(1, 1), (4, 9), (23, 10), (30, 80)] {
                let x = Tensor::random([2, time, frequencies, sizes[0]], Distribution::Normal(0.0, 1.0), &device);
                for rectified in [false, true] {
                    let expected = plain.forward(x.clone(), rectified);
                    at_every_level(|level| {
                        let got = packed.forward(x.clone(), rectified);
                        assert_eq!(got.dims(), expected.dims());
                        // Sums of up to 288 products of normal numbers.
                        let worst: f32 = (got - expected.clone()).abs().max().into_scalar();
                        assert!(worst < 2e-4, "{level:?} {sizes:?} {kernel} {stride} {time} {frequencies}: {worst}");
                    });
                }
            }
        }
    }
}
