//! Whole positions of an axis picked by index, and the adjoint.

use super::{around, check_indices};
use crate::element::{Element, Float};
use crate::elementwise::{BinaryOp, binary::Add};
use crate::error::{Error, OrPanic, Result};
use crate::kernels::copy;
use crate::layout::Layout;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The positions of an axis that the indices name, in their order. An embedding table looks up rows with axis 0.
    ///
    /// # Shapes
    /// - `index`: `[n]`
    /// - returns the shape of `self` with `n` in place of the axis
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index_select(1, &Tensor::from([2_i64, 0])).to_vec(), [3.0, 1.0, 6.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, `index` has not one axis, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn index_select(&self, axis: usize, index: &Tensor<i64>) -> Self {
        self.try_index_select(axis, index).or_panic()
    }

    /// [`Tensor::index_select`] for indices that come from data.
    ///
    /// # Errors
    /// There is no such axis, `index` has not one axis, or an index leaves the axis (negative ones do).
    pub fn try_index_select(&self, axis: usize, index: &Tensor<i64>) -> Result<Self> {
        let index = index.contiguous();
        check("index_select", self, axis, &index)?;
        let indices = index.as_slice().expect("made contiguous");
        if axis == 0 {
            return Ok(self.rows_at(indices.len(), indices.iter().map(|&i| i as usize)));
        }
        let source = self.contiguous();
        let data = source.as_slice().expect("made contiguous");
        let ((_, inner), extent) = (around(self, axis), self.dim(axis));
        Ok(Self::filled_by(
            self.shape().try_with_extent(axis, indices.len())?,
            |out| {
                if out.is_empty() {
                    return;
                }
                let stacks = out
                    .chunks_exact_mut(indices.len() * inner)
                    .zip(data.chunks_exact(extent * inner));
                for (out, stack) in stacks {
                    for (out, &i) in out.chunks_exact_mut(inner).zip(indices) {
                        out.copy_from_slice(&stack[i as usize * inner..][..inner]);
                    }
                }
            },
        ))
    }

    /// The named positions of the first axis, in their order: how batches are made.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    /// assert_eq!(x.select_rows(&[2, 0]).to_vec(), [5.0, 6.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are no axes or a row is not there.
    #[track_caller]
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        self.try_select_rows(rows).or_panic()
    }

    /// [`Tensor::select_rows`] for rows that come from data.
    ///
    /// # Errors
    /// There are no axes or a row is not there.
    #[inline]
    pub fn try_select_rows(&self, rows: &[usize]) -> Result<Self> {
        if self.rank() == 0 || rows.iter().any(|&row| row >= self.dim(0)) {
            return Err(missing_row(self, rows));
        }
        Ok(self.rows_at(rows.len(), rows.iter().copied()))
    }

    /// Positions of the first axis that are known to be there.
    fn rows_at(&self, count: usize, rows: impl Iterator<Item = usize>) -> Self {
        let shape = self.shape().try_with_extent(0, count).or_panic();
        let length = self.dims()[1..].iter().product();
        Self::filled_by(shape, |out| {
            if length == 0 {
                return;
            }
            let out = out.chunks_exact_mut(length).zip(rows);
            if let Some(data) = self.as_slice() {
                out.for_each(|(out, row)| out.copy_from_slice(&data[row * length..][..length]));
            } else {
                let (layout, step) = (self.layout(), self.strides()[0]);
                let one =
                    Layout::strided(self.shape().without(0), &self.strides()[1..], layout.offset);
                for (out, row) in out {
                    let offset = layout.offset.wrapping_add_signed(step * row as isize);
                    copy::gather(self.storage_slice(), &one.at_offset(offset), out);
                }
            }
        })
    }
}

impl<F: Float> Tensor<F> {
    /// A copy with each position of `source` along the axis added to the one that its index names, in their order.
    ///
    /// Into zeros this is the adjoint of [`Tensor::index_select`].
    ///
    /// # Shapes
    /// - `index`: `[n]`
    /// - `source`: the shape of `self` with `n` in place of the axis
    /// - returns the shape of `self`
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn index_add(&self, axis: usize, index: &Tensor<i64>, source: &Self) -> Self {
        self.try_index_add(axis, index, source).or_panic()
    }

    /// [`Tensor::index_add`] for indices that come from data.
    ///
    /// # Errors
    /// There is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    pub fn try_index_add(&self, axis: usize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        let (index, source) = (index.contiguous(), source.contiguous());
        check("index_add", self, axis, &index)?;
        if self.shape().try_with_extent(axis, index.len())? != *source.shape() {
            let (left, right) = (self.shape().to_string(), source.shape().to_string());
            let help = "the second has one position along the axis for each index, and the first's other extents";
            return Err(Error::Shapes {
                op: "index_add",
                left,
                right,
                help,
            });
        }
        let indices = index.as_slice().expect("made contiguous");
        let values = source.as_slice().expect("made contiguous");
        let ((_, inner), extent) = (around(self, axis), self.dim(axis));
        let mut result = self.clone();
        if source.is_empty() {
            return Ok(result);
        }
        let stacks = result
            .make_mut()
            .chunks_exact_mut(extent * inner)
            .zip(values.chunks_exact(indices.len() * inner));
        let add = <Add as BinaryOp<F, F>>::assign_loops().slices;
        for (stack, values) in stacks {
            for (row, &i) in values.chunks_exact(inner).zip(indices) {
                add(&mut stack[i as usize * inner..][..inner], row, &Add);
            }
        }
        Ok(result)
    }
}

#[cold]
fn missing_row<T: Element>(t: &Tensor<T>, rows: &[usize]) -> Error {
    let op = "select_rows";
    let shape = t.shape().to_string();
    let extent = t.dims().first().copied().unwrap_or(0);
    match rows.iter().position(|&row| row >= extent) {
        Some(at) if t.rank() > 0 => {
            let index = i64::try_from(rows[at]).unwrap_or(i64::MAX);
            Error::IndexAt {
                op,
                index,
                position: format!("[{at}]"),
                axis: 0,
                shape,
            }
        }
        _ => Error::Axis { op, axis: 0, shape },
    }
}

fn check<T: Element>(
    op: &'static str,
    t: &Tensor<T>,
    axis: usize,
    index: &Tensor<i64>,
) -> Result<()> {
    t.check_axis(op, axis)?;
    if index.rank() != 1 {
        return Err(Error::Argument {
            op,
            what: format!(
                "the indices have shape {}, expected one axis",
                index.shape()
            ),
        });
    }
    check_indices(op, index, axis, t.shape())
}
