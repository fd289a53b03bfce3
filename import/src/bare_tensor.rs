//! `torch.save(tensor)`: a checkpoint whose root is one tensor instead of a dictionary.
//!
//! `pytorch-reader` wants a dictionary at the root. The archive is therefore copied with a pickle that wraps the
//! original expression, untouched, into `{"tensor": <expression>}`, and the copy is read the ordinary way.
use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::checkpoint::{SourceTensor, format, from_pytorch};
use crate::error::{Error, Result};

/// The name given to the only tensor.
pub const NAME: &str = "tensor";

/// The official matrices are below 1 MB; a bare tensor of more than this is not one of them.
const MAX_ARCHIVE: u64 = 64 << 20;
const MAX_PICKLE: u64 = 1 << 20;

/// The tensor of `path`, or `None` when it is not an archive of `torch.save` with a single tensor.
pub fn open(path: &Path) -> Option<Result<(String, SourceTensor)>> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > MAX_ARCHIVE {
        return None;
    }
    let mut archive = ZipArchive::new(file).ok()?;
    let wrapped = wrap(&mut archive)?;
    Some(read(path, &wrapped))
}

fn read(path: &Path, archive: &[u8]) -> Result<(String, SourceTensor)> {
    let mut copy = tempfile::NamedTempFile::new().map_err(Error::io("create a temporary file for", path))?;
    copy.write_all(archive).map_err(Error::io("write a temporary copy of", path))?;
    let bad = |what: String| format(path, &what, "It should hold one tensor; download it again");
    let reader = pytorch_reader::PytorchReader::new(copy.path()).map_err(|e| bad(e.to_string()))?;
    let tensor = reader.into_tensors().remove(NAME).ok_or_else(|| bad("its root is not a tensor".into()))?;
    // Read now: the temporary copy does not outlive this call.
    let bytes = tensor.read().map_err(|e| bad(e.to_string()))?;
    let mut source = from_pytorch(tensor);
    source.set_bytes(bytes);
    Ok((NAME.into(), source))
}

/// The archive with its pickle `X` replaced by `{"tensor": X}`.
fn wrap<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Option<Vec<u8>> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut found = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.into_owned();
        let mut data = Vec::new();
        entry.by_ref().take(MAX_ARCHIVE).read_to_end(&mut data).ok()?;
        if name.ends_with("data.pkl") {
            let (prefix, body) = data.split_first_chunk::<2>()?;
            let body = body.strip_suffix(b".")?;
            if prefix[0] != 0x80 || data.len() as u64 > MAX_PICKLE {
                return None;
            }
            // PROTO n, EMPTY_DICT, BINUNICODE "tensor", <expression>, SETITEM, STOP
            let mut pickle = prefix.to_vec();
            pickle.extend_from_slice(b"}X");
            pickle.extend_from_slice(&(NAME.len() as u32).to_le_bytes());
            pickle.extend_from_slice(NAME.as_bytes());
            pickle.extend_from_slice(body);
            pickle.extend_from_slice(b"s.");
            data = pickle;
            found = true;
        }
        out.start_file(name, options).ok()?;
        out.write_all(&data).ok()?;
    }
    found.then(|| out.finish().ok().map(Cursor::into_inner)).flatten()
}
