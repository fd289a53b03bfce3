//! The `indextts` command.
mod cli;

use std::process::ExitCode;

// Tensors of a few hundred kilobytes come and go on every step; the system allocator maps and unmaps each of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
