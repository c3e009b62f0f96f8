//! Iterations until the loop has come to rest.

use super::{InSequence, Rule, Schedule, Sequence, Solvers};
use crate::error::{Error, Result};
use crate::feedback::solver::{Anderson, AnyFixedPointSolver, FixedPointSolver, Freeze, Stop};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// Runs the loop until it has come to rest: a solver looks for the state that the loop gives back unchanged, sample by sample.
///
/// Samples that are done leave the batch, so that a hard one neither changes nor delays the others. The number of iterations
/// takes no memory: the gradient is that of the equilibrium itself
/// ([`Implicit`](super::super::gradient::Implicit), the default) or near it ([`Phantom`](super::super::gradient::Phantom)).
///
/// ```
/// use fb_nn::feedback::schedule::Converge;
/// use fb_nn::feedback::solver::Broyden;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
/// let network = Sequential::input([4])
///     .layer("hidden", Dense::new(16).activation(Activation::Tanh))
///     .layer("out", Dense::new(2))
///     .feedback("hidden", "hidden")
///     .delay(0)
///     .schedule(Converge::to(1e-5).max_iterations(60).solver(Broyden::default()))
///     .build()?;
/// let mut cx = Context::eval(network.params());
/// let run = network.run(&mut cx, Tensor::ones([3, 4]), &Default::default())?;
/// assert!(run.solver_report().unwrap().converged());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// S. Bai, J. Z. Kolter, V. Koltun, "Deep equilibrium models", NeurIPS 2019.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Converge {
    solver: Held,
    stop: Stop,
    #[serde(default)]
    on_failure: OnFailure,
}

/// What happens where a sample has not come to rest in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFailure {
    /// The best state is used, and the report says how good it is.
    #[default]
    Report,
    /// The run ends with an error.
    Error,
}

#[derive(Clone, Debug)]
enum Held {
    Ready(Arc<dyn AnyFixedPointSolver>),
    /// As it came from a file, before [`Schedule::resolve`].
    Unread(FileSolver),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSolver {
    kind: String,
    config: serde_json::Value,
}

impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        match self {
            Self::Ready(solver) => FileSolver {
                kind: solver.kind().to_owned(),
                config: solver.config().map_err(S::Error::custom)?,
            }
            .serialize(serializer),
            Self::Unread(file) => file.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Unread(FileSolver::deserialize(deserializer)?))
    }
}

impl Converge {
    /// To this relative residual, with Anderson's method and at most 50 iterations.
    pub fn to(tolerance: f64) -> Self {
        Self {
            solver: Held::Ready(Arc::new(Anderson::default())),
            stop: Stop::to(tolerance),
            on_failure: OnFailure::Report,
        }
    }

    /// The most iterations of a sample.
    #[must_use]
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.stop = self.stop.max_iterations(iterations);
        self
    }

    /// The method.
    #[must_use]
    pub fn solver(mut self, solver: impl FixedPointSolver) -> Self {
        self.solver = Held::Ready(Arc::new(solver));
        self
    }

    /// Whether samples that are done leave the batch; the answers are the same.
    #[must_use]
    pub fn freeze(mut self, freeze: Freeze) -> Self {
        self.stop = self.stop.freeze(freeze);
        self
    }

    /// Whether the report keeps the residual of every evaluation.
    #[must_use]
    pub fn trace(mut self, trace: bool) -> Self {
        self.stop = self.stop.trace(trace);
        self
    }

    /// What happens where a sample has not come to rest in time.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// When a sample is done.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether failures end the run.
    pub fn fails(&self) -> bool {
        self.on_failure == OnFailure::Error
    }

    /// The method.
    ///
    /// # Errors
    /// The schedule came from a file and its solver was not looked up.
    pub fn method(&self) -> Result<&dyn AnyFixedPointSolver> {
        match &self.solver {
            Held::Ready(solver) => Ok(&**solver),
            Held::Unread(file) => Err(Error::Format {
                place: "the solver of Converge".to_owned(),
                reason: format!("its kind {:?} was not looked up", file.kind),
                help: "read schedules with Registry::schedule".to_owned(),
            }),
        }
    }
}

impl Schedule for Converge {
    const KIND: &'static str = "Converge";

    fn iterations(&self) -> usize {
        self.stop.max_iterations
    }

    fn rule(&self) -> Rule {
        Rule::Converge(self.clone())
    }

    fn validate(&self) -> Result<()> {
        self.stop.validate()?;
        if self.stop.max_iterations == 0 {
            return Err(Error::Config {
                what: "Converge".to_owned(),
                expected: "at least 1 iteration".to_owned(),
                found: "0".to_owned(),
                help: "Converge::to(1e-4) makes up to 50".to_owned(),
            });
        }
        self.method()?.validate()
    }

    fn resolve(&mut self, place: &str, solvers: &dyn Solvers) -> Result<()> {
        if let Held::Unread(file) = &mut self.solver {
            let config = std::mem::take(&mut file.config);
            let place = format!("the solver of {place}");
            self.solver = Held::Ready(solvers.solver(&place, &file.kind, config)?);
        }
        Ok(())
    }
}

impl InSequence for Converge {
    fn in_sequence(self) -> Sequence {
        Sequence::around(self)
    }
}
