//! Reverse-mode differentiation for the `fb` feedback-network library.
//!
//! The main types are [`Tape`], which records, and [`Var`], a tensor that may be recorded. There is no hidden state:
//! a variable without a tape is a constant, and whoever wants no gradients hands out constants ([`Tape::no_grad`]).
//! Gradients of operations of your own ([`Var::custom`]) are checked with [`gradcheck`].
//!
//! ```
//! use fb_autograd::Tape;
//! use fb_tensor::Tensor;
//!
//! let tape = Tape::new();
//! let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
//! let y = (&x * &x).sum();
//! let gradients = y.backward();
//! assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 4.0, 6.0]);
//! ```
#![forbid(unsafe_code)]

pub mod gradcheck;
mod gradients;
mod ops;
mod tape;
mod var;

pub use gradients::Gradients;
pub use tape::Tape;
pub use var::Var;
