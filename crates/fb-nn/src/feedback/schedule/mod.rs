//! How often a loop runs.
//!
//! | schedule | the loop runs |
//! |---|---|
//! | [`Unroll`] | a number of times, fixed or drawn for each step of training |
//! | [`Converge`] | until it comes to rest, sample by sample: a solver finds where |
//! | [`Halt`] | until each sample is done, as the network itself or a criterion says |
//! | [`Sequence`] | once for each step of a sequence, with one of the above inside |

mod count;
mod halt;
mod sequence;
mod unroll;

pub use count::Count;
pub use halt::{Halt, HaltRule};
pub use sequence::Sequence;
pub use unroll::Unroll;

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The most iterations that any schedule may ask for: each is kept in memory for its gradient, so a larger number is a
/// mistake, or a damaged file.
pub const MOST_ITERATIONS: usize = 1_000_000;

/// What a schedule makes a loop do. A schedule of your own is one of these with numbers of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A number of iterations.
    Iterate(Count),
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
