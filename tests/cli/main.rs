//! The command line and the import, as a user meets them: on a tiny model assembled from the goldens.
#[path = "../parity/support.rs"]
mod support;

mod audio;
mod import;
mod say;
mod voice;
mod weights;
