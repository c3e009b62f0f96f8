//! Looking at training while it runs, and stopping it.

mod early_stopping;

pub use early_stopping::EarlyStopping;

use crate::error::Result;
use crate::history::EpochRecord;
use fb_nn::Params;
use fb_nn::param::StateDict;
use fb_tensor::Float;
use std::fmt::Debug;

/// What a callback sees before the first epoch.
#[derive(Debug)]
#[non_exhaustive]
pub struct FitStart<'a, F: Float> {
    /// The names of the values that each epoch will record, such as `"loss"` and `"val_accuracy"`.
    pub values: &'a [String],
    /// The parameters as they are now.
    pub params: &'a Params<F>,
}

/// What a callback sees at the end of an epoch.
#[derive(Debug)]
pub struct EpochEnd<'a, F: Float> {
    /// The epoch that ended, from 1, over all calls of `fit`.
    pub epoch: u64,
    /// Loss, metrics and validation values of the epoch.
    pub record: &'a EpochRecord,
    /// The parameters as they are now.
    pub params: &'a Params<F>,
}

/// What a callback asks for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Action<F: Float> {
    /// Go on.
    #[default]
    Continue,
    /// End training after this epoch; the text says why.
    Stop {
        /// Why, for the history.
        reason: String,
        /// Parameters to go back to, if any.
        restore: Option<StateDict<F>>,
    },
}

/// Something that looks at training while it runs.
pub trait Callback<F: Float>: Debug + Send {
    /// Called before the first epoch.
    ///
    /// # Errors
    /// The callback cannot do its work; training does not start.
    fn on_start(&mut self, _start: &FitStart<'_, F>) -> Result<()> {
        Ok(())
    }

    /// Called after every epoch.
    ///
    /// # Errors
    /// The callback cannot do its work; training ends with this error.
    fn on_epoch_end(&mut self, event: &EpochEnd<'_, F>) -> Result<Action<F>>;

    /// Called when training has ended without an error; may give parameters to go back to.
    fn on_end(&mut self) -> Option<StateDict<F>> {
        None
    }

    /// Whether the callback has ended training, by what it remembers: a resumed run that had ended does not go on.
    fn is_finished(&self) -> bool {
        false
    }

    /// What the callback remembers, for checkpoints: named numbers.
    fn state(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// The parameters that the callback keeps, for checkpoints.
    fn kept_params(&self) -> Option<&StateDict<F>> {
        None
    }

    /// Takes back what [`Callback::state`] and [`Callback::kept_params`] gave.
    ///
    /// # Errors
    /// The state is of another callback.
    fn restore(&mut self, _state: &[(String, f64)], _params: Option<StateDict<F>>) -> Result<()> {
        Ok(())
    }
}
