//! Devices by name.
mod backend;
mod inspect;
mod probe;
#[cfg(all(feature = "gpu", not(target_family = "wasm")))]
mod store;

use burn::tensor::Device;

use crate::{Error, Result};

pub use backend::Backend;
pub(crate) use inspect::computes_in;
pub use inspect::{DeviceReport, MatrixProduct};
#[cfg(all(feature = "gpu", not(target_family = "wasm")))]
pub use store::path as kernel_store;

/// What there is to choose from: a build and a machine.
struct Machine<'a> {
    compiled: &'a dyn Fn(Backend) -> bool,
    devices: &'a dyn Fn(Backend) -> Vec<Device>,
    /// Why a device that is there cannot be used, if so.
    opens: &'a dyn Fn(&Device) -> Result<(), String>,
}

/// This build on this machine.
const MACHINE: Machine = Machine { compiled: &Backend::is_compiled, devices: &Backend::devices, opens: &probe::opens };

/// The device called `name`: a backend (`cpu`, `wgpu`, `cuda`, ..), with `:index` one of several; `auto` is the first
/// GPU found, else the CPU, which the log then gives the reason for.
///
/// A GPU has computed something by the time it is returned: a driver that is missing or broken is an error here, not
/// a panic later.
///
/// # Errors
/// [`Error::Input`] for a name that is none; [`Error::Device`] for a backend that this build does not have, a device
/// that this machine does not have, and one that does not work.
pub fn device_by_name(name: &str) -> Result<Device> {
    let (device, why) = MACHINE.choose(name)?;
    if let Some(why) = why {
        tracing::warn!("{why}");
    }
    Ok(device)
}

/// What `auto` stands for, and why it is not a GPU where GPUs were looked for.
pub fn automatic_device() -> (Device, Option<String>) {
    MACHINE.automatic()
}

/// The name by which [`device_by_name`] finds `device` again.
pub fn device_name(device: &Device) -> String {
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_compiled()) {
        let devices = backend.devices();
        if let Some(index) = devices.iter().position(|known| known == device) {
            return if devices.len() > 1 { format!("{}:{index}", backend.name()) } else { backend.name().into() };
        }
    }
    format!("{device:?}")
}

