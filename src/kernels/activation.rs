//! Activations and gates in one pass over their input.
use burn::backend::Dispatch;
use burn::tensor::{Tensor, activation};

use super::cpu::CpuKernels;
use super::on_cpu;

/// Functions of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`
    Silu,
    /// With the error function (arXiv:1606.08415).
    Gelu,
    /// With GPT-2's hyperbolic tangent in its place.
    GeluTanh,
    /// `x * tanh(ln(1 + e^x))` (arXiv:1908.08681).
    Mish,
}

impl Activation {
    /// Applies the function to every element.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if !on_cpu(&x.device()) {
            return self.plain(x);
        }
        Tensor::from_dispatch(<Dispatch as CpuKernels>::activate(x.into_dispatch(), self))
    }

    fn plain<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Silu => activation::silu(x),
            Self::Gelu => activation::gelu(x),
            Self::GeluTanh => activation::gelu_approximate(x),
            Self::Mish => activation::mish(x),
        }
    }
}

/// `silu(gate) * up`, of equal shapes.
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    if !on_cpu(&gate.device()) {
        return activation::silu(gate) * up;
    }
    Tensor::from_dispatch(<Dispatch as CpuKernels>::swiglu(gate.into_dispatch(), up.into_dispatch()))
}

/// The first half of the channels times the sigmoid of the second: `[batch, time, 2 channels]` to half of it.
pub fn glu(x: Tensor<3>) -> Tensor<3> {
    if !on_cpu(&x.device()) {
        return activation::glu(x, 2);
    }
    Tensor::from_dispatch(<Dispatch as CpuKernels>::glu(x.into_dispatch()))
}

/// WaveNet's gate: with `x + condition` in two halves of channels, `tanh(first) * sigmoid(second)`. `x`
/// `[batch, time, 2 channels]`, `condition` `[batch or 1, 1, 2 channels]` -> `[batch, time, channels]`.
pub fn tanh_gate(x: Tensor<3>, condition: Tensor<3>) -> Tensor<3> {
    if !on_cpu(&x.device()) {
        let channels = x.dims()[2] / 2;
        let x = x + condition;
        return x.clone().narrow(2, 0, channels).tanh() * activation::sigmoid(x.narrow(2, channels, channels));
    }
    let [batch, _, double] = x.dims();
    let condition = condition.expand([batch, 1, double]);
    Tensor::from_dispatch(<Dispatch as CpuKernels>::tanh_gate(x.into_dispatch(), condition.into_dispatch()))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    fn random<const D: usize>(dims: [usize; D]) -> Tensor<D> {
        Tensor::random(dims, Distribution::Normal(0.0, 4.0), &Device::flex())
    }

    fn worst<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn activations_equal_their_plain_forms() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Mish] {
            let x = random([3, 1000]);
            let far =
                Tensor::<2>::from_floats([[-200.0, -90.0, -20.0, -1e-3, 0.0, 1e-3, 20.0, 200.0]], &Device::flex());
            for x in [x.clone(), x.clone().slice([0..2, 1..900]), x.transpose(), far] {
                let difference = worst(activation.forward(x.clone()), activation.plain(x));
                assert!(difference < 3e-6, "{activation:?}: {difference:e}");
            }
        }
    }

    #[test]
    fn gates_equal_their_plain_forms() {
        let (a, b) = (random([2, 7, 33]), random([2, 7, 33]));
        assert!(worst(swiglu(a.clone(), b.clone()), activation::silu(a) * b) < 5e-6);
        let x = random([2, 70, 34]);
        assert!(worst(glu(x.clone()), activation::glu(x.clone(), 2)) < 3e-6);
        for batch in [1, 2] {
            let condition = random([batch, 1, 34]);
            let sum = x.clone() + condition.clone();
            let expected = sum.clone().narrow(2, 0, 17).tanh() * activation::sigmoid(sum.narrow(2, 17, 17));
            assert!(worst(tanh_gate(x.clone(), condition), expected) < 1e-6);
        }
    }
}
