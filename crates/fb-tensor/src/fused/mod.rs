//! Several operations in one pass, where layers and losses spend their time.

mod linear;
mod softmax_cross_entropy;

pub(crate) use softmax_cross_entropy::softmax_cross_entropy;
