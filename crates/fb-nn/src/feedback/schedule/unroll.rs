//! A number of iterations that is known before the run.

use super::{Count, Rule, Schedule};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Runs the loop a number of times over the same input: a fixed one, or one that is drawn for each step of training.
///
/// ```
/// use fb_nn::feedback::schedule::{Schedule, Unroll};
/// assert_eq!(Unroll::iterations(4).iterations(), 4);
/// assert_eq!(Unroll::uniform(2, 8).iterations(), 8); // the most; evaluation makes 5
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unroll {
    iterations: Count,
}

impl Unroll {
    /// This many iterations, at least 1.
    pub fn iterations(iterations: usize) -> Self {
        Self {
            iterations: Count::Fixed(iterations),
        }
    }

    /// From `low` to `high` iterations in training, each number equally often; their mean in evaluation.
    pub fn uniform(low: usize, high: usize) -> Self {
        Self {
            iterations: Count::Uniform { low, high },
        }
    }

    /// A number of iterations of this mean in training, mostly few and now and then many, at most `most`; the mean in
    /// evaluation. See [`Count::LogNormalPoisson`].
    pub fn log_normal_poisson(mean: f64, sigma: f64, most: usize) -> Self {
        Self {
            iterations: Count::LogNormalPoisson { mean, sigma, most },
        }
    }

    /// How many.
    pub fn count(&self) -> Count {
        self.iterations
    }
}

impl Schedule for Unroll {
    const KIND: &'static str = "Unroll";

    fn iterations(&self) -> usize {
        self.iterations.most()
    }

    fn rule(&self) -> Rule {
        Rule::Iterate(self.iterations)
    }

    fn validate(&self) -> Result<()> {
        self.iterations.validate("Unroll")
    }
}
