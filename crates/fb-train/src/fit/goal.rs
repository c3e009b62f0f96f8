//! Training until a target is met.

use crate::error::{Error, Result};
use crate::history::{Direction, EpochRecord};

/// A value of the history that should be reached: training ends as soon as it is.
///
/// ```
/// use fb_train::{Fit, Goal};
/// let fit = Fit::until(Goal::at_least("accuracy", 1.0)).max_epochs(5000);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    pub(super) name: String,
    bound: f64,
    direction: Direction,
}

impl Goal {
    /// The value, such as `"accuracy"` or `"val_accuracy"`, reaches `bound` from below.
    pub fn at_least(name: impl Into<String>, bound: f64) -> Self {
        Self {
            name: name.into(),
            bound,
            direction: Direction::Maximize,
        }
    }

    /// The value, such as `"loss"`, reaches `bound` from above.
    pub fn at_most(name: impl Into<String>, bound: f64) -> Self {
        Self {
            name: name.into(),
            bound,
            direction: Direction::Minimize,
        }
    }

    /// Refuses a bound that nothing reaches.
    pub(super) fn check(&self) -> Result<()> {
        if !self.bound.is_nan() {
            return Ok(());
        }
        Err(Error::Setting {
            what: "the bound of a goal",
            expected: "a number",
            found: self.bound.to_string(),
            help: "such as Goal::at_least(\"accuracy\", 0.99)",
        })
    }

    /// Whether the epoch met the goal; `None` if it has no such value.
    pub(super) fn met_by(&self, record: &EpochRecord) -> Option<bool> {
        let value = record.get(&self.name)?;
        Some(match self.direction {
            Direction::Maximize => value >= self.bound,
            Direction::Minimize => value <= self.bound,
        })
    }
}
