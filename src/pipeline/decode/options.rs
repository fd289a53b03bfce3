//! How codes are chosen.
use crate::{Error, Result};

/// Rows of the code position table used by successive codes in cached decoding. quirks.md Q1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Positions {
    /// 0, 2, 3, 4, …: the released models are decoded so, although trained without the gap.
    #[default]
    Reference,
    /// 0, 1, 2, 3, …
    Contiguous,
}

impl Positions {
    /// Row for the `k`-th generated code (1-based); the start code has row 0.
    pub(in crate::pipeline) fn of(self, k: usize) -> usize {
        match self {
            Self::Reference => k + 1,
            Self::Contiguous => k,
        }
    }
}

/// Choices of decoding; the defaults are the reference's. pipeline.md 2.6.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeOptions {
    /// Hypotheses kept at a time; 1 decodes a single sequence.
    pub beams: usize,
    /// Draw at random, or take the best.
    pub do_sample: bool,
    /// Divides the scores before a draw; below 1 sharpens.
    pub temperature: f64,
    /// Draw among the best `top_k` codes only; 0 is off.
    pub top_k: usize,
    /// Draw among the best codes that together hold this probability; 1 is off.
    pub top_p: f64,
    /// Makes codes that have occurred less likely; 1 is off.
    pub repetition_penalty: f64,
    /// Power of the length by which a hypothesis's score is divided; 0 prefers the sum of log-probabilities.
    pub length_penalty: f64,
    /// Codes generated at most.
    pub max_codes: usize,
    /// Keep only codes of typical information content holding this probability (arXiv:2202.00666).
    pub typical_mass: Option<f64>,
    pub positions: Positions,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            beams: 3,
            do_sample: true,
            temperature: 0.8,
            top_k: 30,
            top_p: 0.8,
            repetition_penalty: 10.0,
            length_penalty: 0.0,
            max_codes: 1500,
            typical_mass: None,
            positions: Positions::Reference,
        }
    }
}

impl DecodeOptions {
    /// Refuses values with no meaning, for a model with `codes` codes and `code_positions` rows of positions.
    ///
    /// # Errors
    /// [`Error::Input`] naming the option.
    pub fn validate(&self, codes: usize, code_positions: usize) -> Result<()> {
        let longest = self.longest(code_positions);
        let most = (codes / 2).min(64);
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let typical = self.typical_mass.is_none_or(|mass| mass > 0.0 && mass < 1.0);
        let checks = [
            ("beams", (1..=most).contains(&self.beams), self.beams.to_string(), format!("1 to {most}")),
            ("temperature", positive(self.temperature), self.temperature.to_string(), "a number above 0".into()),
            ("top_p", (0.0..=1.0).contains(&self.top_p), self.top_p.to_string(), "0 to 1".into()),
            (
                "repetition_penalty",
                positive(self.repetition_penalty),
                self.repetition_penalty.to_string(),
                "a number above 0".into(),
            ),
            ("length_penalty", self.length_penalty.is_finite(), self.length_penalty.to_string(), "a number".into()),
            (
                "max_codes",
                (1..=longest).contains(&self.max_codes),
                self.max_codes.to_string(),
                format!("1 to {longest}"),
            ),
            ("typical_mass", typical, format!("{:?}", self.typical_mass), "a number between 0 and 1".into()),
        ];
        match checks.into_iter().find(|(_, fine, ..)| !fine) {
            None => Ok(()),
            Some((name, _, got, expected)) => Err(Error::Input { name: name.into(), got, expected }),
        }
    }

    /// The most codes that `code_positions` rows of positions are enough for.
    pub fn longest(&self, code_positions: usize) -> usize {
        // The last code is never fed back, so its own position is not needed.
        code_positions.saturating_sub(self.positions.of(0))
    }

    /// Candidates that every filter leaves, as one beam may end and another must go on.
    pub(super) fn min_keep(&self) -> usize {
        if self.beams > 1 { 2 } else { 1 }
    }
}
