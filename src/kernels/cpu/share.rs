//! How a loop is shared out to the threads.
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

use super::team;

/// Shares of a thread: with few, the thread that began later, or runs slower, would be waited for.
const SHARES: usize = 16;

pub trait Share: IndexedParallelIterator {
    /// Cuts the loop into shares so small that no thread waits long for another at its end.
    fn shared(self) -> Shared<Self> {
        Shared(self)
    }
}

impl<I: IndexedParallelIterator> Share for I {}

/// A loop that the [`team`] runs, share by share.
pub struct Shared<I>(I);

impl<I: IndexedParallelIterator> Shared<I> {
    pub fn for_each(self, work: impl Fn(I::Item) + Sync + Send) {
        self.for_each_init(|| (), |(), item| work(item));
    }

    /// With a state that `init` makes for each share.
    pub fn for_each_init<T>(self, init: impl Fn() -> T + Sync, work: impl Fn(&mut T, I::Item) + Sync) {
        let count = self.0.len();
        self.0.with_producer(Cut { count, init, work });
    }
}

/// What is done with the items of a loop.
struct Cut<N, W> {
    count: usize,
    init: N,
    work: W,
}

impl<T, I, N: Fn() -> T + Sync, W: Fn(&mut T, I) + Sync> ProducerCallback<I> for Cut<N, W> {
    type Output = ();

    fn callback<P: Producer<Item = I>>(self, items: P) {
        let Self { count, init, work } = self;
        let shares = (SHARES * rayon::current_num_threads()).min(count);
        let mut rest = items;
        let mut parts = Vec::with_capacity(shares);
        for share in 1..shares {
            let (part, others) = rest.split_at(count * share / shares - count * (share - 1) / shares);
            parts.push(Mutex::new(Some(part)));
            rest = others;
        }
        parts.push(Mutex::new(Some(rest)));
        team::run(shares, &|share| {
            let part = parts[share].lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut state = init();
            part.into_iter().flat_map(P::into_iter).for_each(|item| work(&mut state, item));
        });
    }
}

/// Values from which on their zeros are written by all threads, and how many at a time.
const MANY: usize = 128 << 10;
const CHUNK: usize = 32 << 10;

/// An output before it is computed, for what adds to it or does not write all of it.
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

/// An output of which every value will be written before it is read: zeros would take as long as a small product.
pub fn unwritten(count: usize) -> Box<[MaybeUninit<f32>]> {
    let mut values = Box::new_uninit_slice(count);
    // So that tests see a value that was left out.
    if cfg!(debug_assertions) {
        values.fill(MaybeUninit::new(f32::NAN));
    }
    values
}

/// `values` as something to write to.
///
/// # Safety
/// What is written are values.
pub unsafe fn places(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: the same values in the same places, which the caller keeps values.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rayon::ThreadPoolBuilder;

    use super::*;

    /// A share has a state of its own, so states count shares.
    #[test]
    fn a_thread_has_many_shares() {
        for (threads, count, expected) in [(1, 1000, SHARES), (3, 1000, 3 * SHARES), (2, 5, 5), (2, 0, 0)] {
            let (shares, items) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let state = || shares.fetch_add(1, Ordering::Relaxed);
                (0..count).into_par_iter().shared().for_each_init(state, |_, _| {
                    items.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert_eq!([shares.into_inner(), items.into_inner()], [expected, count], "{threads} threads");
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
