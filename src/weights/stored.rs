//! One weight as it lies in a file: as floating-point numbers, row by row or in panels, or as few bits with scales beside it.
//!
//! `NAME.panels` `[panels, inputs, 48]` holds a weight `[inputs, outputs]` in the order in which a CPU's products read it
//! (all inputs of 48 outputs, then those of the next 48, zeros beyond the last), which can use the file as it lies.
//!
//! `NAME` of type i8 `[inputs, outputs]` holds eight bits, of type u8 `[inputs / 2, outputs]` four: an even input in the
//! low half of a byte, the odd one after it in the high half, both with 8 added. `NAME.scales` `[inputs / 32, outputs]`
//! (both rounded up) holds what the values of 32 inputs are multiplied with.
use std::collections::{BTreeMap, HashSet};

use burn::tensor::{AllocationProperty, DType, Shape, TensorData};
use burn_pack::{Bytes, Tensor as PackTensor};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::kernels::{Bits, WeightType, from_panels, kept_panels, panel_shape};

use super::mapped::Mapped;

/// Inputs that share a scale.
const GROUP: usize = 32;
/// What is added to a value of four bits.
const OFFSET: i32 = 8;
/// Name of a weight's scales behind its own.
const SCALES: &str = ".scales";
/// And of the weight itself, where it lies in panels.
const PANELS: &str = ".panels";
/// Elements that a task converts: long enough to be worth a task.
const CHUNK: usize = 1 << 16;

/// A weight and, where it has such, its scales.
pub struct Stored {
    /// Of the parameter.
    name: String,
    values: PackTensor,
    layout: Layout,
}

enum Layout {
    Rows,
    Panels,
    FewBits { scales: PackTensor },
}

/// Bits of a weight of this type.
pub fn bits(dtype: DType) -> Option<Bits> {
    match dtype {
        DType::I8 => Some(Bits::Eight),
        DType::U8 => Some(Bits::Four),
        _ => None,
    }
}

/// Puts scales to their weights; returns what is wrong by itself, whatever the model.
pub fn collect(tensors: Vec<PackTensor>) -> (Vec<Stored>, Vec<String>) {
    let mut problems = Vec::new();
    let quantized: HashSet<String> =
        tensors.iter().filter(|t| bits(t.dtype).is_some()).map(|t| t.name.clone()).collect();
    let mut scales = BTreeMap::new();
    let mut stored: Vec<Stored> = Vec::new();
    let mut seen = HashSet::new();
    for tensor in tensors {
        let in_panels = tensor.name.strip_suffix(PANELS).filter(|_| tensor.shape.num_dims() == 3);
        let name = in_panels.unwrap_or(&tensor.name).to_string();
        if !seen.insert(name.clone()) {
            problems.push(format!("stored twice: {name}"));
        }
        match name.strip_suffix(SCALES).filter(|weight| quantized.contains(*weight)) {
            Some(weight) => {
                scales.insert(weight.to_string(), tensor);
            }
            None => {
                let layout = if in_panels.is_some() { Layout::Panels } else { Layout::Rows };
                stored.push(Stored { name, values: tensor, layout });
            }
        }
    }
    for Stored { values, layout, .. } in &mut stored {
        match (values.dtype, bits(values.dtype), scales.remove(&values.name)) {
            (_, Some(_), Some(scales)) if scales.dtype == DType::F32 => *layout = Layout::FewBits { scales },
            (_, Some(_), Some(scales)) => {
                problems.push(format!("wrong type: {}: expected f32, got {:?}", scales.name, scales.dtype))
            }
            (_, Some(_), None) => problems.push(format!("missing: {}{SCALES}", values.name)),
            (DType::F32 | DType::F16 | DType::BF16, ..) => {}
            (other, ..) => problems.push(format!(
                "wrong type: {}: expected f32, f16, bf16, or i8 or u8 with scales, got {other:?}",
                values.name
            )),
        }
    }
    (stored, problems)
}

impl Stored {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it is stored.
    pub fn shape(&self) -> Vec<usize> {
        self.values.shape.to_vec()
    }

    /// Whether it is a weight of this shape.
    pub fn fits(&self, shape: &[usize]) -> bool {
        match (&self.layout, shape) {
            (Layout::Panels, &[inputs, outputs]) => self.shape() == panel_shape(inputs, outputs),
            (Layout::FewBits { scales }, &[inputs, outputs]) => {
                let rows = match bits(self.values.dtype) {
                    Some(Bits::Four) => inputs.div_ceil(2),
                    _ => inputs,
                };
                self.shape() == [rows, outputs] && scales.shape.to_vec() == [inputs.div_ceil(GROUP), outputs]
            }
            (Layout::Rows, _) => self.shape() == shape,
            _ => false,
        }
    }

