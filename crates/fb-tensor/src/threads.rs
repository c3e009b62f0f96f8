//! The one thread pool (rayon's) and when it pays to use it.
//!
//! Entering the pool from outside costs 20–30 µs, splitting work inside it a fraction of a microsecond, so training
//! loops enter once with [`scope`] and stay inside.

use crate::error::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Work worth splitting inside the pool, in nanoseconds of one core.
const SPLIT_INSIDE_NS: usize = 20_000;
/// Work worth entering the pool for from outside.
const SPLIT_OUTSIDE_NS: usize = 400_000;

/// Runs `work` inside the thread pool, where splitting is cheap. Runs it at once if already inside.
///
/// Put a loop of your own into one scope, not each of its operations: from outside, a small operation stays on one core.
///
/// ```
/// let sum = fb_tensor::threads::scope(|| (1..=10).sum::<i32>());
/// assert_eq!(sum, 55);
/// ```
pub fn scope<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if in_pool() {
        work()
    } else {
        rayon::scope(|_| work())
    }
}

/// [`scope`] with so many threads (at least one), whatever the process has: everything that `work` splits stays among
/// them. The threads are kept for the next scope with as many.
///
/// Results do not depend on the number of threads, bit for bit.
///
/// ```
/// use fb_tensor::threads;
/// assert_eq!(threads::scope_with(3, threads::count), 3);
/// ```
pub fn scope_with<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
    let count = count.max(1);
    if in_pool() && self::count() == count {
        return work();
    }
    pool_of(count).install(work)
}

