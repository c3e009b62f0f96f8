//! Matrix products of tensors, and systems of equations.

mod cholesky;
mod half_matmul;
mod matmul;
mod right_factor;

pub use matmul::sum_of_products;
pub(crate) use matmul::{forwards, runs_backwards};
