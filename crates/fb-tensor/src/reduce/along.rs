//! Reductions along some axes.

use super::fold_axes::{FoldLoops, Folded};
use crate::element::Float;
use crate::elementwise::unary;
use crate::kernels::reduce::Product;
use crate::tensor::Tensor;

/// The loops of products, compiled only where they are used.
pub(super) fn product<F: Float>() -> &'static FoldLoops<F> {
    const { &FoldLoops::of(Product) }
}

/// Reductions along axes. With `keep`, the axes stay with extent 1, so that the result broadcasts against the tensor.
///
/// All of them panic if there is no such axis or one is named twice. No axes: each element by itself.
impl<F: Float> Tensor<F> {
    /// Sums along the axes; 0 over no elements.
    ///
    /// # Shapes
    /// - `self`: `[2, 3, 4]`, axes `[0, 2]`: returns `[3]`, or `[1, 3, 1]` with `keep`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let t = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.sum_axes(&[0], false).to_vec(), [4.0, 6.0]);
    /// assert_eq!(*t.sum_axes(&[1], true).shape(), [2, 1]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn sum_axes(&self, axes: &[usize], keep: bool) -> Self {
        (F::kernels().sum.axes)(self, &Folded::new("sum_axes", self, axes, keep))
    }

    /// Means along the axes; NaN over no elements.
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn mean_axes(&self, axes: &[usize], keep: bool) -> Self {
        let folded = Folded::new("mean_axes", self, axes, keep);
        (F::kernels().sum.axes)(self, &folded) / F::from_f64(folded.count as f64)
    }

    /// Products along the axes; 1 over no elements.
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn prod_axes(&self, axes: &[usize], keep: bool) -> Self {
        (product::<F>().axes)(self, &Folded::new("prod_axes", self, axes, keep))
    }

    /// The largest along the axes; NaN where any is NaN.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or a result would be of no elements.
    #[track_caller]
    #[must_use]
    pub fn max_axes(&self, axes: &[usize], keep: bool) -> Self {
        self.extremum("max_axes", &F::kernels().largest, axes, keep)
    }

    /// The smallest along the axes; NaN where any is NaN.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or a result would be of no elements.
    #[track_caller]
    #[must_use]
    pub fn min_axes(&self, axes: &[usize], keep: bool) -> Self {
        self.extremum("min_axes", &F::kernels().smallest, axes, keep)
    }

    #[track_caller]
    fn extremum(
        &self,
        name: &'static str,
        fold: &FoldLoops<F>,
        axes: &[usize],
        keep: bool,
    ) -> Self {
        let folded = Folded::new(name, self, axes, keep);
        let defined = folded.count > 0 || folded.results() == 0;
        assert!(
            defined,
            "{name}: no elements along axes {axes:?} of shape {}",
            self.shape()
        );
        (fold.axes)(self, &folded)
    }

    /// Variances along the axes: `Σ (x − x̄)² / (n − ddof)`, by a second pass over the elements.
    ///
    /// `ddof` 0 gives the variance of the elements themselves (batch and layer normalisation), 1 the estimate for what
    /// they are a sample of. NaN if no more than `ddof` elements go into a result.
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn var_axes(&self, axes: &[usize], ddof: usize, keep: bool) -> Self {
        let folded = Folded::new("var_axes", self, axes, keep);
        let centred = self - &self.mean_axes(axes, true);
        let divisor = folded.count.saturating_sub(ddof) as f64;
        // A sum over too few elements may be 0 by rounding alone: 0 / 0 is the NaN that is wanted.
        (F::kernels().squares.axes)(&centred, &folded)
            * F::from_f64(if divisor > 0.0 {
                1.0 / divisor
            } else {
                f64::NAN
            })
    }

    /// Standard deviations along the axes: the roots of [`Tensor::var_axes`].
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn std_axes(&self, axes: &[usize], ddof: usize, keep: bool) -> Self {
        self.var_axes(axes, ddof, keep).map_op_into(&unary::Sqrt {})
    }

    /// `ln Σ eˣ` along the axes, without overflow: −∞ over no elements or where all are −∞.
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn logsumexp(&self, axes: &[usize], keep: bool) -> Self {
        let folded = Folded::new("logsumexp", self, axes, keep);
        let largest =
            (F::kernels().largest.axes)(self, &Folded::new("logsumexp", self, axes, true));
        // Infinite ones cannot be subtracted (∞ − ∞ is NaN); 0 in their place leaves eˣ infinite or 0, as it should be.
        let mut shift = largest;
        shift
            .make_mut()
            .iter_mut()
            .for_each(|m| *m = F::select(m.is_finite(), *m, F::ZERO));
        let powers = (self - &shift).map_op_into(&unary::Exp {});
        let logarithms = (F::kernels().sum.axes)(&powers, &folded).map_op_into(&unary::Ln {});
        let shift = shift.reshape(*logarithms.shape());
        logarithms + shift
    }

    /// Running sums along an axis: element `i` is the sum of elements `0..=i`.
    ///
    /// ```
    /// assert_eq!(fb_tensor::Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn cumsum(&self, axis: usize) -> Self {
        crate::error::OrPanic::or_panic(self.check_axis("cumsum", axis));
        let inner: usize = self.dims()[axis + 1..].iter().product();
        let length = self.dim(axis) * inner;
        let mut result = self.clone();
        if result.is_empty() {
            return result;
        }
        for stack in result.make_mut().chunks_exact_mut(length) {
            for i in inner..length {
                let before = stack[i - inner];
                stack[i] += before;
            }
        }
        result
    }
}
