//! A price on large weights.

use super::setting::{OFF, not_negative};
use crate::error::Result;
use crate::param::{Param, ParamId, Params, Role};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `λ₁ Σ |w| + λ₂ Σ w²` over weights, added to the loss, as Keras's regularizers do (no half in the square).
///
/// Weights are the parameters of [`Role::Weight`]: biases and learned states are left out, unless a pattern
/// [names](Penalty::on) them. Of these, those that have a gradient count: frozen weights cost nothing.
///
/// ```
/// use fb_nn::optim::Penalty;
/// use fb_nn::param::{Params, Role};
/// use fb_tensor::Tensor;
/// let mut params = Params::new();
/// let id = params.insert("hidden/weight", Tensor::from([1.0, -2.0]), Role::Weight)?;
/// let mut gradients = [(id, Tensor::zeros([2]))];
/// let price = Penalty::l2(0.5).add_to(&params, &mut gradients)?;
/// assert_eq!(price, 2.5);
/// assert_eq!(gradients[0].1.to_vec(), [1.0, -2.0]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    l1: f64,
    l2: f64,
    pattern: Option<String>,
}

impl Penalty {
    /// `lambda · Σ |w|`: drives weights to 0.
    pub fn l1(lambda: f64) -> Self {
        Self::l1_l2(lambda, 0.0)
    }

    /// `lambda · Σ w²`: keeps weights small.
    pub fn l2(lambda: f64) -> Self {
        Self::l1_l2(0.0, lambda)
    }

    /// Both.
    pub fn l1_l2(l1: f64, l2: f64) -> Self {
        Self {
            l1,
            l2,
            pattern: None,
        }
    }

    /// Looks at the parameters that the pattern means, whatever their role; see [`Params::freeze`] for patterns.
    #[must_use]
    pub fn on(self, pattern: impl Into<String>) -> Self {
        Self {
            pattern: Some(pattern.into()),
            ..self
        }
    }

    /// Checks the factors.
    ///
    /// # Errors
    /// One is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        not_negative("the factor of Penalty::l1", self.l1, OFF)?;
        not_negative("the factor of Penalty::l2", self.l2, OFF)
    }

    /// Adds the penalty's gradient to those of the loss, in place; returns its value.
    ///
    /// # Errors
    /// A factor is negative or not finite, or the pattern means no parameter at all.
    ///
    /// # Panics
    /// If a gradient is of a parameter of another network.
    pub fn add_to<F: Float>(
        &self,
        params: &Params<F>,
        gradients: &mut [(ParamId, Tensor<F>)],
    ) -> Result<f64> {
        self.validate()?;
        let mut total = 0.0;
        let mut found = false;
        for (id, gradient) in gradients {
            let param = params.get(*id);
            if self.concerns(param) {
                found = true;
                total += self.add_one(&param.value, gradient);
            }
        }
        if let (Some(pattern), false) = (&self.pattern, found) {
            params.matching(pattern)?;
        }
        Ok(total)
    }

    fn concerns<F: Float>(&self, param: &Param<F>) -> bool {
        match &self.pattern {
            Some(pattern) => param.matches(pattern),
            None => param.role() == Role::Weight,
        }
    }

    fn add_one<F: Float>(&self, value: &Tensor<F>, gradient: &mut Tensor<F>) -> f64 {
        let mut price = 0.0;
        if self.l2 != 0.0 {
            price += self.l2 * value.squared_norm();
            gradient.add_scaled(value, F::from_f64(2.0 * self.l2));
        }
        if self.l1 != 0.0 {
            let lambda = F::from_f64(self.l1);
            let mut sum = 0.0;
            for (g, w) in gradient.make_mut().iter_mut().zip(value.iter()) {
                sum += w.abs().to_f64();
                *g += F::select(
                    w > F::ZERO,
                    lambda,
                    F::select(w < F::ZERO, -lambda, F::ZERO),
                );
            }
            price += self.l1 * sum;
        }
        price
    }
}

/// `L2 0.01 on weights` or `L1 0.1, L2 0.01 on "hidden*"`.
impl fmt::Display for Penalty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.l1 != 0.0, self.l2 != 0.0) {
            (true, true) => write!(f, "L1 {}, L2 {}", self.l1, self.l2)?,
            (true, false) => write!(f, "L1 {}", self.l1)?,
            _ => write!(f, "L2 {}", self.l2)?,
        }
        match &self.pattern {
            Some(pattern) => write!(f, " on {pattern:?}"),
            None => f.write_str(" on weights"),
        }
    }
}
