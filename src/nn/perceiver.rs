//! perceiver
