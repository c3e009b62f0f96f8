//! Probabilities from scores.

use super::node::unary;
use crate::var::Var;
use fb_tensor::Float;

impl<F: Float> Var<F> {
    /// `eˣ / Σ eˣ` along an axis, without overflow; see [`Tensor::softmax`](fb_tensor::Tensor::softmax).
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn softmax(&self, axis: usize) -> Self {
        let output = self.tensor().softmax(axis);
        let y = output.clone();
        unary(self, output, move |g| {
            let weighted = g * &y;
            let total = weighted.sum_axes(&[axis], true);
            weighted - &y * &total
        })
    }

    /// `x − ln Σ eˣ` along an axis: the logarithm of [`Var::softmax`], accurate where that is near 0.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn log_softmax(&self, axis: usize) -> Self {
        let output = self.tensor().log_softmax(axis);
        let y = output.clone();
        unary(self, output, move |g| {
            let total = g.sum_axes(&[axis], true);
            g - y.exp() * &total
        })
    }
}
