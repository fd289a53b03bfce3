//! The command line and the import, as a user meets them: on a tiny model assembled from the goldens.
#[path = "../parity/support.rs"]
mod support;

mod audio;
mod batch;
mod devices;
mod faults;
mod import;
#[cfg(feature = "nano")]
mod nano;
#[cfg(feature = "pull")]
mod pull;
mod say;
mod text;
mod voice;
mod weights;
