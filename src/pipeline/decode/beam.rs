//! Beam search over scores read back from the device: the bookkeeping only, no network.
use rand::Rng;

use super::processors::{log_softmax, process};
use super::rng::draw;
use super::{Codes, DecodeOptions, Next, Vocabulary};

/// Score of a beam that is to lose against any other: at the start all beams are the same sequence.
const NEVER: f32 = -1e9;

/// A sequence still open.
#[derive(Debug, Clone)]
struct Beam {
    codes: Vec<u32>,
    score: f32,
}

/// A continuation of one beam by one code.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    beam: usize,
    code: u32,
    score: f32,
}

/// Beam search and beam sampling after Hugging Face's `BeamSearchScorer`. components.md 6.3.
#[derive(Debug, Clone)]
pub(super) struct BeamSearch {
    options: DecodeOptions,
    vocabulary: Vocabulary,
    beams: Vec<Beam>,
    finished: Hypotheses,
}

impl BeamSearch {
    pub(super) fn new(options: &DecodeOptions, vocabulary: Vocabulary) -> Self {
        let beam = |i| Beam { codes: Vec::new(), score: if i == 0 { 0.0 } else { NEVER } };
        Self {
            options: options.clone(),
            vocabulary,
            beams: (0..options.beams).map(beam).collect(),
            finished: Hypotheses::new(options.beams, options.length_penalty),
        }
    }

    /// Takes the logits of every beam (one row after the other), or one row that stands for all; says how to go on,
    /// `None` when the search is over.
    pub(super) fn advance(&mut self, logits: &[f32], rng: &mut dyn Rng) -> Option<Next> {
        let rows = self.scores(logits);
        let count = 2 * self.options.beams;
        let mut candidates = if self.options.do_sample { self.sample(&rows, count, rng) } else { best(&rows, count) };
        // Stable: equal scores keep the order in which they were drawn.
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));

        let length = self.beams[0].codes.len() + 1;
        let mut next = Vec::with_capacity(self.options.beams);
        for (rank, candidate) in candidates.iter().enumerate() {
            if next.len() == self.options.beams {
                break;
            }
            if candidate.code != self.vocabulary.stop {
                next.push(*candidate);
            } else if rank < self.options.beams {
                self.finished.add(self.beams[candidate.beam].codes.clone(), candidate.score, length);
            }
        }
        // Scores that overflowed may leave too few: the rest of the beams repeat the last, without a chance.
        let &last = next.last()?;
        next.resize(self.options.beams, Candidate { score: last.score + NEVER, ..last });
        let best = candidates.first().map_or(f32::NEG_INFINITY, |c| c.score);
        self.beams = next
            .iter()
            .map(|c| {
                let mut codes = self.beams[c.beam].codes.clone();
                codes.push(c.code);
                Beam { codes, score: c.score }
            })
            .collect();
        if self.finished.beats(best, length) {
            self.beams.clear();
            return None;
        }
        if length == self.options.max_codes {
            return None;
        }
        Some(Next { sources: next.iter().map(|c| c.beam).collect(), codes: next.iter().map(|c| c.code).collect() })
    }

    /// The best sequence: of those that ended and, unless they are known to lose, those still open.
    pub(super) fn finish(mut self) -> Codes {
        for beam in self.beams {
            let length = beam.codes.len();
            self.finished.add_open(beam.codes, beam.score, length);
        }
        self.finished.best()
    }

    /// Processed log-probabilities of each beam, with the beam's own score added.
    fn scores(&self, logits: &[f32]) -> Vec<Vec<f32>> {
        let rows = logits.chunks_exact(self.vocabulary.codes).cycle();
        let score = |(beam, row): (&Beam, &[f32])| {
            let mut row = row.to_vec();
            log_softmax(&mut row);
            self.vocabulary.forbid(&mut row);
            process(&mut row, self.vocabulary.history(&beam.codes), &self.options);
            row.iter_mut().for_each(|v| *v += beam.score);
            row
        };
        self.beams.iter().zip(rows).map(score).collect()
    }

    /// Draws `count` candidates without replacement from the distribution over all beams.
    fn sample(&self, rows: &[Vec<f32>], count: usize, rng: &mut dyn Rng) -> Vec<Candidate> {
        let open = candidates(rows).collect::<Vec<_>>();
        let max = open.iter().map(|c| c.score).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = open.iter().map(|c| (c.score - max).exp()).collect();
        let mut drawn: Vec<Candidate> = draw(&weights, count, rng).into_iter().map(|i| open[i]).collect();
        if drawn.len() < count {
            // Too few have a chance at all (at first, when only one beam counts). The reference fills up with whatever
            // comes, in no defined order; here with the best of the hopeless, which do not include an end.
            let hopeless = open.into_iter().zip(weights).filter(|(c, w)| *w <= 0.0 && c.code != self.vocabulary.stop);
            let mut hopeless: Vec<Candidate> = hopeless.map(|(c, _)| c).collect();
            hopeless.sort_by(|a, b| b.score.total_cmp(&a.score));
            hopeless.truncate(count - drawn.len());
            drawn.extend(hopeless);
        }
        drawn
    }
}

