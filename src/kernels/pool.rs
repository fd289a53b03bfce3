//! Where a sequence of operations runs.
use burn::tensor::Device;

use super::on_cpu;

/// Runs `work` on `device`'s operations: on the CPU on a thread of the pool that all kernels share out their loops to.
///
/// From any other thread every loop is handed over and waited for asleep, which costs tens of microseconds: as long as a
/// decoding step's smaller products take. On a thread of the pool it is a push to a queue. Other devices queue their work by
/// the thread that it comes from, so there it stays on this one.
pub fn in_pool<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    if on_cpu(device) { rayon::scope(|_| work()) } else { work() }
}
