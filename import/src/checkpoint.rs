//! Official checkpoint files as a list of tensors whose data are read on demand.
//!
//! Pickles are interpreted by `pytorch-reader`, which rebuilds tensors and runs no code; safetensors headers are parsed
//! by the `safetensors` crate. Nothing is memory-mapped: every read is a bounded positional read.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::bare_tensor;
use crate::error::{Error, Result};

/// Largest safetensors header accepted (the format's own limit).
const MAX_HEADER: u64 = 100_000_000;

/// Element type as stored in the official file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    F64,
    F32,
    F16,
    BF16,
    /// Integer or boolean buffers; never weights.
    Other(&'static str),
}

impl ElementType {
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::Other(name) => name,
        }
    }

    fn from_pytorch(dtype: pytorch_reader::DType) -> Self {
        use pytorch_reader::DType as D;
        match dtype {
            D::F64 => Self::F64,
            D::F32 => Self::F32,
            D::F16 => Self::F16,
            D::BF16 => Self::BF16,
            _ => Self::Other("integer"),
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "F64" | "float64" => Self::F64,
            "F32" | "float32" => Self::F32,
            "F16" | "float16" => Self::F16,
            "BF16" | "bfloat16" => Self::BF16,
            _ => Self::Other("integer"),
        }
    }
}

type ReadFn = Arc<dyn Fn() -> io::Result<Vec<u8>> + Send + Sync>;

/// A tensor of an official file: contiguous, row-major, little-endian once read.
#[derive(Clone)]
pub struct SourceTensor {
    pub dtype: ElementType,
    pub shape: Vec<usize>,
    read: ReadFn,
}

impl SourceTensor {
    /// The values as f32.
    pub fn floats(&self) -> io::Result<Vec<f32>> {
        let bytes = (self.read)()?;
        let values: Vec<f32> = match self.dtype {
            ElementType::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            ElementType::F16 => {
                bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
            }
            ElementType::BF16 => {
                bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
            }
            ElementType::F64 => bytes
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
                .collect(),
            ElementType::Other(name) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("is {name}"))),
        };
        if values.len() != self.shape.iter().product::<usize>() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "holds fewer values than its shape says"));
        }
        Ok(values)
    }

    /// Replaces the reader by data already in memory.
    pub(crate) fn set_bytes(&mut self, bytes: Vec<u8>) {
        self.read = Arc::new(move || Ok(bytes.clone()));
    }

    pub fn is_float(&self) -> bool {
        !matches!(self.dtype, ElementType::Other(_))
    }
}

/// The tensors of one official file, keyed by their path through its dictionaries (joined with dots).
#[derive(Clone)]
pub struct Checkpoint {
    pub path: PathBuf,
    pub tensors: BTreeMap<String, SourceTensor>,
}

impl Checkpoint {
    /// Opens a `.pt`, `.pth`, `.bin` (PyTorch) or `.safetensors` file, recognised by content.
    pub fn open(path: &Path) -> Result<Self> {
        let mut head = [0u8; 9];
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        if length == 0 {
            return Err(format(path, "the file is empty", "Download it again"));
        }
        let got = read_up_to(&mut file, &mut head).map_err(Error::io("read", path))?;
        // A safetensors file starts with its header's length (u64) and a JSON object.
        if got == 9 && head[8] == b'{' && head[..4] != *b"PK\x03\x04" {
            return Self::open_safetensors(path, file, length);
        }
        Self::open_pytorch(path)
    }

    fn open_pytorch(path: &Path) -> Result<Self> {
        let reader = match pytorch_reader::PytorchReader::new(path) {
            Ok(reader) => reader,
            Err(dictionary) => {
                // `feat1.pt` and `feat2.pt` hold a bare tensor, which the reader does not take at the root.
                return match bare_tensor::open(path) {
                    Some(Ok(tensor)) => Ok(Self { path: path.into(), tensors: BTreeMap::from([tensor]) }),
                    _ => Err(format(
                        path,
                        &dictionary.to_string(),
                        "It should be a PyTorch checkpoint; download it again",
                    )),
                };
            }
        };
        let tensors = reader.into_tensors().into_iter().map(|(name, tensor)| (name, from_pytorch(tensor))).collect();
        Ok(Self { path: path.into(), tensors })
    }

    fn open_safetensors(path: &Path, mut file: File, length: u64) -> Result<Self> {
        let bad = |what: &str| format(path, what, "It should be a safetensors file; download it again");
        let mut size = [0u8; 8];
        file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut size)).map_err(Error::io("read", path))?;
        let header = u64::from_le_bytes(size);
        if header > MAX_HEADER || header + 8 > length {
            return Err(bad(&format!("the header claims {header} bytes, the file has {length}")));
        }
        let mut json = vec![0u8; header as usize];
        file.read_exact(&mut json).map_err(Error::io("read", path))?;
        let metadata: safetensors::tensor::Metadata =
            serde_json::from_slice(&json).map_err(|e| bad(&format!("the header is not valid ({e})")))?;
        let data = length - 8 - header;
        let mut tensors = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let elements = info.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            let bits = elements.and_then(|n| n.checked_mul(info.dtype.bitsize()));
            if start > end || end as u64 > data || bits != Some((end - start).saturating_mul(8)) {
                return Err(bad(&format!(
                    "tensor {name} {:?} is said to lie at {start}..{end} of {data} bytes of data",
                    info.shape
                )));
            }
            let (path, offset) = (path.to_path_buf(), 8 + header + start as u64);
            let read: ReadFn = Arc::new(move || {
                let mut file = File::open(&path)?;
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = vec![0u8; end - start];
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            });
            let dtype = ElementType::from_name(&format!("{:?}", info.dtype));
            tensors.insert(name, SourceTensor { dtype, shape: info.shape.clone(), read });
        }
        Ok(Self { path: path.into(), tensors })
    }

    /// A checkpoint known by its key manifest only (`key -> [sizes..., dtype]`, f32 where no dtype is given): shapes
    /// without data, for proofs that need no weights.
    pub fn from_manifest(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let bad = |what: &str| format(path, what, "It should be a key manifest");
        let keys: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text).map_err(|e| bad(&e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (key, entry) in keys {
            let (dtype, shape) = match entry.split_last() {
                Some((Value::String(dtype), shape)) => (dtype.as_str(), shape),
                _ => ("float32", entry.as_slice()),
            };
            let shape: Option<Vec<usize>> = shape.iter().map(|v| v.as_u64().map(|n| n as usize)).collect();
            let shape = shape.ok_or_else(|| bad(&format!("{key} has an odd shape")))?;
            let read: ReadFn = Arc::new(|| Err(io::Error::other("a manifest holds no data")));
            let dtype = ElementType::from_name(dtype);
            tensors.insert(key.replace('/', "."), SourceTensor { dtype, shape, read });
        }
        Ok(Self { path: path.into(), tensors })
    }

    /// Shapes by key, for configuration that official files state nowhere else.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.tensors.iter().map(|(k, t)| (k.clone(), t.shape.clone())).collect()
    }

    /// The file's name for messages.
    pub fn file(&self) -> String {
        self.path.file_name().map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
    }
}

pub(crate) fn from_pytorch(tensor: pytorch_reader::Tensor) -> SourceTensor {
    let (dtype, shape) = (ElementType::from_pytorch(tensor.dtype()), tensor.shape().to_vec());
    SourceTensor { dtype, shape, read: Arc::new(move || tensor.read()) }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

pub(crate) fn format(path: &Path, what: &str, hint: &str) -> Error {
    Error::Format { path: path.into(), what: what.into(), hint: hint.into() }
}
