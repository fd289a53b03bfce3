//! The GPU that a browser offers its pages.
use burn::tensor::Device;

use crate::{Error, Result};

/// The browser's GPU, to be asked for once in each worker and before anything else computes there. What needs results of
/// it has to call functions that end in `_async`.
///
/// # Errors
/// [`Error::Device`] where the browser has no WebGPU, or gives none to this page.
pub async fn webgpu_device() -> Result<Device> {
    Device::wgpu_options().init_async().await.map_err(|error| Error::Device {
        name: "webgpu".into(),
        what: error.to_string(),
        hint: "compute on the processor".into(),
    })
}
