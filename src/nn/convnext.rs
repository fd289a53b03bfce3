//! convnext
