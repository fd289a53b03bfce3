//! `indextts devices`.
use indextts::DEVICES;

use super::Failure;

/// What this build can compute on.
pub fn run() -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for name in DEVICES {
        match *name {
            "cpu" => println!("cpu: {} ({threads} threads)", std::env::consts::ARCH),
            other => println!("{other}"),
        }
    }
    Ok(())
}
