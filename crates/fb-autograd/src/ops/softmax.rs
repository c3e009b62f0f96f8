//! Probabilities from scores.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Tensor};

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
            Tensor::chain_softmax(&y, g, axis, 1.0)
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
            Tensor::chain_log_softmax(&y, g, axis)
        })
    }

    /// The softmax along the last axis of `scale · x` over the elements that the mask allows (where it is true); see
    /// [`Tensor::masked_softmax`]. One pass forward, one back.
    ///
    /// # Shapes
    /// - `self`: `[…, n]`
    /// - `mask`: broadcasts to the shape of `self`; everything is allowed if left out
    /// - returns `[…, n]`
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 1.0, 5.0]));
    /// let y = x.masked_softmax(4.0, Some(&Tensor::from([true, true, false])));
    /// assert_eq!(y.tensor().to_vec(), [0.5, 0.5, 0.0]);
    /// let gradient = y.slice(0, 0..1).sum().backward().take(&x).unwrap();
    /// assert_eq!(gradient.to_vec(), [1.0, -1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis or the mask does not broadcast to the shape.
    #[track_caller]
    #[must_use]
    pub fn masked_softmax(&self, scale: f64, mask: Option<&Tensor<bool>>) -> Self {
        let output = self.tensor().masked_softmax(scale, mask);
        let y = output.clone();
        unary(self, output, move |g| {
            Tensor::chain_softmax(&y, g, y.rank() - 1, scale)
        })
    }
}
