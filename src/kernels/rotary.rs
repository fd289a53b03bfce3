//! Rotary positions on queries and keys where they lie.
use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::cpu::CpuKernels;

/// Turns the pairs of the first `heads` heads in each row of `x` `[batch, time, width]` by the angles of its position,
/// whose cosines and sines are `[time, head size]` (each angle twice). On the CPU only.
pub fn rotate_heads(x: Tensor<3>, heads: usize, cos: Tensor<2>, sin: Tensor<2>) -> Tensor<3> {
    let [x, cos, sin] = [x.into_dispatch(), cos.into_dispatch(), sin.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as CpuKernels>::rotate(x, cos, sin, heads))
}
