//! n-dimensional arrays for the `fb` feedback-network library: shared storage, views, broadcasting, kernels.
//!
//! The main type is [`Tensor`]. Start with [`Tensor::from`], [`Tensor::zeros`] or [`Tensor::from_vec`]; everything
//! else is a method. Derivative formulas of elementwise functions live here beside the functions (see
//! [`for_each_unary_op`]); what records them is the crate above, `fb-autograd`.
#![deny(unsafe_code)]

mod attention;
mod compiled;
mod conv;
mod display;
mod element;
mod elementwise;
mod error;
mod fused;
mod index;
#[allow(unsafe_code)]
mod kernels;
mod layout;
mod linalg;
mod pooling;
pub mod random;
pub mod recurrent;
mod reduce;
mod resize;
mod shape;
#[allow(unsafe_code)]
mod storage;
mod tensor;
pub mod threads;

/// The memory of tensors: recycled blocks and what they cost.
pub mod pool {
    pub use crate::storage::{CountingAllocator, PoolStats, release, set_limit, stats};
}

/// Elementwise operations as values: their types, formulas and derivatives.
pub mod ops {
    #[doc(hidden)]
    pub use crate::elementwise::{
        ArithmeticLoops, AssignLoops, BinaryLoops, PairLoops, UnaryLoops,
    };
    pub use crate::elementwise::{BinaryOp, Saves, UnaryOp, binary, unary};
    pub use crate::fused::Gate;
    #[doc(hidden)]
    pub use crate::fused::GateLoops;
}

/// Normalisation with what its gradient needs; the methods of [`Tensor`] that are named so use it.
pub mod norm {
    pub use crate::fused::norm::{
        ChannelNorm, ChannelNormed, NormGradients, Over, RowNorm, RowNormed,
    };
}

/// What the processor and its memory can do, for benches.
#[doc(hidden)]
pub mod limits {
    pub use crate::kernels::limits::{multiply_adds, read, stream};
}

/// Fused update passes of optimizers.
pub mod optimizer {
    pub use crate::kernels::optimizer::{AdamStep, RmsPropStep, SgdStep, adam, rms_prop, sgd};
}

/// What solvers do with the vectors of one row of a batch: distances, dot products in double precision, combinations.
pub mod vectors {
    pub use crate::kernels::vectors::{combine, distance, dot_pairs, dots, mix, secant};
}

pub use attention::{Attention, AttentionDropout, AttentionMask, KvCache};
pub use conv::{ConvOptions, ConvTransposeOptions, Padding};
pub use element::{Element, Float};
pub use error::{Error, Result};
pub use half::{bf16, f16};
pub use index::add_rows;
pub use kernels::{InstructionSet, instruction_set};
pub use linalg::sum_of_products;
pub use ndarray;
pub use pooling::{MaxOffsets, PoolOptions};
pub use shape::{MAX_RANK, Shape};
pub use tensor::Tensor;
