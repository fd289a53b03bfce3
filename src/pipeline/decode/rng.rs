//! Randomness on the host, the same for a seed on every device.
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator for `seed`: counter-based and portable.
pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws up to `count` different indices with chances proportional to `weights`; indices of weight 0 are never drawn.
///
/// The exponential race: of waiting times `Exp(1) / weight` the shortest come first, which is drawing without
/// replacement.
pub fn draw(weights: &[f32], count: usize, rng: &mut dyn Rng) -> Vec<usize> {
    let mut race: Vec<(usize, f64)> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(i, &weight)| (i, exponential(rng) / f64::from(weight)))
        .collect();
    race.sort_by(|a, b| a.1.total_cmp(&b.1));
    race.into_iter().take(count).map(|(i, _)| i).collect()
}

/// An Exp(1) variate by inversion of a 53-bit uniform in (0, 1].
fn exponential(rng: &mut dyn Rng) -> f64 {
    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_in_proportion_and_without_replacement() {
        let mut rng = seeded(7);
        let weights = [1.0, 0.0, 3.0, 0.0, 4.0];
        let mut first = [0usize; 5];
        for _ in 0..20_000 {
            let drawn = draw(&weights, 6, &mut rng);
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 2, 4]);
            first[drawn[0]] += 1;
        }
        for (count, weight) in first.into_iter().zip(weights) {
            let share = count as f64 / 20_000.0;
            assert!((share - f64::from(weight) / 8.0).abs() < 0.015, "{first:?}");
        }
    }

    #[test]
    fn is_portable() {
        let mut rng = seeded(0);
        let values: Vec<u64> = (0..2).map(|_| rng.next_u64()).collect();
        let mut again = seeded(0);
        assert_eq!(values, [again.next_u64(), again.next_u64()]);
        assert_ne!(values[0], seeded(1).next_u64());
    }
}
