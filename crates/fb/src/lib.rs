//! Feedback neural networks: declare loops between layers, train through them, look at what they do, save the result.
//!
//! This crate is the others behind one name; each of them can also be used alone.
//!
//! | module | crate | what it is |
//! |---|---|---|
//! | [`tensor`] | `fb-tensor` | numbers in n-dimensional arrays, views, kernels, `ndarray` in and out |
//! | [`autograd`] | `fb-autograd` | reverse-mode differentiation on a flat tape, gradient checks |
//! | [`nn`] | `fb-nn` | layers, losses, optimizers, the feedback topology |
//! | [`data`] | `fb-data` | CSV, cleaning, scaling, splits, embedded data sets |
//! | [`train`] | `fb-train` | compile, fit, evaluate, predict, metrics, plots, files |
//!
//! [`prelude`] has the names that most programs need, and [`Error`] is what their `main` returns.
//!
//! # Examples
//! XOR, with the output fed back into the first hidden layer:
//!
//! ```
//! use fb::prelude::*;
//!
//! fn main() -> fb::Result<()> {
//!     let (x, y) = fb::data::embedded::xor();
//!     let mut model = Sequential::input([2])
//!         .layer("hidden1", Dense::new(8).activation(Sigmoid))
//!         .layer("hidden2", Dense::new(8).activation(Sigmoid))
//!         .layer("output", Dense::new(1).activation(Sigmoid))
//!         .feedback("output", "hidden1")               // learned weights, delay 1, starts contracting
//!         .schedule(Unroll::iterations(4))
//!         .seed(42)
//!         .build()?                                    // every wiring error appears here
//!         .compile(Adam::new(0.1), BinaryCrossentropy, (Accuracy,))?;
//!     println!("{}", model.summary());                 // layers, shapes, parameters, feedback edges
//!
//!     let fit = Fit::until(Goal::at_most("loss", 0.01)).max_epochs(1000).batch_size(1).silent();
//!     let history = model.fit((&x, &y), fit)?;
//!     println!("{}", model.evaluate((&x, &y))?);
//!     assert_eq!(model.predict_classes(&x)?.to_vec(), [0, 1, 1, 0]);
//!
//!     let folder = tempfile::tempdir().expect("a folder for temporary files");
//!     history.plot(folder.path().join("xor.svg"))?;
//!     model.save(folder.path().join("xor.safetensors"))?;
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

mod error;
pub mod prelude;
#[cfg(doctest)]
mod readme;

pub use error::{Error, Result};
pub use fb_autograd as autograd;
pub use fb_data as data;
pub use fb_nn as nn;
pub use fb_tensor as tensor;
pub use fb_tensor::{pool, threads};
pub use fb_train as train;
