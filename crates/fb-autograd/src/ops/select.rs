//! Choices between two variables, and powers of one by the other.

use super::node::binary;
use crate::var::Var;
use fb_tensor::ops::{BinaryOp, binary as forward};
use fb_tensor::{Float, Tensor};

/// The derivative of the larger of `a` and `b` by `a`: halves where they are equal.
#[derive(Clone, Copy)]
struct ShareOfLarger;

impl<F: Float> BinaryOp<F, F> for ShareOfLarger {
    const NAME: &'static str = "maximum";

    #[inline(always)]
    fn value(&self, a: F, b: F) -> F {
        F::select(a < b, F::ZERO, F::select(a == b, F::from_f64(0.5), F::ONE))
    }
}

/// The derivative of `aᵇ` by `a`.
#[derive(Clone, Copy)]
struct PowByBase;

impl<F: Float> BinaryOp<F, F> for PowByBase {
    const NAME: &'static str = <forward::Pow as BinaryOp<F, F>>::NAME;

    #[inline(always)]
    fn value(&self, a: F, b: F) -> F {
        // a⁰ is 1 everywhere; the formula would give 0 · ∞ at a = 0.
        F::select(b == F::ZERO, F::ZERO, b * a.powf(b - F::ONE))
    }
}

/// The derivative of `aᵇ` by `b`.
#[derive(Clone, Copy)]
struct PowByExponent;

impl<F: Float> BinaryOp<F, F> for PowByExponent {
    const NAME: &'static str = <forward::Pow as BinaryOp<F, F>>::NAME;

    #[inline(always)]
    fn value(&self, a: F, b: F) -> F {
        // 0ᵇ is 0 for all b > 0; the formula would give 0 · −∞.
        F::select(a == F::ZERO && b >= F::ZERO, F::ZERO, a.powf(b) * a.ln())
    }
}

/// `slope(a, b) · g`, all of them broadcast.
#[track_caller]
fn scaled<F: Float, Op: BinaryOp<F, F>>(
    slope: &Op,
    a: &Tensor<F>,
    b: &Tensor<F>,
    g: &Tensor<F>,
) -> Tensor<F> {
    match a.try_zip_op(b, slope) {
        Ok(slopes) => slopes * g,
        Err(error) => panic!("{error}"),
    }
}

impl<F: Float> Var<F> {
    /// `if_true` where `condition` holds, `if_false` elsewhere, with broadcasting of all three.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1.0, 2.0]));
    /// let positive = x.tensor().gt(&Tensor::scalar(0.0));
    /// let y = Var::where_(&positive, &x, &(&x * 0.1));
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.1, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn where_(condition: &Tensor<bool>, if_true: &Self, if_false: &Self) -> Self {
        let output = Tensor::where_(condition, if_true.tensor(), if_false.tensor());
        let (yes, no) = (condition.clone(), condition.clone());
        let zero = || Tensor::from_scalar(F::ZERO);
        let by_true = move |g: &Tensor<F>| Tensor::where_(&yes, g, &zero());
        let by_false = move |g: &Tensor<F>| Tensor::where_(&no, &zero(), g);
        binary(if_true, if_false, output, by_true, by_false)
    }

    /// The larger of each pair of elements, with broadcasting; NaN if either is NaN. Equal ones share the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn maximum(&self, other: &Self) -> Self {
        self.larger_by(other, self.tensor().maximum(other.tensor()), self, other)
    }

    /// The smaller of each pair of elements, with broadcasting; NaN if either is NaN. Equal ones share the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn minimum(&self, other: &Self) -> Self {
        self.larger_by(other, self.tensor().minimum(other.tensor()), other, self)
    }

    /// `output` takes each element from `self` where `a` is larger than `b`, and from `other` where `b` is.
    #[track_caller]
    fn larger_by(&self, other: &Self, output: Tensor<F>, a: &Self, b: &Self) -> Self {
        let share = |a: &Self, b: &Self| {
            let (a, b) = (a.tensor().clone(), b.tensor().clone());
            move |g: &Tensor<F>| scaled(&ShareOfLarger, &a, &b, g)
        };
        binary(self, other, output, share(a, b), share(b, a))
    }

    /// Each element to the power of the other's, with broadcasting.
    ///
    /// NaN for a negative base unless the exponent is whole. The derivative by the exponent needs the logarithm of the
    /// base: 0 at base 0, NaN below.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn pow(&self, exponent: &Self) -> Self {
        let output = self.tensor().pow(exponent.tensor());
        let (a, b) = (self.tensor().clone(), exponent.tensor().clone());
        let (a2, b2) = (a.clone(), b.clone());
        let by_base = move |g: &Tensor<F>| scaled(&PowByBase, &a, &b, g);
        let by_exponent = move |g: &Tensor<F>| scaled(&PowByExponent, &a2, &b2, g);
        binary(self, exponent, output, by_base, by_exponent)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tape, Var};
    use fb_tensor::Tensor;

    #[test]
    fn equal_elements_share_the_gradient() {
        let tape = Tape::new();
        let a = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
        let b = tape.leaf(Tensor::from([3.0, 2.0, 1.0]));
        let g = a.maximum(&b).sum().backward();
        assert_eq!(
            (g.get(&a).unwrap().to_vec(), g.get(&b).unwrap().to_vec()),
            (vec![0.0, 0.5, 1.0], vec![1.0, 0.5, 0.0])
        );
        let g = a.minimum(&b).sum().backward();
        assert_eq!(
            (g.get(&a).unwrap().to_vec(), g.get(&b).unwrap().to_vec()),
            (vec![1.0, 0.5, 0.0], vec![0.0, 0.5, 1.0])
        );
    }

    #[test]
    fn powers_at_zero_have_finite_gradients() {
        let tape = Tape::new();
        let a = tape.leaf(Tensor::from([0.0, 0.0]));
        let b = tape.leaf(Tensor::from([0.0, 2.0]));
        let g = a.pow(&b).sum().backward();
        assert_eq!(g.get(&a).unwrap().to_vec(), [0.0, 0.0]);
        assert_eq!(g.get(&b).unwrap().to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn what_is_not_chosen_gets_no_gradient_even_if_it_is_not_a_number() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0, f32::NAN]));
        let chosen = Tensor::from([true, false]);
        let y = Var::where_(&chosen, &x, &Var::constant(Tensor::scalar(0.0)));
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [1.0, 0.0]);
    }
}
