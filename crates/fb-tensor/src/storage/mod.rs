//! Memory of tensors: shared, copy-on-write buffers that are recycled through a pool.
//!
//! Everything in a buffer is always initialised (zeroed when it comes from the system, stale when it comes from the
//! pool), so kernels work on plain slices and nothing is filled twice.

mod buffer;
mod counting;
mod derived;
mod pages;
mod pool;

pub(crate) use buffer::{Storage, UniqueStorage};
pub use counting::CountingAllocator;
#[doc(hidden)]
#[allow(unreachable_pub)] // Named in the signature of a hidden method of the sealed `Element`.
pub use pool::{Pool, Shelf};
pub use pool::{PoolStats, release, set_limit, stats};
