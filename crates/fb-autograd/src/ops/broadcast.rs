//! Elements used many times.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Shape};

impl<F: Float> Var<F> {
    /// The tensor stretched to a shape that it broadcasts to, without copying.
    ///
    /// # Panics
    /// If it does not broadcast to that shape.
    #[track_caller]
    #[must_use]
    pub fn expand(&self, shape: impl Into<Shape>) -> Self {
        let own = *self.shape();
        unary(self, self.tensor().expand(shape), move |g| g.sum_to(own))
    }

    /// The same as [`Var::expand`].
    ///
    /// # Panics
    /// If it does not broadcast to that shape.
    #[track_caller]
    #[must_use]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Self {
        self.expand(shape)
    }

    /// The tensor `times` times, end to end along an axis.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = x.repeat(0, 3);
    /// assert_eq!(y.tensor().to_vec(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [3.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or the result does not fit in memory.
    #[track_caller]
    #[must_use]
    pub fn repeat(&self, axis: usize, times: usize) -> Self {
        let output = self.tensor().repeat(axis, times);
        let shape = *self.shape();
        let outer = shape[..axis].iter().product::<usize>();
        let inner = shape[axis..].iter().product::<usize>();
        unary(self, output, move |g| {
            g.reshape([outer, times, inner])
                .sum_axes(&[1], false)
                .reshape(shape)
        })
    }
}
