//! Positions as rotations of pairs of features. Going back is turning back.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Result, Tensor};

impl<F: Float> Var<F> {
    /// Rotates pairs of features, `i` and `i + width / 2`, by the angles of their positions; see [`Tensor::rotary`].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn rotary(&self, cos: &Tensor<F>, sin: &Tensor<F>) -> Self {
        match self.try_rotary(cos, sin) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::rotary`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn try_rotary(&self, cos: &Tensor<F>, sin: &Tensor<F>) -> Result<Self> {
        let output = self.tensor().try_rotary(cos, sin)?;
        let (cos, sin) = (cos.clone(), sin.clone());
        Ok(unary(self, output, move |g| g.rotary(&cos, &-&sin)))
    }

    /// Rotates pairs of neighbouring features, `2i` and `2i + 1`, by the angles of their positions; see
    /// [`Tensor::rotary_interleaved`].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn rotary_interleaved(&self, cos: &Tensor<F>, sin: &Tensor<F>) -> Self {
        match self.try_rotary_interleaved(cos, sin) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::rotary_interleaved`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn try_rotary_interleaved(&self, cos: &Tensor<F>, sin: &Tensor<F>) -> Result<Self> {
        let output = self.tensor().try_rotary_interleaved(cos, sin)?;
        let (cos, sin) = (cos.clone(), sin.clone());
        Ok(unary(self, output, move |g| {
            g.rotary_interleaved(&cos, &-&sin)
        }))
    }
}
