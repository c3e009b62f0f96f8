//! Properties of tensors, each held against a naive computation, over views of every kind.

mod elementwise;
mod errors;
mod fused;
mod indexing;
mod instruction_sets;
mod products;
mod reductions;
mod softmax;
mod support;
mod updates;
mod views;
