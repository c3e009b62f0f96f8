//! The same elements under another shape.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};

impl<F: Float> Var<F> {
    /// The elements in row-major order under another shape; see [`Tensor::reshape`].
    ///
    /// # Panics
    /// If the shape holds another number of elements.
    #[track_caller]
    #[must_use]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        self.reshaped(self.tensor().reshape(shape))
    }

    /// All elements along one axis.
    #[must_use]
    pub fn flatten(&self) -> Self {
        self.reshaped(self.tensor().flatten())
    }

    /// A new axis of extent 1 before `axis`.
    ///
    /// # Panics
    /// If `axis` is beyond the end or the rank is at its maximum.
    #[track_caller]
    #[must_use]
    pub fn unsqueeze(&self, axis: usize) -> Self {
        self.reshaped(self.tensor().unsqueeze(axis))
    }

    /// An axis of extent 1 dropped.
    ///
    /// # Panics
    /// If its extent is not 1.
    #[track_caller]
    #[must_use]
    pub fn squeeze(&self, axis: usize) -> Self {
        self.reshaped(self.tensor().squeeze(axis))
    }

    #[track_caller]
    fn reshaped(&self, output: Tensor<F>) -> Self {
        let shape = *self.shape();
        unary(self, output, move |g| g.reshape(shape))
    }
}
