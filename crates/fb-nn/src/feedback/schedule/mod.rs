//! How often a loop runs.

mod unroll;

pub use unroll::Unroll;

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A rule for how many iterations a loop makes: plain serialisable data.
pub trait Schedule: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in files.
    const KIND: &'static str;

    /// The most iterations that a run makes, at least 1.
    fn iterations(&self) -> usize;

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

    fn validate(&self) -> Result<()> {
        Schedule::validate(self)
    }

    fn config(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::Format {
            place: format!("the parameters of {}", S::KIND),
            reason: error.to_string(),
            help: String::new(),
        })
    }
}
