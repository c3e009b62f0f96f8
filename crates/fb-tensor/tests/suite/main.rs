//! Properties of tensors, each held against a naive computation, over views of every kind.
#![allow(
    clippy::type_complexity,
    clippy::approx_constant,
    clippy::unit_arg,
    dropping_copy_types,
    unreachable_pub,
    reason = "tables of closures and of expected decimals"
)]

mod accuracy;
mod attention;
mod convolutions;
mod elementwise;
mod errors;
mod fused;
mod image_errors;
mod indexing;
mod instruction_sets;
mod norms;
mod pooling;
mod positions;
mod products;
mod recurrent;
mod reductions;
mod resizing;
mod softmax;
mod support;
mod updates;
mod views;
