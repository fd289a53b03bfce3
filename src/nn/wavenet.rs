//! wavenet