/// Every continuation that was not dropped, beam by beam in order of codes.
fn candidates(rows: &[Vec<f32>]) -> impl Iterator<Item = Candidate> + '_ {
    rows.iter().enumerate().flat_map(|(beam, row)| {
        let open = row.iter().enumerate().filter(|(_, score)| **score > f32::NEG_INFINITY);
        open.map(move |(code, &score)| Candidate { beam, code: code as u32, score })
    })
}

/// The `count` best continuations, best first.
fn best(rows: &[Vec<f32>], count: usize) -> Vec<Candidate> {
    let mut top: Vec<Candidate> = Vec::with_capacity(count + 1);
    for candidate in candidates(rows) {
        if top.len() < count || top.last().is_some_and(|last| candidate.score > last.score) {
            let at = top.partition_point(|c| c.score >= candidate.score);
            top.insert(at, candidate);
            top.truncate(count);
        }
    }
    top
}

/// A sequence that is no longer continued.
#[derive(Debug, Clone)]
struct Hypothesis {
    codes: Vec<u32>,
    /// Sum of log-probabilities divided by a power of the length.
    score: f64,
    ended: bool,
}

/// The best sequences so far.
#[derive(Debug, Clone)]
struct Hypotheses {
    kept: Vec<Hypothesis>,
    size: usize,
    length_penalty: f64,
}

impl Hypotheses {
    fn new(size: usize, length_penalty: f64) -> Self {
        Self { kept: Vec::with_capacity(size + 1), size, length_penalty }
    }

    /// A sequence that ended; `length` counts its end.
    fn add(&mut self, codes: Vec<u32>, sum: f32, length: usize) {
        self.insert(codes, sum, length, true);
    }

    /// A sequence cut off.
    fn add_open(&mut self, codes: Vec<u32>, sum: f32, length: usize) {
        self.insert(codes, sum, length, false);
    }

    fn insert(&mut self, codes: Vec<u32>, sum: f32, length: usize, ended: bool) {
        let score = self.normalised(sum, length);
        if self.kept.len() < self.size || score > self.worst() {
            self.kept.push(Hypothesis { codes, score, ended });
            if self.kept.len() > self.size {
                let scores = self.kept.iter().enumerate();
                let worst = scores.min_by(|a, b| a.1.score.total_cmp(&b.1.score)).map(|(i, _)| i);
                worst.map(|i| self.kept.remove(i));
            }
        }
    }

    fn normalised(&self, sum: f32, length: usize) -> f64 {
        f64::from(sum) / (length as f64).powf(self.length_penalty)
    }

    fn worst(&self) -> f64 {
        self.kept.iter().map(|h| h.score).fold(f64::INFINITY, f64::min)
    }

    /// Whether enough are kept and no open sequence, the best with score `sum`, could still get in.
    fn beats(&self, sum: f32, length: usize) -> bool {
        self.kept.len() == self.size && self.worst() >= self.normalised(sum, length)
    }

