//! When a solver stops.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What happens to rows that are finished before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freeze {
    /// They leave the batch, so that the map works on the others alone.
    #[default]
    PerSample,
    /// They stay in the batch, unchanged: for maps that need all rows. The answers have the same bits.
    Together,
}

/// When a row is finished.
///
/// ```
/// use fb_nn::feedback::solver::{Freeze, Stop};
/// let stop = Stop::to(1e-4).max_iterations(30).freeze(Freeze::Together);
/// assert_eq!((stop.tolerance, stop.max_iterations), (1e-4, 30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The relative residual of a row that is good enough: `‖f(z) − z‖ / ‖f(z)‖` for fixed points, with 1e-9 added below so
    /// that a fixed point at 0 counts as found.
    pub tolerance: f64,
    /// The most iterations of a row; with 0, the start is measured and handed back.
    pub max_iterations: usize,
    /// What happens to rows that are finished before the others.
    pub freeze: Freeze,
    /// Whether the report keeps the residual of every evaluation.
    #[serde(default)]
    pub trace: bool,
}

impl Default for Stop {
    /// To a relative residual of 1e-4 in at most 50 iterations, finished rows leave, no trace.
    fn default() -> Self {
        Self {
            tolerance: 1e-4,
            max_iterations: 50,
            freeze: Freeze::PerSample,
            trace: false,
        }
    }
}

impl Stop {
    /// At this relative residual, or after 50 iterations.
    pub fn to(tolerance: f64) -> Self {
        Self {
            tolerance,
            ..Self::default()
        }
    }

    /// The most iterations of a row.
    #[must_use]
    pub fn max_iterations(self, max_iterations: usize) -> Self {
        Self {
            max_iterations,
            ..self
        }
    }

    /// What happens to rows that are finished before the others.
    #[must_use]
    pub fn freeze(self, freeze: Freeze) -> Self {
        Self { freeze, ..self }
    }

    /// Whether the report keeps the residual of every evaluation.
    #[must_use]
    pub fn trace(self, trace: bool) -> Self {
        Self { trace, ..self }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// The tolerance is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        if self.tolerance >= 0.0 && self.tolerance.is_finite() {
            return Ok(());
        }
        Err(Error::Config {
            what: "the tolerance of a solver".to_owned(),
            expected: "a finite number from 0 on".to_owned(),
            found: self.tolerance.to_string(),
            help: "it is relative: 1e-3 to 1e-5 are usual in f32; 0 goes on until rounding ends it"
                .to_owned(),
        })
    }
}
