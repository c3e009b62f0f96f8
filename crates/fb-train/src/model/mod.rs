//! A network together with how it learns.

mod average;
mod compile;
mod evaluate;
mod forward;
mod loss_on;
mod objective;
mod predict;
mod refine;
mod samples;
mod search;
mod step;
mod trace;

pub(crate) use average::Average;
pub use compile::{Compile, IntoMetrics};
pub use evaluate::Evaluation;
pub use forward::Predict;
pub use loss_on::LossOn;
pub use refine::{Budget, Refinement, Refinements};
pub use samples::{Inputs, IntoInputs, IntoSamples, Samples};
pub use search::{Found, Search, Select};
pub use step::StepReport;
pub(crate) use step::{Segment, Start, StepOptions};
pub use trace::Traced;

use crate::describe::Training;
use crate::error::{Error, Result};
use crate::metrics::Metric;
use fb_autograd::Tape;
use fb_nn::feedback::gradient::GradientStrategy;
use fb_nn::optim::{Clip, OptimizerState, Penalty};
use fb_nn::{Loss, Network, Optimizer, Params};
use fb_tensor::Float;
use fb_tensor::random::Key;
use std::sync::Arc;

/// A compiled network: it can be fitted, evaluated, asked for predictions, saved and loaded.
///
/// It comes from [`Compile::compile`], so a network that was not compiled has no `fit`.
#[derive(Debug)]
pub struct Model<F: Float = f32> {
    pub(crate) network: Network<F>,
    pub(crate) optimizer: Box<dyn Optimizer<F>>,
    pub(crate) optimizer_state: OptimizerState<F>,
    pub(crate) loss: Box<dyn Loss<F>>,
    metrics: Vec<Box<dyn Metric<F>>>,
    /// The one that was chosen; without it the default of the schedule.
    pub(crate) gradient: Option<Arc<dyn GradientStrategy<F>>>,
    pub(crate) loss_on: LossOn,
    pub(crate) clip: Option<Clip>,
    pub(crate) penalties: Vec<Penalty>,
    pub(crate) jacobian_penalty: Option<f64>,
    /// The running average of the weights, while `fit` keeps one.
    pub(crate) average: Option<Average<F>>,
    /// Kept between steps so that its memory is reused; empty outside a step.
    tape: Tape<F>,
    lists: step::Lists<F>,
    pub(crate) clock: Clock,
}

/// How far training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Whole epochs done.
    pub(crate) epoch: u64,
    /// Training steps done.
    pub(crate) step: u64,
}

impl<F: Float> Model<F> {
    /// The network.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// The network alone, without what it learned with: the way to compile it anew, for fine-tuning.
    pub fn into_network(self) -> Network<F> {
        self.network
    }

    /// The parameters.
    pub fn params(&self) -> &Params<F> {
        self.network.params()
    }

    /// The parameters, for writing.
    pub fn params_mut(&mut self) -> &mut Params<F> {
        self.network.params_mut()
    }

    /// Keeps training from changing the parameters whose names match; see [`Params::freeze`].
    ///
    /// # Errors
    /// Nothing matches.
    pub fn freeze(&mut self, pattern: &str) -> Result<usize> {
        Ok(self.network.params_mut().freeze(pattern)?)
    }

    /// Lets training change the parameters whose names match; see [`Params::unfreeze`].
    ///
    /// # Errors
    /// Nothing matches.
    pub fn unfreeze(&mut self, pattern: &str) -> Result<usize> {
        Ok(self.network.params_mut().unfreeze(pattern)?)
    }

    /// Through which iterations of the loop gradients flow, and how; the default of the schedule without it
    /// ([`Bptt`](fb_nn::feedback::gradient::Bptt) where it makes a number of iterations).
    #[must_use]
    pub fn gradient(mut self, strategy: impl GradientStrategy<F> + 'static) -> Self {
        self.gradient = Some(Arc::new(strategy));
        self
    }

    /// On which iterations of the loop the loss looks; on the last one without it.
    #[must_use]
    pub fn loss_on(mut self, loss_on: LossOn) -> Self {
        self.loss_on = loss_on;
        self
    }

    /// Limits gradients before each step. A limit that is not a number above 0 is an error of the next training.
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.clip = Some(clip);
        self
    }

    /// Adds a penalty on weights to the loss. Can be called several times. A factor below 0 is an error of the next
    /// training.
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.penalties.push(penalty);
        self
    }

    /// Adds to the loss a penalty on how much the loop stretches what it carries, `weight · ‖J v‖² / n` with a random `v`: it
    /// keeps a loop near contraction. A weight that is not a number from 0 on is an error of the next training. See
    /// [`Trajectory::penalty`](fb_nn::feedback::network::Trajectory::penalty).
    #[must_use]
    pub fn jacobian_penalty(mut self, weight: f64) -> Self {
        self.jacobian_penalty = Some(weight);
        self
    }

    /// Checks what was set after `compile`.
    pub(crate) fn check_settings(&self) -> Result<()> {
        if let Some(clip) = &self.clip {
            clip.validate()?;
        }
        for penalty in &self.penalties {
            penalty.validate()?;
        }
        if let Some(weight) = self.jacobian_penalty
            && !(weight >= 0.0 && weight.is_finite())
        {
            return Err(Error::Setting {
                what: "Model::jacobian_penalty",
                expected: "a weight from 0 on",
                found: weight.to_string(),
                help: "weights between 0.01 and 1 are usual",
            });
        }
        Ok(())
    }

    /// How many epochs the model has been trained, over all calls of `fit`.
    pub fn epochs_trained(&self) -> u64 {
        self.clock.epoch
    }

    /// How many steps the optimizer has made, over all calls of `fit` and `train_batch`.
    pub fn steps_trained(&self) -> u64 {
        self.clock.step
    }

    /// The key of everything random in training; the seed is the network's.
    pub(crate) fn key(&self) -> Key {
        Key::new(self.network.topology().seed).fold("train")
    }

    /// How it learns, for summaries.
    pub(crate) fn training(&self) -> Training {
        let clip = self
            .clip
            .iter()
            .map(|clip| format!("gradients clipped by {clip}"));
        let penalties = self
            .penalties
            .iter()
            .map(|penalty| format!("penalty: {penalty}"));
        let jacobian = self
            .jacobian_penalty
            .iter()
            .map(|weight| format!("penalty: {weight} on the loop's Jacobian"));
        Training {
            loss: self.loss.kind(),
            loss_on: self.loss_on,
            gradient: self.network.gradient(self.gradient.as_ref()).kind(),
            optimizer: self.optimizer.kind(),
            learning_rate: self.optimizer.learning_rate(),
            extras: clip.chain(penalties).chain(jacobian).collect(),
        }
    }

    pub(crate) fn fresh_metrics(&self) -> Vec<Box<dyn Metric<F>>> {
        let mut metrics: Vec<_> = self
            .metrics
            .iter()
            .map(|metric| metric.boxed_clone())
            .collect();
        metrics.iter_mut().for_each(|metric| metric.reset());
        metrics
    }
}