impl Machine<'_> {
    /// The device, and for `auto` why it is not a GPU.
    fn choose(&self, name: &str) -> Result<(Device, Option<String>)> {
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
            let hint =
                format!("build with `cargo build --release --features {}`, or use --device cpu", backend.feature());
            return Err(fail("this build does not have the backend".into(), hint));
        }
        let mut devices = (self.devices)(backend);
        let device = match devices.len() {
            0 => {
                let hint = format!("{}, or use --device cpu", backend.driver());
                return Err(fail("this machine has no such device".into(), hint));
            }
            count if index >= count => {
                let hint = format!("use an index from 0 to {}; `indextts devices` lists them", count - 1);
                return Err(fail(format!("this machine has {count} of them"), hint));
            }
            _ => devices.swap_remove(index),
        };
        match if backend.has_driver() { (self.opens)(&device) } else { Ok(()) } {
            Ok(()) => Ok((device, None)),
            Err(what) => {
                let hint = format!("{}, or use --device cpu", backend.driver());
                Err(fail(format!("it does not work ({what})"), hint))
            }
        }
    }

    fn automatic(&self) -> (Device, Option<String>) {
        let mut found = Vec::new();
        for backend in Backend::AUTOMATIC.into_iter().filter(|backend| (self.compiled)(*backend)) {
            let name = backend.name();
            let devices = (self.devices)(backend);
            if devices.is_empty() {
                found.push(format!("{name}: none"));
            }
            for device in devices {
                if backend::is_software(&device) {
                    found.push(format!("{name}: only a processor that draws as one"));
                    continue;
                }
                match (self.opens)(&device) {
                    Ok(()) => return (device, None),
                    Err(what) => found.push(format!("{name}: {what}")),
                }
            }
        }
        let why =
            (!found.is_empty()).then(|| format!("computing on the CPU, as no GPU was found ({})", found.join("; ")));
        (Device::flex(), why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &dyn Fn(Backend) -> bool = &|_| true;
    const NO_DEVICES: &dyn Fn(Backend) -> Vec<Device> = &|_| Vec::new();
    const TWO_DEVICES: &dyn Fn(Backend) -> Vec<Device> = &|_| vec![Device::flex(); 2];
    const WORKING: &dyn Fn(&Device) -> Result<(), String> = &|_| Ok(());
    const BROKEN: &dyn Fn(&Device) -> Result<(), String> = &|_| Err("the driver is older than the library".into());

    #[test]
    fn a_missing_driver_is_an_error_that_names_it() {
        let machine = Machine { compiled: EVERYTHING, devices: NO_DEVICES, opens: WORKING };
        for (name, driver) in [
            ("cuda", "NVIDIA"),
            ("rocm:1", "ROCm"),
            ("vulkan", "mesa-vulkan-drivers"),
            ("wgpu", "Vulkan driver"),
            ("dx12", "Windows"),
            ("metal", "macOS"),
        ] {
            let error = machine.choose(name).unwrap_err();
            assert!(matches!(error, Error::Device { .. }), "{error}");
            assert!(error.to_string().contains(driver), "{error}");
            assert!(error.to_string().contains("--device cpu"), "{error}");
        }
    }

    #[test]
    fn a_driver_that_fails_is_an_error_that_says_how() {
        let machine = Machine { compiled: EVERYTHING, devices: TWO_DEVICES, opens: BROKEN };
        let error = machine.choose("cuda:1").unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert!(error.to_string().contains("older than the library"), "{error}");
    }

    #[test]
    fn auto_takes_the_cpu_and_says_why_in_one_line() {
        let why = |machine: Machine| {
            let (device, why) = machine.choose("auto").unwrap();
            assert_eq!(device, Device::flex());
            assert!(why.as_ref().is_none_or(|why| !why.contains('\n')));
            why
        };
        let none = why(Machine { compiled: EVERYTHING, devices: NO_DEVICES, opens: WORKING }).unwrap();
        assert!(none.contains("cuda: none; rocm: none; wgpu: none"), "{none}");
        let broken = why(Machine { compiled: EVERYTHING, devices: TWO_DEVICES, opens: BROKEN }).unwrap();
        assert!(broken.contains("older than the library"), "{broken}");
        // Who built for the CPU alone knows.
        let alone = Machine { compiled: &|backend| backend == Backend::Cpu, devices: NO_DEVICES, opens: WORKING };
        assert_eq!(why(alone), None);
        // A GPU that works needs no explanation.
        let machine = Machine { compiled: EVERYTHING, devices: TWO_DEVICES, opens: WORKING };
        assert_eq!(machine.choose("auto").unwrap().1, None);
    }

    #[test]
    fn auto_goes_on_to_the_next_backend_where_one_fails() {
        let opened = std::cell::RefCell::new(0);
        let opens = |_: &Device| {
            *opened.borrow_mut() += 1;
            if *opened.borrow() == 1 { Err("broken".into()) } else { Ok(()) }
        };
        let machine = Machine { compiled: EVERYTHING, devices: &|_| vec![Device::flex()], opens: &opens };
        assert_eq!(machine.choose("auto").unwrap().1, None);
        assert_eq!(*opened.borrow(), 2);
    }

    #[test]
    fn a_missing_feature_is_an_error_that_names_it() {
        let machine = Machine { compiled: &|backend| backend == Backend::Cpu, devices: NO_DEVICES, opens: WORKING };
        for (name, feature) in [("cuda", "cuda"), ("vulkan", "wgpu"), ("dx12", "wgpu"), ("metal", "wgpu")] {
            let error = machine.choose(name).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {feature}")), "{error}");
        }
    }

    #[test]
    fn an_index_beyond_the_last_device_and_unknown_names_are_errors() {
        let machine = Machine { compiled: EVERYTHING, devices: TWO_DEVICES, opens: WORKING };
        assert_eq!(machine.choose("cuda:1").unwrap().0, Device::flex());
        let error = machine.choose("cuda:2").unwrap_err().to_string();
        assert!(error.contains("from 0 to 1"), "{error}");
        for name in ["tpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(matches!(machine.choose(name), Err(Error::Input { .. })), "{name}");
        }
    }

    #[test]
    fn the_cpu_is_found_by_its_name() {
        let device = device_by_name("cpu").unwrap();
        assert_eq!(device, Device::flex());
        assert_eq!(device_name(&device), "cpu");
    }
}
