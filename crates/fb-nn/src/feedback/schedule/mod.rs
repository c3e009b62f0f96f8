//! How often a loop runs.
//!
//! | schedule | the loop runs |
//! |---|---|
//! | [`Unroll`] | a number of times, fixed or drawn for each step of training |
//! | [`Converge`] | until it comes to rest, sample by sample: a solver finds where |
//! | [`Halt`] | until each sample is done, as the network itself or a criterion says |
//! | [`Sequence`] | once for each step of a sequence, with one of the above inside |

mod converge;
mod count;
mod halt;
mod sequence;
mod unroll;

pub use converge::{Converge, OnFailure};
pub use count::Count;
pub use halt::{Halt, HaltRule};
pub use sequence::{InSequence, Sequence};
pub use unroll::Unroll;

use super::solver::AnyFixedPointSolver;
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// The most iterations that any schedule may ask for: each is kept in memory for its gradient, so a larger number is a
/// mistake, or a damaged file.
pub const MOST_ITERATIONS: usize = 1_000_000;

/// What a schedule makes a loop do. A schedule of your own is one of these with numbers of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A number of iterations.
    Iterate(Count),
    /// Iterations until the loop has come to rest.
    Converge(Converge),
    /// Iterations until each sample is done.
    Halt(Halt),
    /// Steps along a sequence, each with iterations inside.
    Sequence(Box<Rule>),
}

impl Rule {
    /// What runs at each step of a sequence; the rule itself where there is no sequence.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Sequence(inner) => inner.inner(),
            other => other,
        }
    }

    /// Whether it runs along a sequence.
    pub fn is_sequence(&self) -> bool {
        matches!(self, Self::Sequence(_))
    }

    /// The name of the schedule that it comes from.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Iterate(_) => Unroll::KIND,
            Self::Converge(_) => Converge::KIND,
            Self::Halt(_) => Halt::KIND,
            Self::Sequence(_) => Sequence::KIND,
        }
    }
}

/// A rule for how many iterations a loop makes: plain serialisable data.
pub trait Schedule: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in files.
    const KIND: &'static str;

    /// The most iterations that a run makes, at least 1; of a sequence, at each of its steps.
    fn iterations(&self) -> usize;

    /// What the loop does: so many iterations, unless a schedule says something else.
    fn rule(&self) -> Rule {
        Rule::Iterate(Count::Fixed(self.iterations()))
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()>;

    /// Looks up the solvers that came from a file by their kinds; schedules without one have nothing to do.
    ///
    /// # Errors
    /// A kind is not known, or its settings cannot be read.
    fn resolve(&mut self, place: &str, solvers: &dyn Solvers) -> Result<()> {
        let _ = (place, solvers);
        Ok(())
    }
}

/// What turns a kind and a configuration into a solver: a [`Registry`](crate::Registry), which schedules do not know.
pub trait Solvers {
    /// A solver from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not known or the configuration is not one of it.
    fn solver(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyFixedPointSolver>>;
}

/// A [`Schedule`] of any type, as a topology holds it. Implemented for every schedule.
pub trait AnySchedule: Debug + Send + Sync {
    /// The name of the kind in files.
    fn kind(&self) -> &'static str;

    /// The most iterations that a run makes.
    fn iterations(&self) -> usize;

    /// What the loop does.
    fn rule(&self) -> Rule;

    /// Checks the parameters.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()>;

    /// The parameters as JSON.
    ///
    /// # Errors
    /// They do not serialise.
    fn config(&self) -> Result<serde_json::Value>;
}

impl<S: Schedule> AnySchedule for S {
    fn kind(&self) -> &'static str {
        S::KIND
    }

    fn iterations(&self) -> usize {
        Schedule::iterations(self)
    }

    fn rule(&self) -> Rule {
        Schedule::rule(self)
    }

    fn validate(&self) -> Result<()> {
        Schedule::validate(self)?;
        let iterations = Schedule::iterations(self);
        if iterations > MOST_ITERATIONS {
            return Err(Error::Config {
                what: S::KIND.to_owned(),
                expected: format!("at most {MOST_ITERATIONS} iterations"),
                found: iterations.to_string(),
                help: "a loop that settles does so within tens or hundreds of iterations"
                    .to_owned(),
            });
        }
        Ok(())
    }

    fn config(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::Format {
            place: format!("the parameters of {}", S::KIND),
            reason: error.to_string(),
            help: String::new(),
        })
    }
}