/// The pool of so many threads for [`scope_with`].
fn pool_of(count: usize) -> Arc<ThreadPool> {
    static POOLS: Mutex<BTreeMap<usize, Arc<ThreadPool>>> = Mutex::new(BTreeMap::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = pools.entry(count).or_insert_with(|| {
        let builder = ThreadPoolBuilder::new().num_threads(count);
        Arc::new(builder.build().expect("the system starts threads"))
    });
    pool.clone()
}

/// Sets how many threads the process's pool has; 0 for one per core, as without this call.
///
/// # Errors
/// The pool has started: it does at its first use, so this call comes first in a program.
///
/// ```
/// use fb_tensor::threads;
/// threads::set_count(2)?;
/// assert_eq!(threads::count(), 2);
/// assert!(threads::set_count(3).is_err());
/// # Ok::<(), fb_tensor::Error>(())
/// ```
pub fn set_count(count: usize) -> Result<()> {
    let builder = ThreadPoolBuilder::new().num_threads(count);
    builder.build_global().map_err(|error| Error::Argument {
        op: "set_count",
        what: format!(
            "{count} threads are asked for when the pool runs already ({error})\n  \
             help: call it first in the program, or run one part with threads::scope_with"
        ),
    })
}

/// Whether the caller runs on a thread of the pool.
pub fn in_pool() -> bool {
    rayon::current_thread_index().is_some()
}

/// How many threads the pool has.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Whether work of that many nanoseconds is worth splitting from where the caller stands.
#[inline]
pub(crate) fn worth_splitting(nanoseconds: usize) -> bool {
    if nanoseconds < SPLIT_INSIDE_NS {
        return false;
    }
    (nanoseconds >= SPLIT_OUTSIDE_NS || in_pool()) && count() > 1
}

/// Hands `output` to `work` in parts of `chunk` elements, each with where it starts; over the pool if `nanoseconds` of
/// work in all are worth it.
///
/// The parts do not depend on the number of threads.
pub(crate) fn for_each_chunk_mut<T: Send>(
    output: &mut [T],
    chunk: usize,
    nanoseconds: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    if output.len() > chunk && worth_splitting(nanoseconds) {
        split_mut(0, output, chunk, &work);
    } else {
        let mut start = 0;
        for part in output.chunks_mut(chunk.max(1)) {
            work(start, part);
            start += chunk;
        }
    }
}

/// Halves the output until single parts are left, so that idle threads find large pieces to take.
///
/// The work is a trait object so that the machinery of a split is compiled once per element type, not once per kernel.
fn split_mut<T: Send>(
    start: usize,
    output: &mut [T],
    chunk: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    if output.len() <= chunk {
        work(start, output);
        return;
    }
    let chunks = output.len().div_ceil(chunk);
    let middle = chunks / 2 * chunk;
    let (low, high) = output.split_at_mut(middle);
    rayon::join(
        || split_mut(start, low, chunk, work),
        || split_mut(start + middle, high, chunk, work),
    );
}

/// Calls `work` with each number below `count`; over the pool if `nanoseconds` of work in all are worth it.
pub(crate) fn for_each(count: usize, nanoseconds: usize, work: impl Fn(usize) + Sync) {
    if count > 1 && worth_splitting(nanoseconds) {
        split(0..count, &work);
    } else {
        (0..count).for_each(work);
    }
}

/// Halves the range until single numbers are left.
fn split(range: Range<usize>, work: &(dyn Fn(usize) + Sync)) {
    if range.len() <= 1 {
        return range.for_each(work);
    }
    let middle = range.start + range.len() / 2;
    rayon::join(
        || split(range.start..middle, work),
        || split(middle..range.end, work),
    );
}

/// Hands `work` the same part of several outputs, one part after the other; over the pool if `nanoseconds` of work in
/// all are worth it.
///
/// Part `i` of each output ends where `starts(i + 1)` says, counted from where the first part starts. The parts do not
/// depend on the number of threads.
pub(crate) fn for_each_part_mut<T: Send, const N: usize>(
    outputs: [&mut [T]; N],
    parts: usize,
    nanoseconds: usize,
    starts: impl Fn(usize) -> [usize; N] + Sync,
    work: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let split = parts > 1 && worth_splitting(nanoseconds);
    split_parts(outputs, 0..parts, split, &starts, &work);
}

fn split_parts<T: Send, const N: usize>(
    mut outputs: [&mut [T]; N],
    parts: Range<usize>,
    split: bool,
    starts: &(dyn Fn(usize) -> [usize; N] + Sync),
    work: &(dyn Fn(usize, [&mut [T]; N]) + Sync),
) {
    let mut take = |from: usize, to: usize| {
        let (from, to) = (starts(from), starts(to));
        let mut output = 0;
        outputs.each_mut().map(|rest| {
            let (part, after) = std::mem::take(rest).split_at_mut(to[output] - from[output]);
            *rest = after;
            output += 1;
            part
        })
    };
    if !split || parts.len() <= 1 {
        for part in parts {
            work(part, take(part, part + 1));
        }
        return;
    }
    let middle = parts.start + parts.len() / 2;
    let low = take(parts.start, middle);
    let high = take(middle, parts.end);
    rayon::join(
        || split_parts(low, parts.start..middle, split, starts, work),
        || split_parts(high, middle..parts.end, split, starts, work),
    );
}

/// [`for_each_chunk_mut`] for two outputs of equal length that are made together.
pub(crate) fn for_each_chunk_pair_mut<T: Send, U: Send>(
    first: &mut [T],
    second: &mut [U],
    chunk: usize,
    nanoseconds: usize,
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    assert_eq!(
        first.len(),
        second.len(),
        "outputs made together are of equal length"
    );
    if first.len() > chunk && worth_splitting(nanoseconds) {
        split_pair_mut(0, first, second, chunk, &work);
    } else {
        let parts = first
            .chunks_mut(chunk.max(1))
            .zip(second.chunks_mut(chunk.max(1)));
        for (i, (first, second)) in parts.enumerate() {
            work(i * chunk, first, second);
        }
    }
}

/// See [`split_mut`].
#[allow(clippy::type_complexity, reason = "a closure as a trait object")]
fn split_pair_mut<T: Send, U: Send>(
    start: usize,
    first: &mut [T],
    second: &mut [U],
    chunk: usize,
    work: &(dyn Fn(usize, &mut [T], &mut [U]) + Sync),
) {
    if first.len() <= chunk {
        return work(start, first, second);
    }
    let middle = first.len().div_ceil(chunk) / 2 * chunk;
    let (first_low, first_high) = first.split_at_mut(middle);
    let (second_low, second_high) = second.split_at_mut(middle);
    rayon::join(
        || split_pair_mut(start, first_low, second_low, chunk, work),
        || split_pair_mut(start + middle, first_high, second_high, chunk, work),
    );
}
