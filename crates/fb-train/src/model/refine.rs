//! Answers while they are refined, under a budget.

use super::step::{change, numbers};
use super::{IntoInputs, Model};
use crate::error::{Error, Result};
use fb_nn::Value;
use fb_nn::feedback::State;
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::Unroll;
use fb_tensor::{Float, Tensor, threads};
use std::time::{Duration, Instant};

/// How long answers are refined.
///
/// ```
/// use fb_train::Budget;
/// use std::time::Duration;
/// let budget = Budget::iterations(64).time(Duration::from_millis(20)).tolerance(1e-4);
/// # let _ = budget;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    iterations: usize,
    time: Option<Duration>,
    tolerance: Option<f64>,
}

impl Budget {
    /// At most so many iterations.
    pub fn iterations(most: usize) -> Self {
        Self {
            iterations: most,
            time: None,
            tolerance: None,
        }
    }

    /// No iteration starts after this time; the first one always does.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Until no sample's residual is above this.
    #[must_use]
    pub fn tolerance(mut self, residual: f64) -> Self {
        self.tolerance = Some(residual);
        self
    }
}

/// The answers after one more iteration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refinement<F: Float = f32> {
    /// The iteration, from 1.
    pub iteration: usize,
    /// The answers, `[batch, …]`.
    pub output: Tensor<F>,
    /// For each sample, how much what the loop carries has changed, relative to its size.
    pub residuals: Vec<f64>,
}

impl<F: Float> Refinement<F> {
    /// The largest residual of any sample.
    pub fn residual(&self) -> f64 {
        self.residuals.iter().copied().fold(0.0, |a, b| {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else {
                a.max(b)
            }
        })
    }
}

/// The refinements of a batch; see [`Model::predict_iter`].
#[derive(Debug)]
pub struct Refinements<'a, F: Float> {
    walk: Walk<'a, F>,
    budget: Budget,
    start: Instant,
    done: bool,
}

impl<F: Float> Iterator for Refinements<'_, F> {
    type Item = Result<Refinement<F>>;

    fn next(&mut self) -> Option<Self::Item> {
        let Budget {
            iterations,
            time,
            tolerance,
        } = self.budget;
        let late = self.walk.iteration > 0 && time.is_some_and(|time| self.start.elapsed() >= time);
        if self.done || late || self.walk.iteration >= iterations {
            return None;
        }
        let next = threads::scope(|| self.walk.tick());
        self.done = match &next {
            Ok(next) => tolerance.is_some_and(|tolerance| next.refinement.residual() <= tolerance),
            Err(_) => true,
        };
        Some(next.map(|next| next.refinement))
    }
}

/// A loop that runs one iteration at a time on one batch.
#[derive(Debug)]
pub(super) struct Walk<'a, F: Float> {
    model: &'a Model<F>,
    inputs: Vec<Value<F>>,
    first_row: usize,
    /// What the edges carry; before the first iteration their initial values.
    pub(super) state: State<F>,
    iteration: usize,
}

/// One iteration of a walk.
pub(super) struct Tick<F: Float> {
    pub(super) refinement: Refinement<F>,
    /// For each sample, how much what the loop carries has changed.
    pub(super) changes: Vec<f64>,
}

impl<'a, F: Float> Walk<'a, F> {
    /// The walk of a checked batch.
    pub(super) fn new(model: &'a Model<F>, inputs: Vec<Value<F>>, first_row: usize) -> Self {
        let rows = inputs[0].shape()[0];
        let mut cx = model.eval_context(None, first_row);
        let state = model.network.initial_state(&mut cx, rows);
        Self {
            model,
            inputs,
            first_row,
            state,
            iteration: 0,
        }
    }

    /// One iteration.
    pub(super) fn tick(&mut self) -> Result<Tick<F>> {
        let mut cx = self.model.eval_context(None, self.first_row);
        let once = Unroll::iterations(1);
        let options = RunOptions {
            schedule: Some(&once),
            // The first run fills the registers itself, so that an edge can start from a first sweep.
            state: (self.iteration > 0).then(|| self.state.clone()),
            ..RunOptions::default()
        };
        let run = self
            .model
            .network
            .run_all(&mut cx, &self.inputs, &options)?;
        let output = numbers(run.last())?.tensor().clone();
        let after = run.into_state();
        let changes = change(&self.state, &after);
        self.state = after;
        self.iteration += 1;
        Ok(Tick {
            changes: changes.iter().map(|change| change.absolute).collect(),
            refinement: Refinement {
                iteration: self.iteration,
                output,
                residuals: changes.iter().map(|change| change.relative).collect(),
            },
        })
    }
}

impl<F: Float> Model<F> {
    /// The answers after each iteration, as they come: take the next while there is a budget left.
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::feedback::schedule::Unroll;
    /// use fb_nn::layers::{Activation, Dense};
    /// use fb_nn::loss::MeanSquaredError;
    /// use fb_nn::optim::Adam;
    /// use fb_tensor::Tensor;
    /// use fb_train::{Budget, Compile};
    ///
    /// let network = Sequential::input([2])
    ///     .layer("hidden", Dense::new(3).activation(Activation::Tanh))
    ///     .feedback("hidden", "hidden")
    ///     .schedule(Unroll::iterations(4))
    ///     .build()?;
    /// let model = network.compile(Adam::new(0.01), MeanSquaredError, ())?;
    /// let x = Tensor::ones([5, 2]);
    /// let mut last = None;
    /// for refinement in model.predict_iter(&x, Budget::iterations(4))? {
    ///     last = Some(refinement?);
    /// }
    /// assert_eq!(last.unwrap().output, model.predict(&x)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The input is not what the network takes, or the network has no loop over iterations; while it runs, a layer fails.
    pub fn predict_iter(
        &self,
        x: impl IntoInputs<F>,
        budget: Budget,
    ) -> Result<Refinements<'_, F>> {
        let inputs = x.into_inputs();
        self.check_loop("Model::predict_iter")?;
        inputs.check(&self.network, "the input of predict_iter", false)?;
        Ok(Refinements {
            walk: Walk::new(self, inputs.values(), 0),
            budget,
            start: Instant::now(),
            done: false,
        })
    }

    /// Refuses networks that do not iterate on an input that stays.
    pub(super) fn check_loop(&self, what: &'static str) -> Result<()> {
        let found = if self.sequences(None) {
            "one that runs along sequences"
        } else if self.network.topology().edges.is_empty() {
            "one without feedback"
        } else {
            return Ok(());
        };
        Err(Error::Setting {
            what,
            expected: "a network with a loop over iterations",
            found: found.to_owned(),
            help: "add a feedback edge; sequences are looked at step by step with Network::session",
        })
    }
}
