//! Changes in place. All of them copy first if the elements are shared.

use super::Tensor;
use crate::element::{Element, Float};
use crate::elementwise::{UnaryOp, binary, unary};
use crate::kernels::copy;

impl<T: Element> Tensor<T> {
    /// Sets every element to `value`.
    pub fn fill_mut(&mut self, value: T) {
        if self.layout.contiguous
            && let Some(values) = self.unique_slice()
        {
            return values.fill(value);
        }
        *self = Self::full_of(self.layout.shape, value);
    }

    /// Sets every element to that of another tensor of the same shape. Keeps the memory it has, unless it is shared.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn copy_from(&mut self, other: &Self) {
        assert_eq!(self.shape(), other.shape(), "copy_from: the shapes differ");
        if self.layout.contiguous
            && let Some(values) = self.unique_slice()
        {
            return copy::gather(other.storage_slice(), other.layout(), values);
        }
        *self = other.contiguous();
    }
}

impl<F: Float> Tensor<F> {
    /// `self = factor · self`
    pub fn scale_mut(&mut self, factor: F) {
        let factor = factor.to_f64();
        (unary::MulScalar::loops().map_in_place)(self.make_mut(), &unary::MulScalar { factor });
    }

    /// `self = self + factor · other`, with `other` broadcast.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let mut weight = Tensor::from([1.0, 2.0]);
    /// weight.add_scaled(&Tensor::from([10.0, 20.0]), -0.1);
    /// assert_eq!(weight.to_vec(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `other` does not broadcast to this shape.
    #[track_caller]
    pub fn add_scaled(&mut self, other: &Self, factor: F) {
        self.zip_assign(
            other,
            &binary::AddScaled {
                factor: factor.to_f64(),
            },
        );
    }
}
