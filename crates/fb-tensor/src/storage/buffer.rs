//! One block of elements, and the two ways to hold it.

use super::derived::Derived;
use super::{pages, pool};
use crate::element::Element;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Cache-line alignment of pooled blocks; kernels never rely on it.
const ALIGNMENT: usize = 64;

/// A block of initialised elements, owned.
pub(crate) struct Buffer<T> {
    start: NonNull<T>,
    capacity: usize,
    derived: Derived,
    origin: Origin,
}

/// Where a block came from, and so how it goes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The system allocator, or nowhere if it has no bytes.
    Heap,
    /// Pages of the operating system.
    Pages,
    /// A vector's allocation, taken over.
    Vec,
}

// SAFETY: a buffer owns its elements, which are plain values that may move between and be read from several threads.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: shared access only reads.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T: Element> Buffer<T> {
    fn zeroed(capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        let (start, origin) = if layout.size() == 0 {
            (NonNull::dangling(), Origin::Heap)
        } else if let Some(start) = pages::map(layout.size()) {
            (start.cast(), Origin::Pages)
        } else {
            // SAFETY: the layout has a non-zero size.
            let raw = unsafe { alloc_zeroed(layout) };
            let Some(start) = NonNull::new(raw.cast::<T>()) else {
                handle_alloc_error(layout)
            };
            (start, Origin::Heap)
        };
        Self {
            start,
            capacity,
            derived: Derived::NONE,
            origin,
        }
    }

    fn from_vec(vec: Vec<T>) -> Self {
        let mut vec = ManuallyDrop::new(vec);
        // Only the initialised part may be seen; the rest of the allocation is remembered by `shrink` below.
        let capacity = vec.capacity();
        if vec.len() < capacity {
            vec.resize(capacity, T::default());
        }
        // SAFETY: a `Vec`'s pointer is never null.
        let start = unsafe { NonNull::new_unchecked(vec.as_mut_ptr()) };
        Self {
            start,
            capacity,
            derived: Derived::NONE,
            origin: Origin::Vec,
        }
    }

    fn layout(capacity: usize) -> Layout {
        let bytes = capacity
            .checked_mul(size_of::<T>())
            .expect("tensor size fits in memory");
        Layout::from_size_align(bytes, ALIGNMENT).expect("tensor size fits in memory")
    }

    fn as_slice(&self) -> &[T] {
        // SAFETY: `capacity` initialised elements start at `start` and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.capacity) }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        // The element type has no destructor: `Element`s are `Copy`.
        let bytes = self.capacity * size_of::<T>();
        match self.origin {
            Origin::Vec => {
                // SAFETY: made from a `Vec` with this capacity, all of it initialised.
                drop(unsafe {
                    Vec::from_raw_parts(self.start.as_ptr(), self.capacity, self.capacity)
                });
            }
            // SAFETY: mapped in `zeroed` for so many bytes, and this was the last handle.
            Origin::Pages => unsafe { pages::unmap(self.start.as_ptr().cast(), bytes) },
            Origin::Heap if bytes > 0 => {
                let layout = Layout::from_size_align(bytes, ALIGNMENT)
                    .expect("the layout was valid when it was allocated");
                // SAFETY: allocated in `zeroed` with this very layout.
                unsafe { dealloc(self.start.as_ptr().cast(), layout) };
            }
            Origin::Heap => {}
        }
    }
}

/// A shared, read-only handle to a block. The last handle to go returns the block to the pool.
pub(crate) struct Storage<T: Element> {
    block: ManuallyDrop<Arc<Buffer<T>>>,
}

impl<T: Element> Storage<T> {
    /// Takes over a vector's allocation.
    pub(crate) fn from_vec(vec: Vec<T>) -> Self {
        Self {
            block: ManuallyDrop::new(Arc::new(Buffer::from_vec(vec))),
        }
    }

    /// All elements of the block, including what lies beyond the tensor's own.
    pub(crate) fn as_slice(&self) -> &[T] {
        self.block.as_slice()
    }

