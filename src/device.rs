//! Devices by name.
use burn::tensor::{Device, DeviceType};

use crate::{Error, Result};

/// A way to compute: one Cargo feature, one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Cuda,
    Rocm,
    Metal,
    Vulkan,
    Wgpu,
    Cpu,
    Ndarray,
}

impl Backend {
    /// All of them, in the order in which `auto` asks.
    pub const ALL: [Self; 7] =
        [Self::Cuda, Self::Rocm, Self::Metal, Self::Vulkan, Self::Wgpu, Self::Cpu, Self::Ndarray];

    /// As `--device` and the Cargo features call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
        }
    }

    /// Whether this build has it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cpu => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
        }
    }

    /// This machine's devices of it; none without a driver, or without the feature.
    pub fn devices(self) -> Vec<Device> {
        let kind = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => DeviceType::Cuda,
            #[cfg(feature = "rocm")]
            Self::Rocm => DeviceType::Rocm,
            #[cfg(feature = "metal")]
            Self::Metal => DeviceType::Metal,
            #[cfg(feature = "vulkan")]
            Self::Vulkan => DeviceType::Vulkan,
            #[cfg(feature = "wgpu")]
            Self::Wgpu => DeviceType::Wgpu,
            Self::Cpu => DeviceType::Flex,
            #[cfg(feature = "ndarray")]
            Self::Ndarray => DeviceType::NdArray,
            #[allow(unreachable_patterns)]
            _ => return Vec::new(),
        };
        Device::enumerate(kind).iter().cloned().collect()
    }

    fn is_gpu(self) -> bool {
        !matches!(self, Self::Cpu | Self::Ndarray)
    }

    /// What to do where it is compiled in but finds no device.
    fn driver(self) -> &'static str {
        match self {
            Self::Cuda => "install NVIDIA's driver (`nvidia-smi` must list the GPU)",
            Self::Rocm => "install AMD's ROCm (`rocminfo` must list the GPU)",
            Self::Metal => "Metal exists on macOS only",
            Self::Vulkan | Self::Wgpu => {
                "install a Vulkan driver (on Debian: apt-get install mesa-vulkan-drivers libvulkan1)"
            }
            Self::Cpu | Self::Ndarray => "this backend needs no driver",
        }
    }
}

/// Whether a graphics adapter is a program on the CPU: slower there than the CPU backend, so never chosen by `auto`.
fn is_software(device: &Device) -> bool {
    #[cfg(feature = "wgpu")]
    if *device == Device::wgpu(burn::tensor::DeviceKind::Cpu) {
        return true;
    }
    #[cfg(feature = "vulkan")]
    if *device == Device::vulkan(burn::tensor::DeviceKind::Cpu) {
        return true;
    }
    let _ = device;
    false
}

/// What there is to choose from: a build and a machine.
struct Machine<'a> {
    compiled: &'a dyn Fn(Backend) -> bool,
    devices: &'a dyn Fn(Backend) -> Vec<Device>,
}

/// The device called `name`: a backend (`cpu`, `wgpu`, `cuda`, ..), with `:index` one of several; `auto` is the first
/// GPU found, else the CPU.
pub fn device_by_name(name: &str) -> Result<Device> {
    Machine { compiled: &Backend::is_compiled, devices: &Backend::devices }.choose(name)
}

impl Machine<'_> {
    fn choose(&self, name: &str) -> Result<Device> {
        if name == "auto" {
            return Ok(self.automatic());
        }
        let (backend, index) = match name.split_once(':') {
            Some((backend, index)) => (backend, index.parse().ok()),
            None => (name, Some(0)),
        };
        let backend = Backend::ALL.into_iter().find(|known| known.name() == backend);
        let (Some(backend), Some(index)) = (backend, index) else {
            let known: Vec<_> = Backend::ALL.iter().map(|backend| backend.name()).collect();
            return Err(Error::Input {
                name: "device".into(),
                got: name.into(),
                expected: format!("auto or one of {}, with or without :index", known.join(", ")),
            });
        };
        let fail = |what: String, hint: String| Error::Device { name: name.into(), what, hint };
        if !(self.compiled)(backend) {
            let hint = format!("build with `cargo build --release --features {}`, or use --device cpu", backend.name());
            return Err(fail("this build does not have the backend".into(), hint));
        }
        let mut devices = (self.devices)(backend);
        match devices.len() {
            0 => Err(fail(
                "this machine has no such device".into(),
                format!("{}, or use --device cpu", backend.driver()),
            )),
            count if index >= count => {
                let hint = format!("use an index from 0 to {}; `indextts devices` lists them", count - 1);
                Err(fail(format!("this machine has {count} of them"), hint))
            }
            _ => Ok(devices.swap_remove(index)),
        }
    }

    fn automatic(&self) -> Device {
        let compiled: Vec<_> =
            Backend::ALL.into_iter().filter(|backend| backend.is_gpu() && (self.compiled)(*backend)).collect();
        for backend in &compiled {
            if let Some(device) = (self.devices)(*backend).into_iter().find(|device| !is_software(device)) {
                return device;
            }
        }
        if !compiled.is_empty() {
            let asked: Vec<_> = compiled.iter().map(|backend| backend.name()).collect();
            tracing::warn!("no GPU found by {}: computing on the CPU", asked.join(", "));
        }
        Device::flex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &dyn Fn(Backend) -> bool = &|_| true;
    const NO_DEVICES: &dyn Fn(Backend) -> Vec<Device> = &|_| Vec::new();

    #[test]
    fn a_missing_driver_is_an_error_that_names_it() {
        let machine = Machine { compiled: EVERYTHING, devices: NO_DEVICES };
        for (name, driver) in [("cuda", "NVIDIA"), ("rocm:1", "ROCm"), ("vulkan", "mesa-vulkan-drivers")] {
            let error = machine.choose(name).unwrap_err();
            assert!(matches!(error, Error::Device { .. }), "{error}");
            assert!(error.to_string().contains(driver), "{error}");
        }
        assert_eq!(machine.choose("auto").unwrap(), Device::flex());
    }

    #[test]
    fn a_missing_feature_is_an_error_that_names_it() {
        let machine = Machine { compiled: &|backend| backend == Backend::Cpu, devices: NO_DEVICES };
        let error = machine.choose("cuda").unwrap_err().to_string();
        assert!(error.contains("--features cuda"), "{error}");
        assert_eq!(machine.choose("auto").unwrap(), Device::flex());
    }

    #[test]
    fn an_index_beyond_the_last_device_and_unknown_names_are_errors() {
        let machine = Machine { compiled: EVERYTHING, devices: &|_| vec![Device::flex(); 2] };
        assert_eq!(machine.choose("cuda:1").unwrap(), Device::flex());
        let error = machine.choose("cuda:2").unwrap_err().to_string();
        assert!(error.contains("from 0 to 1"), "{error}");
        for name in ["tpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(matches!(machine.choose(name), Err(Error::Input { .. })), "{name}");
        }
    }
}
