//! Weights of linear layers in the order in which products read them: all inputs of 48 outputs, then those of the next 48.
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

pub use super::cpu::linear::PANEL;

/// Values that a task converts: long enough to be worth a task.
const CHUNK: usize = 1 << 14;

/// `[panels, inputs, 48]` of a weight `[inputs, outputs]`.
pub fn panel_shape(inputs: usize, outputs: usize) -> [usize; 3] {
    [outputs.div_ceil(PANEL), inputs, PANEL]
}

/// `rows` `[inputs, outputs]` in panels, with zeros beyond the last output.
pub fn to_panels(rows: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut panels = vec![0.0; panel_shape(inputs, outputs).iter().product()];
    panels.par_chunks_mut((inputs * PANEL).max(1)).enumerate().for_each(|(panel, values)| {
        let first = panel * PANEL;
        let width = PANEL.min(outputs - first);
        for (values, row) in values.chunks_exact_mut(PANEL).zip(rows.chunks_exact(outputs)) {
            values[..width].copy_from_slice(&row[first..first + width]);
        }
    });
    panels
}

/// The weight `[inputs, outputs]` of its `panels`.
pub fn from_panels(panels: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut rows = vec![0.0; inputs * outputs];
    rows.par_chunks_mut(outputs.max(1)).enumerate().for_each(|(input, row)| {
        for (values, panel) in row.chunks_mut(PANEL).zip(panels.chunks_exact(inputs * PANEL)) {
            values.copy_from_slice(&panel[input * PANEL..][..values.len()]);
        }
    });
    rows
}

/// Rounded to half precision, by the processor's own instruction where it has one.
pub fn halves(values: &[f32]) -> Vec<f16> {
    let mut halves = vec![f16::ZERO; values.len()];
    let chunks = halves.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(halves, values)| halves.convert_from_f32_slice(values));
    halves
}

/// Panels with the two inputs of a pair side by side, `[panels, inputs / 2, 48, 2]`; a zero behind an odd number of inputs.
pub fn pairs(panels: &[f32], inputs: usize) -> Vec<bf16> {
    let even = inputs.next_multiple_of(2);
    let mut pairs = vec![bf16::ZERO; panels.len() / inputs.max(1) * even];
    let of_panel = pairs.par_chunks_mut((even * PANEL).max(1)).zip(panels.par_chunks((inputs * PANEL).max(1)));
    of_panel.for_each(|(pairs, panel)| {
        for (pairs, rows) in pairs.chunks_exact_mut(2 * PANEL).zip(panel.chunks(2 * PANEL)) {
            for (lane, row) in rows.chunks_exact(PANEL).enumerate() {
                let places = pairs[lane..].iter_mut().step_by(2);
                places.zip(row).for_each(|(place, value)| *place = bf16::from_f32(*value));
            }
        }
    });
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_value_is_in_its_place(inputs in 1usize..20, outputs in 1usize..200) {
            let rows: Vec<f32> = (1..=inputs * outputs).map(|i| i as f32).collect();
            let panels = to_panels(&rows, inputs, outputs);
            prop_assert_eq!(&from_panels(&panels, inputs, outputs), &rows);
            let even = inputs.next_multiple_of(2);
            let pairs = pairs(&panels, inputs);
            prop_assert_eq!(pairs.len(), panels.len() / inputs * even);
            for (at, value) in panels.iter().enumerate() {
                let (panel, input, column) = (at / (inputs * PANEL), at / PANEL % inputs, at % PANEL);
                let output = panel * PANEL + column;
                let expected = if output < outputs { rows[input * outputs + output] } else { 0.0 };
                prop_assert_eq!(*value, expected);
                let place = (panel * even + input / 2 * 2) * PANEL + 2 * column + input % 2;
                prop_assert_eq!(pairs[place], bf16::from_f32(expected));
            }
        }
    }
}
