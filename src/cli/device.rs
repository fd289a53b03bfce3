//! Where to compute.
use clap::Args as ClapArgs;
use indextts::{Device, device_by_name};

use super::Failure;

#[derive(Debug, ClapArgs)]
pub struct DeviceArg {
    /// Where to compute: auto, cpu, ndarray, wgpu, vulkan, metal, dx12, cuda or rocm, with :index one of several; see
    /// `indextts devices`
    #[arg(id = "device", long = "device", value_name = "NAME", default_value = "auto", env = "INDEXTTS_DEVICE")]
    name: String,
}

impl DeviceArg {
    /// The device, which has computed something by then.
    pub fn open(&self) -> Result<Device, Failure> {
        Ok(device_by_name(&self.name)?)
    }
}
