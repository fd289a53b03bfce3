//! `indextts devices`.
use indextts::{Backend, DeviceReport, automatic_device, device_name};

use super::Failure;
use super::progress::spinner;

/// What this build can compute on, what this machine has of it, and how fast and how exactly each multiplies.
pub fn run(quiet: bool) -> Result<(), Failure> {
    let bar = spinner(quiet);
    let mut missing = Vec::new();
    println!("{:10} {:>8}  {:14} {:>14} {:>9}  name", "device", "memory", "types", "f32 product", "differs");
    for backend in Backend::ALL {
        let name = backend.name();
        if !backend.is_compiled() {
            missing.push(format!("{name}: not in this build (cargo feature {})", backend.feature()));
            continue;
        }
        let devices = backend.devices();
        if devices.is_empty() {
            missing.push(format!("{name}: this machine has none"));
        }
        for (index, device) in devices.iter().enumerate() {
            let name = if devices.len() > 1 { format!("{name}:{index}") } else { name.to_string() };
            bar.set_message(name.clone());
            match bar.suspend(|| DeviceReport::of(device)) {
                Ok(report) => bar.suspend(|| {
                    println!(
                        "{name:10} {:>8}  {:14} {:>8.0} GFLOP/s {:>9.1e}  {}",
                        report.memory.map_or_else(String::new, |bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
                        report.types.join(" "),
                        report.product.speed,
                        report.product.difference,
                        report.name,
                    );
                }),
                Err(why) => missing.push(format!("{name}: does not work: {why}")),
            }
        }
    }
    bar.finish_and_clear();
    missing.iter().for_each(|line| println!("{line}"));
    let (device, why) = automatic_device();
    println!("auto is {}{}", device_name(&device), why.map_or_else(String::new, |why| format!(": {why}")));
    Ok(())
}
