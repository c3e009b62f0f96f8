//! Layers, losses, optimizers and the feedback topology of the `fb` feedback-network library.
//!
//! The main type is [`Network`]: layers with names, feedback edges between them, and the parameters of both. It is
//! declared with [`Sequential`]; everything that can be wrong with a declaration is found by
//! [`Sequential::build`]. Training stands one crate above, in `fb-train`.
//!
//! Map of the crate: the floor is [`module`] (what a layer is), [`cell`] (what a recurrent cell is), [`param`] (where values
//! live), [`parametrization`] (weights made of others) and [`init`]; `layers`, `loss`, `optim` and `feedback` stand on it
//! and do not name each other. [`classic`] stands on `layers` and `feedback`: Hopfield networks and their like.
#![forbid(unsafe_code)]

pub mod cell;
pub mod classic;
mod error;
pub mod feedback;
pub mod init;
pub mod layers;
pub mod loss;
pub mod module;
pub mod optim;
pub mod param;
pub mod parametrization;
mod registry;
mod spectrum;

pub use error::{Error, Result};
pub use feedback::{Graph, Network, Sequential, State};
pub use loss::{Loss, Target};
pub use module::{Context, Layer, Mode, Module, SimpleModule, Value};
pub use optim::Optimizer;
pub use param::{ParamId, Params};
pub use registry::Registry;
