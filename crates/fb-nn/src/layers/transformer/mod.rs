//! Blocks of attention and position-wise layers, each with a way around it and a norm.

mod block;
mod decoder_block;
mod options;
mod sublayers;

pub use block::TransformerBlock;
pub use decoder_block::TransformerDecoderBlock;
