//! Asking for memory before it is needed: processors that see far ahead by themselves lose nothing, others need not wait.

/// Fetches the places of `N` vectors of `width` bytes from `start` on, which need not exist.
#[inline(always)]
pub fn fetch<const N: usize>(start: *const u8, width: usize) {
    #[cfg(target_arch = "x86_64")]
    for n in 0..N {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which never faults; every processor of the target has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(n * width).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, width);
}

/// Fetches a place into the second-level cache: what is read later would push out of the first what is read now.
#[inline(always)]
pub fn fetch_for_later(start: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which never faults; every processor of the target has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(start.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = start;
}

/// What will be read next, and can be fetched in pieces until then.
#[derive(Clone, Copy)]
pub struct Upcoming {
    start: *const u8,
    bytes: usize,
}

impl Upcoming {
    /// As much as `values` and behind them, where there may be nothing.
    pub fn behind<T>(values: &[T]) -> Self {
        Self { start: values.as_ptr_range().end.cast(), bytes: size_of_val(values) }
    }

    /// What is there already.
    pub fn nothing<T>(values: &[T]) -> Self {
        Self { start: values.as_ptr().cast(), bytes: 0 }
    }

    /// The share of pass `pass` of `passes`, of `steps` each.
    pub fn share(self, pass: usize, passes: usize, steps: usize) -> Piece {
        Piece {
            start: self.start.wrapping_add(self.bytes * pass / passes),
            step: (self.bytes / (passes * steps).max(1)) as isize,
        }
    }
}

/// What a loop fetches besides what it computes.
#[derive(Clone, Copy)]
pub struct Piece {
    /// Need not exist.
    pub start: *const u8,
    /// Bytes from what one step fetches to what the next does.
    pub step: isize,
}

impl Piece {
    /// The line of a step.
    #[inline(always)]
    pub fn fetch(&self, step: usize) {
        fetch_for_later(self.start.wrapping_offset(self.step * step as isize));
    }
}
