//! Decoding of a single sequence: the best code, or one drawn, at each step.
use rand::Rng;

use super::processors::process;
use super::rng::draw;
use super::{Codes, DecodeOptions, Next, Vocabulary};

/// Greedy search and sampling. Unlike with beams the processors work on raw logits. components.md 6.3, last lines.
#[derive(Debug, Clone)]
pub(super) struct SingleSearch {
    options: DecodeOptions,
    vocabulary: Vocabulary,
    found: Codes,
}

impl SingleSearch {
    pub(super) fn new(options: &DecodeOptions, vocabulary: Vocabulary) -> Self {
        Self { options: options.clone(), vocabulary, found: Codes::default() }
    }

    /// Takes the logits of the next code; `None` when the sequence is over.
    pub(super) fn advance(&mut self, logits: &[f32], rng: &mut dyn Rng) -> Option<Next> {
        let mut row = logits.to_vec();
        self.vocabulary.forbid(&mut row);
        process(&mut row, self.vocabulary.history(&self.found.codes), &self.options);
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = row.iter().map(|v| (v - max).exp()).collect();
        let code = match self.options.do_sample {
            true => draw(&weights, 1, rng).first().copied(),
            false => row.iter().position(|v| *v == max),
        }?;
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        self.found.score += (f64::from(weights[code]) / total).ln();
        if code as u32 == self.vocabulary.stop {
            self.found.stopped = true;
            return None;
        }
        self.found.codes.push(code as u32);
        let over = self.found.codes.len() == self.options.max_codes;
        (!over).then(|| Next { sources: vec![0], codes: vec![code as u32] })
    }

    /// The codes so far.
    pub(super) fn codes(&self) -> &[u32] {
        &self.found.codes
    }

    pub(super) fn finish(self) -> Codes {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::super::rng::seeded;
    use super::*;

    const VOCABULARY: Vocabulary = Vocabulary { codes: 4, start: 2, stop: 3 };

    #[test]
    fn greedy_takes_the_first_best_and_stops() {
        let options = DecodeOptions { beams: 1, do_sample: false, repetition_penalty: 1.0, ..Default::default() };
        let mut search = SingleSearch::new(&options, VOCABULARY);
        assert_eq!(search.advance(&[1.0, 1.0, 9.0, 0.0], &mut seeded(0)).unwrap().codes, [0]);
        assert!(search.advance(&[0.0, 0.0, 0.0, 1.0], &mut seeded(0)).is_none());
        let found = search.finish();
        assert!(found.stopped);
        assert_eq!(found.codes, [0]);
    }

    #[test]
    fn a_drawn_code_is_among_those_left() {
        let options = DecodeOptions { beams: 1, top_k: 2, top_p: 1.0, repetition_penalty: 1.0, ..Default::default() };
        let mut rng = seeded(3);
        for _ in 0..50 {
            let mut search = SingleSearch::new(&options, VOCABULARY);
            let code = search.advance(&[2.0, 2.0, 5.0, -1.0], &mut rng).unwrap().codes[0];
            assert!(code < 2);
        }
    }
}
