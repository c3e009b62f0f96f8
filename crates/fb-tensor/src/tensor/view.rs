//! Other ways to look at the same elements, without copying them.

use super::Tensor;
use super::convert::flip;
use crate::element::Element;
use crate::error::{Error, OrPanic, Result};
use crate::layout::Layout;
use crate::shape::Shape;
use std::ops::Range;

impl<T: Element> Tensor<T> {
    /// The elements in row-major order under another shape. Copies only if they do not lie in that order.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// assert_eq!(*Tensor::arange(6).reshape([2, 3]).shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If the shape holds another number of elements.
    #[track_caller]
    #[must_use]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        self.try_reshape(shape).or_panic()
    }

    /// [`Tensor::reshape`] for shapes that come from data.
    ///
    /// # Errors
    /// The shape holds another number of elements.
    #[track_caller]
    pub fn try_reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.elements() != self.len() {
            let (expected, found) = (shape.elements(), self.len());
            return Err(Error::Length {
                op: "reshape",
                shape: shape.to_string(),
                expected,
                found,
            });
        }
        let mut result = self.contiguous();
        result.layout = Layout::row_major(shape).at_offset(result.layout.offset);
        Ok(result)
    }

    /// All elements along one axis.
    #[must_use]
    pub fn flatten(&self) -> Self {
        self.reshape([self.len()])
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    #[track_caller]
    #[must_use]
    pub fn permute(&self, axes: &[usize]) -> Self {
        let mut seen = [false; crate::MAX_RANK];
        let complete = axes.len() == self.rank()
            && axes
                .iter()
                .all(|&a| a < self.rank() && !std::mem::replace(&mut seen[a], true));
        assert!(
            complete,
            "permute: {axes:?} does not name each axis of shape {} once",
            self.shape()
        );
        let mut shape = *self.shape();
        let mut strides = [0; crate::MAX_RANK];
        for (to, &from) in axes.iter().enumerate() {
            shape.extents_mut()[to] = self.dims()[from];
            strides[to] = self.strides()[from];
        }
        self.with_layout(Layout::new(shape, strides, self.layout.offset))
    }

    /// Two axes exchanged.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn swap_axes(&self, first: usize, second: usize) -> Self {
        self.check_axis("swap_axes", first).or_panic();
        self.check_axis("swap_axes", second).or_panic();
        let mut shape = *self.shape();
        let mut strides = self.layout.strides_array();
        shape.extents_mut().swap(first, second);
        strides.swap(first, second);
        self.with_layout(Layout::new(shape, strides, self.layout.offset))
    }

    /// The last two axes exchanged.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    #[must_use]
    pub fn transpose(&self) -> Self {
        let rank = self.rank();
        assert!(
            rank >= 2,
            "transpose needs two axes, found shape {}",
            self.shape()
        );
        self.swap_axes(rank - 2, rank - 1)
    }

    /// The part of one axis from `range.start` up to, not including, `range.end`.
    ///
    /// # Panics
    /// If the range leaves the axis.
    #[track_caller]
    #[must_use]
    pub fn slice(&self, axis: usize, range: Range<usize>) -> Self {
        self.try_slice(axis, range).or_panic()
    }

    /// [`Tensor::slice`] for ranges that come from data.
    ///
    /// # Errors
    /// There is no such axis or the range leaves it.
    pub fn try_slice(&self, axis: usize, range: Range<usize>) -> Result<Self> {
        self.check_axis("slice", axis)?;
        if range.start > range.end || range.end > self.dim(axis) {
            let index = if range.start > range.end {
                range.start
            } else {
                range.end
            } as i64;
            return Err(Error::Index {
                op: "slice",
                index,
                axis,
                shape: self.shape().to_string(),
            });
        }
        let mut shape = *self.shape();
        shape.extents_mut()[axis] = range.len();
        let shift = if range.is_empty() {
            0
        } else {
            self.strides()[axis] * range.start as isize
        };
        let offset = self.layout.offset.wrapping_add_signed(shift);
        Ok(self.with_layout(Layout::new(shape, self.layout.strides_array(), offset)))
    }

    /// `length` positions of one axis from `start` on.
    ///
    /// # Panics
    /// If they leave the axis.
    #[track_caller]
    #[must_use]
    pub fn narrow(&self, axis: usize, start: usize, length: usize) -> Self {
        self.slice(axis, start..start.saturating_add(length))
    }

    /// Every `step`-th position of one axis from `start` up to, not including, `end`.
    ///
    /// # Panics
    /// If the range leaves the axis or `step` is 0.
    #[track_caller]
    #[must_use]
    pub fn slice_step(&self, axis: usize, start: usize, end: usize, step: usize) -> Self {
        assert!(step > 0, "slice_step: the step must be at least 1");
        let mut part = self.slice(axis, start..end);
        let mut shape = *part.shape();
        shape.extents_mut()[axis] = part.dim(axis).div_ceil(step);
        let mut strides = part.layout.strides_array();
        strides[axis] = strides[axis].wrapping_mul(step as isize);
        part.layout = Layout::new(shape, strides, part.layout.offset);
        part
    }

    /// One axis reversed.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn flip(&self, axis: usize) -> Self {
        self.check_axis("flip", axis).or_panic();
        self.with_layout(flip(&self.layout, axis))
    }

    /// One position of an axis, which is dropped.
    ///
    /// # Panics
    /// If the index leaves the axis.
    #[track_caller]
    #[must_use]
    pub fn index_axis(&self, axis: usize, index: usize) -> Self {
        let mut part = self.slice(axis, index..index.saturating_add(1));
        part.layout = part.layout.without(axis);
        part
    }

    /// The tensor stretched to a shape that it broadcasts to, without copying.
    ///
    /// # Panics
    /// If it does not broadcast to that shape.
    #[track_caller]
    #[must_use]
    pub fn expand(&self, shape: impl Into<Shape>) -> Self {
        self.try_broadcast_to(shape).or_panic()
    }

    /// The same as [`Tensor::expand`].
    ///
    /// # Panics
    /// If it does not broadcast to that shape.
    #[track_caller]
    #[must_use]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Self {
        self.try_broadcast_to(shape).or_panic()
    }

    /// [`Tensor::broadcast_to`] for shapes that come from data.
    ///
    /// # Errors
    /// It does not broadcast to that shape.
    #[track_caller]
    pub fn try_broadcast_to(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if *self.shape() == shape {
            return Ok(self.clone());
        }
        if self.shape().broadcast(&shape, "broadcast_to")? != shape {
            let (left, right) = (self.shape().to_string(), shape.to_string());
            let help = "broadcasting stretches axes of extent 1; it never shrinks";
            return Err(Error::Shapes {
                op: "broadcast_to",
                left,
                right,
                help,
            });
        }
        Ok(self.with_layout(self.layout().broadcast_to(shape)))
    }

    /// A new axis of extent 1 before `axis`.
    ///
    /// # Panics
    /// If `axis` is beyond the end or the rank is at its maximum.
    #[track_caller]
    #[must_use]
    pub fn unsqueeze(&self, axis: usize) -> Self {
        let shape = self.shape().with_inserted(axis, 1);
        let mut strides = self.layout.strides_array();
        strides.copy_within(axis..crate::MAX_RANK - 1, axis + 1);
        strides[axis] = 1;
        self.with_layout(Layout::new(shape, strides, self.layout.offset))
    }

    /// An axis of extent 1 dropped.
    ///
    /// # Panics
    /// If its extent is not 1.
    #[track_caller]
    #[must_use]
    pub fn squeeze(&self, axis: usize) -> Self {
        self.check_axis("squeeze", axis).or_panic();
        assert_eq!(
            self.dim(axis),
            1,
            "squeeze: axis {axis} of shape {} is not 1",
            self.shape()
        );
        self.with_layout(self.layout.without(axis))
    }

    /// Parts of the given extents along one axis, in order.
    ///
    /// # Panics
    /// If the extents do not add up to the axis.
    #[track_caller]
    #[must_use]
    pub fn split(&self, axis: usize, extents: &[usize]) -> Vec<Self> {
        self.check_axis("split", axis).or_panic();
        let total: usize = extents.iter().sum();
        assert_eq!(
            total,
            self.dim(axis),
            "split: parts {extents:?} do not add up to axis {axis} of shape {}",
            self.shape()
        );
        let mut start = 0;
        extents
            .iter()
            .map(|&extent| {
                start += extent;
                self.slice(axis, start - extent..start)
            })
            .collect()
    }

    /// Parts of at most `extent` positions along one axis, in order; the last may be shorter.
    ///
    /// # Panics
    /// If there is no such axis or `extent` is 0.
    #[track_caller]
    #[must_use]
    pub fn chunks(&self, axis: usize, extent: usize) -> Vec<Self> {
        self.check_axis("chunks", axis).or_panic();
        assert!(extent > 0, "chunks: the extent must be at least 1");
        let len = self.dim(axis);
        (0..len)
            .step_by(extent)
            .map(|start| self.slice(axis, start..(start + extent).min(len)))
            .collect()
    }

    pub(crate) fn check_axis(&self, op: &'static str, axis: usize) -> Result<()> {
        if axis < self.rank() {
            return Ok(());
        }
        Err(Error::Axis {
            op,
            axis,
            shape: self.shape().to_string(),
        })
    }
}
