//! Matrix products of tensors.

mod matmul;

pub use matmul::sum_of_products;
pub(crate) use matmul::{forwards, runs_backwards};
