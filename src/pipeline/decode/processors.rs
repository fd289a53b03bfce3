//! Score processors over one row of scores, in place; what is dropped becomes `-inf`.
//!
//! components.md 6.3 step 2. Scores are logits, or log-probabilities when several beams compete.
use super::DecodeOptions;

/// All processors in the reference's order. `history` is every id of the sequence so far, the prompt's included.
pub fn process(row: &mut [f32], history: impl Iterator<Item = u32> + Clone, options: &DecodeOptions) {
    let keep = options.min_keep();
    if options.repetition_penalty != 1.0 {
        repetition_penalty(row, history, options.repetition_penalty);
    }
    if let Some(mass) = options.typical_mass {
        typical(row, mass, keep);
    }
    // Warpers shape the distribution that is drawn from: the best choice needs none.
    if options.do_sample {
        if options.temperature != 1.0 {
            temperature(row, options.temperature);
        }
        if options.top_k > 0 {
            top_k(row, options.top_k.max(keep));
        }
        if options.top_p < 1.0 {
            top_p(row, options.top_p, keep);
        }
    }
}

/// Turns logits into log-probabilities.
pub fn log_softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&v| f64::from((v - max).exp())).sum();
    let log = sum.ln() as f32;
    row.iter_mut().for_each(|v| *v = *v - max - log);
}

/// Scores of ids in `history` are divided by `penalty` if positive, multiplied if negative (CTRL, arXiv:1909.05858);
/// an id that occurs twice is penalised once.
pub fn repetition_penalty(row: &mut [f32], history: impl Iterator<Item = u32> + Clone, penalty: f64) {
    let penalty = penalty as f32;
    let penalised: Vec<(usize, f32)> = history
        .filter_map(|id| row.get(id as usize).map(|&v| (id as usize, if v < 0.0 { v * penalty } else { v / penalty })))
        .collect();
    penalised.into_iter().for_each(|(id, v)| row[id] = v);
}

/// Divides every score.
pub fn temperature(row: &mut [f32], temperature: f64) {
    let temperature = temperature as f32;
    row.iter_mut().for_each(|v| *v /= temperature);
}

