//! Weights of linear layers in the order in which a processor's product reads them: all inputs of 48 outputs, then those of
//! the next 48.

/// Outputs side by side.
pub const PANEL: usize = 48;

/// `[panels, inputs, 48]`
pub fn shape(inputs: usize, outputs: usize) -> [usize; 3] {
    [outputs.div_ceil(PANEL), inputs, PANEL]
}

/// `rows` `[inputs, outputs]` in panels, with zeros beyond the last output.
pub fn of_rows(rows: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut panels = vec![0.0; shape(inputs, outputs).iter().product()];
    for (panel, values) in panels.chunks_exact_mut((inputs * PANEL).max(1)).enumerate() {
        let first = panel * PANEL;
        let width = PANEL.min(outputs - first);
        for (values, row) in values.chunks_exact_mut(PANEL).zip(rows.chunks_exact(outputs)) {
            values[..width].copy_from_slice(&row[first..first + width]);
        }
    }
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_place() {
        let (inputs, outputs) = (3, 50);
        let rows: Vec<f32> = (1..=inputs * outputs).map(|i| i as f32).collect();
        let panels = of_rows(&rows, inputs, outputs);
        assert_eq!(shape(inputs, outputs), [2, 3, 48]);
        for (at, value) in panels.iter().enumerate() {
            let (panel, input, column) = (at / (inputs * PANEL), at / PANEL % inputs, at % PANEL);
            let output = panel * PANEL + column;
            let expected = if output < outputs { rows[input * outputs + output] } else { 0.0 };
            assert_eq!(*value, expected, "panel {panel}, input {input}, column {column}");
        }
    }
}
