//! Linear layers, and their packing for the CPU.
use std::ops::Range;

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::Initializer;
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor};

use crate::kernels::{on_cpu, pack_linear, packed_linear};

/// Sizes of a [`Linear`].
#[derive(Debug, Clone)]
pub struct LinearConfig {
    inputs: usize,
    outputs: usize,
    bias: bool,
}

impl LinearConfig {
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, bias: true }
    }

    pub fn with_bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    pub fn init_split(&self, device: &Device) -> SplitLinear {
        let Linear { weight, bias, .. } = self.init(device);
        SplitLinear { weight, bias }
    }

    pub fn init(&self, device: &Device) -> Linear {
        Linear {
            weight: Initializer::Zeros.init([self.inputs, self.outputs], device),
            bias: self.bias.then(|| Initializer::Zeros.init([self.outputs], device)),
            inputs: self.inputs,
            outputs: self.outputs,
        }
    }
}

/// `x · weight + bias`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`, or that packed by [`pack`].
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// `[.., inputs]` -> `[.., outputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        if weight.dims() == [self.inputs, self.outputs] {
            linear(x, weight, bias)
        } else {
            packed_linear(x, weight, bias, self.outputs)
        }
    }

    pub fn device(&self) -> Device {
        self.weight.device()
    }
}

/// A linear layer over several inputs side by side, each of which is projected by itself: what is constant is then
/// projected once, and nothing is copied together.
#[derive(Module, Debug)]
pub struct SplitLinear {
    /// `[inputs, outputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
}

impl SplitLinear {
    /// What the input channels `range` contribute: `[batch, time, range]` -> `[batch, time, outputs]`.
    pub fn part(&self, x: Tensor<3>, range: Range<usize>) -> Tensor<3> {
        x.matmul(self.weight.val().slice([range]).unsqueeze())
    }

    /// `x` `[batch, time, outputs]` with the bias added.
    pub fn add_bias(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.bias {
            Some(bias) => x + bias.val().unsqueeze(),
            None => x,
        }
    }
}

/// `module` with the weights of all its [`Linear`] layers in the order in which the CPU kernel reads them; on other
/// devices as it is. One weight at a time is in memory twice.
pub fn pack<M: Module>(module: M, device: &Device) -> M {
    if on_cpu(device) { module.map(&mut Packer::default()) } else { module }
}

#[derive(Default)]
struct Packer {
    /// Names and types on the way to the parameter.
    path: Vec<(String, bool)>,
}

impl ModuleMapper for Packer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.into(), container == "Struct:Linear"));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.path.last() {
            Some((name, true)) if name == "weight" => param.map(pack_linear),
            _ => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[derive(Module, Debug)]
    struct Pair {
        layers: Vec<Linear>,
        other: Param<Tensor<2>>,
    }

    #[test]
    fn packing_changes_the_order_and_nothing_else() {
        let device = Device::flex();
        let random = |dims| Param::from_tensor(Tensor::random(dims, Distribution::Default, &device));
        let layer = |inputs, outputs, bias: bool| Linear {
            weight: random([inputs, outputs]),
            bias: bias.then(|| Param::from_tensor(Tensor::random([outputs], Distribution::Default, &device))),
            inputs,
            outputs,
        };
        let plain =
            Pair { layers: vec![layer(30, 50, true), layer(50, 48, false), layer(48, 7, true)], other: random([3, 4]) };
        let packed = pack(plain.clone(), &device);
        assert_eq!(packed.layers[0].weight.dims(), [60, 48]);
        assert_eq!(packed.other.val().into_data(), plain.other.val().into_data());
        for rows in [1, 3, 8, 21] {
            let x = Tensor::<3>::random([2, rows, 30], Distribution::Default, &device);
            let run = |model: &Pair| model.layers.iter().fold(x.clone(), |x, layer| layer.forward(x));
            let expected = run(&plain);
            let difference: f32 = ((run(&packed) - expected.clone()) / expected).abs().max().into_scalar();
            assert!(difference < 1e-5, "{rows} rows: {difference}");
        }
    }
}
