//! What a device is, and whether it computes what the host computes.
use burn::tensor::{Device, FloatDType, Tensor, TensorData};

use super::probe::caught;
use crate::kernels::{WeightType, on_cpu, product_seconds};

/// Rows and columns of the product that is tried.
const SIZE: usize = 512;
/// Rows of it that the host computes, too.
const CHECKED: usize = 8;

/// A device as `indextts devices` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceReport {
    /// As its driver calls it.
    pub name: String,
    /// Bytes, where the driver tells.
    pub memory: Option<u64>,
    /// What [`Precision`](crate::Precision) can be there: `f32`, and perhaps `f16` and `bf16`.
    pub types: Vec<&'static str>,
    pub product: MatrixProduct,
}

/// A product of two matrices, in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixProduct {
    /// Largest difference from the same product made by the host in f64, as a part of the largest value.
    pub difference: f64,
    /// GFLOP/s.
    pub speed: f64,
}

impl DeviceReport {
    /// Asks `device`, and lets it compute.
    ///
    /// # Errors
    /// What the device or its driver says where it does not work.
    pub fn of(device: &Device) -> Result<Self, String> {
        let device = device.clone();
        caught(move || {
            let types = [WeightType::F32, WeightType::F16, WeightType::Bf16];
            Self {
                name: name(&device),
                memory: memory(&device),
                types: types.into_iter().filter(|kept| computes_in(&device, *kept)).map(WeightType::name).collect(),
                product: MatrixProduct {
                    difference: difference(&device),
                    speed: 2.0 * (SIZE as f64).powi(3) / 1e9 / product_seconds(WeightType::F32, [SIZE; 3], &device),
                },
            }
        })
    }
}

/// Whether weights can be kept as `kept` on `device` and multiplied there.
pub(crate) fn computes_in(device: &Device, kept: WeightType) -> bool {
    match kept {
        WeightType::F32 => true,
        // Our own kernels widen both.
        _ if on_cpu(device) => true,
        WeightType::F16 => device.supports_dtype(FloatDType::F16),
        WeightType::Bf16 => device.supports_dtype(FloatDType::BF16),
    }
}

fn difference(device: &Device) -> f64 {
    // Numbers without a pattern that a wrong kernel could share: a linear congruential generator's upper bits.
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let [a, b]: [Vec<f32>; 2] = std::array::from_fn(|_| (0..SIZE * SIZE).map(|_| next()).collect());
    let tensor = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [SIZE, SIZE]), device);
    let product = tensor(&a).matmul(tensor(&b));
    let got: Vec<f32> = product.slice([0..CHECKED, 0..SIZE]).into_data().iter::<f32>().collect();
    let (mut worst, mut largest) = (0.0f64, 0.0f64);
    for (i, got) in got.iter().enumerate() {
        let (row, column) = (i / SIZE, i % SIZE);
        let exact: f64 = (0..SIZE).map(|k| f64::from(a[row * SIZE + k]) * f64::from(b[k * SIZE + column])).sum();
        let difference = (f64::from(*got) - exact).abs();
        // NaN must not pass: `max` would swallow it, and so would a comparison that comes after one.
        worst = if worst.is_nan() || difference <= worst { worst } else { difference };
        largest = largest.max(exact.abs());
    }
    worst / largest
}

fn name(device: &Device) -> String {
    #[cfg(feature = "gpu")]
    if let Some(identity) = device.identity() {
        return identity.name;
    }
    let _ = device;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    format!("{}, {threads} threads", processor.as_deref().unwrap_or(std::env::consts::ARCH))
}

fn memory(device: &Device) -> Option<u64> {
    #[cfg(feature = "gpu")]
    if let burn::backend::DispatchDevice::Cube(device) = device.as_dispatch() {
        return device.client().properties().memory.max_memory();
    }
    let _ = device;
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_computes_what_the_host_does() {
        let report = DeviceReport::of(&Device::flex()).unwrap();
        assert!(report.product.difference < 1e-5, "{:?}", report.product);
        assert!(report.product.speed > 0.0);
        assert_eq!(report.types, ["f32", "f16", "bf16"]);
        assert!(!report.name.is_empty());
    }
}
