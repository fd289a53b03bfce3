//! The threads that share out the kernels' loops: the worker that calls the library, and helpers (`page/pool.js`).
//!
//! The caller is one of the pool's threads, which costs it nothing to take part, while from outside every loop would have
//! to be handed over and waited for.
use std::sync::{Condvar, Mutex, PoisonError};

use js_sys::Error;
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::*;

use crate::failure::Failure;

/// Threads of the pool that no helper has become yet.
static WAITING: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());
static ARRIVED: Condvar = Condvar::new();

/// Makes the calling worker and `helpers`, which have to be about to call [`help`], the pool.
///
/// A worker cannot start others and wait for them at once, so they have to be there before.
#[wasm_bindgen(js_name = makePool)]
pub fn make_pool(helpers: usize) -> Result<(), Failure> {
    let spawn = |thread| {
        WAITING.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        ARRIVED.notify_one();
        Ok(())
    };
    let pool = ThreadPoolBuilder::new().num_threads(helpers + 1).use_current_thread().spawn_handler(spawn);
    pool.build_global().map_err(|error| Failure::from(Error::new(&error.to_string())))
}

/// Becomes a thread of the pool, and never returns.
#[wasm_bindgen]
pub fn help() {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = loop {
        match waiting.pop() {
            Some(thread) => break thread,
            None => waiting = ARRIVED.wait(waiting).unwrap_or_else(PoisonError::into_inner),
        }
    };
    drop(waiting);
    thread.run();
}

/// The compiled module and its memory, which helpers share.
#[wasm_bindgen(js_name = shared)]
pub fn shared() -> js_sys::Array {
    [wasm_bindgen::module(), wasm_bindgen::memory()].iter().collect()
}
