//! A border around a variable.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Shape};

impl<F: Float> Var<F> {
    /// The tensor with `before` and `after` positions of `value` added at the ends of each axis.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = x.pad(&[(1, 2)], 0.0);
    /// assert_eq!(y.tensor().to_vec(), [0.0, 1.0, 2.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair for each axis or the result does not fit in memory.
    #[track_caller]
    #[must_use]
    pub fn pad(&self, border: &[(usize, usize)], value: F) -> Self {
        let output = self.tensor().pad(border, value);
        let shape = *self.shape();
        let starts: Shape = border
            .iter()
            .map(|&(before, _)| before)
            .collect::<Vec<_>>()
            .into();
        unary(self, output, move |g| {
            (0..shape.len()).fold(g, |g, axis| g.narrow(axis, starts[axis], shape[axis]))
        })
    }
}
