//! How a loop is shared out to the threads.
use std::mem::MaybeUninit;

use rayon::iter::{IndexedParallelIterator, MaxLen};
use rayon::prelude::*;

/// Shares of a thread. Left alone, rayon cuts a loop of two threads into four, and the thread that began later, or runs
/// slower, is waited for.
const SHARES: usize = 16;

pub trait Share: IndexedParallelIterator {
    /// Cuts the loop into shares so small that no thread waits long for another at its end.
    fn shared(self) -> MaxLen<Self> {
        let threads = rayon::current_num_threads().max(1);
        let most = self.len().div_ceil(SHARES * threads).max(1);
        self.with_max_len(most)
    }
}

impl<I: IndexedParallelIterator> Share for I {}

/// Values from which on their zeros are written by all threads, and how many at a time.
const MANY: usize = 128 << 10;
const CHUNK: usize = 32 << 10;

/// An output before it is computed.
pub fn zeros(count: usize) -> Vec<f32> {
    if count < MANY {
        return vec![0.0; count];
    }
    let mut values = Vec::with_capacity(count);
    let chunks = values.spare_capacity_mut()[..count].par_chunks_mut(CHUNK);
    chunks.for_each(|chunk| chunk.fill(MaybeUninit::new(0.0)));
    // SAFETY: the chunks are the first `count` values, and all have been written.
    unsafe { values.set_len(count) };
    values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_index_is_visited_once() {
        for count in [0, 1, 2, 31, 32, 33, 1000] {
            let visits = Mutex::new(BTreeMap::new());
            (0..count)
                .into_par_iter()
                .shared()
                .for_each(|index| *visits.lock().unwrap().entry(index).or_insert(0) += 1);
            assert_eq!(visits.into_inner().unwrap(), (0..count).map(|index| (index, 1)).collect());
        }
    }

    #[test]
    fn outputs_begin_as_zeros() {
        for count in [0, 1, MANY - 1, MANY, 3 * MANY + 1] {
            // Memory that held something else before.
            drop(vec![1.0f32; count]);
            let values = zeros(count);
            assert!(values.len() == count && values.iter().all(|value| value.to_bits() == 0));
        }
    }
}
