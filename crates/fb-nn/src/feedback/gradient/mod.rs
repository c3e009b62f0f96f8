//! Through which iterations of a loop the gradient flows, and how.
//!
//! | strategy | gradient | memory | for |
//! |---|---|---|---|
//! | [`Bptt`] | exact | all ticks | the default of loops with a number of iterations |
//! | [`Truncated`] | through the last ticks before each | a window for the last output, all windows where each output counts | long sequences |
//! | [`LastK`] | through the last ticks | those | loops that forget where they came from |
//! | [`Checkpointed`] | exact | the square root of all ticks, or given slots | long loops, large maps |
//! | [`Implicit`] | exact at a fixed point | one tick | [`Converge`](super::schedule::Converge), whose default it is |
//! | [`Phantom`] | near it | a few ticks | [`Converge`](super::schedule::Converge), cheap and robust |
//! | [`DeepSupervision`] | within a segment | a segment | recursion that is taught at each segment |
//! | [`Rtrl`] | exact, forward in time | the Jacobian | tiny networks; an oracle for tests |
//!
//! A strategy sees a [`Loop`], which it can run tick by tick, recorded or not, and knows nothing of networks. The one that
//! was really used is reported; a strategy that cannot serve a schedule is an error, never another strategy.

mod bptt;
mod checkpointed;
mod deep_supervision;
pub(super) mod flat;
mod implicit;
mod last_k;
mod phantom;
mod rtrl;
mod truncated;

pub use bptt::Bptt;
pub use checkpointed::{Checkpointed, Checkpoints};
pub use deep_supervision::{DeepSupervision, SegmentWeights, Segments};
pub use implicit::Implicit;
pub use last_k::LastK;
pub use phantom::Phantom;
pub use rtrl::Rtrl;
pub use truncated::Truncated;

use super::solver::SolverReport;
use super::state::State;
use crate::error::{Error, Result};
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::Float;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// A loop as gradient strategies see it: what one tick does.
pub trait Loop<F: Float>: Send {
    /// One tick, number `tick` from 1: changes the state, and gives the values that are read outside the loop if `read`.
    ///
    /// It is recorded unless the context is [detached](Context::without_gradients); then the state is cut off the tape.
    ///
    /// # Errors
    /// A layer fails, or an edge carries more than it may.
    fn tick(
        &mut self,
        cx: &mut Context<'_, F>,
        state: &mut State<F>,
        tick: usize,
        read: bool,
    ) -> Result<Vec<Value<F>>>;

    /// The numbers that enter from outside, the same at each tick.
    fn entry(&self) -> Vec<Var<F>>;

    /// The same loop with other numbers from outside, of the same shapes but for the batch: those of some rows, or leaves of
    /// a tape of its own.
    fn with_entry(&self, entry: Vec<Var<F>>) -> Box<dyn Loop<F>>;

    /// The values that are read outside, where all of them are what the state carries.
    fn read_state(&self, state: &State<F>) -> Option<Vec<Value<F>>>;

    /// Gives the registers that are still empty their initial values.
    fn fill(&self, cx: &mut Context<'_, F>, state: &mut State<F>);
}

/// The outputs that a run should give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// That of the last iteration.
    #[default]
    Last,
    /// That of every iteration.
    Every,
}

impl Wanted {
    /// Whether the outputs of this tick of `total` are wanted.
    pub fn at(self, tick: usize, total: usize) -> bool {
        self == Self::Every || tick == total
    }
}

/// What was read outside a loop at one tick.
#[derive(Clone, Debug)]
pub struct Read<F: Float> {
    /// The values.
    pub values: Vec<Value<F>>,
    /// Whether the tick was recorded; if not, nothing that follows from it is.
    pub recorded: bool,
}

/// What the ticks of a loop gave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unrolled<F: Float> {
    /// What was read at each tick that was wanted.
    pub reads: Vec<Read<F>>,
    /// The state after the last tick.
    pub state: State<F>,
    /// What a solver of the gradient will say once the gradient was taken.
    pub backward: Option<BackwardReport>,
}

impl<F: Float> Unrolled<F> {
    /// What was read, and the state after the last tick.
    pub fn new(reads: Vec<Read<F>>, state: State<F>) -> Self {
        Self {
            reads,
            state,
            backward: None,
        }
    }
}

