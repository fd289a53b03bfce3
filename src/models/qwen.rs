//! qwen
