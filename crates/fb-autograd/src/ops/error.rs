//! Errors of predictions against fixed targets, element by element, as one node each.

use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::ops::{BinaryOp, PairLoops};
use fb_tensor::{Float, Tensor};

/// An error measure of one prediction `x` against its target `t`.
pub(super) trait ErrorMeasure: Copy + Send + Sync + 'static {
    /// The method's name.
    const NAME: &'static str;
    /// Rough cost per element on one core.
    const PICOSECONDS: usize;
    fn value<F: Float>(&self, x: F, t: F) -> F;
    /// The derivative of the value by `x`.
    fn slope<F: Float>(&self, x: F, t: F) -> F;
    /// The compiled loops over [`ErrorMeasure::value`].
    fn value_loops<F: Float>() -> &'static PairLoops<Value<Self>, F>;
    /// The compiled loops over [`ErrorMeasure::slope`].
    fn slope_loops<F: Float>() -> &'static PairLoops<Slope<Self>, F>;
}

/// The loops of a measure, compiled in this crate.
macro_rules! measure_loops {
    ($Measure:ty) => {
        fn value_loops<F: Float>()
        -> &'static fb_tensor::ops::PairLoops<$crate::ops::error::Value<Self>, F> {
            fb_tensor::loops_table!(PairLoops, $crate::ops::error::Value<$Measure>, F)
        }

        fn slope_loops<F: Float>()
        -> &'static fb_tensor::ops::PairLoops<$crate::ops::error::Slope<Self>, F> {
            fb_tensor::loops_table!(PairLoops, $crate::ops::error::Slope<$Measure>, F)
        }
    };
}
pub(super) use measure_loops;

#[derive(Clone, Copy)]
pub(super) struct Value<M>(M);

#[derive(Clone, Copy)]
pub(super) struct Slope<M>(M);

impl<F: Float, M: ErrorMeasure> BinaryOp<F, F> for Value<M> {
    const NAME: &'static str = M::NAME;
    const PICOSECONDS: usize = M::PICOSECONDS;

    #[inline(always)]
    fn value(&self, x: F, t: F) -> F {
        self.0.value(x, t)
    }

    fn pair_loops() -> &'static PairLoops<Self, F> {
        M::value_loops()
    }
}

impl<F: Float, M: ErrorMeasure> BinaryOp<F, F> for Slope<M> {
    const NAME: &'static str = M::NAME;
    const PICOSECONDS: usize = M::PICOSECONDS;

    #[inline(always)]
    fn value(&self, x: F, t: F) -> F {
        self.0.slope(x, t)
    }

    fn pair_loops() -> &'static PairLoops<Self, F> {
        M::slope_loops()
    }
}

struct Measured<F: Float, M> {
    measure: M,
    prediction: Tensor<F>,
    target: Tensor<F>,
    parent: u32,
}

impl<F: Float, M: ErrorMeasure> Backward<F> for Measured<F, M> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let slopes = apply(&self.prediction, &self.target, &Slope(self.measure));
        sweep.add(self.parent, slopes * &gradient);
    }
}

/// The error of each element, recorded. The target is a constant.
#[track_caller]
pub(super) fn measured<F: Float>(
    prediction: &Var<F>,
    target: &Tensor<F>,
    measure: impl ErrorMeasure,
) -> Var<F> {
    let output = apply(prediction.tensor(), target, &Value(measure));
    match prediction.node() {
        Some(node) => {
            let (prediction, target) = (prediction.tensor().clone(), target.clone());
            node.record(
                output,
                Measured {
                    measure,
                    prediction,
                    target,
                    parent: node.index,
                },
            )
        }
        None => Var::constant(output),
    }
}

/// `op` of each prediction and its target. Shapes must be equal: broadcasting a `[n]` target against a `[n, 1]`
/// prediction would silently compare everything with everything.
#[track_caller]
fn apply<F: Float, Op: BinaryOp<F, F>>(
    prediction: &Tensor<F>,
    target: &Tensor<F>,
    op: &Op,
) -> Tensor<F> {
    match prediction.try_zip_same(target, op) {
        Ok(output) => output,
        Err(_) => panic!(
            "{}: a prediction of shape {} and a target of shape {}; they must have the same shape",
            Op::NAME,
            prediction.shape(),
            target.shape()
        ),
    }
}

#[derive(Clone, Copy)]
struct Squared;

