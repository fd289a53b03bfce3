//! What benches of kernels share.
use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, Throughput};

/// Values of the standard normal distribution, on the CPU.
pub fn random<const D: usize>(dims: [usize; D]) -> Tensor<D> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), &Device::flex())
}

/// A kernel and its plain form; `work` is what either has to do, in operations or values.
pub fn pair<T, U>(
    c: &mut Criterion,
    name: &str,
    work: usize,
    mut ours: impl FnMut() -> T,
    mut plain: impl FnMut() -> U,
) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(work as u64));
    group.bench_function("kernel", |b| b.iter(&mut ours));
    group.bench_function("plain", |b| b.iter(&mut plain));
    group.finish();
}
