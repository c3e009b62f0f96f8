//! Positions that look at each other.

mod configuration;
mod module;
mod rotary;
mod streaming;
#[cfg(test)]
mod tests;

pub use configuration::MultiHeadAttention;
pub(super) use configuration::sequences;
pub(super) use module::{AttentionModule, operands};
