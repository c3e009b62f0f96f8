//! Several operations in one pass, where layers and losses spend their time.

mod gate;
mod linear;
mod masked_softmax;
pub(crate) mod norm;
mod softmax_cross_entropy;

pub use gate::{Gate, GateLoops};

pub(crate) use masked_softmax::masked_softmax;
pub(crate) use softmax_cross_entropy::{
    chain_expected_losses, chain_softmax_cross_entropy, expected_losses, softmax_cross_entropy,
};
