//! Probabilities from scores.

use crate::element::Float;
use crate::error::OrPanic;
use crate::kernels::softmax as kernel;
use crate::tensor::Tensor;
use crate::threads::for_each_chunk_mut;

/// Rough cost per element on one core.
const PICOSECONDS: usize = 1000;
/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;

/// The softmax of `factor · t`; the factor is not negative.
pub(crate) fn softmax<F: Float>(t: &Tensor<F>, axis: usize, factor: F) -> Tensor<F> {
    t.map_rows(axis, |input, length, output| {
        kernel::softmax(input, length, factor, output)
    })
}

pub(crate) fn log_softmax<F: Float>(t: &Tensor<F>, axis: usize) -> Tensor<F> {
    t.map_rows(axis, kernel::log_softmax)
}

pub(crate) fn chain_softmax<F: Float>(
    output: &Tensor<F>,
    gradient: Tensor<F>,
    axis: usize,
    factor: F,
) -> Tensor<F> {
    output.chain_rows(gradient, axis, |y, length, gradient| {
        kernel::softmax_backward(y, length, factor, gradient)
    })
}

pub(crate) fn chain_log_softmax<F: Float>(
    output: &Tensor<F>,
    gradient: Tensor<F>,
    axis: usize,
) -> Tensor<F> {
    output.chain_rows(gradient, axis, kernel::log_softmax_backward)
}

impl<F: Float> Tensor<F> {
    /// `eˣ / Σ eˣ` along an axis, without overflow.
    ///
    /// Elements of −∞ (a mask) get 0; where all elements of a row are −∞, or one is NaN, the row is NaN.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let p = Tensor::from([[1000.0, 1000.0], [0.0, f32::NEG_INFINITY]]).softmax(1);
    /// assert_eq!(p.to_vec(), [0.5, 0.5, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn softmax(&self, axis: usize) -> Self {
        self.check_axis("softmax", axis).or_panic();
        (F::kernels().softmax)(self, axis, F::ONE)
    }

    /// `x − ln Σ eˣ` along an axis: the logarithm of [`Tensor::softmax`], accurate where that is near 0.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn log_softmax(&self, axis: usize) -> Self {
        self.check_axis("log_softmax", axis).or_panic();
        (F::kernels().log_softmax)(self, axis)
    }

    /// The gradient by the argument of a softmax along an axis, from its output `y` and the gradient by that:
    /// `factor · y · (gradient − Σ gradient · y)`. Writes over `gradient` if nothing shares it.
    ///
    /// # Panics
    /// If there is no such axis or the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn chain_softmax(output: &Self, gradient: Self, axis: usize, factor: f64) -> Self {
        output.check_axis("chain_softmax", axis).or_panic();
        let factor = F::from_f64(factor);
        (F::kernels().chain_softmax)(output, gradient, axis, factor)
    }

    /// The gradient by the argument of a [`log_softmax`](Tensor::log_softmax), from its output `y` and the gradient by
    /// that: `gradient − eʸ · Σ gradient`. Writes over `gradient` if nothing shares it.
    ///
    /// # Panics
    /// If there is no such axis or the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn chain_log_softmax(output: &Self, gradient: Self, axis: usize) -> Self {
        output.check_axis("chain_log_softmax", axis).or_panic();
        (F::kernels().chain_log_softmax)(output, gradient, axis)
    }

    /// A function `(output, row length, gradient)` that changes rows of a gradient in place, along any axis.
    #[track_caller]
    fn chain_rows(
        &self,
        gradient: Self,
        axis: usize,
        function: impl Fn(&[F], usize, &mut [F]) + Sync,
    ) -> Self {
        assert_eq!(
            self.shape(),
            gradient.shape(),
            "a gradient has the shape of its output"
        );
        let rows = self.with_axis_last(axis).contiguous();
        let (values, length) = (rows.as_slice().expect("made contiguous"), self.dim(axis));
        let last = axis + 1 == self.rank();
        let mut gradient = if last {
            gradient
        } else {
            gradient.with_axis_last(axis)
        };
        if !gradient.is_empty() {
            let per_part = (CHUNK / length).max(1) * length;
            let cost = values.len() * PICOSECONDS / 1000;
            for_each_chunk_mut(gradient.make_mut(), per_part, cost, |from, part| {
                function(&values[from..from + part.len()], length, part);
            });
        }
        if last {
            gradient
        } else {
            gradient.with_last_axis_at(axis).contiguous()
        }
    }

    /// A function of rows `(input, row length, output)`, along any axis.
    fn map_rows(&self, axis: usize, function: impl Fn(&[F], usize, &mut [F]) + Sync) -> Self {
        let rows = self.with_axis_last(axis).contiguous();
        let (values, length) = (rows.as_slice().expect("made contiguous"), self.dim(axis));
        let result = Self::filled_by(*rows.shape(), |out| {
            if out.is_empty() {
                return;
            }
            let per_part = (CHUNK / length).max(1) * length;
            for_each_chunk_mut(
                out,
                per_part,
                values.len() * PICOSECONDS / 1000,
                |from, part| {
                    function(&values[from..from + part.len()], length, part);
                },
            );
        });
        if axis + 1 == self.rank() {
            result
        } else {
            result.with_last_axis_at(axis).contiguous()
        }
    }

    /// The inverse of [`Tensor::with_axis_last`].
    fn with_last_axis_at(&self, axis: usize) -> Self {
        let rank = self.rank();
        let mut axes = [0; crate::MAX_RANK];
        axes.iter_mut()
            .enumerate()
            .for_each(|(to, from)| *from = if to <= axis { to } else { to - 1 });
        axes[axis] = rank - 1;
        self.permute(&axes[..rank])
    }
}
