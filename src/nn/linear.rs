//! Linear layers, and their packing for the CPU.
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::Initializer;
use burn::tensor::module::{conv1d, linear};
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{DType, Device, Tensor};

use crate::kernels::{
    Activation, Bits, QuantizedWeight, WeightType, on_cpu, pack_linear, pack_plane, pack_windows, packed_linear,
    packed_linear_add, packed_windows, quantized_linear, quantized_linear_add,
};

/// What a module's mappers and visitors are told that they are in when it is a [`Linear`].
pub const LINEAR: &str = "Struct:Linear";

/// Weights that are in few bits already, by the parameter in whose place they are.
pub type StoredBits = HashMap<ParamId, Arc<QuantizedWeight>>;

/// To how many bits weights are rounded, and those that need not be.
#[derive(Clone, Copy)]
pub struct FewBits<'a> {
    bits: Bits,
    stored: &'a StoredBits,
}

impl<'a> FewBits<'a> {
    pub fn new(bits: Bits, stored: &'a StoredBits) -> Self {
        Self { bits, stored }
    }

    /// In eight bits whatever the others are in.
    pub fn eight(self) -> Self {
        Self { bits: Bits::Eight, ..self }
    }

    fn stored(self, id: ParamId) -> Option<Arc<QuantizedWeight>> {
        self.stored.get(&id).filter(|weight| weight.bits() == self.bits).cloned()
    }
}

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
            quantized: None,
        }
    }

    /// A convolution over `kernel` frames that are `dilation` apart.
    pub fn init_conv(&self, kernel: usize, dilation: usize, device: &Device) -> TimeConv {
        TimeConv {
            weight: Initializer::Zeros.init([self.outputs, self.inputs, kernel], device),
            bias: self.bias.then(|| Initializer::Zeros.init([self.outputs], device)),
            outputs: self.outputs,
            kernel,
            dilation,
            padding: 0,
        }
    }

    /// As [`init_conv`](Self::init_conv), with zeros on both sides: the output has as many frames as the input. `kernel`
    /// is odd.
    pub fn init_same_conv(&self, kernel: usize, dilation: usize, device: &Device) -> TimeConv {
        TimeConv { padding: dilation * (kernel / 2), ..self.init_conv(kernel, dilation, device) }
    }
}

/// `x · weight + bias`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`, in f32 or, on a GPU, in what the product is made in; or that packed by [`pack`].
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    inputs: usize,
    outputs: usize,
    /// Takes the place of `weight`, which is then empty.
    #[module(skip)]
    quantized: Option<Arc<QuantizedWeight>>,
}

