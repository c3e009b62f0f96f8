//! A sequence that comes step by step.

use super::{Network, RunOptions};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::{Context, Value};
use fb_tensor::Float;

/// A network that runs along a sequence one step at a time: it holds the state between the steps, and gives at each step
/// what the run on the whole sequence gives there, bit for bit.
///
/// ```
/// use fb_nn::feedback::schedule::Sequence;
/// use fb_nn::feedback::topology::Clock;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
///
/// let network = Sequential::input([2])
///     .layer("hidden", Dense::new(4).activation(Activation::Tanh))
///     .layer("output", Dense::new(1))
///     .feedback("hidden", "hidden")
///     .clock(Clock::Step)
///     .schedule(Sequence::new())
///     .build()?;
/// let whole = Tensor::from_fn([3, 5, 2], |at| (at[0] + 2 * at[1] + at[2]) as f32 / 10.0);
/// let mut cx = Context::eval(network.params());
/// let answer = network.forward(&mut cx, whole.clone())?;
///
/// let mut session = network.session();
/// for step in 0..5 {
///     let output = session.step(&mut cx, whole.index_axis(1, step))?;
///     assert_eq!(output.as_float().unwrap().tensor(), &answer.as_float().unwrap().tensor().index_axis(1, step));
/// }
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct Session<'n, F: Float = f32> {
    network: &'n Network<F>,
    state: Option<State<F>>,
    steps: usize,
}

impl<F: Float> Network<F> {
    /// A session at the start of a sequence. The default schedule must be a
    /// [`Sequence`](crate::feedback::schedule::Sequence).
    pub fn session(&self) -> Session<'_, F> {
        Session {
            network: self,
            state: None,
            steps: 0,
        }
    }
}

impl<F: Float> Session<'_, F> {
    /// The output at the next step.
    ///
    /// # Shapes
    /// - `input`: `[batch, …]`, one step
    /// - returns `[batch, …]`
    ///
    /// # Errors
    /// The input is not one step of what the network was built for, has another batch than the step before, or the
    /// network does not run along sequences.
    pub fn step(
        &mut self,
        cx: &mut Context<'_, F>,
        input: impl Into<Value<F>>,
    ) -> Result<Value<F>> {
        let mut all = self.step_all(cx, std::slice::from_ref(&input.into()))?;
        Ok(all.swap_remove(0))
    }

    /// [`Session::step`] for networks with several inputs or outputs.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn step_all(
        &mut self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
    ) -> Result<Vec<Value<F>>> {
        if !self.network.takes_sequences() {
            return Err(Error::Data {
                place: "Network::session".to_owned(),
                expected: "a network with the schedule Sequence".to_owned(),
                found: self.network.topology().schedule.kind().to_owned(),
                help: "declare .schedule(Sequence::new())".to_owned(),
            });
        }
        // The axis of steps is added here, so the caller's shapes are checked without it.
        self.network.wiring.check_inputs(inputs, false)?;
        let one_step = |value: &Value<F>| {
            let mut extents = value.shape().to_vec();
            extents.insert(1.min(extents.len()), 1);
            value.reshape(extents)
        };
        let inputs: Vec<_> = inputs.iter().map(one_step).collect();
        let options = RunOptions {
            state: self.state.take(),
            ..RunOptions::default()
        };
        let run = self.network.run_all(cx, &inputs, &options);
        // What went wrong at this step leaves the session as it was.
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                self.state = options.state;
                return Err(error);
            }
        };
        self.steps += 1;
        self.state = Some(run.state().detached());
        let outputs = run.into_last_all();
        Ok(outputs.iter().map(|value| value.index_axis(1, 0)).collect())
    }

    /// How many steps have passed.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// What the edges carry now; `None` before the first step.
    pub fn state(&self) -> Option<&State<F>> {
        self.state.as_ref()
    }

    /// Goes on from another state: a saved one, rows of one, or one with rows started anew.
    pub fn set_state(&mut self, state: State<F>) {
        self.state = Some(state);
    }
}
