//! Where a sequence of short operations runs.

/// Runs `work` on a thread of the pool that all kernels share out their loops to.
///
/// From any other thread every loop is handed over and waited for asleep, which costs tens of microseconds: as long as a
/// decoding step's smaller products take. On a thread of the pool it is a push to a queue.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}
