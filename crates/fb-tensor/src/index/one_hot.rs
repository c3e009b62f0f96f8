//! Classes as unit vectors.

use super::check_indices;
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::shape::MAX_RANK;
use crate::tensor::Tensor;

impl Tensor<f32> {
    /// For each class index a vector of zeros with a one at the index, along a new last axis.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// assert_eq!(Tensor::one_hot(&Tensor::from([2_i64, 0]), 3), Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If an index is not below `classes` (or is negative), or the rank would exceed its maximum.
    #[track_caller]
    #[must_use]
    pub fn one_hot(indices: &Tensor<i64>, classes: usize) -> Self {
        Self::one_hot_of(indices, classes)
    }

    /// [`Tensor::one_hot`] for indices that come from data.
    ///
    /// # Errors
    /// An index is not below `classes` (or is negative), or the rank would exceed its maximum.
    pub fn try_one_hot(indices: &Tensor<i64>, classes: usize) -> Result<Self> {
        Self::try_one_hot_of(indices, classes)
    }
}

impl<F: Float> Tensor<F> {
    /// [`Tensor::one_hot`] of any type.
    ///
    /// # Panics
    /// If an index is not below `classes` (or is negative), or the rank would exceed its maximum.
    #[track_caller]
    #[must_use]
    pub fn one_hot_of(indices: &Tensor<i64>, classes: usize) -> Self {
        Self::try_one_hot_of(indices, classes).or_panic()
    }

    /// [`Tensor::try_one_hot`] of any type.
    ///
    /// # Errors
    /// An index is not below `classes` (or is negative), or the rank would exceed its maximum.
    pub fn try_one_hot_of(indices: &Tensor<i64>, classes: usize) -> Result<Self> {
        let axis = indices.rank();
        if axis == MAX_RANK {
            return Err(Error::Rank {
                op: "one_hot",
                found: MAX_RANK + 1,
                max: MAX_RANK,
            });
        }
        let shape = indices
            .shape()
            .with_inserted(axis, 1)
            .try_with_extent(axis, classes)?;
        let indices = indices.contiguous();
        check_indices("one_hot", &indices, axis, &shape)?;
        let values = indices.as_slice().expect("made contiguous");
        Ok(Self::filled_by(shape, |out| {
            out.fill(F::ZERO);
            for (row, &index) in out.chunks_exact_mut(classes.max(1)).zip(values) {
                row[index as usize] = F::ONE;
            }
        }))
    }
}
