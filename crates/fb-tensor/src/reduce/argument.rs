//! Where the largest and the smallest elements are.

use crate::element::Float;
use crate::error::OrPanic;
use crate::shape::MAX_RANK;
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// The index of the largest element along an axis, which is dropped: the first of equals; a NaN counts as largest.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let scores = Tensor::from([[0.1, 0.7, 0.2], [0.9, 0.0, 0.1]]);
    /// assert_eq!(scores.argmax(1).to_vec(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or it is empty and other axes are not.
    #[track_caller]
    #[must_use]
    pub fn argmax(&self, axis: usize) -> Tensor<i64> {
        self.check_axis("argmax", axis).or_panic();
        self.first_of("argmax", F::kernels().largest.slice, axis)
    }

    /// The index of the smallest element along an axis, which is dropped: the first of equals; a NaN counts as smallest.
    ///
    /// # Panics
    /// If there is no such axis, or it is empty and other axes are not.
    #[track_caller]
    #[must_use]
    pub fn argmin(&self, axis: usize) -> Tensor<i64> {
        self.check_axis("argmin", axis).or_panic();
        self.first_of("argmin", F::kernels().smallest.slice, axis)
    }

    #[track_caller]
    fn first_of(&self, name: &str, extremum: fn(&[F]) -> f64, axis: usize) -> Tensor<i64> {
        let shape = self.shape().without(axis);
        let length = self.dim(axis);
        let defined = length > 0 || shape.elements() == 0;
        assert!(
            defined,
            "{name}: axis {axis} of shape {} has no elements",
            self.shape()
        );
        let rows = self.with_axis_last(axis).contiguous();
        let values = rows.as_slice().expect("made contiguous");
        Tensor::filled_by(shape, |out| {
            for (out, row) in out.iter_mut().zip(values.chunks_exact(length.max(1))) {
                let best = F::from_f64(extremum(row));
                let place = row.iter().position(|&x| x == best || x.is_nan());
                *out = place.expect("the extremum is one of the elements") as i64;
            }
        })
    }

    /// The axes in their order, but for one that comes last.
    pub(crate) fn with_axis_last(&self, axis: usize) -> Self {
        let rank = self.rank();
        if axis + 1 == rank {
            return self.clone();
        }
        let mut axes = [0; MAX_RANK];
        axes.iter_mut()
            .enumerate()
            .for_each(|(to, from)| *from = if to < axis { to } else { to + 1 });
        axes[rank - 1] = axis;
        self.permute(&axes[..rank])
    }
}
