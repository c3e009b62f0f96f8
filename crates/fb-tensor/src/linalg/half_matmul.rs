//! Products of tensors in bfloat16.

use crate::error::{Error, OrPanic, Result};
use crate::kernels::half_product::{self, PackedPairs};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;
use half::bf16;

/// Multiply–adds per nanosecond of one core.
const MULTIPLY_ADDS_PER_NS: usize = 64;
/// Rows of a piece of work: a few tiles.
const PIECE: usize = 48;

impl Tensor<bf16> {
    /// Matrix product over the last axis of numbers in bfloat16, summed and returned in `f32`.
    ///
    /// Where the processor has AVX-512 BF16 it multiplies them as they are; elsewhere they are converted, which is exact.
    /// The sums differ in their last bits between the two.
    ///
    /// # Shapes
    /// - `self`: `[…, m, k]`
    /// - `other`: `[k, n]`
    /// - returns `[…, m, n]`
    ///
    /// ```
    /// use fb_tensor::{Tensor, bf16};
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).cast::<bf16>();
    /// let w = Tensor::from([[0.5], [0.25]]).cast::<bf16>();
    /// assert_eq!(x.matmul_to_f32(&w).to_vec(), [1.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn matmul_to_f32(&self, other: &Self) -> Tensor<f32> {
        self.try_matmul_to_f32(other).or_panic()
    }

    /// [`Tensor::matmul_to_f32`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_matmul_to_f32(&self, other: &Self) -> Result<Tensor<f32>> {
        let rank = self.rank();
        let fits = rank >= 2 && other.rank() == 2 && self.dim(rank - 1) == other.dim(0);
        if !fits {
            return Err(Error::Shapes {
                op: "matmul_to_f32",
                left: self.shape().to_string(),
                right: other.shape().to_string(),
                help: "in bfloat16, the last axis of the left meets the first of a [k, n] matrix",
            });
        }
        let columns = other.dim(1);
        let shape: Shape = self.shape().try_with_extent(rank - 1, columns)?;
        if !half_product::is_supported() {
            let product = self.cast::<f32>().try_matmul(&other.cast::<f32>())?;
            return Ok(product);
        }
        let rows = self.dims()[..rank - 1].iter().product::<usize>();
        let terms = self.dim(rank - 1);
        let x = self.reshape([rows, terms]);
        let x = x.matrix(0);
        let right = PackedPairs::new(&other.matrix(0));
        Ok(Tensor::filled_by(shape, |out| {
            let cost = rows * columns * terms / MULTIPLY_ADDS_PER_NS;
            threads::for_each_chunk_mut(out, PIECE * columns.max(1), cost, |start, part| {
                let row = start / columns.max(1);
                let rows = row..row + part.len() / columns.max(1);
                half_product::product(&x.part(rows, 0..terms), &right, part);
            });
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    fn normal(shape: [usize; 2], seed: u64) -> Tensor<bf16> {
        Tensor::<f32>::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng()).cast()
    }

    #[test]
    fn products_are_those_of_the_converted_numbers() {
        let sizes = [
            [0, 3, 2],
            [2, 0, 3],
            [1, 1, 1],
            [5, 7, 9],
            [13, 33, 31],
            [12, 512, 32],
            [50, 1031, 70],
        ];
        for [m, k, n] in sizes {
            let (x, w) = (normal([m, k], 1), normal([k, n], 2));
            let across = normal([n, k], 3);
            for w in [w, across.transpose()] {
                let got = x.matmul_to_f32(&w);
                let want = x.cast::<f64>().matmul(&w.cast::<f64>());
                assert_eq!(*got.shape(), [m, n]);
                for (got, want) in got.to_vec().iter().zip(want.to_vec()) {
                    let tolerance = 1e-5 * (k as f64).sqrt() * 4.0;
                    assert!((f64::from(*got) - want).abs() <= tolerance, "{got} {want}");
                }
            }
        }
    }

    #[test]
    fn rows_and_threads_do_not_change_the_bits() {
        let (x, w) = (normal([130, 600], 1), normal([600, 90], 2));
        let all = x.matmul_to_f32(&w);
        let two = threads::scope_with(2, || x.matmul_to_f32(&w));
        assert_eq!(all.to_vec(), two.to_vec());
        for row in [0, 11, 12, 129] {
            let alone = x.slice(0, row..row + 1).matmul_to_f32(&w);
            assert_eq!(alone.to_vec(), all.slice(0, row..row + 1).to_vec());
        }
        let stacked = x.reshape([13, 10, 600]).matmul_to_f32(&w);
        assert_eq!(stacked.to_vec(), all.to_vec());
    }

    #[test]
    fn shapes_that_do_not_fit_are_told() {
        let error = normal([2, 3], 1).try_matmul_to_f32(&normal([4, 3], 2));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("matmul_to_f32: [2, 3] and [4, 3] do not fit")
        );
    }
}