    /// The best; of equals the last.
    fn best(self) -> Codes {
        let best = self.kept.into_iter().max_by(|a, b| a.score.total_cmp(&b.score));
        best.map_or_else(Codes::default, |h| Codes { codes: h.codes, stopped: h.ended, score: h.score })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rng::seeded;
    use super::*;

    const VOCABULARY: Vocabulary = Vocabulary { codes: 8, start: 6, stop: 7 };

    fn options(beams: usize, max_codes: usize) -> DecodeOptions {
        DecodeOptions { beams, max_codes, do_sample: false, repetition_penalty: 1.0, ..Default::default() }
    }

    /// A row in which the given codes have these probabilities and all others next to none.
    fn row(probabilities: &[(usize, f32)]) -> Vec<f32> {
        let mut row = vec![-40.0; VOCABULARY.codes];
        probabilities.iter().for_each(|&(code, p)| row[code] = p.ln());
        row
    }

    #[test]
    fn starts_from_one_sequence_and_branches() {
        let options = options(3, 10);
        let mut search = BeamSearch::new(&options, VOCABULARY);
        let next = search.advance(&row(&[(2, 0.5), (3, 0.3), (4, 0.2)]), &mut seeded(0)).unwrap();
        assert_eq!(next.codes, [2, 3, 4]);
        assert_eq!(next.sources, [0, 0, 0]);
    }

    #[test]
    fn an_end_of_low_rank_is_ignored() {
        let options = options(2, 10);
        let mut search = BeamSearch::new(&options, VOCABULARY);
        search.advance(&row(&[(2, 0.4), (3, 0.35), (7, 0.25)]), &mut seeded(0)).unwrap();
        assert!(search.finished.kept.is_empty());
    }

    #[test]
    fn ends_when_no_open_sequence_can_win() {
        let options = options(2, 10);
        let mut search = BeamSearch::new(&options, VOCABULARY);
        search.advance(&row(&[(2, 0.5), (3, 0.5)]), &mut seeded(0)).unwrap();
        // Both beams end with high probability: two hypotheses, and every open sequence scores below them.
        let rows = [row(&[(7, 0.9), (4, 0.1)]), row(&[(7, 0.9), (4, 0.1)])].concat();
        assert!(search.advance(&rows, &mut seeded(0)).is_none());
        let codes = search.finish();
        assert!(codes.stopped);
        assert_eq!(codes.codes.len(), 1);
        assert!((codes.score - 0.45f64.ln()).abs() < 1e-5);
    }

    #[test]
    fn the_limit_cuts_an_open_sequence() {
        let options = options(2, 2);
        let mut search = BeamSearch::new(&options, VOCABULARY);
        search.advance(&row(&[(2, 0.6), (3, 0.4)]), &mut seeded(0)).unwrap();
        let rows = [row(&[(4, 1.0)]), row(&[(5, 1.0)])].concat();
        assert!(search.advance(&rows, &mut seeded(0)).is_none());
        let codes = search.finish();
        assert!(!codes.stopped);
        assert_eq!(codes.codes, [2, 4]);
    }

    #[test]
    fn an_ended_sequence_may_win_at_the_limit() {
        let options = options(2, 2);
        let mut search = BeamSearch::new(&options, VOCABULARY);
        search.advance(&row(&[(7, 0.6), (2, 0.2), (3, 0.2)]), &mut seeded(0)).unwrap();
        let flat = row(&[(2, 0.25), (3, 0.25), (4, 0.25), (5, 0.25)]);
        search.advance(&[flat.clone(), flat].concat(), &mut seeded(0));
        let codes = search.finish();
        assert!(codes.stopped && codes.codes.is_empty());
    }

    #[test]
    fn length_penalty_prefers_the_better_average() {
        let mut short = Hypotheses::new(2, 1.0);
        short.add(vec![1], -2.0, 2);
        short.add(vec![1, 2, 3], -2.4, 4);
        assert_eq!(short.best().codes, [1, 2, 3]);
        let mut sum = Hypotheses::new(2, 0.0);
        sum.add(vec![1], -2.0, 2);
        sum.add(vec![1, 2, 3], -2.4, 4);
        assert_eq!(sum.best().codes, [1]);
    }

    #[test]
    fn keeps_the_best_hypotheses_only() {
        let mut kept = Hypotheses::new(2, 0.0);
        for (code, score) in [(1, -3.0), (2, -1.0), (3, -2.0), (4, -5.0)] {
            kept.add(vec![code], score, 1);
        }
        let codes: Vec<u32> = kept.kept.iter().map(|h| h.codes[0]).collect();
        assert_eq!(codes, [2, 3]);
        assert!(kept.beats(-2.0, 1) && !kept.beats(-1.5, 1));
    }

    #[test]
    fn fills_up_when_too_few_have_a_chance() {
        // One beam counts and its filters leave two codes, where six candidates are wanted.
        let options = DecodeOptions { beams: 3, top_k: 2, repetition_penalty: 1.0, ..Default::default() };
        let mut search = BeamSearch::new(&options, VOCABULARY);
        let next = search.advance(&row(&[(2, 0.7), (7, 0.3)]), &mut seeded(0)).unwrap();
        assert_eq!(next.codes.len(), 3);
        assert_eq!(next.codes[0], 2);
        assert!(search.finished.kept.len() == 1 && search.beams.iter().skip(1).all(|b| b.score < -1e8));
    }

    #[test]
    fn never_chooses_the_start_code() {
        for do_sample in [false, true] {
            let options = DecodeOptions { do_sample, ..options(2, 10) };
            let mut search = BeamSearch::new(&options, VOCABULARY);
            let next = search.advance(&row(&[(6, 0.99), (2, 0.006), (3, 0.004)]), &mut seeded(0)).unwrap();
            assert!(!next.codes.contains(&6));
        }
    }
}
