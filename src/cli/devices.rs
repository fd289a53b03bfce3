//! `indextts devices`.
use indextts::Backend;

use super::Failure;

/// What this build can compute on, and what this machine has of it.
pub fn run() -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for backend in Backend::ALL {
        let name = backend.name();
        if backend == Backend::Cpu {
            println!("cpu: {} ({threads} threads)", std::env::consts::ARCH);
        } else if !backend.is_compiled() {
            println!("{name}: not in this build (cargo feature {name})");
        } else {
            let devices = backend.devices();
            if devices.is_empty() {
                println!("{name}: no device");
            }
            for (index, device) in devices.iter().enumerate() {
                println!("{name}:{index}: {device:?}");
            }
        }
    }
    Ok(())
}
