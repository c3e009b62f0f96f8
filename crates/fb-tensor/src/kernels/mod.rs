//! Loops over slices: the only place (with [`storage`](crate::storage)) where `unsafe` is allowed.
//!
//! Kernels take slices and sizes that are already checked, never allocate and never log. Each has a naive twin in
//! `reference` that property tests hold it against.

#[macro_use]
mod dispatch;

pub(crate) mod attention;
pub(crate) mod convolution;
pub(crate) mod copy;
pub(crate) mod elementwise;
pub(crate) mod gate;
pub(crate) mod gemm;
pub(crate) mod half_product;
pub(crate) mod limits;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod pooling;
pub(crate) mod recurrent;
pub(crate) mod reduce;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod resize;
pub(crate) mod rotary;
pub(crate) mod scatter;
pub(crate) mod softmax;
pub(crate) mod vectors;

pub use dispatch::{InstructionSet, instruction_set};
