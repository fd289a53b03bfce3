//! A model's files as a page hands them over.
use std::borrow::Cow;
use std::collections::BTreeMap;

use indextts::ModelFiles;
use js_sys::{RangeError, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::failure::Failure;

/// The files of a model directory, each in as many pieces as one likes: no buffer of the browser has to hold a whole one.
#[wasm_bindgen]
#[derive(Clone, Default)]
pub struct Files(BTreeMap<String, Vec<u8>>);

#[wasm_bindgen]
impl Files {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `bytes` of the file `name` (`gpt.bpk`, `voices/NAME.flac`), which has `size` of them in all.
    ///
    /// # Errors
    /// A `RangeError` where the memory does not suffice.
    pub fn append(&mut self, name: String, size: f64, bytes: &Uint8Array) -> Result<(), Failure> {
        let part = bytes.length() as usize;
        let what = format!("out of memory: {name} has {size} bytes");
        let file = self.0.entry(name).or_default();
        let at = file.len();
        let wanted = if at == 0 { (size as usize).max(part) } else { part };
        file.try_reserve_exact(wanted).map_err(|_| Failure::from(RangeError::new(&what)))?;
        file.resize(at + part, 0);
        bytes.copy_to(&mut file[at..]);
        Ok(())
    }
}

impl Files {
    /// As the library takes them; `name` stands for the directory in messages.
    pub fn of_model(self, name: &str) -> ModelFiles {
        ModelFiles::in_memory(name, self.0.into_iter().map(|(name, bytes)| (name, Cow::Owned(bytes))))
    }
}
