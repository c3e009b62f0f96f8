//! Training of `fb` networks: compile, fit, evaluate, predict, and everything around it.
//!
//! The main type is [`Model`]: a network together with how it learns. It comes from
//! [`compile`](Compile::compile), is trained by [`fit`](Model::fit) as [`Fit`] says, and can be evaluated, asked for
//! predictions, described, saved and loaded.
#![forbid(unsafe_code)]

pub mod callback;
pub mod checkpoint;
pub mod describe;
mod error;
pub mod file;
mod fit;
pub mod history;
pub mod metrics;
mod model;
mod persist;
pub mod plot;
pub mod progress;
mod text;
pub mod trace;

pub use callback::{Action, Callback, EarlyStopping, EpochEnd, FitStart};
pub use describe::Describe;
pub use error::{Error, Result};
pub use fit::{Fit, Goal, Validation};
pub use history::{EpochRecord, History};
pub use model::{
    Budget, Compile, Evaluation, Found, Inputs, IntoInputs, IntoMetrics, IntoSamples, LossOn,
    Model, Predict, Refinement, Refinements, Samples, Search, Select, StepReport, Traced,
};
pub use persist::NetworkFile;
pub use progress::Verbosity;
pub use trace::Trace;
