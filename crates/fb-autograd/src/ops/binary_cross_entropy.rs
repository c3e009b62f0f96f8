//! Binary cross-entropy of probabilities and of logits, element by element, as one node each.

use super::error::{ErrorMeasure, measure_loops, measured};
use crate::var::Var;
use fb_tensor::{Float, Tensor};

/// Logarithms of probabilities are held above this, so that a wrong certainty costs much but not everything.
const LOWEST_LOGARITHM: f64 = -100.0;
/// `p (1 − p)` in the derivative is held above this.
const SMALLEST_VARIANCE: f64 = 1e-12;

/// `ln(1 + x)` for `−1 ≤ x ≤ 1` from the fast logarithm.
///
/// `1 + x` is rounded to `u`; the error of that is known exactly, and its effect is the error over `u`.
#[inline(always)]
fn ln_1p<F: Float>(x: F) -> F {
    let u = F::ONE + x;
    let rest = x - (u - F::ONE);
    F::select(u > F::ZERO, u.ln() + rest / u, u.ln())
}

#[derive(Clone, Copy)]
struct Probability;

impl ErrorMeasure for Probability {
    const NAME: &'static str = "binary_cross_entropy";
    const PICOSECONDS: usize = 2000;

    measure_loops!(Probability);

    #[inline(always)]
    fn value<F: Float>(&self, p: F, t: F) -> F {
        let lowest = F::from_f64(LOWEST_LOGARITHM);
        let yes = p.ln().maximum(lowest);
        let no = ln_1p(-p).maximum(lowest);
        (t - F::ONE) * no - t * yes
    }

    #[inline(always)]
    fn slope<F: Float>(&self, p: F, t: F) -> F {
        (p - t) / (p * (F::ONE - p)).maximum(F::from_f64(SMALLEST_VARIANCE))
    }
}

#[derive(Clone, Copy)]
struct Logit;

impl ErrorMeasure for Logit {
    const NAME: &'static str = "binary_cross_entropy_with_logits";
    const PICOSECONDS: usize = 2000;

    measure_loops!(Logit);

    #[inline(always)]
    fn value<F: Float>(&self, x: F, t: F) -> F {
        // −t ln σ(x) − (1 − t) ln(1 − σ(x)), with nothing that overflows.
        x.maximum(F::ZERO) - x * t + ln_1p((-x.abs()).exp())
    }

    #[inline(always)]
    fn slope<F: Float>(&self, x: F, t: F) -> F {
        x.sigmoid() - t
    }
}

impl<F: Float> Var<F> {
    /// `−t ln p − (1 − t) ln(1 − p)` of each probability `p`, with logarithms held above −100 as PyTorch does.
    ///
    /// From logits, [`Var::binary_cross_entropy_with_logits`] is more accurate.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let p = tape.leaf(Tensor::from([0.5, 0.0]));
    /// let loss = p.binary_cross_entropy(&Tensor::from([1.0, 1.0]));
    /// assert!((loss.tensor().at(&[0]) - 2.0_f32.ln()).abs() < 1e-6);
    /// assert_eq!(loss.tensor().at(&[1]), 100.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ: nothing is broadcast.
    #[track_caller]
    #[must_use]
    pub fn binary_cross_entropy(&self, target: &Tensor<F>) -> Self {
        measured(self, target, Probability)
    }

    /// [`Var::binary_cross_entropy`] of the probabilities `σ(x)`, exact for logits `x` of any size.
    ///
    /// # Panics
    /// If the shapes differ: nothing is broadcast.
    #[track_caller]
    #[must_use]
    pub fn binary_cross_entropy_with_logits(&self, target: &Tensor<F>) -> Self {
        measured(self, target, Logit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    fn both(p: f32, t: f32) -> (f32, f32) {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([p]));
        let loss = x.binary_cross_entropy(&Tensor::from([t]));
        (loss.item(), loss.sum().backward().get(&x).unwrap().item())
    }

    #[test]
    fn certainty_costs_a_hundred_and_keeps_a_finite_gradient() {
        assert_eq!(both(0.0, 1.0), (100.0, -1e12));
        assert_eq!(both(1.0, 0.0), (100.0, 1e12));
        assert_eq!(both(0.0, 0.0), (0.0, 0.0));
        assert_eq!(both(1.0, 1.0), (0.0, 0.0));
        assert!(both(f32::NAN, 1.0).0.is_nan());
    }

    #[test]
    fn small_probabilities_keep_their_digits() {
        let (loss, _) = both(1e-9, 0.0);
        assert!((loss - 1e-9).abs() < 1e-15, "{loss}");
        let exact = |p: f64| -(-p).ln_1p();
        for p in [1e-7, 0.013, 0.3, 0.499, 0.51, 0.9, 0.999] {
            let (loss, _) = both(p, 0.0);
            let want = exact(f64::from(p));
            assert!(
                (f64::from(loss) - want).abs() < 3e-7 * want,
                "{p}: {loss} {want}"
            );
        }
    }

    #[test]
    fn logits_of_any_size_are_exact() {
        for x in [-200.0_f32, -30.0, -1.0, 0.0, 0.7, 20.0, 500.0] {
            for t in [0.0_f32, 0.3, 1.0] {
                let loss = Var::constant(Tensor::from([x]))
                    .binary_cross_entropy_with_logits(&Tensor::from([t]))
                    .item();
                let (x, t) = (f64::from(x), f64::from(t));
                let want = x.max(0.0) - x * t + (-x.abs()).exp().ln_1p();
                assert!(
                    (f64::from(loss) - want).abs() <= 3e-7 * want.max(1e-9),
                    "{x} {t}: {loss} {want}"
                );
            }
        }
    }
}
