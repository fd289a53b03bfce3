//! Loops that several threads run, who wait for the next one awake.
//!
//! A network is a sequence of short loops with a little work of one thread between them. Rayon's threads fall asleep
//! meanwhile, and again at the end of a loop, and to wake one takes some 50 µs, as long as a small product. So one of them
//! each runs a member of this team: it waits for a loop for a moment, takes part in it, and waits for the next. Without
//! members a loop is run by its own thread; no thread waits for one that has not begun.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use web_time::{Duration, Instant};

/// Threads that take part at most.
const MOST: usize = 128;
/// How long a member waits for a loop: longer than the work between two loops of a network.
const PATIENCE: Duration = Duration::from_micros(200);
/// How long one is a member at a time. Who waits for something of rayon's may become one, and is to return.
const TERM: Duration = Duration::from_millis(20);
/// Looks for a loop between two at the clock.
const LOOKS: usize = 64;

/// Whether there is a loop: one at a time.
static BUSY: AtomicBool = AtomicBool::new(false);
/// The loop, while members may begin to take part.
static LOOP: AtomicPtr<Loop<'static>> = AtomicPtr::new(ptr::null_mut());
/// Loops so far.
static LOOPS: AtomicUsize = AtomicUsize::new(0);
/// Members that may hold a reference to the loop.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Members, and threads that are asked to become one.
static MEMBERS: AtomicUsize = AtomicUsize::new(0);

/// Calls `work` with every number below `count`, from several threads; neighbours mostly from the same one, in order.
pub fn run(count: usize, work: &(dyn Fn(usize) + Sync)) {
    let threads = rayon::current_num_threads().min(MOST).min(count);
    if threads < 2 {
        return (0..count).for_each(work);
    }
    // A loop inside of a loop, or of another request, is left to rayon. So are those of a browser's threads.
    if cfg!(target_family = "wasm") || u32::try_from(count).is_err() || BUSY.swap(true, Acquire) {
        return (0..count).into_par_iter().with_max_len(1).for_each(work);
    }
    let this = Loop::new(count, threads, work);
    LOOP.store(ptr::from_ref(&this).cast_mut().cast(), SeqCst);
    LOOPS.fetch_add(1, SeqCst);
    while MEMBERS.load(SeqCst) < threads - 1 {
        MEMBERS.fetch_add(1, SeqCst);
        rayon::spawn(member);
    }
    this.take_part(0);
    // Nobody begins any more, and whoever has begun is waited for: then `this` may go.
    LOOP.store(ptr::null_mut(), SeqCst);
    let mut looks = 0;
    while INSIDE.load(SeqCst) > 0 {
        looks += 1;
        // The other thread may be one that this one keeps from running.
        if looks % LOOKS == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
    }
    BUSY.store(false, Release);
    if let Some(panic) = this.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
}

/// Takes part in one loop after another, until there is none for a moment.
fn member() {
    let begin = Instant::now();
    let (mut last, mut seen) = (begin, None);
    loop {
        let loops = LOOPS.load(SeqCst);
        if seen != Some(loops) {
            seen = Some(loops);
            INSIDE.fetch_add(1, SeqCst);
            let current = LOOP.load(SeqCst);
            // SAFETY: whoever made the loop takes it out of `LOOP` and then waits until nobody is inside, so it is there
            // until this thread has left.
            if let Some(current) = unsafe { current.as_ref() } {
                current.take_part(current.joined.fetch_add(1, Relaxed) + 1);
            }
            INSIDE.fetch_sub(1, SeqCst);
            last = Instant::now();
        }
        let waiting = (0..LOOKS).all(|_| {
            std::hint::spin_loop();
            LOOPS.load(Relaxed) == loops
        });
        if waiting && last.elapsed() > PATIENCE || last.duration_since(begin) > TERM {
            MEMBERS.fetch_sub(1, SeqCst);
            // A loop that counted on this member has begun before it left, or asks for another.
            if LOOPS.load(SeqCst) == loops {
                return;
            }
            MEMBERS.fetch_add(1, SeqCst);
        }
    }
}

