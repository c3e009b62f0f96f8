//! A fixed number of iterations.

use super::Schedule;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Runs the loop a fixed number of times over the same input.
///
/// ```
/// use fb_nn::feedback::schedule::{Schedule, Unroll};
/// assert_eq!(Unroll::iterations(4).iterations(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unroll {
    iterations: usize,
}

impl Unroll {
    /// This many iterations, at least 1.
    pub fn iterations(iterations: usize) -> Self {
        Self { iterations }
    }
}

impl Schedule for Unroll {
    const KIND: &'static str = "Unroll";

    fn iterations(&self) -> usize {
        self.iterations
    }

    fn validate(&self) -> Result<()> {
        if self.iterations == 0 {
            return Err(Error::Config {
                what: "Unroll".to_owned(),
                expected: "at least 1 iteration".to_owned(),
                found: "0".to_owned(),
                help: "one iteration is a plain feed-forward pass".to_owned(),
            });
        }
        Ok(())
    }
}
