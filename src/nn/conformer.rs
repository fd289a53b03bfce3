//! conformer
