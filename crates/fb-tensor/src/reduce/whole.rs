//! Reductions of a whole tensor to one number.

use super::along::product;
use crate::element::Float;
use crate::kernels::reduce::{self as kernel, BLOCK, Fold};
use crate::tensor::Tensor;
use crate::threads;

/// Blocks folded by a thread at a time.
const BLOCKS_PER_PART: usize = 8;

impl<F: Float> Tensor<F> {
    /// The sum of all elements; 0 if there are none.
    ///
    /// ```
    /// assert_eq!(fb_tensor::Tensor::from([[1.0, 2.0], [3.0, 4.0]]).sum(), 10.0);
    /// ```
    pub fn sum(&self) -> F {
        F::from_f64(fold_all(self, F::kernels().sum.slice))
    }

    /// The mean of all elements; NaN if there are none.
    pub fn mean(&self) -> F {
        F::from_f64(fold_all(self, F::kernels().sum.slice) / self.len() as f64)
    }

    /// The product of all elements; 1 if there are none.
    pub fn prod(&self) -> F {
        F::from_f64(fold_all(self, product::<F>().slice))
    }

    /// The largest element; NaN if any is NaN.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn max(&self) -> F {
        assert!(
            !self.is_empty(),
            "max: shape {} has no elements",
            self.shape()
        );
        F::from_f64(fold_all(self, F::kernels().largest.slice))
    }

    /// The smallest element; NaN if any is NaN.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn min(&self) -> F {
        assert!(
            !self.is_empty(),
            "min: shape {} has no elements",
            self.shape()
        );
        F::from_f64(fold_all(self, F::kernels().smallest.slice))
    }

    /// The Euclidean norm `√Σ x²` of all elements, added up in double precision.
    pub fn norm(&self) -> F {
        F::from_f64(self.squared_norm().sqrt())
    }

    /// `Σ x²` of all elements, in double precision.
    pub fn squared_norm(&self) -> f64 {
        fold_all(self, F::kernels().wide_squares)
    }

    /// Whether no element is infinite or NaN.
    pub fn is_all_finite(&self) -> bool {
        fold_all(self, F::kernels().not_finite) == 0.0
    }
}

/// The fold of all elements in row-major order.
fn fold_all<F: Float>(t: &Tensor<F>, fold: fn(&[F]) -> f64) -> f64 {
    match t.as_slice() {
        Some(values) => fold(values),
        None => fold(t.contiguous().as_slice().expect("made contiguous")),
    }
}

/// The fold of a slice, over the pool if it is worth it.
pub(crate) fn fold_slice<F: Float, O: Fold<F>>(op: O, values: &[F]) -> f64 {
    let cost = values.len() * O::PICOSECONDS / 1000;
    if values.len() <= BLOCKS_PER_PART * BLOCK || !threads::worth_splitting(cost) {
        return kernel::fold(op, values);
    }
    let blocks = Tensor::<f64>::filled_by([values.len().div_ceil(BLOCK)], |out| {
        threads::for_each_chunk_mut(out, BLOCKS_PER_PART, cost, |from, part| {
            let end = ((from + part.len()) * BLOCK).min(values.len());
            kernel::fold_blocks(op, &values[from * BLOCK..end], part);
        });
    });
    let results = blocks.as_slice().expect("just computed");
    results
        .iter()
        .copied()
        .reduce(|a, b| op.join(a, b))
        .expect("several blocks")
}
