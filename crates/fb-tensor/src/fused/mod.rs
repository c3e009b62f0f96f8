//! Several operations in one pass, where layers and losses spend their time.

mod linear;
mod softmax_cross_entropy;
