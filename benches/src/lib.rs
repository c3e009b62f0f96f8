//! What the benches and the `workloads` binary share: the workloads themselves and how a step is timed.
#![forbid(unsafe_code)]

mod timing;
pub mod workloads;

pub use timing::{Timing, time};
