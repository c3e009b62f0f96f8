//! A border around a tensor.

use crate::element::Element;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::copy;
use crate::layout::Layout;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensor with `before` and `after` positions of `value` added at the ends of each axis.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// assert_eq!(x.pad(&[(0, 0), (1, 2)], 9.0).to_vec(), [9.0, 1.0, 2.0, 9.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair for each axis or the result does not fit in memory.
    #[track_caller]
    #[must_use]
    pub fn pad(&self, border: &[(usize, usize)], value: T) -> Self {
        self.try_pad(border, value).or_panic()
    }

    /// [`Tensor::pad`] for borders that come from data.
    ///
    /// # Errors
    /// There is not one pair for each axis or the result does not fit in memory.
    pub fn try_pad(&self, border: &[(usize, usize)], value: T) -> Result<Self> {
        if border.len() != self.rank() {
            let what = format!(
                "{} pairs of border widths for the {} axes of shape {}",
                border.len(),
                self.rank(),
                self.shape()
            );
            return Err(Error::Argument { op: "pad", what });
        }
        let mut shape = *self.shape();
        for (axis, &(before, after)) in border.iter().enumerate() {
            shape = shape.try_with_extent(
                axis,
                shape[axis].saturating_add(before).saturating_add(after),
            )?;
        }
        let whole = Layout::row_major(shape);
        let start = border
            .iter()
            .zip(whole.strides())
            .map(|(&(before, _), &stride)| before * stride as usize)
            .sum();
        let inside = Layout::strided(*self.shape(), whole.strides(), start);
        Ok(Self::filled_by(shape, |out| {
            out.fill(value);
            copy::place(self.storage_slice(), self.layout(), out, &inside);
        }))
    }
}
