//! What the benches and the `workloads` binary share: the workloads themselves, how a step is timed,
//! and what the machine can do at most.
#![forbid(unsafe_code)]

pub mod limits;
mod memory;
mod timing;
pub mod workloads;

pub use memory::peak_mib;
pub use timing::{Timing, time};