struct Loop<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    /// Of each thread what is left of its share: the next number in the lower half, the end in the upper.
    left: [AtomicU64; MOST],
    threads: usize,
    joined: AtomicUsize,
    /// The first panic of `work`.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<'a> Loop<'a> {
    /// `count` fits into 32 bits.
    fn new(count: usize, threads: usize, work: &'a (dyn Fn(usize) + Sync)) -> Self {
        let bound = |thread: usize| (count * thread.min(threads) / threads) as u64;
        let left = std::array::from_fn(|thread| AtomicU64::new(bound(thread) | bound(thread + 1) << 32));
        Self { work, left, threads, joined: AtomicUsize::new(0), panic: Mutex::new(None) }
    }

    /// Works until nothing is left that nobody has begun.
    fn take_part(&self, thread: usize) {
        while let Some(number) = self.take(thread) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.work)(number))) {
                self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            }
        }
    }

    /// The next number of the thread's own share, or else the last of another's.
    fn take(&self, thread: usize) -> Option<usize> {
        let own = self.left[..self.threads].get(thread).and_then(|left| take(left, |next, end| (next, next + 1, end)));
        own.or_else(|| {
            let others = (1..=self.threads).map(|other| &self.left[(thread + other) % self.threads]);
            others.into_iter().find_map(|left| take(left, |next, end| (end - 1, next, end - 1)))
        })
    }
}

/// Takes a number from what is left, `next..end`: `which` tells it, and what then is left.
fn take(left: &AtomicU64, which: impl Fn(u64, u64) -> (u64, u64, u64)) -> Option<usize> {
    let halves = |left: u64| (left & u64::from(u32::MAX), left >> 32);
    let taken = left.fetch_update(Relaxed, Relaxed, |left| {
        let (next, end) = halves(left);
        (next < end).then(|| {
            let (_, next, end) = which(next, end);
            next | end << 32
        })
    });
    let (next, end) = halves(taken.ok()?);
    Some(which(next, end).0 as usize)
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    fn in_pool(threads: usize, work: impl FnOnce() + Send) {
        ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work);
    }

    #[test]
    fn every_number_comes_once() {
        for threads in [1, 2, 5] {
            in_pool(threads, || {
                for count in (0..70).chain([1000, 4097]) {
                    let calls: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                    run(count, &|number| {
                        calls[number].fetch_add(1, Relaxed);
                    });
                    assert!(calls.into_iter().all(|calls| calls.into_inner() == 1), "{count} by {threads} threads");
                }
            });
        }
    }

    /// From several threads at once, one inside of another, and from outside of the pool.
    #[test]
    fn loops_do_not_disturb_each_other() {
        let sum = || {
            let total = AtomicUsize::new(0);
            run(40, &|outer| {
                run(outer, &|inner| {
                    total.fetch_add(inner, Relaxed);
                })
            });
            total.into_inner()
        };
        let expected: usize = (0..40).map(|outer| (0..outer).sum::<usize>()).sum();
        std::thread::scope(|scope| {
            for threads in [1, 2, 3] {
                scope.spawn(move || in_pool(threads, || (0..50).for_each(|_| assert_eq!(sum(), expected))));
            }
            (0..50).for_each(|_| assert_eq!(sum(), expected));
        });
    }

    #[test]
    fn a_panic_comes_back_to_who_called() {
        in_pool(3, || {
            let calls = AtomicUsize::new(0);
            let panics = catch_unwind(AssertUnwindSafe(|| {
                run(100, &|number| {
                    calls.fetch_add(1, Relaxed);
                    assert!(number != 70, "seventy");
                })
            }));
            let message = panics.unwrap_err();
            assert_eq!(message.downcast_ref::<&str>(), Some(&"seventy"));
            assert_eq!(calls.load(Relaxed), 100);
            run(10, &|_| {
                calls.fetch_add(1, Relaxed);
            });
            assert_eq!(calls.into_inner(), 110);
        });
    }
}
