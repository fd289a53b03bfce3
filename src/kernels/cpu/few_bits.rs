//! Weights of 8 or 4 bits, and how they are rounded; products with them are in [`integer`](super::integer).
use std::fmt::{self, Debug};
use std::ops::Deref;

use half::f16;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::linear::PANEL;
use super::math::nearest;
use super::share::Share;

/// Inputs that share a scale.
pub const GROUP: usize = 32;
/// Scales are kept in units of this, so that those of small weights stay normal numbers of half precision.
pub(super) const UNIT: f32 = 1.0 / 1024.0;
/// Inputs that one instruction multiplies and sums.
pub(super) const QUAD: usize = 4;

/// How many bits a weight keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    Eight,
    Four,
}

impl Bits {
    /// The stored value of a group's largest. Four bits reach one step further below zero than above, so there the largest
    /// becomes -8 whatever its sign, and the scale may be negative.
    fn limit(self) -> f32 {
        match self {
            Self::Eight => 127.0,
            Self::Four => -8.0,
        }
    }

    /// Largest stored value, with its offset.
    fn top(self) -> i32 {
        match self {
            Self::Eight => 255,
            Self::Four => 15,
        }
    }

    /// Smallest stored value, with its offset.
    fn bottom(self) -> i32 {
        match self {
            Self::Eight => 1,
            Self::Four => 0,
        }
    }

    /// What is added to a value to store it without a sign.
    pub(super) fn offset(self) -> i32 {
        match self {
            Self::Eight => 128,
            Self::Four => 8,
        }
    }

    /// The scale of a group, as it is kept: with eight bits not above what the largest asks for, so that no step is longer;
    /// with four not below, so that the largest with the other sign is not more than a step away.
    fn scale(self, largest: f32) -> f16 {
        let exact = (largest / self.limit() / UNIT).clamp(-6.0e4, 6.0e4);
        let near = f16::from_f32(exact);
        match self {
            Self::Eight if near.to_f32().abs() > exact.abs() => f16::from_bits(near.to_bits() - 1),
            Self::Four if near.to_f32().abs() < exact.abs() => f16::from_bits(near.to_bits() + 1),
            _ => near,
        }
    }

    /// Shapes of the values, in bytes, and of the scales of a weight: `[panels, groups, bytes of a group]` and `[panels,
    /// groups, 48]`.
    pub fn shapes(self, inputs: usize, outputs: usize) -> [[usize; 3]; 2] {
        let (panels, groups) = (outputs.div_ceil(PANEL), inputs.div_ceil(GROUP));
        [[panels, groups, self.group_bytes()], [panels, groups, PANEL]]
    }

    /// Bytes of a group of inputs in a panel.
    pub(super) fn group_bytes(self) -> usize {
        match self {
            Self::Eight => GROUP * PANEL,
            Self::Four => GROUP * PANEL / 2,
        }
    }
}

/// A weight `[inputs, outputs]` in few bits.
#[derive(Debug)]
pub struct QuantizedWeight {
    pub(super) bits: Bits,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// `[panels, groups, quads, 48, 4]` bytes; with four bits, the second half of the quads lies in the high nibbles of
    /// the first.
    pub(super) values: Held,
    /// `[panels, groups, 48]`, in [`UNIT`]s.
    pub(super) scales: Vec<f16>,
}

/// Bytes, whoever keeps them.
pub struct Held(Box<dyn Deref<Target = [u8]> + Send + Sync>);