/// Drops all below the `k`-th best; equals of the `k`-th best stay.
pub fn top_k(row: &mut [f32], k: usize) {
    if k == 0 || k >= row.len() {
        return;
    }
    let mut sorted = row.to_vec();
    let (_, &mut threshold, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    row.iter_mut().filter(|v| **v < threshold).for_each(|v| *v = f32::NEG_INFINITY);
}

/// Nucleus: drops the least likely that together hold at most `1 - p`; the `keep` best stay.
pub fn top_p(row: &mut [f32], p: f64, keep: usize) {
    let mut order = survivors(row);
    order.sort_by(|&a, &b| row[a].total_cmp(&row[b]));
    let droppable = order.len().saturating_sub(keep);
    let tail = (1.0 - p) as f32;
    let mut drop = 0;
    for cumulative in cumulative(row, &order).take(droppable) {
        if cumulative > tail {
            break;
        }
        drop += 1;
    }
    order[..drop].iter().for_each(|&i| row[i] = f32::NEG_INFINITY);
}

/// Locally typical sampling: keeps the codes whose information is nearest the entropy until they hold `mass`.
pub fn typical(row: &mut [f32], mass: f64, keep: usize) {
    let mut log_p = row.to_vec();
    log_softmax(&mut log_p);
    let entropy: f32 = -log_p.iter().map(|&l| if l.is_finite() { l * l.exp() } else { 0.0 }).sum::<f32>();
    let shift = |i: usize| (-log_p[i] - entropy).abs();
    let mut order = survivors(row);
    order.sort_by(|&a, &b| shift(a).total_cmp(&shift(b)));
    // The code at which the mass is reached still stays; the reference reads past the end when it never is.
    let last = cumulative(row, &order).take_while(|&c| c < mass as f32).count().min(order.len().saturating_sub(1));
    let Some(&at) = order.get(last) else { return };
    let threshold = shift(at);
    let dropped = order.iter().skip(keep).filter(|&&i| shift(i) > threshold);
    dropped.for_each(|&i| row[i] = f32::NEG_INFINITY);
}

/// Indices of scores that are not dropped.
fn survivors(row: &[f32]) -> Vec<usize> {
    row.iter().enumerate().filter(|(_, v)| **v > f32::NEG_INFINITY).map(|(i, _)| i).collect()
}

/// Running sums of the probabilities of `order`, which holds every survivor.
fn cumulative<'a>(row: &'a [f32], order: &'a [usize]) -> impl Iterator<Item = f32> + 'a {
    let max = order.iter().map(|&i| row[i]).fold(f32::NEG_INFINITY, f32::max);
    let weight = move |i: usize| f64::from((row[i] - max).exp());
    let total: f64 = order.iter().map(|&i| weight(i)).sum();
    order.iter().scan(0.0f64, move |sum, &i| {
        *sum += weight(i) / total;
        Some(*sum as f32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OUT: f32 = f32::NEG_INFINITY;

    #[test]
    fn penalises_an_id_once_by_its_sign() {
        let mut row = [2.0, -2.0, 1.0, 0.5];
        repetition_penalty(&mut row, [0, 1, 1, 0, 9].into_iter(), 10.0);
        assert_eq!(row, [0.2, -20.0, 1.0, 0.5]);
    }

    #[test]
    fn top_k_keeps_ties() {
        let mut row = [1.0, 3.0, 2.0, 2.0, 0.0];
        top_k(&mut row, 2);
        assert_eq!(row, [OUT, 3.0, 2.0, 2.0, OUT]);
    }

    #[test]
    fn top_p_keeps_the_best() {
        let mut row = [10.0, 0.0, 1.0];
        top_p(&mut row, 0.5, 1);
        assert_eq!(row, [10.0, OUT, OUT]);
        let mut row = [10.0, 0.0, 1.0];
        top_p(&mut row, 0.0, 2);
        assert_eq!(row, [10.0, OUT, 1.0]);
    }

    #[test]
    fn typical_keeps_what_is_near_the_entropy() {
        // Entropy of (0.5, 0.25, 0.125, 0.125) is 1.75 bits: the second code (2 bits) is nearest, then the first (1
        // bit), then the rest (3 bits).
        let probabilities = [0.5f32, 0.25, 0.125, 0.125];
        let mut row = probabilities.map(f32::ln);
        typical(&mut row, 0.2, 1);
        assert_eq!(row.map(|v| v > OUT), [false, true, false, false]);
        let mut row = probabilities.map(f32::ln);
        typical(&mut row, 0.7, 1);
        assert_eq!(row.map(|v| v > OUT), [true, true, false, false]);
        let mut row = probabilities.map(f32::ln);
        typical(&mut row, 0.2, 2);
        assert_eq!(row.map(|v| v > OUT), [true, true, false, false]);
    }

    proptest! {
        #[test]
        fn always_leaves_enough(
            row in prop::collection::vec(prop_oneof![9 => -1e4f32..1e4, 1 => Just(OUT), 1 => Just(0.0)], 2..200),
            history in prop::collection::vec(0u32..250, 0..20),
            beams in 1usize..4,
            do_sample: bool,
            temperature in 0.01f64..10.0,
            limit in 0usize..250,
            p in 0.0f64..=1.0,
            penalty in 0.1f64..20.0,
            typical_mass in prop::option::of(0.01f64..0.99),
            logs: bool,
        ) {
            let options = DecodeOptions {
                beams, do_sample, temperature, top_k: limit, top_p: p, repetition_penalty: penalty, typical_mass,
                ..Default::default()
            };
            let mut row = row;
            let before = survivors(&row);
            prop_assume!(!before.is_empty());
            if logs {
                log_softmax(&mut row);
            }
            process(&mut row, history.into_iter(), &options);
            let after = survivors(&row);
            prop_assert!(after.len() >= options.min_keep().min(before.len()));
            prop_assert!(after.iter().all(|i| before.contains(i)));
            prop_assert!(row.iter().all(|v| !v.is_nan()));
        }
    }
}
