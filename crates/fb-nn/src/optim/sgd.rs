//! Stochastic gradient descent.

use super::setting::{OFF, below_one, learning_rate, not_negative};
use super::{Optimizer, Step, to_json};
use crate::error::{Error, Result};
use fb_tensor::optimizer::{SgdStep, sgd};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// Steps against the gradient, with momentum if wanted.
///
/// `w ← w − rate · g` without momentum; with it, `u ← μu + g` and `w ← w − rate · u`, or in Nesterov's form
/// `w ← w − rate · (g + μu)`. These are PyTorch's definitions; in Keras the rate stands inside the velocity, which
/// differs only while the rate changes.
///
/// ```
/// use fb_nn::optim::Sgd;
/// let sgd = Sgd::new(0.1).momentum(0.9).nesterov(true);
/// sgd.validate()?;
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
/// ICML 2013, section 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
}

impl Default for Sgd {
    /// The learning rate is 0.01.
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl Sgd {
    /// Plain descent with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        }
    }

    /// How much of the velocity stays from step to step; 0.9 is usual.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Whether the step looks ahead along the velocity.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        Self { nesterov, ..self }
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
    /// One is outside its domain, or Nesterov's form has no momentum to look ahead along.
    pub fn validate(&self) -> Result<()> {
        learning_rate("Sgd", self.learning_rate)?;
        below_one(
            "Sgd momentum",
            self.momentum,
            "0.9 is usual; 0 switches it off",
        )?;
        not_negative("Sgd weight decay", self.weight_decay, OFF)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::Config {
                what: "Sgd with .nesterov(true)".to_owned(),
                expected: "a momentum above 0".to_owned(),
                found: "0".to_owned(),
                help: "add .momentum(0.9)".to_owned(),
            });
        }
        Ok(())
    }
}

impl<F: Float> Optimizer<F> for Sgd {
    fn kind(&self) -> &'static str {
        "Sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 {
            &[]
        } else {
            &["velocity"]
        }
    }

    fn config(&self) -> Result<serde_json::Value> {
        to_json("Sgd", self)
    }

    fn validate(&self) -> Result<()> {
        Self::validate(self)
    }

    #[inline]
    fn update(&self, step: &Step, value: &mut [F], gradient: &[F], slots: &mut [Tensor<F>]) {
        let numbers = SgdStep {
            rate: F::from_f64(step.rate),
            momentum: F::from_f64(self.momentum),
            nesterov: self.nesterov,
            penalty: F::from_f64(if step.decays { self.weight_decay } else { 0.0 }),
        };
        sgd(
            numbers,
            value,
            gradient,
            slots.first_mut().map(Tensor::make_mut),
        );
    }
}
