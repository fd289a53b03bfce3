//! What the machine does at best: the measure for the stages.
use std::hint::black_box;
use std::time::Instant;

use indextts::{Device, WeightType, kernels};
use rayon::prelude::*;

/// Floats that are read to measure the memory, at least and at most: twice the largest cache, where that is known.
const FLOATS: [usize; 2] = [128 << 20, 256 << 20];
/// Outputs of a layer whose weights are that many.
const OUTPUTS: usize = 64 << 10;

pub struct Machine {
    pub threads: usize,
    /// GFLOP/s of large products.
    pub f32: f64,
    /// Those of f32 without the matrix unit, where there is one.
    pub f32_by_vectors: Option<f64>,
    pub bf16: f64,
    /// GB/s of reading memory.
    pub memory: f64,
}

impl Machine {
    pub fn measure(device: &Device) -> Self {
        let product = |kept: WeightType, size: [usize; 3]| {
            2.0 * size.iter().product::<usize>() as f64 / 1e9 / kernels::product_seconds(kept, size, device)
        };
        let best = |kept| {
            let sizes = [[512, 1024, 4096], [1024, 1024, 1024], [1200, 512, 1536]];
            sizes.into_iter().map(|size| product(kept, size)).fold(0.0, f64::max)
        };
        let floats = (2 * largest_cache() / size_of::<f32>()).clamp(FLOATS[0], FLOATS[1]);
        let wide = [1, floats / OUTPUTS, OUTPUTS];
        let weights = 4.0 * wide.iter().product::<usize>() as f64 / 1e9;
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            f32: best(WeightType::F32),
            f32_by_vectors: kernels::by_vectors(|| best(WeightType::F32)),
            bf16: best(WeightType::Bf16),
            memory: read_speed(floats).max(weights / kernels::product_seconds(WeightType::F32, wide, device)),
        }
    }
}

/// Bytes; Linux only, else 0.
fn largest_cache() -> usize {
    let size = |index: usize| {
        let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size")).ok()?;
        Some(text.trim().strip_suffix('K')?.parse::<usize>().ok()? << 10)
    };
    (0..8).filter_map(size).max().unwrap_or_default()
}

/// GB/s of adding up numbers with all processors: the best of five.
fn read_speed(floats: usize) -> f64 {
    let values = vec![1f32; floats];
    let pass = || {
        let start = Instant::now();
        let sums = values.par_chunks(1 << 16).map(|chunk| {
            let mut sums = [0f32; 64];
            for lanes in chunk.as_chunks::<64>().0 {
                sums.iter_mut().zip(lanes).for_each(|(sum, value)| *sum += value);
            }
            sums.iter().sum::<f32>()
        });
        black_box(sums.sum::<f32>());
        start.elapsed().as_secs_f64()
    };
    let seconds = (0..5).map(|_| pass()).fold(f64::MAX, f64::min);
    (floats * size_of::<f32>()) as f64 / 1e9 / seconds
}

/// Bytes of memory of this process; Linux only.
#[derive(Clone, Copy)]
pub struct Memory {
    pub resident: Option<u64>,
    /// The most it has had.
    pub peak: Option<u64>,
}

impl Memory {
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
        };
        Self { resident: field("VmRSS:"), peak: field("VmHWM:") }
    }
}