    /// Its panels as they are `kept`, if it is stored so: those of `mapped` where they need no change, and else read from the
    /// file.
    pub fn panels(&self, kept: WeightType, mapped: Option<&Mapped>) -> Option<Result<TensorData, String>> {
        match self.layout {
            Layout::Panels => Some(self.read_panels(kept, mapped)),
            _ => None,
        }
    }

    fn read_panels(&self, kept: WeightType, mapped: Option<&Mapped>) -> Result<TensorData, String> {
        let as_it_lies = match kept {
            WeightType::F32 => self.values.dtype == DType::F32,
            WeightType::F16 => self.values.dtype == DType::F16,
            // Pairs of inputs lie side by side there.
            WeightType::Bf16 => false,
        };
        if let (true, Some(mapped)) = (as_it_lies, mapped) {
            let shape = Shape::new([self.values.shape.num_elements()]);
            return Ok(TensorData::from_bytes(mapped.tensor(&self.values.name)?, shape, self.values.dtype));
        }
        let inputs = self.values.shape[1];
        let bytes = self.values.to_bytes().map_err(|e| e.to_string())?;
        Ok(kept_panels(widened(read(&bytes)?, self.values.dtype), inputs, kept))
    }

    /// Its values as f32, row by row, read from the file.
    pub fn floats(&self, shape: Shape) -> Result<TensorData, String> {
        let owner = self.values.to_bytes().map_err(|e| e.to_string())?;
        let bytes = read(&owner)?;
        let scales = match &self.layout {
            // What was read is what is wanted: half a gigabyte less for a moment, of the largest weight. A part of a
            // file in memory would keep all of it there.
            Layout::Rows
                if self.values.dtype == DType::F32
                    && owner.property() == AllocationProperty::File
                    && cfg!(target_endian = "little")
                    && bytes.as_ptr().cast::<f32>().is_aligned() =>
            {
                return Ok(TensorData::from_bytes(owner, shape, DType::F32));
            }
            Layout::Rows => return Ok(TensorData::new(widened(bytes, self.values.dtype), shape)),
            Layout::Panels => {
                let panels = widened(bytes, self.values.dtype);
                return Ok(TensorData::new(from_panels(&panels, shape[0], shape[1]), shape));
            }
            Layout::FewBits { scales } => scales,
        };
        let outputs = scales.shape[1];
        let scales = scales.to_bytes().map_err(|e| e.to_string())?;
        let scales = convert(read(&scales)?, f32::from_le_bytes);
        let mut values = match bits(self.values.dtype) {
            Some(Bits::Four) => {
                restore(bytes, &scales, outputs, 2, |byte, half| i32::from(byte >> (4 * half) & 15) - OFFSET)
            }
            _ => restore(bytes, &scales, outputs, 1, |byte, _| i32::from(byte as i8)),
        };
        // Behind an odd number of inputs of four bits there is one more.
        values.truncate(shape.num_elements());
        Ok(TensorData::new(values, shape))
    }
}

/// Stored numbers as f32.
fn widened(bytes: &[u8], dtype: DType) -> Vec<f32> {
    match dtype {
        DType::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
        DType::BF16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        _ => convert(bytes, f32::from_le_bytes),
    }
}

/// Burn's file-backed bytes are read on first use, and panic where the file has gone by then.
fn read(bytes: &Bytes) -> Result<&[u8], String> {
    bytes.read(Default::default()).map_err(|e| e.to_string())
}

/// Elements of `N` bytes as f32.
fn convert<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / N];
    values.par_chunks_mut(CHUNK).zip(bytes.par_chunks(N * CHUNK)).for_each(|(values, bytes)| {
        for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<N>().0) {
            *value = of(*bytes);
        }
    });
    values
}

/// Rows of `outputs` values that `of` takes out of a byte, `rows` of them from each, times their scales.
fn restore(
    bytes: &[u8],
    scales: &[f32],
    outputs: usize,
    rows: usize,
    of: impl Fn(u8, usize) -> i32 + Sync,
) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() * rows];
    let groups = values.par_chunks_mut(GROUP * outputs).zip(bytes.par_chunks(GROUP / rows * outputs));
    groups.zip(scales.par_chunks(outputs)).for_each(|((values, bytes), scales)| {
        for (row, values) in values.chunks_exact_mut(outputs).enumerate() {
            let bytes = &bytes[row / rows * outputs..][..outputs];
            for ((value, byte), scale) in values.iter_mut().zip(bytes).zip(scales) {
                *value = of(*byte, row % rows) as f32 * scale;
            }
        }
    });
    values
}
