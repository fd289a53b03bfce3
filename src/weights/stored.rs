//! One weight as it lies in a file: as floating-point numbers, row by row or in panels, or as few bits with scales beside it.
//!
//! `NAME.panels` `[panels, inputs, 48]` holds a weight `[inputs, outputs]` in the order in which a CPU's products read it
//! (all inputs of 48 outputs, then those of the next 48, zeros beyond the last), which can use the file as it lies.
//!
//! `NAME.q8` and `NAME.q4` `[panels, inputs / 32, bytes of 32 inputs]` hold eight and four bits in that order, with
//! `NAME.scales` `[panels, inputs / 32, 48]` beside them, as [`QuantizedWeight`] keeps them.
use std::collections::{BTreeMap, HashSet};

use burn::tensor::{AllocationProperty, DType, Shape, TensorData};
use burn_pack::{Bytes, Tensor as PackTensor};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::kernels::{Bits, Held, QuantizedWeight, WeightType, from_panels, kept_panels, panel_shape};

use super::mapped::Mapped;

/// Name of a weight's scales behind its own.
const SCALES: &str = ".scales";
/// And of the weight itself, where it does not lie in rows.
const PANELS: &str = ".panels";
const FEW_BITS: [(&str, Bits); 2] = [(".q8", Bits::Eight), (".q4", Bits::Four)];
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
    FewBits { bits: Bits, scales: PackTensor },
}

/// Bits of a weight's values, if they are few, and its name.
pub fn few_bits(tensor: &PackTensor) -> Option<(Bits, &str)> {
    let of = |(suffix, bits): &(&str, Bits)| Some((*bits, tensor.name.strip_suffix(suffix)?));
    FEW_BITS.iter().find_map(of).filter(|_| tensor.dtype == DType::U8)
}

/// Puts scales to their weights; returns what is wrong by itself, whatever the model.
pub fn collect(tensors: Vec<PackTensor>) -> (Vec<Stored>, Vec<String>) {
    let mut problems = Vec::new();
    let quantized: HashSet<String> = tensors.iter().filter_map(|t| Some(few_bits(t)?.1.to_string())).collect();
    let of_quantized = |t: &PackTensor| t.name.strip_suffix(SCALES).is_some_and(|weight| quantized.contains(weight));
    let (scales, tensors): (Vec<_>, Vec<_>) = tensors.into_iter().partition(of_quantized);
    let mut scales: BTreeMap<String, PackTensor> = scales.into_iter().map(|t| (t.name.clone(), t)).collect();
    let mut stored: Vec<Stored> = Vec::new();
    let mut seen = HashSet::new();
    for values in tensors {
        let (name, layout) = match few_bits(&values) {
            Some((bits, name)) => {
                let of_scales = format!("{name}{SCALES}");
                let Some(scales) = scales.remove(&of_scales) else {
                    problems.push(format!("missing: {of_scales}"));
                    continue;
                };
                if scales.dtype != DType::F16 {
                    problems.push(format!("wrong type: {of_scales}: expected f16, got {:?}", scales.dtype));
                }
                (name.to_string(), Layout::FewBits { bits, scales })
            }
            None => {
                if !matches!(values.dtype, DType::F32 | DType::F16 | DType::BF16) {
                    let (name, got) = (&values.name, values.dtype);
                    problems.push(format!(
                        "wrong type: {name}: expected f32, f16, bf16, or few bits as u8 under {name}.q8 or {name}.q4, got {got:?}"
                    ));
                }
                match values.name.strip_suffix(PANELS) {
                    Some(name) => (name.to_string(), Layout::Panels),
                    None => (values.name.clone(), Layout::Rows),
                }
            }
        };
        if !seen.insert(name.clone()) {
            problems.push(format!("stored twice: {name}"));
        }
        stored.push(Stored { name, values, layout });
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
            (Layout::FewBits { bits, scales }, &[inputs, outputs]) => {
                let [of_values, of_scales] = bits.shapes(inputs, outputs);
                self.shape() == of_values && scales.shape.to_vec() == of_scales
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
        if let Some(bytes) = self.in_file(mapped.filter(|_| as_it_lies)) {
            let shape = Shape::new([self.values.shape.num_elements()]);
            return Ok(TensorData::from_bytes(bytes?, shape, self.values.dtype));
        }
        let inputs = self.values.shape[1];
        let bytes = self.values.to_bytes().map_err(|e| e.to_string())?;
        Ok(kept_panels(widened(read(&bytes)?, self.values.dtype), inputs, kept))
    }

    /// The weight `[inputs, outputs]` in few bits, if it is stored so: where it lies in `mapped`, or else read from the file.
    pub fn few_bits(&self, shape: &Shape, mapped: Option<&Mapped>) -> Option<Result<QuantizedWeight, String>> {
        let Layout::FewBits { bits, scales } = &self.layout else { return None };
        let weight = || {
            let values = match self.in_file(mapped) {
                Some(bytes) => Held::new(bytes?),
                None => {
                    let bytes = self.values.to_bytes().map_err(|e| e.to_string())?;
                    Held::new(read(&bytes)?.to_vec())
                }
            };
            let scales = scales.to_bytes().map_err(|e| e.to_string())?;
            let scales = read(&scales)?.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect();
            Ok(QuantizedWeight::stored(values, scales, shape[0], shape[1], *bits))
        };
        Some(weight())
    }

    /// The bytes of its values, if they can be used where the file lies.
    fn in_file(&self, mapped: Option<&Mapped>) -> Option<Result<Bytes, String>> {
        mapped?.tensor(&self.values.name, self.values.byte_len())
    }

    /// Its values as f32, row by row, read from the file.
    pub fn floats(&self, shape: Shape) -> Result<TensorData, String> {
        if let Some(weight) = self.few_bits(&shape, None) {
            return Ok(TensorData::new(weight?.restored(), shape));
        }
        let owner = self.values.to_bytes().map_err(|e| e.to_string())?;
        let bytes = read(&owner)?;
        // What was read is what is wanted: half a gigabyte less for a moment, of the largest weight. A part of a file in
        // memory would keep all of it there.
        let as_it_lies = self.values.dtype == DType::F32
            && owner.property() == AllocationProperty::File
            && cfg!(target_endian = "little")
            && bytes.as_ptr().cast::<f32>().is_aligned();
        if let Layout::Rows = self.layout
            && as_it_lies
        {
            return Ok(TensorData::from_bytes(owner, shape, DType::F32));
        }
        let values = widened(bytes, self.values.dtype);
        Ok(match self.layout {
            Layout::Panels => TensorData::new(from_panels(&values, shape[0], shape[1]), shape),
            _ => TensorData::new(values, shape),
        })
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
