//! Operations that are worth a kernel of their own.
//!
//! On the CPU backend they run as loops over tiles that stay in the caches, vectorised for what the processor turns out
//! to have; on every other backend the plain form runs, which is made of ordinary tensor operations. Tests
//! hold the two against each other.
mod activation;
mod attention;
mod conv;
mod linear;
mod probe;
mod quantized;
mod snake;
mod subsample;

// The only place with unsafe code: pointers into tiles, whose bounds are checked before the loops.
#[allow(unsafe_code)]
mod cpu;

pub use activation::{Activation, glu, swiglu, tanh_gate};
pub use attention::attention;
pub use conv::PackedConv;
pub use linear::{WeightType, pack_linear, packed_linear, packed_windows};
pub use probe::product_seconds;
pub use quantized::{Bits, QuantizedWeight, quantized_linear};
pub use snake::alias_free_snake;
pub use subsample::packed_subsample;

use burn::tensor::Device;

/// Whether the CPU kernels serve tensors of this device.
pub fn on_cpu(device: &Device) -> bool {
    *device == Device::flex()
}
