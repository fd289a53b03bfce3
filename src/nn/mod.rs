//! Layers that know no checkpoint.
pub mod adaptive_norm;
pub mod attention;
pub mod conformer;
pub mod convnext;
pub mod kv_cache;
pub mod linear;
pub mod norm;
pub mod perceiver;
pub mod plane;
pub mod rotary;
pub mod snake;
pub mod wavenet;
