//! length_regulator
