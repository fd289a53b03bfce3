//! The backends and their devices.
use burn::tensor::{Device, DeviceType};

/// A way to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Cuda,
    Rocm,
    /// The graphics interface that is best on this machine.
    Wgpu,
    /// wgpu on Vulkan.
    Vulkan,
    /// wgpu on Metal.
    Metal,
    /// wgpu on Direct3D 12.
    Dx12,
    Cpu,
    /// Burn's older CPU backend, to compare with.
    Ndarray,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Cpu, Self::Ndarray, Self::Wgpu, Self::Vulkan, Self::Metal, Self::Dx12, Self::Cuda, Self::Rocm];

    /// Those among which `auto` looks for a GPU, in its order; `wgpu` chooses between its three interfaces by itself.
    pub(super) const AUTOMATIC: [Self; 3] = [Self::Cuda, Self::Rocm, Self::Wgpu];

    /// As `--device` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Dx12 => "dx12",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
        }
    }

    /// The Cargo feature that brings it.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Wgpu | Self::Vulkan | Self::Metal | Self::Dx12 => "wgpu",
            other => other.name(),
        }
    }

    /// Whether this build has it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Wgpu | Self::Vulkan | Self::Metal | Self::Dx12 => cfg!(feature = "wgpu"),
            Self::Cpu => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
        }
    }

    /// This machine's devices of it; none without a driver, or without the feature.
    pub fn devices(self) -> Vec<Device> {
        #[cfg(all(feature = "gpu", not(target_family = "wasm")))]
        super::store::configure();
        let kind = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => DeviceType::Cuda,
            #[cfg(feature = "rocm")]
            Self::Rocm => DeviceType::Rocm,
            #[cfg(feature = "wgpu")]
            Self::Wgpu => DeviceType::Wgpu,
            #[cfg(feature = "wgpu")]
            Self::Vulkan => return pinned(burn::backend::WgpuBackend::Vulkan),
            #[cfg(feature = "wgpu")]
            Self::Metal => return pinned(burn::backend::WgpuBackend::Metal),
            #[cfg(feature = "wgpu")]
            Self::Dx12 => return pinned(burn::backend::WgpuBackend::Dx12),
            Self::Cpu => DeviceType::Flex,
            #[cfg(feature = "ndarray")]
            Self::Ndarray => DeviceType::NdArray,
            #[allow(unreachable_patterns)]
            _ => return Vec::new(),
        };
        Device::enumerate(kind).iter().cloned().collect()
    }

    /// Whether a driver stands between it and the hardware.
    pub(super) fn has_driver(self) -> bool {
        !matches!(self, Self::Cpu | Self::Ndarray)
    }

    /// What to do where it is compiled in but has no device that works.
    pub(super) fn driver(self) -> &'static str {
        match self {
            Self::Cuda => "install NVIDIA's driver and CUDA (`nvidia-smi` must list the GPU)",
            Self::Rocm => "install AMD's ROCm (`rocminfo` must list the GPU)",
            Self::Metal => "Metal exists on macOS only",
            Self::Dx12 => "Direct3D 12 exists on Windows only",
            Self::Vulkan | Self::Wgpu => {
                "install a Vulkan driver (on Debian: apt-get install mesa-vulkan-drivers libvulkan1)"
            }
            Self::Cpu | Self::Ndarray => "this backend needs no driver",
        }
    }
}

/// The adapters that `api` reaches, and that are to be reached by no other.
#[cfg(feature = "wgpu")]
fn pinned(api: burn::backend::WgpuBackend) -> Vec<Device> {
    use burn::backend::{CubeDevice, WgpuDevice, WgpuDeviceKind};

    // Devices are listed kind by kind.
    let kinds = [
        WgpuDeviceKind::DiscreteGpu(0),
        WgpuDeviceKind::IntegratedGpu(0),
        WgpuDeviceKind::VirtualGpu(0),
        WgpuDeviceKind::Other(0),
        WgpuDeviceKind::Cpu,
    ];
    let of_kind = |kind| CubeDevice::enumerate(CubeDevice::Wgpu(WgpuDevice::new(kind).on(api)).to_id());
    kinds.into_iter().flat_map(of_kind).map(|id| Device::new(CubeDevice::from_id(id))).collect()
}

/// Whether a graphics adapter is a program on the CPU: slower there than the CPU backend, so never chosen by `auto`.
pub(super) fn is_software(device: &Device) -> bool {
    #[cfg(feature = "wgpu")]
    {
        use burn::backend::{CubeDevice, DispatchDevice, WgpuDeviceKind};
        if let DispatchDevice::Cube(CubeDevice::Wgpu(device)) = device.as_dispatch() {
            return device.kind == WgpuDeviceKind::Cpu;
        }
    }
    let _ = device;
    false
}