impl ErrorMeasure for Squared {
    const NAME: &'static str = "squared_error";
    const PICOSECONDS: usize = 300;

    measure_loops!(Squared);

    #[inline(always)]
    fn value<F: Float>(&self, x: F, t: F) -> F {
        let d = x - t;
        d * d
    }

    #[inline(always)]
    fn slope<F: Float>(&self, x: F, t: F) -> F {
        let d = x - t;
        d + d
    }
}

#[derive(Clone, Copy)]
struct Absolute;

impl ErrorMeasure for Absolute {
    const NAME: &'static str = "absolute_error";
    const PICOSECONDS: usize = 300;

    measure_loops!(Absolute);

    #[inline(always)]
    fn value<F: Float>(&self, x: F, t: F) -> F {
        (x - t).abs()
    }

    #[inline(always)]
    fn slope<F: Float>(&self, x: F, t: F) -> F {
        // The last branch is 0 at equality and passes NaN on.
        F::select(x > t, F::ONE, F::select(x < t, -F::ONE, x - t))
    }
}

#[derive(Clone, Copy)]
struct Huber {
    delta: f64,
}

impl ErrorMeasure for Huber {
    const NAME: &'static str = "huber";
    const PICOSECONDS: usize = 400;

    measure_loops!(Huber);

    #[inline(always)]
    fn value<F: Float>(&self, x: F, t: F) -> F {
        let (half, delta) = (F::from_f64(0.5), F::from_f64(self.delta));
        let d = (x - t).abs();
        F::select(d > delta, delta * (d - half * delta), half * d * d)
    }

    #[inline(always)]
    fn slope<F: Float>(&self, x: F, t: F) -> F {
        let delta = F::from_f64(self.delta);
        let d = x - t;
        F::select(d > delta, delta, F::select(d < -delta, -delta, d))
    }
}

impl<F: Float> Var<F> {
    /// `(x − t)²` of each element.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 5.0]));
    /// let loss = x.squared_error(&Tensor::from([0.0, 2.0]));
    /// assert_eq!(loss.tensor().to_vec(), [1.0, 9.0]);
    /// assert_eq!(loss.mean().backward().get(&x).unwrap().to_vec(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ: nothing is broadcast.
    #[track_caller]
    #[must_use]
    pub fn squared_error(&self, target: &Tensor<F>) -> Self {
        measured(self, target, Squared)
    }

    /// `|x − t|` of each element; the derivative where they are equal is taken as 0.
    ///
    /// # Panics
    /// If the shapes differ: nothing is broadcast.
    #[track_caller]
    #[must_use]
    pub fn absolute_error(&self, target: &Tensor<F>) -> Self {
        measured(self, target, Absolute)
    }

    /// Half the squared error where that is below `delta`, `delta · (|x − t| − delta / 2)` beyond: outliers pull with a
    /// limited force.
    ///
    /// # References
    /// P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964.
    ///
    /// # Panics
    /// If the shapes differ (nothing is broadcast) or `delta` is not above 0.
    #[track_caller]
    #[must_use]
    pub fn huber(&self, target: &Tensor<F>, delta: f64) -> Self {
        assert!(delta > 0.0, "huber: delta must be above 0, found {delta}");
        measured(self, target, Huber { delta })
    }
}

#[cfg(test)]
mod tests {
    use crate::Var;
    use fb_tensor::Tensor;

    #[test]
    fn values_follow_the_formulas() {
        let x = Var::constant(Tensor::from([-3.0, 0.0, 0.5, 3.0]));
        let t = Tensor::from([0.0, 0.0, 0.0, 1.0]);
        assert_eq!(x.squared_error(&t).tensor().to_vec(), [9.0, 0.0, 0.25, 4.0]);
        assert_eq!(x.absolute_error(&t).tensor().to_vec(), [3.0, 0.0, 0.5, 2.0]);
        assert_eq!(x.huber(&t, 1.0).tensor().to_vec(), [2.5, 0.0, 0.125, 1.5]);
    }

    #[test]
    #[should_panic(
        expected = "squared_error: a prediction of shape [2, 1] and a target of shape [2]; they must have the same shape"
    )]
    fn targets_are_not_broadcast() {
        let _ = Var::constant(Tensor::zeros([2, 1])).squared_error(&Tensor::zeros([2]));
    }
}
