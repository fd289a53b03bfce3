//! How the allocator deals with the system.
#![allow(unsafe_code)]
use libmimalloc_sys::{
    mi_option_get, mi_option_large_os_pages, mi_option_set, mi_option_set_enabled_default, mi_option_t,
};

/// `mi_option_purge_delay`, milliseconds until freed memory goes back to the system: not among the crate's constants.
const PURGE_DELAY: mi_option_t = 15;
/// Its default, by which it is known to be the one.
const PURGE_DEFAULT: std::ffi::c_long = 1000;

/// Weights are gigabytes that are read from end to end for every token: with large pages the processor looks up fewer
/// addresses, and the system hands out memory faster. Where it has none to give, nothing changes. At the start of the program.
pub fn prefer_large_pages() {
    // SAFETY: sets a number that is read when memory is asked for from the system; there are no other threads yet.
    unsafe { mi_option_set_enabled_default(mi_option_large_os_pages, true) };
}

/// What one stage frees the next takes: given back in between, it would have to be asked for and cleared again, which costs
/// a stage up to a third of its time. Once a model is loaded; what loading frees goes back before.
pub fn keep_freed_memory() {
    // SAFETY: a number as well; nothing works yet on the other threads.
    unsafe {
        if mi_option_get(PURGE_DELAY) == PURGE_DEFAULT {
            mi_option_set(PURGE_DELAY, 60 * PURGE_DEFAULT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another version of the allocator may number its options differently.
    #[test]
    fn the_delay_is_the_one_meant() {
        // SAFETY: reads a number.
        let set = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(set(), PURGE_DEFAULT);
        keep_freed_memory();
        assert_eq!(set(), 60 * PURGE_DEFAULT);
    }
}
