//! The adjoint of broadcasting.

use super::fold_axes::Folded;
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::reduce::Rows;
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// The sum over the axes that broadcasting from `shape` to this tensor's shape had stretched: the adjoint of
    /// [`Tensor::broadcast_to`]. The tensor itself if the shapes are equal.
    ///
    /// ```
    /// use fb_tensor::{Shape, Tensor};
    /// let gradient = Tensor::ones([5, 3]);
    /// assert_eq!(gradient.sum_to(Shape::from([3])).to_vec(), [5.0; 3]);
    /// assert_eq!(gradient.sum_to(Shape::from([5, 1])).to_vec(), [3.0; 5]);
    /// ```
    ///
    /// # Panics
    /// If `shape` does not broadcast to this tensor's shape.
    #[track_caller]
    #[must_use]
    pub fn sum_to(&self, shape: Shape) -> Self {
        if *self.shape() == shape {
            return self.clone();
        }
        if let Some(values) = self.as_slice()
            && self.shape().ends_with(&shape)
        {
            // Leading axes alone go, as in the gradient of a bias.
            let width = shape.elements();
            return match values.len() {
                count if count == width => self.reshape(shape),
                0 => Self::zeros_of(shape),
                count => Self::filled_by(shape, |out| {
                    (F::kernels().sum.columns)(
                        Rows {
                            data: values,
                            start: 0,
                            step: width as isize,
                            count: count / width,
                            width,
                        },
                        out,
                    );
                }),
            };
        }
        if let (&[count, width], &[step, 1]) = (self.dims(), self.strides())
            && *shape == [width]
            && step > 0
            && !self.is_empty()
        {
            // The rows of a matrix with gaps between them.
            return Self::filled_by(shape, |out| {
                (F::kernels().sum.columns)(
                    Rows {
                        data: self.storage_slice(),
                        start: self.layout().offset,
                        step,
                        count,
                        width,
                    },
                    out,
                );
            });
        }
        (F::kernels().sum.axes)(self, &stretched(self, shape).or_panic())
    }
}

/// The axes along which `shape` was stretched.
fn stretched<F: Float>(t: &Tensor<F>, shape: Shape) -> Result<Folded> {
    let misfit = || Error::Shapes {
        op: "sum_to",
        left: t.shape().to_string(),
        right: shape.to_string(),
        help: "the second must be a shape that broadcasts to the first",
    };
    let lead = t.rank().checked_sub(shape.len()).ok_or_else(misfit)?;
    let mut axes = [false; MAX_RANK];
    let mut count = 1;
    for (axis, &extent) in t.dims().iter().enumerate() {
        let own = if axis < lead { 1 } else { shape[axis - lead] };
        if axis < lead || own == 1 {
            axes[axis] = true;
            count *= extent;
        } else if own != extent {
            return Err(misfit());
        }
    }
    Ok(Folded::to_shape(axes, count, shape))
}
