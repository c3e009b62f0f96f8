//! Reductions: sums, means, extrema and the like over all elements or along axes.
//!
//! The bits of a result depend on the elements that go into it and on their order alone: not on the layout of the
//! view, on other rows or on the number of threads (the kernels' documentation says how).

mod along;
mod argument;
mod fold_axes;
mod softmax;
mod sum_to;
mod whole;

pub(crate) use fold_axes::FoldLoops;
pub(crate) use softmax::{chain_log_softmax, chain_softmax, log_softmax, softmax};
pub(crate) use whole::fold_slice;