/// What the solver of a gradient says: empty until the sweep back came by.
#[derive(Clone, Debug, Default)]
pub struct BackwardReport {
    cell: Arc<Mutex<Option<Solved>>>,
}

/// The report, and the samples whose gradient is that of the fallback.
type Solved = (SolverReport, Vec<usize>);

impl BackwardReport {
    /// The solver's report, if the gradient was taken.
    pub fn solver(&self) -> Option<SolverReport> {
        Some(self.lock().as_ref()?.0.clone())
    }

    /// The samples whose gradient is that of the stated fallback.
    pub fn fell_back(&self) -> Vec<usize> {
        self.lock()
            .as_ref()
            .map_or_else(Vec::new, |(_, rows)| rows.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Solved>> {
        self.cell
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A way to take the gradient of a loop.
///
/// A strategy that differs from [`Bptt`] by the ticks that it records says so in [`records`](Self::records) and has the rest
/// for nothing.
///
/// ```
/// use fb_nn::feedback::gradient::GradientStrategy;
/// use fb_tensor::Float;
/// /// Every second tick.
/// #[derive(Debug)]
/// struct EverySecond;
/// impl<F: Float> GradientStrategy<F> for EverySecond {
///     fn kind(&self) -> &'static str {
///         "EverySecond"
///     }
///     fn records(&self, tick: usize, _total: usize) -> bool {
///         tick.is_multiple_of(2)
///     }
/// }
/// ```
pub trait GradientStrategy<F: Float>: Debug + Send + Sync {
    /// The name of the kind, as it is reported.
    fn kind(&self) -> &'static str;

    /// Checks the settings.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Whether tick `tick` of `total` (from 1) is recorded. The others run on constants.
    fn records(&self, tick: usize, total: usize) -> bool {
        let _ = (tick, total);
        true
    }

    /// Whether it is for loops that come to rest: along a sequence it serves the loop at each step then, and the gradient
    /// flows through all steps.
    fn is_for_equilibria(&self) -> bool {
        false
    }

    /// How training is cut into segments, each with a loss and an optimizer step of its own; not at all without it.
    fn segments(&self) -> Option<Segments> {
        None
    }

    /// Whether [`records`](Self::records) says all: the ticks run one after another, each recorded or not. Schedules that
    /// look at each tick need that.
    fn by_tick(&self) -> bool {
        !self.is_for_equilibria()
    }

    /// Runs a number of ticks.
    ///
    /// # Errors
    /// A tick fails, or the strategy needs a loop that comes to rest.
    fn unroll(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
        ticks: usize,
        wanted: Wanted,
    ) -> Result<Unrolled<F>> {
        if self.is_for_equilibria() {
            return Err(cannot_serve(
                self.kind(),
                "Unroll",
                "use LastK(k) for the last k iterations, or the schedule Converge",
            ));
        }
        let mut state = state;
        let mut reads = Vec::with_capacity(if wanted == Wanted::Every { ticks } else { 1 });
        for tick in 1..=ticks {
            cx.enter_iteration(Some(tick));
            let read = wanted.at(tick, ticks);
            let recorded = self.records(tick, ticks);
            let values = if recorded {
                body.tick(cx, &mut state, tick, read)?
            } else {
                cx.without_gradients(|cx| body.tick(cx, &mut state, tick, read))?
            };
            if read {
                reads.push(Read { values, recorded });
            }
        }
        cx.enter_iteration(None);
        Ok(Unrolled::new(reads, state))
    }

    /// Gives a loop that has come to rest in `state`, a constant, its gradient.
    ///
    /// # Errors
    /// A tick fails, or the strategy needs a number of iterations.
    fn equilibrium(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
    ) -> Result<Unrolled<F>> {
        let _ = (body, cx, state);
        Err(cannot_serve(
            self.kind(),
            "Converge",
            "use Implicit or Phantom, or Unroll::iterations(n) in place of Converge",
        ))
    }
}

/// The error of a strategy that is asked for what it has no gradient of.
pub(super) fn cannot_serve(strategy: &str, schedule: &str, help: &str) -> Error {
    Error::Config {
        what: format!("the gradient strategy {strategy}"),
        expected: format!("one that can serve the schedule {schedule}"),
        found: strategy.to_owned(),
        help: help.to_owned(),
    }
}
