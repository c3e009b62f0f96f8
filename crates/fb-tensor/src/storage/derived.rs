//! What is computed from the elements of a block and kept beside them.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Slots of a block: one for its elements as they are, one for them read across.
const SLOTS: usize = 2;

/// Values of any type that stand for the elements in another form, such as a weight packed for products. They are dropped
/// before the elements change.
pub(super) struct Derived {
    asked: [AtomicBool; SLOTS],
    values: [OnceLock<Box<dyn Any + Send + Sync>>; SLOTS],
}

impl Derived {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "a start value, copied into each block"
    )]
    pub(super) const NONE: Self = Self {
        asked: [const { AtomicBool::new(false) }; SLOTS],
        values: [const { OnceLock::new() }; SLOTS],
    };

    /// The value in a slot, made at the second call; `None` at the first, or if the slot holds another type.
    pub(super) fn get<D: Send + Sync + 'static>(
        &self,
        slot: usize,
        make: impl FnOnce() -> D,
    ) -> Option<&D> {
        if !self.asked[slot].load(Ordering::Relaxed) {
            self.asked[slot].store(true, Ordering::Relaxed);
            return None;
        }
        self.values[slot]
            .get_or_init(|| Box::new(make()))
            .downcast_ref()
    }

    /// Whether anybody asked for a value since the last [`Derived::forget`].
    #[inline(always)]
    pub(super) fn was_asked(&self) -> bool {
        self.asked.iter().any(|asked| asked.load(Ordering::Relaxed))
    }

    /// Drops all values; called by whoever holds the block alone and is about to write or give it away.
    #[inline]
    pub(super) fn forget(&mut self) {
        for (asked, value) in self.asked.iter_mut().zip(&mut self.values) {
            if std::mem::take(asked.get_mut()) {
                value.take();
            }
        }
    }
}
