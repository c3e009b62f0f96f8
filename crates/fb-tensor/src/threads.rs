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

/// Calls `work` with each item; over the pool, in parts of about equal cost, if all of them together are worth it. `cost` is
/// the time that an item takes on one core, in nanoseconds, roughly. Items may split their own work further.
///
/// ```
/// let mut squares = [1, 2, 3];
/// fb_tensor::threads::for_each_item(&mut squares, |_| 10, |x| *x *= *x);
/// assert_eq!(squares, [1, 4, 9]);
/// ```
pub fn for_each_item<T: Send>(
    items: &mut [T],
    cost: impl Fn(&T) -> usize + Sync,
    work: impl Fn(&mut T) + Sync,
) {
    let total = items.iter().map(&cost).sum();
    if worth_splitting(total) {
        split_items(items, total, &cost, &work);
    } else {
        items.iter_mut().for_each(work);
    }
}

/// Halves the items by cost while a half is worth a thread of its own.
fn split_items<T: Send>(
    items: &mut [T],
    total: usize,
    cost: &(dyn Fn(&T) -> usize + Sync),
    work: &(dyn Fn(&mut T) + Sync),
) {
    if items.len() <= 1 || total < SPLIT_INSIDE_NS {
        return items.iter_mut().for_each(work);
    }
    // The first part is the shortest that has half of the cost, but never all items.
    let (mut middle, mut before) = (0, 0);
    while middle + 1 < items.len() && (middle == 0 || 2 * before < total) {
        before += cost(&items[middle]);
        middle += 1;
    }
    let (low, high) = items.split_at_mut(middle);
    rayon::join(
        || split_items(low, before, cost, work),
        || split_items(high, total - before, cost, work),
    );
}

/// [`for_each_item`] with a part of `output` for each item, `length` elements of it: the first part for the first item.
/// `cost` is the time that an item takes on one core, in nanoseconds, roughly. `work` gets the item's number as well.
///
/// ```
/// let (mut items, mut output) = ([10, 20], [0; 4]);
/// fb_tensor::threads::for_each_item_with(&mut items, &mut output, 2, 10, |i, item, part| part.fill(*item + i));
/// assert_eq!(output, [10, 10, 21, 21]);
/// ```
///
/// # Panics
/// If the output is not `length` elements for each item.
#[track_caller]
pub fn for_each_item_with<T: Send, U: Send>(
    items: &mut [T],
    output: &mut [U],
    length: usize,
    cost: usize,
    work: impl Fn(usize, &mut T, &mut [U]) + Sync,
) {
    assert_eq!(
        items.len().checked_mul(length),
        Some(output.len()),
        "the output has a part for each item"
    );
    let cost = cost.max(1);
    let alone = if worth_splitting(items.len().saturating_mul(cost)) {
        (SPLIT_INSIDE_NS / 2).div_ceil(cost)
    } else {
        items.len()
    };
    split_items_with(0, items, output, length, alone, &work);
}

/// Halves the items until so few are left that they stay on one thread.
fn split_items_with<T: Send, U: Send>(
    first: usize,
    items: &mut [T],
    output: &mut [U],
    length: usize,
    alone: usize,
    work: &(dyn Fn(usize, &mut T, &mut [U]) + Sync),
) {
    if items.len() <= alone.max(1) {
        let mut rest = output;
        for (i, item) in items.iter_mut().enumerate() {
            let (part, after) = rest.split_at_mut(length);
            rest = after;
            work(first + i, item, part);
        }
        return;
    }
    let middle = items.len() / 2;
    let (low, high) = items.split_at_mut(middle);
    let (low_part, high_part) = output.split_at_mut(middle * length);
    rayon::join(
        || split_items_with(first, low, low_part, length, alone, work),
        || split_items_with(first + middle, high, high_part, length, alone, work),
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_visited_once_whatever_the_costs() {
        for costs in [
            vec![],
            vec![1_000_000],
            vec![1, 1_000_000, 1],
            vec![0; 100],
            (0..200).map(|i| i * 1000).collect(),
        ] {
            let mut items: Vec<(usize, usize)> = costs.iter().map(|&cost| (cost, 0)).collect();
            scope_with(3, || {
                for_each_item(&mut items, |item| item.0, |item| item.1 += 1);
            });
            assert!(items.iter().all(|item| item.1 == 1), "{costs:?}");
        }
    }

    #[test]
    fn every_item_gets_its_own_part() {
        for (count, length, cost) in [(0, 3, 1), (1, 2, 1 << 20), (7, 0, 1 << 20), (100, 3, 5_000)]
        {
            let mut items: Vec<usize> = (0..count).collect();
            let mut output = vec![usize::MAX; count * length];
            scope_with(3, || {
                for_each_item_with(&mut items, &mut output, length, cost, |i, item, part| {
                    assert_eq!(i, *item);
                    *item += 1000;
                    part.fill(i);
                });
            });
            assert!(items.iter().enumerate().all(|(i, &item)| item == i + 1000));
            assert!(output.iter().enumerate().all(|(at, &i)| i == at / length));
        }
    }
}
