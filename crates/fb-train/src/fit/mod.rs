//! Fitting a model to samples: the options and the loop.

mod goal;
mod options;
mod run;
mod weights;

pub use goal::Goal;
pub use options::{Fit, Validation};
