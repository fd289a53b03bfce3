//! Devices by name.
use burn::tensor::Device;

use crate::{Error, Result};

/// Names accepted by [`device_by_name`] in this build.
pub const DEVICES: &[&str] = &["cpu"];

/// The device called `name`; `auto` is the best one of this build.
pub fn device_by_name(name: &str) -> Result<Device> {
    match name {
        "auto" | "cpu" => Ok(Device::flex()),
        other => Err(Error::Input {
            name: "device".into(),
            got: other.into(),
            expected: format!("auto or one of this build's devices: {}", DEVICES.join(", ")),
        }),
    }
}
