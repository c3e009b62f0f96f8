//! Sums, means, extrema and the like, over all elements or along axes.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};

impl<F: Float> Var<F> {
    /// The sum of all elements, as a variable without axes.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.sum();
    /// assert_eq!(y.item(), 10.0);
    /// assert_eq!(y.backward().get(&x).unwrap().to_vec(), [1.0; 4]);
    /// ```
    #[must_use]
    pub fn sum(&self) -> Self {
        let shape = *self.shape();
        unary(self, Tensor::from_scalar(self.tensor().sum()), move |g| {
            Tensor::full_of(shape, g.item())
        })
    }

    /// The mean of all elements, as a variable without axes; NaN if there are none.
    #[must_use]
    pub fn mean(&self) -> Self {
        let shape = *self.shape();
        unary(self, Tensor::from_scalar(self.tensor().mean()), move |g| {
            Tensor::full_of(shape, g.item() / count(shape.elements()))
        })
    }

    /// Sums along the axes, which stay with extent 1 if `keep`; see [`Tensor::sum_axes`].
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn sum_axes(&self, axes: &[usize], keep: bool) -> Self {
        let along = Along::new(*self.shape(), axes);
        unary(self, self.tensor().sum_axes(axes, keep), move |g| {
            along.spread(&g)
        })
    }

    /// Means along the axes, which stay with extent 1 if `keep`; see [`Tensor::mean_axes`].
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn mean_axes(&self, axes: &[usize], keep: bool) -> Self {
        let along = Along::new(*self.shape(), axes);
        unary(self, self.tensor().mean_axes(axes, keep), move |g| {
            along.spread(&(g * (F::ONE / count(along.count))))
        })
    }

    /// The largest along the axes, which stay with extent 1 if `keep`. Equal ones share the gradient equally.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or a result would be of no elements.
    #[track_caller]
    #[must_use]
    pub fn max_axes(&self, axes: &[usize], keep: bool) -> Self {
        self.extremum(self.tensor().max_axes(axes, keep), axes)
    }

    /// The smallest along the axes, which stay with extent 1 if `keep`. Equal ones share the gradient equally.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or a result would be of no elements.
    #[track_caller]
    #[must_use]
    pub fn min_axes(&self, axes: &[usize], keep: bool) -> Self {
        self.extremum(self.tensor().min_axes(axes, keep), axes)
    }

    #[track_caller]
    fn extremum(&self, output: Tensor<F>, axes: &[usize]) -> Self {
        let along = Along::new(*self.shape(), axes);
        let (x, y) = (self.tensor().clone(), output.clone());
        unary(self, output, move |g| {
            let chosen = x.eq(&along.spread(&y)).cast::<F>();
            let shares = along.collapse(&g) / &chosen.sum_to(along.kept);
            chosen * &along.spread(&shares)
        })
    }

    /// Variances along the axes, which stay with extent 1 if `keep`: `Σ (x − x̄)² / (n − ddof)`; see
    /// [`Tensor::var_axes`].
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn var_axes(&self, axes: &[usize], ddof: usize, keep: bool) -> Self {
        let along = Along::new(*self.shape(), axes);
        let x = self.tensor().clone();
        let axes_owned = Shape::from(axes);
        unary(self, x.clone().var_axes(axes, ddof, keep), move |g| {
            let divisor = along.count.saturating_sub(ddof);
            let scale = if divisor == 0 {
                F::NAN
            } else {
                F::from_f64(2.0) / count(divisor)
            };
            (&x - &x.mean_axes(&axes_owned, true)) * &along.spread(&(g * scale))
        })
    }

    /// `ln Σ eˣ` along the axes, which stay with extent 1 if `keep`, without overflow; see [`Tensor::logsumexp`].
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    #[must_use]
    pub fn logsumexp(&self, axes: &[usize], keep: bool) -> Self {
        let along = Along::new(*self.shape(), axes);
        let output = self.tensor().logsumexp(axes, keep);
        let (x, y) = (self.tensor().clone(), output.clone());
        unary(self, output, move |g| {
            // Where all elements are −∞, so is y, and −∞ − −∞ would be NaN: with 0 in its place the shares are 0.
            let y = y.clamp(F::MIN.to_f64(), f64::INFINITY);
            (&x - &along.spread(&y)).exp() * &along.spread(&g)
        })
    }
}

/// `n` as a number.
fn count<F: Float>(n: usize) -> F {
    F::from_f64(n as f64)
}

/// What a reduction along axes needs to go back.
#[derive(Clone, Copy)]
struct Along {
    /// The shape of the operand.
    shape: Shape,
    /// That of the result with the axes kept.
    kept: Shape,
    /// How many elements make one of the result.
    count: usize,
}

impl Along {
    /// The axes must be those of a reduction that was done already, so they exist.
    fn new(shape: Shape, axes: &[usize]) -> Self {
        let valid = axes.iter().filter(|&&axis| axis < shape.len());
        let kept = valid
            .clone()
            .fold(shape, |kept, &axis| kept.with_extent(axis, 1));
        Self {
            shape,
            kept,
            count: valid.map(|&axis| shape[axis]).product(),
        }
    }

    /// A result or its gradient with the axes of the operand, those reduced with extent 1.
    fn collapse<F: Float>(&self, result: &Tensor<F>) -> Tensor<F> {
        result.reshape(self.kept)
    }

    /// A result or its gradient beside each element of the operand that it came from, without copying.
    fn spread<F: Float>(&self, result: &Tensor<F>) -> Tensor<F> {
        self.collapse(result).broadcast_to(self.shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use fb_tensor::Tensor;

    #[test]
    fn equal_extrema_share_the_gradient() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([[1.0, 5.0, 5.0, 0.0], [2.0, 2.0, 2.0, 2.0]]));
        let by_max = x.max_axes(&[1], false).sum().backward();
        assert_eq!(
            by_max.get(&x).unwrap().to_vec(),
            [0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.25, 0.25]
        );
        let by_min = x.min_axes(&[0, 1], false).sum().backward();
        assert_eq!(
            by_min.get(&x).unwrap().to_vec(),
            [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn logsumexp_of_masked_elements_has_gradient_zero() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([
            [f32::NEG_INFINITY, 0.0],
            [f32::NEG_INFINITY, f32::NEG_INFINITY],
        ]));
        let y = x.logsumexp(&[1], false);
        assert_eq!(y.tensor().to_vec(), [0.0, f32::NEG_INFINITY]);
        assert_eq!(
            y.sum().backward().get(&x).unwrap().to_vec(),
            [0.0, 1.0, 0.0, 0.0]
        );
    }

    #[test]
    fn reductions_of_nothing_have_empty_gradients() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::zeros([0, 3]));
        assert_eq!(x.sum().backward().get(&x).unwrap().dims(), [0, 3]);
        let y = x.sum_axes(&[0], false);
        assert_eq!(y.sum().backward().get(&x).unwrap().dims(), [0, 3]);
    }
}
