//! How parameters follow their gradients.
//!
//! An optimizer is a pure step on one parameter; [`apply`] walks over all of them, and what the optimizer remembers of
//! each lives in an [`OptimizerState`]. Before the step, [`Penalty`] adds to gradients and [`Clip`] limits them.
//!
//! | optimizer | use it for |
//! |---|---|
//! | [`Adam`] | small networks, first tries |
//! | [`AdamW`] | networks that need weight decay |
//! | [`Sgd`] | with momentum, long training with a schedule |
//! | [`RmsProp`] | small batches, recurrence |

mod adam;
mod adam_w;
mod apply;
mod clip;
mod named_state;
mod penalty;
mod rms_prop;
mod setting;
mod sgd;
mod state;

pub use adam::Adam;
pub use adam_w::AdamW;
pub use apply::apply;
pub use clip::Clip;
pub use named_state::NamedState;
pub use penalty::Penalty;
pub use rms_prop::RmsProp;
pub use sgd::Sgd;
pub use state::OptimizerState;

use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};
use serde::Serialize;
use std::fmt::Debug;

/// A rule that turns a gradient into a change of one parameter. It keeps no state of its own: what it remembers of a
/// parameter are the tensors in its slots.
pub trait Optimizer<F: Float>: Debug + Send + Sync {
    /// The name of the kind, as it stands in checkpoints.
    fn kind(&self) -> &'static str;

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// The names of what it remembers of each parameter, such as `["m", "v"]`; all start at zero.
    fn slots(&self) -> &'static [&'static str];

    /// The settings as JSON, as checkpoints keep them; null for an optimizer without settings.
    ///
    /// # Errors
    /// They do not serialise.
    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::Value::Null)
    }

    /// Checks the settings. Called before training.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()>;

    /// What depends on the number of the step alone, found once for all parameters.
    fn corrections(&self, _step: u64) -> [f64; 2] {
        [1.0; 2]
    }

    /// Changes `value` by one step. The slots are those that [`Optimizer::slots`] names, in its order.
    fn update(&self, step: &Step, value: &mut [F], gradient: &[F], slots: &mut [Tensor<F>]);
}

/// The circumstances of one step on one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The number of the step on this parameter, from 1.
    pub number: u64,
    /// The learning rate to use; a schedule may have changed it.
    pub rate: f64,
    /// Whether weight decay applies to this parameter.
    pub decays: bool,
    /// What [`Optimizer::corrections`] says for this number.
    pub corrections: [f64; 2],
}

/// The settings of an optimizer as JSON.
fn to_json(kind: &str, settings: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(settings).map_err(|error| Error::Format {
        place: format!("the settings of {kind}"),
        reason: error.to_string(),
        help: "settings are plain data: numbers, texts, lists and enums".to_owned(),
    })
}
