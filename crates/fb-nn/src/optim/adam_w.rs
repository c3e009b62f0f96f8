//! AdamW.

use super::adam::{corrections, validate};
use super::{Optimizer, Step, to_json};
use crate::error::Result;
use fb_tensor::optimizer::{AdamStep, adam};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// [`Adam`](super::Adam) with decoupled weight decay: each step multiplies weights by `1 − rate · decay`, whatever
/// their gradients are.
///
/// The defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8, weight decay 0.01 (Keras: 0.004). Biases and learned states
/// do not decay.
///
/// # References
/// I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Default for AdamW {
    /// The learning rate is 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl AdamW {
    /// AdamW with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }

    /// How much of the mean gradient stays from step to step.
    #[must_use]
    pub fn beta1(self, beta1: f64) -> Self {
        Self { beta1, ..self }
    }

    /// How much of the mean square stays from step to step.
    #[must_use]
    pub fn beta2(self, beta2: f64) -> Self {
        Self { beta2, ..self }
    }

    /// What is added to the root of the mean square.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// The share of a weight that a step with learning rate 1 would take away; biases are left out.
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
        validate(
            "AdamW",
            self.learning_rate,
            [self.beta1, self.beta2],
            self.epsilon,
            self.weight_decay,
        )
    }
}

impl<F: Float> Optimizer<F> for AdamW {
    fn kind(&self) -> &'static str {
        "AdamW"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn config(&self) -> Result<serde_json::Value> {
        to_json("AdamW", self)
    }

    fn validate(&self) -> Result<()> {
        Self::validate(self)
    }

    fn corrections(&self, step: u64) -> [f64; 2] {
        corrections([self.beta1, self.beta2], step)
    }

    #[inline]
    fn update(&self, step: &Step, value: &mut [F], gradient: &[F], slots: &mut [Tensor<F>]) {
        let [m, v] = slots else {
            unreachable!("two slots were declared")
        };
        let numbers = AdamStep {
            rate: F::from_f64(step.rate),
            beta1: F::from_f64(self.beta1),
            beta2: F::from_f64(self.beta2),
            keep1: F::from_f64(1.0 - self.beta1),
            keep2: F::from_f64(1.0 - self.beta2),
            epsilon: F::from_f64(self.epsilon),
            correction1: F::from_f64(step.corrections[0]),
            correction2_root: F::from_f64(step.corrections[1]),
            penalty: F::ZERO,
            decay: F::from_f64(if step.decays { self.weight_decay } else { 0.0 }),
        };
        adam(numbers, value, gradient, m.make_mut(), v.make_mut());
    }
}