impl Linear {
    /// `[.., inputs]` -> `[.., outputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.run(x, None)
    }

    /// `activation(forward(x))`
    pub fn forward_then<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        self.run(x, Some(activation))
    }

    /// `sum + forward(x)`
    pub fn forward_add<const D: usize>(&self, x: Tensor<D>, sum: Tensor<D>) -> Tensor<D> {
        if on_cpu(&x.device()) {
            let bias = self.bias.as_ref().map(Param::val);
            if let Some(weight) = &self.quantized {
                return quantized_linear_add(x, weight, bias, sum);
            }
            let weight = self.weight.val();
            if !self.is_plain(&weight) {
                return packed_linear_add(x, weight, bias, sum);
            }
        }
        sum + self.forward(x)
    }

    fn run<const D: usize>(&self, x: Tensor<D>, then: Option<Activation>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        if let Some(weight) = &self.quantized {
            return quantized_linear(x, weight, bias, then);
        }
        let weight = self.weight.val();
        let y = match self.half() {
            Some(dtype) => {
                let product: Tensor<D> = linear(x.cast(dtype), weight, None).cast(DType::F32);
                match bias {
                    Some(bias) => product + bias.unsqueeze(),
                    None => product,
                }
            }
            None if self.is_plain(&weight) => linear(x, weight, bias),
            None => return packed_linear(x, weight, bias, self.outputs, then),
        };
        match then {
            Some(activation) => activation.forward(y),
            None => y,
        }
    }

    /// The type of its products where that is not f32: that of its weight on a GPU, see [`pack`].
    pub fn half(&self) -> Option<DType> {
        if self.quantized.is_some() { None } else { half(&self.weight.val()) }
    }

    fn is_plain(&self, weight: &Tensor<2>) -> bool {
        weight.dims() == [self.inputs, self.outputs] && weight.dtype() == DType::F32
    }

    /// Weight and bias, if [`pack`] has packed them.
    pub fn packed(&self) -> Option<(Tensor<2>, Tensor<1>)> {
        let weight = self.weight.val();
        let packed = !self.is_plain(&weight) && self.quantized.is_none() && half(&weight).is_none();
        packed.then(|| self.bias.as_ref().map(|bias| (weight, bias.val()))).flatten()
    }

    /// Weight and bias, if the weight is in few bits.
    pub fn quantized(&self) -> Option<(Arc<QuantizedWeight>, Tensor<1>)> {
        self.quantized.clone().zip(self.bias.as_ref().map(Param::val))
    }

    /// With its weight in few bits; before [`pack`].
    pub fn quantize(self, few: FewBits<'_>) -> Self {
        let Self { weight, bias, inputs, outputs, .. } = self;
        let device = weight.lazy_device();
        let quantized = few.stored(weight.id).unwrap_or_else(|| {
            assert_eq!(weight.shape().dims(), [inputs, outputs], "quantize: a weight that is packed already");
            // The only one that is left: its values are not copied.
            let data = weight.into_value().into_data().convert::<f32>();
            let values = data.as_slice().unwrap_or_default();
            Arc::new(QuantizedWeight::new(values, inputs, outputs, few.bits))
        });
        let nothing = Param::from_tensor(Tensor::zeros([0, 0], &device));
        Self { weight: nothing, bias, inputs, outputs, quantized: Some(quantized) }
    }

    pub fn device(&self) -> Device {
        self.weight.lazy_device()
    }
}

/// A convolution over time, of stride 1, on channels-last signals: there it is a linear layer over windows of frames.
#[derive(Module, Debug)]
pub struct TimeConv {
    /// `[outputs, inputs, kernel]`, or packed by [`pack`].
    weight: Param<Tensor<3>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    outputs: usize,
    kernel: usize,
    dilation: usize,
    /// Zeros on each side.
    padding: usize,
}

impl TimeConv {
    /// `[batch, time, inputs]` -> `[batch, time - reach, outputs]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        let options = ConvOptions::new([1], [self.padding], [self.dilation], 1);
        if let Some(dtype) = half(&weight) {
            let sums: Tensor<3> = conv1d(x.swap_dims(1, 2).cast(dtype), weight, None, options).cast(DType::F32);
            let sums = sums.swap_dims(1, 2);
            return match bias {
                Some(bias) => sums + bias.unsqueeze(),
                None => sums,
            };
        }
        if weight.dims()[2] == self.kernel && weight.dtype() == DType::F32 {
            return conv1d(x.swap_dims(1, 2), weight, bias, options).swap_dims(1, 2);
        }
        let x = match self.padding {
            0 => x,
            zeros => x.pad([(zeros, zeros), (0, 0)], PadMode::Constant(0.0)),
        };
        let bias = bias.unwrap_or_else(|| Tensor::zeros([self.outputs], &x.device()));
        packed_windows(x, weight.flatten::<1>(0, 2).unsqueeze(), bias, self.kernel, self.dilation)
    }

    /// How many frames the output is shorter than the input.
    pub fn reach(&self) -> usize {
        self.dilation * (self.kernel - 1) - 2 * self.padding
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
        let weight = self.weight.val().slice([range]).unsqueeze();
        match half(&weight) {
            Some(dtype) => x.cast(dtype).matmul(weight).cast(DType::F32),
            None => x.matmul(weight),
        }
    }

    /// `x` `[batch, time, outputs]` with the bias added.
    pub fn add_bias(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.bias {
            Some(bias) => x + bias.val().unsqueeze(),
            None => x,
        }
    }
}

