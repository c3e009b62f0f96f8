//! Fitting a model to samples: the options and the loop.

mod carry;
#[cfg(test)]
mod carry_tests;
mod goal;
mod options;
mod run;
mod weights;

pub use goal::Goal;
pub use options::{Fit, Validation};
