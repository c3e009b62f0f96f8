//! One element for each index, and its adjoint.

use super::check_indices;
use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Result};
use crate::layout::{Layout, Walk};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// For each index, the element that it names along the axis: `y[i, j] = x[i, index[i, j]]` for axis 1 of two.
    ///
    /// # Shapes
    /// - `index`: as many axes as `self`, none longer than in `self` but for the one named
    /// - returns the shape of `index`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let label = Tensor::from([[2_i64], [0]]);
    /// assert_eq!(x.gather(1, &label).to_vec(), [3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn gather(&self, axis: usize, index: &Tensor<i64>) -> Self {
        self.try_gather(axis, index).or_panic()
    }

    /// [`Tensor::gather`] for indices that come from data.
    ///
    /// # Errors
    /// There is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    pub fn try_gather(&self, axis: usize, index: &Tensor<i64>) -> Result<Self> {
        let index = index.contiguous();
        check("gather", self, axis, &index)?;
        let data = self.storage_slice();
        Ok(Self::filled_by(*index.shape(), |out| {
            visit(self.layout(), axis, &index, |at, i| out[i] = data[at]);
        }))
    }
}

impl<F: Float> Tensor<F> {
    /// A copy with each element of `source` added where its index says: `y[i, index[i, j]] += source[i, j]` for axis 1 of
    /// two. Elements that meet in one place are added in their order.
    ///
    /// Into zeros this is the adjoint of [`Tensor::gather`].
    ///
    /// # Shapes
    /// - `index` and `source`: the same shape, with as many axes as `self`, none longer than in `self` but for the one named
    /// - returns the shape of `self`
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn scatter_add(&self, axis: usize, index: &Tensor<i64>, source: &Self) -> Self {
        self.try_scatter_add(axis, index, source).or_panic()
    }

    /// [`Tensor::scatter_add`] for indices that come from data.
    ///
    /// # Errors
    /// There is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    pub fn try_scatter_add(&self, axis: usize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        let (index, source) = (index.contiguous(), source.contiguous());
        check("scatter_add", self, axis, &index)?;
        if index.shape() != source.shape() {
            let (left, right) = (index.shape().to_string(), source.shape().to_string());
            let help = "there must be one index for each element of the source";
            return Err(Error::Shapes {
                op: "scatter_add",
                left,
                right,
                help,
            });
        }
        let values = source.as_slice().expect("made contiguous");
        let mut result = self.clone();
        let layout = Layout::row_major(*self.shape());
        let data = result.make_mut();
        visit(&layout, axis, &index, |at, i| data[at] += values[i]);
        Ok(result)
    }
}

/// Calls `visit` with each named element's position in storage and the position of its index.
fn visit(layout: &Layout, axis: usize, index: &Tensor<i64>, mut visit: impl FnMut(usize, usize)) {
    let values = index.as_slice().expect("callers make indices contiguous");
    let mut strides = [0; MAX_RANK];
    strides[..layout.shape.len()].copy_from_slice(layout.strides());
    let along = std::mem::take(&mut strides[axis]);
    let others = Layout::strided(*index.shape(), &strides[..index.rank()], layout.offset);
    let walk = Walk::new([&others, &Layout::row_major(*index.shape())]);
    let (length, [step, _]) = walk.inner();
    walk.rows(|[at, from]| {
        for (i, &index) in values[from..from + length].iter().enumerate() {
            visit(
                at.wrapping_add_signed(step * i as isize + along * index as isize),
                from + i,
            );
        }
    });
}

fn check<T: Element>(
    op: &'static str,
    t: &Tensor<T>,
    axis: usize,
    index: &Tensor<i64>,
) -> Result<()> {
    t.check_axis(op, axis)?;
    let shorter = |(a, (&i, &n)): (usize, (&usize, &usize))| a == axis || i <= n;
    if index.rank() != t.rank() || !index.dims().iter().zip(t.dims()).enumerate().all(shorter) {
        let (left, right) = (t.shape().to_string(), index.shape().to_string());
        let help = "the indices have as many axes, none longer but for the one that they name";
        return Err(Error::Shapes {
            op,
            left,
            right,
            help,
        });
    }
    check_indices(op, index, axis, &Shape::from(t.shape()))
}
