//! Adam.

use super::setting::{OFF, below_one, learning_rate, not_negative, positive};
use super::{Optimizer, Step, to_json};
use crate::error::Result;
use fb_tensor::optimizer::{AdamStep, adam};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// Steps in the direction of the mean gradient, each element scaled by the root of its mean square.
///
/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w − rate · m̂ / (√v̂ + ε)` with `m̂ = m / (1−β₁ᵗ)`,
/// `v̂ = v / (1−β₂ᵗ)`
///
/// The defaults are the paper's and PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8 (Keras: 1e-7). Weight decay, 0 by default, is
/// an L2 term in the gradient; [`AdamW`](super::AdamW) takes it off the weight instead.
///
/// ```
/// use fb_nn::optim::Adam;
/// let adam = Adam::new(0.001).beta2(0.99).epsilon(1e-7);
/// adam.validate()?;
/// assert_eq!(
///     Adam::new(-1.0).validate().unwrap_err().to_string(),
///     "Adam learning rate: expected a finite number from 0 on, found -1\n  help: 0.0001 to 0.1 are usual"
/// );
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Default for Adam {
    /// The learning rate is 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Adam {
    /// Adam with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
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
        validate(
            "Adam",
            self.learning_rate,
            [self.beta1, self.beta2],
            self.epsilon,
            self.weight_decay,
        )
    }
}

pub(super) fn validate(
    kind: &str,
    rate: f64,
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
) -> Result<()> {
    learning_rate(kind, rate)?;
    below_one(&format!("{kind} beta1"), betas[0], "0.9 is usual")?;
    below_one(
        &format!("{kind} beta2"),
        betas[1],
        "0.99 to 0.999 are usual",
    )?;
    positive(&format!("{kind} epsilon"), epsilon, "1e-8 is usual")?;
    not_negative(&format!("{kind} weight decay"), weight_decay, OFF)
}

/// `1 − β₁ᵗ` and `√(1 − β₂ᵗ)`
pub(super) fn corrections(betas: [f64; 2], step: u64) -> [f64; 2] {
    let exponent = step as f64;
    [
        1.0 - betas[0].powf(exponent),
        (1.0 - betas[1].powf(exponent)).sqrt(),
    ]
}

impl<F: Float> Optimizer<F> for Adam {
    fn kind(&self) -> &'static str {
        "Adam"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn config(&self) -> Result<serde_json::Value> {
        to_json("Adam", self)
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
            penalty: F::from_f64(if step.decays { self.weight_decay } else { 0.0 }),
            decay: F::ZERO,
        };
        adam(numbers, value, gradient, m.make_mut(), v.make_mut());
    }
}