/// `module` with the weights of all its [`Linear`], [`TimeConv`] and, on the CPU, [`PlaneConv`](crate::nn::plane::PlaneConv) layers kept as `kept`: on the CPU in the order in which
/// its kernel reads them; on other devices as they lie, for products of that type. One weight at a time is in memory
/// twice.
pub fn pack<M: Module>(module: M, kept: WeightType, device: &Device) -> M {
    match on_cpu(device) {
        false if kept == WeightType::F32 => module,
        on_cpu => module.map(&mut Packer { kept, on_cpu, path: Vec::new() }),
    }
}

/// The type of a weight that products are made in, if not f32. The CPU's own kernels take any and compute in f32.
fn half<const D: usize>(weight: &Tensor<D>) -> Option<DType> {
    let dtype = weight.dtype();
    (dtype != DType::F32 && !on_cpu(&weight.device())).then_some(dtype)
}

struct Packer {
    kept: WeightType,
    on_cpu: bool,
    /// Names on the way to the parameter, and what kind of layer each is in.
    path: Vec<(String, Layer)>,
}

#[derive(Clone, Copy)]
enum Layer {
    Linear,
    SplitLinear,
    TimeConv,
    Plane,
    Other,
}

impl ModuleMapper for Packer {
    fn enter_module(&mut self, name: &str, container: &str) {
        let layer = match container {
            LINEAR => Layer::Linear,
            "Struct:SplitLinear" => Layer::SplitLinear,
            "Struct:TimeConv" => Layer::TimeConv,
            "Struct:PlaneWeight" => Layer::Plane,
            _ => Layer::Other,
        };
        self.path.push((name.into(), layer));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.path.last() {
            Some((name, Layer::Linear | Layer::SplitLinear | Layer::TimeConv)) if name == "weight" && !self.on_cpu => {
                param.map(|weight| weight.cast(self.kept.dtype()))
            }
            // An empty weight is one that `quantize` has replaced.
            Some((name, Layer::Linear)) if name == "weight" && param.lazy_shape().num_elements() > 0 => {
                let plain = param.lazy_shape();
                // Others are packed in their file.
                param.map(|weight| if weight.shape() == plain { pack_linear(weight, self.kept) } else { weight })
            }
            Some((name, Layer::TimeConv)) if name == "weight" => param.map(|weight| pack_windows(weight, self.kept)),
            Some((name, Layer::Plane)) if name == "weight" && self.on_cpu => {
                param.map(|weight| pack_plane(weight, self.kept))
            }
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
            quantized: None,
        };
        let plain =
            Pair { layers: vec![layer(30, 50, true), layer(50, 48, false), layer(48, 7, true)], other: random([3, 4]) };
        let packed = pack(plain.clone(), WeightType::F32, &device);
        assert_eq!(packed.layers[0].weight.dims(), [1, 2 * 30 * 48]);
        assert_eq!(packed.other.val().into_data(), plain.other.val().into_data());
        for rows in [1, 3, 8, 21] {
            let x = Tensor::<3>::random([2, rows, 30], Distribution::Default, &device);
            let run = |model: &Pair| model.layers.iter().fold(x.clone(), |x, layer| layer.forward(x));
            let expected = run(&plain);
            let difference: f32 = ((run(&packed) - expected.clone()) / expected).abs().max().into_scalar();
            assert!(difference < 1e-5, "{rows} rows: {difference}");
            // Fused and apart, in f32 and in few bits.
            let few = plain.layers[0].clone().quantize(FewBits::new(Bits::Eight, &StoredBits::new()));
            for layer in [&plain.layers[0], &packed.layers[0], &few] {
                let sum = Tensor::<3>::random([2, rows, 50], Distribution::Default, &device);
                let worst = |a: Tensor<3>, b: Tensor<3>| -> f32 { (a - b).abs().max().into_scalar() };
                assert!(worst(layer.forward_add(x.clone(), sum.clone()), sum + layer.forward(x.clone())) < 1e-5);
                for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
                    let apart = activation.forward(layer.forward(x.clone()));
                    assert!(worst(layer.forward_then(x.clone(), activation), apart) < 1e-5, "{activation:?}");
                }
            }
        }
    }
}
