//! RMSProp.

use super::setting::{OFF, below_one, learning_rate, not_negative, positive};
use super::{Optimizer, Step, to_json};
use crate::error::Result;
use fb_tensor::optimizer::{RmsPropStep, rms_prop};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// Steps against the gradient, each element scaled by the root of its mean square.
///
/// `v ← ρv + (1−ρ)g²`, `w ← w − rate · g / (√v + ε)`. Centred, `m ← ρm + (1−ρ)g` and the root is `√(v − m²)`; with
/// momentum, `u ← μu + g / (√v + ε)` and `w ← w − rate · u`.
///
/// ρ is 0.9 by default, as in the lecture and in Keras (PyTorch: 0.99); ε is 1e-8 and stands outside the root, as in
/// PyTorch (Keras: 1e-7, under the root).
///
/// ```
/// use fb_nn::optim::RmsProp;
/// RmsProp::new(0.001).momentum(0.9).centered(true).validate()?;
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// T. Tieleman, G. Hinton, "Neural networks for machine learning", lecture 6.5, 2012; A. Graves, "Generating sequences
/// with recurrent neural networks", 2013, equations 38–45 (centred).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsProp {
    learning_rate: f64,
    rho: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
    weight_decay: f64,
}

impl Default for RmsProp {
    /// The learning rate is 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl RmsProp {
    /// RMSProp with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            rho: 0.9,
            epsilon: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
        }
    }

    /// How much of the mean square stays from step to step.
    #[must_use]
    pub fn rho(self, rho: f64) -> Self {
        Self { rho, ..self }
    }

    /// What is added to the root of the mean square.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// How much of the velocity stays from step to step.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Whether the squared mean is taken off the mean square.
    #[must_use]
    pub fn centered(self, centered: bool) -> Self {
        Self { centered, ..self }
    }

    /// The factor of the weights in the gradient; biases are left out.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self {
            weight_decay,
            ..self
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// One is outside its domain.
    pub fn validate(&self) -> Result<()> {
        learning_rate("RmsProp", self.learning_rate)?;
        below_one("RmsProp rho", self.rho, "0.9 is usual")?;
        positive("RmsProp epsilon", self.epsilon, "1e-8 is usual")?;
        below_one(
            "RmsProp momentum",
            self.momentum,
            "0.9 is usual; 0 switches it off",
        )?;
        not_negative("RmsProp weight decay", self.weight_decay, OFF)
    }
}

impl<F: Float> Optimizer<F> for RmsProp {
    fn kind(&self) -> &'static str {
        "RmsProp"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum != 0.0) {
            (false, false) => &["square"],
            (false, true) => &["square", "velocity"],
            (true, false) => &["square", "mean"],
            (true, true) => &["square", "mean", "velocity"],
        }
    }

    fn config(&self) -> Result<serde_json::Value> {
        to_json("RmsProp", self)
    }

    fn validate(&self) -> Result<()> {
        Self::validate(self)
    }

    #[inline]
    fn update(&self, step: &Step, value: &mut [F], gradient: &[F], slots: &mut [Tensor<F>]) {
        let numbers = RmsPropStep {
            rate: F::from_f64(step.rate),
            decay: F::from_f64(self.rho),
            keep: F::from_f64(1.0 - self.rho),
            epsilon: F::from_f64(self.epsilon),
            momentum: F::from_f64(self.momentum),
            penalty: F::from_f64(if step.decays { self.weight_decay } else { 0.0 }),
        };
        let mut slots = slots.iter_mut().map(Tensor::make_mut);
        let square = slots.next().expect("at least one slot was declared");
        let mean = if self.centered { slots.next() } else { None };
        rms_prop(numbers, value, gradient, square, mean, slots.next());
    }
}
