//! Several tensors as one.

use super::around;
use crate::element::Element;
use crate::error::{Error, OrPanic, Result};
use crate::shape::MAX_RANK;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensors one after the other along an axis that they have.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let (a, b) = (Tensor::zeros([2, 3]), Tensor::ones([2, 1]));
    /// assert_eq!(*Tensor::concat(&[&a, &b], 1).shape(), [2, 4]);
    /// ```
    ///
    /// # Panics
    /// If there are none, there is no such axis, or they differ in another axis.
    #[track_caller]
    #[must_use]
    pub fn concat(parts: &[&Self], axis: usize) -> Self {
        Self::try_concat(parts, axis).or_panic()
    }

    /// [`Tensor::concat`] for shapes that come from data.
    ///
    /// # Errors
    /// There are no tensors, there is no such axis, or they differ in another axis.
    pub fn try_concat(parts: &[&Self], axis: usize) -> Result<Self> {
        let first = first_of("concat", parts)?;
        first.check_axis("concat", axis)?;
        let mut total: usize = 0;
        for part in parts {
            let fits = part.rank() == first.rank()
                && part.shape().with_extent(axis, 0) == first.shape().with_extent(axis, 0);
            if !fits {
                return Err(misfit(
                    "concat",
                    first,
                    part,
                    "all axes but the one along which they are joined must agree",
                ));
            }
            total = total.saturating_add(part.dim(axis));
        }
        let shape = first.shape().try_with_extent(axis, total)?;
        let (_, inner) = around(first, axis);
        Ok(Self::filled_by(shape, |out| {
            if out.is_empty() {
                return;
            }
            let mut start = 0;
            for part in parts {
                let source = part.contiguous();
                let width = part.dim(axis) * inner;
                if width == 0 {
                    continue;
                }
                let rows = source
                    .as_slice()
                    .expect("made contiguous")
                    .chunks_exact(width);
                for (out, row) in out.chunks_exact_mut(total * inner).zip(rows) {
                    out[start..start + width].copy_from_slice(row);
                }
                start += width;
            }
        }))
    }

    /// Tensors of one shape along a new axis, put in before `axis`.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let (a, b) = (Tensor::zeros([3]), Tensor::ones([3]));
    /// assert_eq!(*Tensor::stack(&[&a, &b], 0).shape(), [2, 3]);
    /// assert_eq!(*Tensor::stack(&[&a, &b], 1).shape(), [3, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are none, their shapes differ, `axis` is beyond the end, or the rank would exceed its maximum.
    #[track_caller]
    #[must_use]
    pub fn stack(parts: &[&Self], axis: usize) -> Self {
        Self::try_stack(parts, axis).or_panic()
    }

    /// [`Tensor::stack`] for shapes that come from data.
    ///
    /// # Errors
    /// There are no tensors, their shapes differ, `axis` is beyond the end, or the rank would exceed its maximum.
    pub fn try_stack(parts: &[&Self], axis: usize) -> Result<Self> {
        let first = first_of("stack", parts)?;
        if axis > first.rank() {
            return Err(Error::Axis {
                op: "stack",
                axis,
                shape: first.shape().to_string(),
            });
        }
        if first.rank() == MAX_RANK {
            return Err(Error::Rank {
                op: "stack",
                found: MAX_RANK + 1,
                max: MAX_RANK,
            });
        }
        if let Some(part) = parts.iter().find(|part| part.shape() != first.shape()) {
            return Err(misfit(
                "stack",
                first,
                part,
                "stacked tensors have one shape; concat joins along an axis they have",
            ));
        }
        let raised: Vec<Self> = parts.iter().map(|part| part.unsqueeze(axis)).collect();
        Self::try_concat(&raised.iter().collect::<Vec<_>>(), axis)
    }

    /// The tensor `times` times, end to end along an axis.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).repeat(0, 2).to_vec(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or the result does not fit in memory.
    #[track_caller]
    #[must_use]
    pub fn repeat(&self, axis: usize, times: usize) -> Self {
        self.try_repeat(axis, times).or_panic()
    }

    /// [`Tensor::repeat`] for counts that come from data.
    ///
    /// # Errors
    /// There is no such axis or the result does not fit in memory.
    pub fn try_repeat(&self, axis: usize, times: usize) -> Result<Self> {
        self.check_axis("repeat", axis)?;
        let shape = self
            .shape()
            .try_with_extent(axis, self.dim(axis).saturating_mul(times))?;
        let source = self.contiguous();
        let (_, inner) = around(self, axis);
        let width = self.dim(axis) * inner;
        Ok(Self::filled_by(shape, |out| {
            if out.is_empty() {
                return;
            }
            let stacks = source
                .as_slice()
                .expect("made contiguous")
                .chunks_exact(width);
            for (out, stack) in out.chunks_exact_mut(width * times).zip(stacks) {
                out.chunks_exact_mut(width)
                    .for_each(|out| out.copy_from_slice(stack));
            }
        }))
    }

    /// The positions of an axis moved on by `shift` (back if negative); those pushed out at one end come in at the other.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).roll(0, 1).to_vec(), [3.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn roll(&self, axis: usize, shift: i64) -> Self {
        self.check_axis("roll", axis).or_panic();
        let extent = self.dim(axis);
        if extent == 0 {
            return self.clone();
        }
        let middle = extent - shift.rem_euclid(extent as i64) as usize;
        Self::concat(
            &[
                &self.slice(axis, middle..extent),
                &self.slice(axis, 0..middle),
            ],
            axis,
        )
    }
}

fn first_of<'a, T: Element>(op: &'static str, parts: &[&'a Tensor<T>]) -> Result<&'a Tensor<T>> {
    parts.first().copied().ok_or_else(|| Error::Argument {
        op,
        what: "there are no tensors to join".into(),
    })
}

fn misfit<T: Element>(
    op: &'static str,
    first: &Tensor<T>,
    other: &Tensor<T>,
    help: &'static str,
) -> Error {
    Error::Shapes {
        op,
        left: first.shape().to_string(),
        right: other.shape().to_string(),
        help,
    }
}
