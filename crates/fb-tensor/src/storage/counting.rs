//! An allocator that counts, for tests that a loop in steady state asks the system for no large block.

use super::pool::LARGE;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system allocator, counting the blocks above 4 KiB that anything in the program asks for.
///
/// ```
/// use fb_tensor::pool::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new();
///
/// let before = ALLOCATOR.large_allocations();
/// drop(std::hint::black_box(vec![1_u8; 5000]));
/// assert_eq!(ALLOCATOR.large_allocations() - before, 1);
/// ```
#[derive(Debug)]
pub struct CountingAllocator {
    large: AtomicU64,
}

impl CountingAllocator {
    /// With nothing counted.
    #[allow(clippy::new_without_default, reason = "made in statics only")]
    pub const fn new() -> Self {
        Self {
            large: AtomicU64::new(0),
        }
    }

    /// The blocks above 4 KiB so far, those that grew to that size included.
    pub fn large_allocations(&self) -> u64 {
        self.large.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        if bytes > LARGE {
            self.large.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: every call is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.count(bytes);
        // SAFETY: the caller's.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}
