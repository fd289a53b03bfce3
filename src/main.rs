//! The `indextts` command.
mod cli;

use std::process::ExitCode;

// Tensors of a few hundred kilobytes come and go on every step; the system allocator maps and unmaps each of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prefer_large_pages();
    cli::run()
}

/// Weights are gigabytes that are read from end to end for every token: with large pages the processor looks up fewer
/// addresses, and the system hands out memory faster. Where it has none to give, nothing changes.
#[allow(unsafe_code)]
fn prefer_large_pages() {
    // SAFETY: sets a number that is read when memory is asked for from the system.
    unsafe { libmimalloc_sys::mi_option_set_enabled_default(libmimalloc_sys::mi_option_large_os_pages, true) };
}