    /// The elements for writing, if this is the only handle.
    pub(crate) fn get_mut(&mut self) -> Option<&mut [T]> {
        if !self.is_unique() {
            return None;
        }
        forget_derived(&mut self.block);
        // SAFETY: no other handle exists, weak ones are never made, and `&mut self` keeps new ones from being cloned.
        Some(unsafe {
            std::slice::from_raw_parts_mut(self.block.start.as_ptr(), self.block.capacity)
        })
    }

    /// What `make` computes from the elements, kept beside them until they change or go; `None` at the first call in a
    /// slot, as most elements are read once and what is made from them would be as well.
    pub(crate) fn derived<D: Send + Sync + 'static>(
        &self,
        slot: usize,
        make: impl FnOnce() -> D,
    ) -> Option<&D> {
        self.block.derived.get(slot, make)
    }

    /// Whether this is the only handle.
    pub(crate) fn is_unique(&self) -> bool {
        let unique = Arc::strong_count(&self.block) == 1;
        // Pairs with the release in the other handles' drops: their last reads happen before our writes.
        fence(Ordering::Acquire);
        unique
    }

    /// Whether the block is a vector's allocation of exactly `len` elements, which [`Storage::into_vec`] can give back.
    pub(crate) fn is_vec_of(&self, len: usize) -> bool {
        self.block.origin == Origin::Vec && self.block.capacity == len && self.is_unique()
    }

    /// The vector that the block was made from, without copying, if [`Storage::is_vec_of`] its length.
    pub(crate) fn into_vec(self, len: usize) -> Result<Vec<T>, Self> {
        if !self.is_vec_of(len) {
            return Err(self);
        }
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the handle is taken exactly once.
        let block = unsafe { ManuallyDrop::take(&mut this.block) };
        let mut buffer = ManuallyDrop::new(Arc::into_inner(block).expect("the only handle"));
        buffer.derived.forget();
        // SAFETY: made from a `Vec` with this capacity; `buffer` is not dropped, so the block has one owner.
        Ok(unsafe { Vec::from_raw_parts(buffer.start.as_ptr(), buffer.capacity, buffer.capacity) })
    }
}

/// Drops what was computed from the elements of a block that nobody else holds.
#[inline]
fn forget_derived<T>(block: &mut Arc<Buffer<T>>) {
    // Most blocks have nothing: a plain look at the flags is cheaper than proving that the handle is unique.
    if block.derived.was_asked() {
        let block = Arc::get_mut(block).expect("the only handle");
        block.derived.forget();
    }
}

impl<T: Element> Clone for Storage<T> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
        }
    }
}

impl<T: Element> Drop for Storage<T> {
    fn drop(&mut self) {
        // SAFETY: `drop` runs once and nothing reads the field after it.
        let mut block = unsafe { ManuallyDrop::take(&mut self.block) };
        if Arc::strong_count(&block) == 1 && block.origin != Origin::Vec {
            fence(Ordering::Acquire);
            forget_derived(&mut block);
            let bytes = block.capacity * size_of::<T>();
            pool::put(block, bytes);
        }
    }
}

/// A block with exactly one handle, on its way to be filled.
pub(crate) struct UniqueStorage<T: Element>(Storage<T>);

impl<T: Element> UniqueStorage<T> {
    /// At least `len` initialised elements of unspecified value, from the pool if it has them.
    pub(crate) fn stale(len: usize) -> Self {
        let block = pool::take::<T>(len)
            .unwrap_or_else(|| Arc::new(Buffer::zeroed(pool::capacity_for::<T>(len))));
        debug_assert_eq!(Arc::strong_count(&block), 1);
        Self(Storage {
            block: ManuallyDrop::new(block),
        })
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the handle is unique by construction and `Storage` is not handed out before `share`.
        unsafe {
            std::slice::from_raw_parts_mut(self.0.block.start.as_ptr(), self.0.block.capacity)
        }
    }

    pub(crate) fn share(self) -> Storage<T> {
        self.0
    }
}