impl Held {
    pub fn new(bytes: impl Deref<Target = [u8]> + Send + Sync + 'static) -> Self {
        Self(Box::new(bytes))
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl QuantizedWeight {
    /// Of what [`new`](Self::new) has made: values `[panels, groups, bytes of a group]` and scales `[panels, groups, 48]`.
    pub fn stored(values: Held, scales: Vec<f16>, inputs: usize, outputs: usize, bits: Bits) -> Self {
        let [of_values, of_scales] = bits.shapes(inputs, outputs).map(|shape| shape.iter().product::<usize>());
        assert_eq!([values.len(), scales.len()], [of_values, of_scales], "few bits: of another weight");
        Self { bits, inputs, outputs, values, scales }
    }

    /// Rounds `weight` `[inputs, outputs]`.
    pub fn new(weight: &[f32], inputs: usize, outputs: usize, bits: Bits) -> Self {
        assert_eq!(weight.len(), inputs * outputs, "quantize: a weight of another size");
        let (panels, groups) = (outputs.div_ceil(PANEL), inputs.div_ceil(GROUP));
        let mut values = vec![0u8; panels * groups * bits.group_bytes()];
        let mut scales = vec![f16::ZERO; panels * groups * PANEL];
        let arch = arch();
        values.par_chunks_mut(bits.group_bytes()).zip(scales.par_chunks_mut(PANEL)).enumerate().shared().for_each(
            |(index, (values, scales))| {
                let (column, input) = (index / groups * PANEL, index % groups * GROUP);
                let (columns, rows) = (PANEL.min(outputs - column), GROUP.min(inputs - input));
                let mut group = [[0.0; PANEL]; GROUP];
                for (row, values) in group[..rows].iter_mut().zip(weight[input * outputs..].chunks(outputs)) {
                    row[..columns].copy_from_slice(&values[column..column + columns]);
                }
                arch.dispatch(RoundGroup { bits, group: &group, values, scales });
            },
        );
        Self { bits, inputs, outputs, values: Held::new(values), scales }
    }

    pub fn bits(&self) -> Bits {
        self.bits
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weight that products are made with, `[inputs, outputs]`.
    pub fn restored(&self) -> Vec<f32> {
        let (bits, groups, half) = (self.bits, self.inputs.div_ceil(GROUP), GROUP / QUAD / 2);
        let mut weight = vec![0.0; self.inputs * self.outputs];
        weight.par_chunks_mut((GROUP * self.outputs).max(1)).enumerate().for_each(|(group, rows)| {
            for panel in 0..self.outputs.div_ceil(PANEL) {
                let index = panel * groups + group;
                let bytes = &self.values[index * bits.group_bytes()..][..bits.group_bytes()];
                let scales = &self.scales[index * PANEL..][..PANEL];
                for (i, row) in rows.chunks_exact_mut(self.outputs).enumerate() {
                    let (quad, lane) = (i / QUAD, i % QUAD);
                    for (c, (value, scale)) in row[panel * PANEL..].iter_mut().zip(scales).enumerate() {
                        let byte = match bits {
                            Bits::Eight => bytes[(quad * PANEL + c) * QUAD + lane],
                            Bits::Four => bytes[(quad % half * PANEL + c) * QUAD + lane] >> (4 * (quad / half)) & 15,
                        };
                        *value = (i32::from(byte) - bits.offset()) as f32 * (scale.to_f32() * UNIT);
                    }
                }
            }
        });
        weight
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.values.len() + 2 * self.scales.len()
    }
}

/// The inputs of a panel that share scales.
struct RoundGroup<'a> {
    bits: Bits,
    group: &'a [[f32; PANEL]; GROUP],
    values: &'a mut [u8],
    scales: &'a mut [f16],
}

impl WithSimd for RoundGroup<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { bits, group, values, scales } = self;
        let mut largest = [0f32; PANEL];
        for row in group {
            for (largest, value) in largest.iter_mut().zip(row) {
                *largest = if value.abs() > largest.abs() { *value } else { *largest };
            }
        }
        // Values are rounded against the scale as it is kept, so its own rounding costs nothing.
        let mut inverses = [0f32; PANEL];
        for ((scale, inverse), largest) in scales.iter_mut().zip(&mut inverses).zip(largest) {
            *scale = bits.scale(largest);
            let scale = scale.to_f32() * UNIT;
            *inverse = if scale != 0.0 { 1.0 / scale } else { 0.0 };
        }
        let (offset, bottom, top) = (bits.offset() as f32, bits.bottom() as f32, bits.top() as f32);
        let mut rounded = [[0u8; PANEL]; GROUP];
        for (rounded, row) in rounded.iter_mut().zip(group) {
            for ((rounded, value), inverse) in rounded.iter_mut().zip(row).zip(inverses) {
                *rounded = nearest((value * inverse + offset).clamp(bottom, top)) as u8;
            }
        }
        let (half, quads) = (GROUP / QUAD / 2, rounded.chunks_exact(QUAD));
        for (quad, rows) in quads.enumerate() {
            let (place, shift) = match bits {
                Bits::Eight => (quad, 0),
                Bits::Four => (quad % half, 4 * (quad / half)),
            };
            let places = values[place * PANEL * QUAD..].as_chunks_mut::<QUAD>().0.iter_mut();
            for (c, bytes) in places.take(PANEL).enumerate() {
                for (byte, row) in bytes.iter_mut().zip(rows) {
                    *byte |= row[c] << shift;
                }
            }
        }
    }
}
