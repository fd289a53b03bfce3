//! Operations that are worth a kernel of their own.
//!
//! On the CPU backend they run as loops over tiles that stay in the caches, vectorised for what the processor turns out
//! to have; on every other backend the plain form runs, which is made of ordinary tensor operations. Tests
//! hold the two against each other.
mod activation;
mod affine;
mod attention;
mod conv;
mod decode;
mod depthwise;
mod linear;
mod norm;
mod panels;
mod plane;
mod pool;
mod probe;
mod quantized;
mod relative;
mod rotary;
mod snake;
mod subsample;

// The only place with unsafe code: pointers into tiles, whose bounds are checked before the loops.
#[allow(unsafe_code)]
mod cpu;

#[cfg(test)]
pub use cpu::level::at_every_level;

pub use activation::{Activation, glu, swiglu, tanh_gate};
pub use affine::affine_relu;
pub use attention::attention;
pub use conv::{PackedConv, PackedConvTranspose};
pub use cpu::level::{Level, by_vectors, levels, limit as limit_level};
pub use decode::{CachedRows, RowTables};
pub use depthwise::depthwise;
pub use linear::{
    WeightType, in_one_row, kept_panels, pack_linear, pack_windows, packed_linear, packed_linear_add, packed_windows,
};
pub use norm::{Statistics, modulated_norm};
pub use panels::{from_panels, panel_shape};
pub use plane::{PlaneShape, pack_plane, packed_plane};
pub use pool::in_pool;
pub use probe::product_seconds;
pub use quantized::{Bits, Held, QuantizedWeight, quantized_linear, quantized_linear_add};
pub use relative::by_key;
pub use rotary::rotate_heads;
pub use snake::alias_free_snake;
pub use subsample::{packed_subsample, quantized_subsample};

use burn::tensor::Device;

/// Whether the CPU kernels serve tensors of this device.
pub fn on_cpu(device: &Device) -> bool {
    *device == Device::flex()
}
