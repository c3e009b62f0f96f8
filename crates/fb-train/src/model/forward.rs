//! Answers of a model: one run, or as many as there are segments.

use super::objective::{answer, plain};
use super::{Inputs, Model};
use crate::error::Result;
use fb_nn::Context;
use fb_nn::feedback::State;
use fb_nn::feedback::network::{RunOptions, Trajectory, Wanted};
use fb_nn::feedback::schedule::AnySchedule;
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// How to run a model where it should differ from how it was built.
///
/// ```
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::Dense;
/// use fb_nn::loss::MeanSquaredError;
/// use fb_nn::optim::Adam;
/// use fb_nn::Sequential;
/// use fb_tensor::Tensor;
/// use fb_train::{Compile, Predict};
///
/// let network = Sequential::input([2])
///     .layer("hidden", Dense::new(3))
///     .feedback("hidden", "hidden")
///     .schedule(Unroll::iterations(4))
///     .build()?;
/// let model = network.compile(Adam::new(0.01), MeanSquaredError, ())?;
/// let x = Tensor::ones([5, 2]);
/// let longer = model.predict_with(&x, &Predict::new().schedule(Unroll::iterations(16)))?;
/// assert_eq!(*longer.shape(), [5, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Predict {
    pub(super) schedule: Option<Arc<dyn AnySchedule>>,
    pub(super) key: Option<Key>,
}

impl Predict {
    /// As the model was built.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another schedule than the network's.
    #[must_use]
    pub fn schedule(mut self, schedule: impl AnySchedule + 'static) -> Self {
        self.schedule = Some(Arc::new(schedule));
        self
    }

    /// Draws the noise of edges and of their initial values, which is left out without a key. The same key draws the same.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn schedule_ref(&self) -> Option<&dyn AnySchedule> {
        self.schedule.as_deref()
    }
}

/// What a model says of a batch.
pub(super) struct Answers<F: Float> {
    /// The wanted outputs, the answer last.
    pub(super) outputs: Vec<Tensor<F>>,
    /// The run; of several segments the last.
    pub(super) run: Trajectory<F>,
}

impl<F: Float> Model<F> {
    /// How many segments a run has: those of deep supervision, or one.
    pub(super) fn segment_count(&self) -> usize {
        let segments = self.gradient.as_ref().and_then(|g| g.segments());
        segments.map_or(1, |segments| segments.count)
    }

    /// Whether a run takes sequences.
    pub(crate) fn sequences(&self, schedule: Option<&dyn AnySchedule>) -> bool {
        self.rule(schedule).is_sequence()
    }

    /// The context of an evaluation; `first_row` is the number of the batch's first row.
    pub(super) fn eval_context(&self, key: Option<Key>, first_row: usize) -> Context<'_, F> {
        let cx = Context::eval(self.network.params()).with_first_row(first_row as u64);
        match key {
            Some(key) => cx.with_key(key),
            None => cx,
        }
    }

    /// The answers to a batch, all segments one after another from the state that the last one left.
    pub(super) fn answers(
        &self,
        inputs: &Inputs<F>,
        first_row: usize,
        wanted: Wanted,
        how: &Predict,
    ) -> Result<Answers<F>> {
        let values = inputs.values();
        let mut cx = self.eval_context(how.key, first_row);
        let mut state: Option<State<F>> = None;
        let mut outputs = Vec::new();
        let count = self.segment_count();
        for segment in 1..=count {
            let options = RunOptions {
                schedule: how.schedule.as_deref(),
                wanted,
                state: state.take(),
                ..RunOptions::default()
            };
            let run = self.network.run_all(&mut cx, &values, &options)?;
            if wanted == Wanted::Every && run.halting().is_none() {
                outputs.extend(plain(run.outputs())?);
            } else if segment == count || wanted == Wanted::Every {
                outputs.push(answer(&run)?);
            }
            if segment == count {
                return Ok(Answers { outputs, run });
            }
            state = Some(run.into_state());
        }
        unreachable!("there is at least one segment")
    }
}
