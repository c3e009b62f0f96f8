//! Recycling of blocks: one free list per thread, element type and size class, bounded in bytes.
//!
//! A training step makes the same temporaries over and over. Fresh memory costs a page fault per 4 KiB, a recycled
//! block nothing, so blocks of every size go through here.

use super::buffer::Buffer;
use crate::element::Element;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Classes are spaced four to an octave from 64 bytes up, so at most a quarter of a block is unused.
const CLASSES: usize = 4 * 36;
/// What one thread keeps per element type at most; more goes back to the system.
const MAX_CACHED_BYTES: usize = 1 << 30;
/// Blocks above this size are counted in [`PoolStats::large_allocations`].
const LARGE: usize = 4096;

static LARGE_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// One thread's free blocks of one element type.
#[doc(hidden)]
pub struct Pool<T> {
    free: [Vec<Arc<Buffer<T>>>; CLASSES],
    cached_bytes: usize,
    /// The value of [`EPOCH`] at the last look; a newer one means that [`release`] was called.
    epoch: u64,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self {
            free: [const { Vec::new() }; CLASSES],
            cached_bytes: 0,
            epoch: 0,
        }
    }

    #[inline(always)]
    fn heed_release(&mut self) {
        let epoch = EPOCH.load(Ordering::Relaxed);
        if self.epoch != epoch {
            self.empty(epoch);
        }
    }

    #[cold]
    #[inline(never)]
    fn empty(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.free.iter_mut().for_each(|list| *list = Vec::new());
        self.cached_bytes = 0;
    }
}

/// What the pool has done so far, over all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// How often a block above 4 KiB had to come from the system allocator. In the steady state of a training loop
    /// this number stands still.
    pub large_allocations: u64,
}

/// Reads the counters.
///
/// ```
/// use fb_tensor::{Tensor, pool};
/// drop(Tensor::zeros([64, 64]));
/// let before = pool::stats().large_allocations;
/// drop(Tensor::zeros([64, 64]));
/// assert_eq!(pool::stats().large_allocations, before);
/// ```
pub fn stats() -> PoolStats {
    PoolStats {
        large_allocations: LARGE_ALLOCATIONS.load(Ordering::Relaxed),
    }
}

/// Asks every thread to give its free blocks back to the system; each does so at its next allocation.
pub fn release() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// The size class of a block, and the bytes that blocks of this class have.
#[inline(always)]
fn class_of(bytes: usize) -> (usize, usize) {
    if bytes <= 64 {
        return (0, 64);
    }
    // `top` is the power of two at or below; the two bits under it choose the quarter.
    let top = usize::BITS - 1 - bytes.leading_zeros();
    let quarter = 1_usize << (top - 2);
    let steps = (bytes - (1 << top)).div_ceil(quarter);
    ((top as usize - 6) * 4 + steps, (1 << top) + steps * quarter)
}

/// How many elements the block for `len` elements has.
pub(super) fn capacity_for<T>(len: usize) -> usize {
    let bytes = len
        .checked_mul(size_of::<T>())
        .expect("tensor size fits in memory");
    assert!(
        bytes <= isize::MAX as usize / 2,
        "a tensor of {len} elements does not fit in memory"
    );
    let rounded = class_of(bytes).1;
    if rounded > LARGE {
        LARGE_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
    rounded / size_of::<T>()
}

/// A free block for `len` elements, if this thread has one.
#[inline]
pub(super) fn take<T: Element>(len: usize) -> Option<Arc<Buffer<T>>> {
    let (class, bytes) = class_of(len.checked_mul(size_of::<T>())?);
    T::pool()
        .try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.heed_release();
            let block = pool.free.get_mut(class)?.pop()?;
            pool.cached_bytes -= bytes;
            Some(block)
        })
        .ok()
        .flatten()
}

/// Keeps a block that nobody else holds for the next [`take`] on this thread.
#[inline]
pub(super) fn put<T: Element>(block: Arc<Buffer<T>>, bytes: usize) {
    let (class, class_bytes) = class_of(bytes);
    debug_assert_eq!(bytes, class_bytes);
    // A thread that is shutting down has no pool any more: its blocks go back to the system.
    let _ = T::pool().try_with(|pool| {
        let mut pool = pool.borrow_mut();
        pool.heed_release();
        if class < CLASSES && pool.cached_bytes + bytes <= MAX_CACHED_BYTES {
            pool.cached_bytes += bytes;
            pool.free[class].push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_monotonic_tight_and_stable() {
        let mut last = (0, 64);
        for bytes in 1..200_000 {
            let (class, size) = class_of(bytes);
            assert!(size >= bytes && class >= last.0 && size >= last.1);
            assert!(size <= 64 || size * 4 <= bytes * 5 + 3, "{bytes} -> {size}");
            assert_eq!(
                class_of(size),
                (class, size),
                "a block must return to its own class"
            );
            last = (class, size);
        }
    }
}
