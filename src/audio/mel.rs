//! mel
