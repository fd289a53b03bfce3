//! Reading results back from a device.
//!
//! A browser's GPU hands them over only after the page has had a turn, so everything that reads is `async`. On all other
//! devices the result is there, or can be waited for: [`wait`] makes a plain call of it.
use std::future::Future;

use burn::tensor::{Tensor, try_read_sync};

use crate::{Error, Result};

/// A tensor's values as f32, in row-major order.
///
/// # Errors
/// [`Error::Device`] when the device fails, of which this may be the first sign: work is only queued before.
pub(crate) async fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let device = tensor.device();
    tracing::trace!(shape = ?tensor.dims(), "waiting for a device");
    let failed = |what: String| Error::Device {
        name: format!("{device:?}"),
        what: format!("a result cannot be read back ({what})"),
        hint: "try --device cpu".into(),
    };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.convert::<f32>().try_into_vec().map_err(|error| failed(error.to_string()))
}

/// The result of `work`, which may keep this thread waiting.
///
/// # Errors
/// Those of `work`; [`Error::Device`] on a browser's GPU, which cannot be waited for.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    try_read_sync(work).unwrap_or_else(|| {
        Err(Error::Device {
            name: "webgpu".into(),
            what: "a browser's GPU cannot be waited for".into(),
            hint: "call the function of the same name that ends in _async".into(),
        })
    })
}
