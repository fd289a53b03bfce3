//! The HTTP server as its clients meet it: on a tiny model assembled from the goldens, over real connections.
#[path = "../parity/support.rs"]
mod support;

mod connection;
mod harness;
mod limits;
mod page;
mod process;
mod speech;
mod voices;
mod websocket;
