//! Recycling of blocks, by element type and size class: small ones on a list of each thread, large ones on a shelf that
//! all threads share, bounded in bytes.
//!
//! A training step makes the same temporaries over and over. Fresh memory costs a page fault per 4 KiB, a recycled
//! block nothing, so blocks of every size go through here.

use super::buffer::Buffer;
use crate::element::Element;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Classes are spaced four to an octave from 64 bytes up, so at most a quarter of a block is unused.
const CLASSES: usize = 4 * 36;
/// Blocks above this size go to the shelf: what one thread makes another may drop, and a lock is little beside the work on
/// so many elements.
pub(super) const LARGE: usize = 4096;
/// What one thread keeps of small blocks per element type at most; more goes back to the system.
const MAX_THREAD_BYTES: usize = 16 << 20;
/// What lies on all shelves at most, if [`set_limit`] says nothing else.
const DEFAULT_LIMIT: usize = 2 << 30;
static LARGE_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static EPOCH: AtomicU64 = AtomicU64::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(DEFAULT_LIMIT);
static IDLE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Free blocks of one element type.
#[doc(hidden)]
pub struct Pool<T> {
    free: [Vec<Arc<Buffer<T>>>; CLASSES],
    bytes: usize,
    /// The value of [`EPOCH`] at the last look; a newer one means that [`release`] was called.
    epoch: u64,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self {
            free: [const { Vec::new() }; CLASSES],
            bytes: 0,
            epoch: 0,
        }
    }

    #[inline(always)]
    fn heed_release(&mut self) {
        let epoch = EPOCH.load(Ordering::Relaxed);
        if self.epoch != epoch {
            self.epoch = epoch;
            self.empty();
        }
    }

    #[cold]
    #[inline(never)]
    fn empty(&mut self) {
        self.free.iter_mut().for_each(|list| *list = Vec::new());
        self.bytes = 0;
    }

    #[inline(always)]
    fn take(&mut self, class: usize, bytes: usize) -> Option<Arc<Buffer<T>>> {
        let block = self.free.get_mut(class)?.pop()?;
        self.bytes -= bytes;
        Some(block)
    }

    #[inline(always)]
    fn put(&mut self, class: usize, bytes: usize, block: Arc<Buffer<T>>) {
        self.bytes += bytes;
        self.free[class].push(block);
    }
}

/// The large free blocks of one element type, for all threads.
#[doc(hidden)]
pub struct Shelf<T>(Mutex<Pool<T>>);

impl<T> Shelf<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Pool::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Pool<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, class: usize, bytes: usize) -> Option<Arc<Buffer<T>>> {
        let block = self.lock().take(class, bytes)?;
        IDLE_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        Some(block)
    }

    /// Keeps the block, or drops it if all shelves are full.
    fn put(&self, class: usize, bytes: usize, block: Arc<Buffer<T>>) {
        let idle = IDLE_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if class < CLASSES && idle <= LIMIT.load(Ordering::Relaxed) {
            self.lock().put(class, bytes, block);
        } else {
            IDLE_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Gives all blocks back to the system.
    fn clear(&self) {
        let mut pool = self.lock();
        IDLE_BYTES.fetch_sub(pool.bytes, Ordering::Relaxed);
        pool.empty();
    }
}

/// What the pool has done so far and what it keeps, over all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// How often a block above 4 KiB had to come from the system allocator. In the steady state of a training loop
    /// this number stands still.
    pub large_allocations: u64,
    /// The bytes of large blocks that wait for their next use.
    pub idle_bytes: usize,
    /// The most that may wait; see [`set_limit`].
    pub limit: usize,
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
        idle_bytes: IDLE_BYTES.load(Ordering::Relaxed),
        limit: LIMIT.load(Ordering::Relaxed),
    }
}

/// Gives free blocks back to the system: large ones at once, the small ones of each thread at its next allocation.
///
/// ```
/// use fb_tensor::{Tensor, pool};
/// drop(Tensor::zeros([512, 512]));
/// pool::release();
/// ```
pub fn release() {
    use half::{bf16, f16};
    EPOCH.fetch_add(1, Ordering::Relaxed);
    f32::shelf().clear();
    f64::shelf().clear();
    f16::shelf().clear();
    bf16::shelf().clear();
    i64::shelf().clear();
    u8::shelf().clear();
    bool::shelf().clear();
}

/// Sets how many bytes of large blocks may wait for their next use, 2 GiB without it. Blocks beyond that go back to the
/// system when they are dropped; those that wait already stay until they are used or [`release`]d.
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
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

/// A free block for `len` elements, if there is one.
#[inline]
pub(super) fn take<T: Element>(len: usize) -> Option<Arc<Buffer<T>>> {
    let (class, bytes) = class_of(len.checked_mul(size_of::<T>())?);
    if bytes > LARGE {
        return T::shelf().take(class, bytes);
    }
    T::pool()
        .try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.heed_release();
            pool.take(class, bytes)
        })
        .ok()
        .flatten()
}

/// Keeps a block that nobody else holds for the next [`take`].
#[inline]
pub(super) fn put<T: Element>(block: Arc<Buffer<T>>, bytes: usize) {
    let (class, class_bytes) = class_of(bytes);
    debug_assert_eq!(bytes, class_bytes);
    if bytes > LARGE {
        return T::shelf().put(class, bytes, block);
    }
    // A thread that is shutting down has no pool any more: its blocks go back to the system.
    let _ = T::pool().try_with(|pool| {
        let mut pool = pool.borrow_mut();
        pool.heed_release();
        if pool.bytes + bytes <= MAX_THREAD_BYTES {
            pool.put(class, bytes, block);
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
