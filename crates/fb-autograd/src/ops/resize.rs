//! Images of another size.

use super::node::unary;
use crate::var::Var;
use fb_tensor::Float;

impl<F: Float> Var<F> {
    /// Images of another size, each pixel the nearest; see [`Tensor::resize_nearest`](fb_tensor::Tensor::resize_nearest).
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([1, 1, 2, 1]));
    /// let y = x.resize_nearest([2, 4]);
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [4.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or there are no pixels.
    #[track_caller]
    #[must_use]
    pub fn resize_nearest(&self, size: [usize; 2]) -> Self {
        let (output, shape) = (self.tensor().resize_nearest(size), *self.shape());
        unary(self, output, move |g| g.resize_nearest_gradient(shape))
    }

    /// Images of another size, each pixel a mixture of four; see
    /// [`Tensor::resize_bilinear`](fb_tensor::Tensor::resize_bilinear).
    ///
    /// # Panics
    /// If there are not four axes, or there are no pixels.
    #[track_caller]
    #[must_use]
    pub fn resize_bilinear(&self, size: [usize; 2], align_corners: bool) -> Self {
        let output = self.tensor().resize_bilinear(size, align_corners);
        let shape = *self.shape();
        unary(self, output, move |g| {
            g.resize_bilinear_gradient(shape, align_corners)
        })
    }
}
