//! Weights that are used where the system keeps the file: nothing is copied, and programs that use the same model share it.
#![allow(unsafe_code)]
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::AllocationProperty;
use burn_pack::{Bytes, Reader};
use memmap2::Mmap;

/// Of tensors in their file: that of a cache line, and more than any number's.
const ALIGNMENT: usize = 64;

/// The tensors of a burnpack file in memory that is the file.
pub struct Mapped {
    file: Pages,
    tensors: HashMap<String, Bytes>,
}

/// Tensors keep it.
#[derive(Clone)]
struct Pages(Arc<Mmap>);

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapped {
    /// `None` where the system cannot do it, or numbers lie the other way round: the file is then to be read.
    pub fn open(path: &Path) -> Option<Self> {
        if cfg!(target_endian = "big") {
            return None;
        }
        let file = File::open(path).ok()?;
        // SAFETY: nobody writes into these pages as long as nobody writes into the file. `models import` and `pull` put a
        // finished directory in the place of another and never change the files of one, which README asks of others, too. As
        // numbers any bytes are valid, and lengths come from the header, which is read once.
        let map = unsafe { Mmap::map(&file) }.inspect_err(|e| tracing::debug!("{}: {e}", path.display())).ok()?;
        // What is not in memory yet is then read into large pages, which are read faster; systems without them refuse.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let file = Pages(Arc::new(map));
        let bytes = Bytes::from_shared(bytes::Bytes::from_owner(file.clone()), AllocationProperty::File);
        let tensors = Reader::from_bytes(bytes).and_then(Reader::into_tensors).ok()?;
        let tensors = tensors.into_iter().filter_map(|t| Some((t.name.clone(), t.into_bytes().ok()?))).collect();
        Some(Self { file, tensors })
    }

    /// The bytes of a tensor of this length, which are in memory now; `None` where it cannot be used as it lies.
    pub fn tensor(&self, name: &str, length: usize) -> Option<Result<Bytes, String>> {
        let bytes = self.tensors.get(name).filter(|bytes| bytes.len() == length)?;
        let values = bytes.read(Default::default()).ok()?;
        let start = values.as_ptr().addr().checked_sub(self.file.as_ref().as_ptr().addr())?;
        // Which only a damaged header says.
        if start % ALIGNMENT != 0 {
            return None;
        }
        Some(fetch(&self.file.0, start, length).map(|()| bytes.clone()).map_err(|e| e.to_string()))
    }
}

/// Brings a part of the file into memory: now, not in the middle of a synthesis, and an unreadable disk is an error and not a
/// signal.
#[cfg(target_os = "linux")]
fn fetch(map: &Mmap, start: usize, length: usize) -> std::io::Result<()> {
    match map.advise_range(memmap2::Advice::PopulateRead, start, length) {
        // Linux before 5.14 does not know it; pages are then read when they are used.
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Other systems are asked to begin.
#[cfg(all(unix, not(target_os = "linux")))]
fn fetch(map: &Mmap, start: usize, length: usize) -> std::io::Result<()> {
    map.advise_range(memmap2::Advice::WillNeed, start, length)
}

#[cfg(not(unix))]
fn fetch(_map: &Mmap, _start: usize, _length: usize) -> std::io::Result<()> {
    Ok(())
}
