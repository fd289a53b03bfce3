//! Which vector instructions the kernels use: the best that the processor has, or fewer for tests and comparisons.
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::Arch;

/// Sets of instructions, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What every processor of the target has.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 and, kernel by kernel, its extensions for integers and bfloat16.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The matrix unit for bfloat16 (AMX) as well.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// The best there is.
    Best,
}

static LIMIT: AtomicU8 = AtomicU8::new(Level::Best as u8);

/// Keeps the kernels of the whole process at `level` or below; for tests and benches.
pub fn limit(level: Level) {
    LIMIT.store(level as u8, Ordering::Relaxed);
}

/// What `work` gives without the matrix unit, if the processor has one; for comparisons.
pub fn by_vectors<T>(work: impl FnOnce() -> T) -> Option<T> {
    #[cfg(target_arch = "x86_64")]
    if super::amx::available() {
        limit(Level::Avx512);
        let result = work();
        limit(Level::Best);
        return Some(result);
    }
    drop(work);
    None
}

/// Whether instructions of `level` may be used, if the processor has them.
pub fn allowed(level: Level) -> bool {
    level as u8 <= LIMIT.load(Ordering::Relaxed)
}

/// What vector code is compiled for here.
pub fn arch() -> Arch {
    let best = Arch::new();
    match best {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) if !allowed(Level::Avx512) => match pulp::x86::V3::try_new() {
            Some(v3) if allowed(Level::Avx2) => Arch::V3(v3),
            _ => Arch::Scalar,
        },
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) if !allowed(Level::Avx2) => Arch::Scalar,
        #[cfg(not(target_arch = "x86_64"))]
        _ if !allowed(Level::Best) => Arch::Scalar,
        _ => best,
    }
}

/// Levels that this processor has, the best last.
pub fn levels() -> Vec<Level> {
    #[cfg(target_arch = "x86_64")]
    let all = match Arch::new() {
        Arch::V4(_) if super::amx::permitted() => vec![Level::Portable, Level::Avx2, Level::Avx512, Level::Amx],
        Arch::V4(_) => vec![Level::Portable, Level::Avx2, Level::Avx512],
        Arch::V3(_) => vec![Level::Portable, Level::Avx2],
        _ => vec![Level::Portable],
    };
    #[cfg(not(target_arch = "x86_64"))]
    let all = vec![Level::Portable, Level::Best];
    all
}

/// Runs `test` at every level of this processor, one at a time.
#[cfg(test)]
pub fn at_every_level(mut test: impl FnMut(Level)) {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for level in levels() {
        limit(level);
        test(level);
    }
    limit(Level::Best);
}
