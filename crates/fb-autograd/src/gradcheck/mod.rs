//! Checks that gradients are right.
//!
//! For a function `f` of several inputs, `J` its Jacobian at a point, `v` a random direction of one input and `u` a random
//! cotangent of the output, the number `⟨J v, u⟩` is found twice: by differences of `f` along `v`, and by the tape as
//! `⟨v, Jᵀ u⟩`. One direction sees an error anywhere in the Jacobian, but for a set of directions of measure zero.
//!
//! Differences are taken centrally, which is what the tape is compared with, and to either side, which tells a kink (the
//! sides disagree) from a wrong gradient (they agree with each other and not with the tape).

mod difference;
mod error;
mod locate;
mod report;

pub use error::GradcheckError;
pub use report::{Comparison, Report};

use crate::{Tape, Var};
use difference::Function;
use fb_tensor::Tensor;
use fb_tensor::random::Key;

/// Checks the gradient of `f` at `inputs` with the settings of [`GradCheck::new`].
///
/// ```
/// use fb_autograd::gradcheck::gradcheck;
/// use fb_tensor::Tensor;
///
/// let x = Tensor::from([[0.5_f64, -1.0], [2.0, 0.1]]);
/// let w = Tensor::from([[1.0_f64], [-2.0]]);
/// let report = gradcheck(|v| v[0].matmul(&v[1]).tanh(), &[x, w]).unwrap();
/// assert!(report.worst().error < 1e-8);
/// ```
///
/// # Errors
/// The gradient is wrong, or the question has no answer: see [`GradcheckError`].
pub fn gradcheck(
    f: impl Fn(&[Var<f64>]) -> Var<f64>,
    inputs: &[Tensor<f64>],
) -> Result<Report, GradcheckError> {
    GradCheck::new().check(f, inputs)
}

/// Settings of a gradient check.
///
/// ```
/// use fb_autograd::gradcheck::{GradCheck, GradcheckError};
/// use fb_autograd::Var;
/// use fb_tensor::Tensor;
///
/// // A square whose author forgot the factor 2.
/// let square = |v: &[Var<f64>]| {
///     let x = v[0].tensor().clone();
///     Var::custom("square", &[&v[0]], x.square(), move |g| vec![Some(g * &x)])
/// };
/// let error = GradCheck::new().seed(7).check(square, &[Tensor::from([3.0, 4.0])]).unwrap_err();
/// assert!(matches!(error, GradcheckError::Wrong { input: 0, .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradCheck {
    step: f64,
    tolerance: f64,
    directions: usize,
    seed: u64,
}

impl Default for GradCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl GradCheck {
    /// Step 1e-5, tolerance 1e-6, three directions of each input, seed 0.
    pub fn new() -> Self {
        Self {
            step: 1e-5,
            tolerance: 1e-6,
            directions: 3,
            seed: 0,
        }
    }

    /// How far differences reach along a direction whose elements are about 1. The error of a central difference grows with
    /// its square, rounding with its inverse.
    #[must_use]
    pub fn step(self, step: f64) -> Self {
        Self { step, ..self }
    }

    /// The largest accepted difference between tape and central difference, relative to the larger of the two or to 1.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// How many random directions are tried for each input.
    #[must_use]
    pub fn directions(self, directions: usize) -> Self {
        Self { directions, ..self }
    }

    /// What the random directions are made from.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Compares the tape's gradient of `f` by each input with differences.
    ///
    /// `f` is called a few times for each input and direction; it must give the same result for the same inputs.
    ///
    /// # Errors
    /// The gradient is wrong, or the question has no answer: see [`GradcheckError`].
    pub fn check(
        &self,
        f: impl Fn(&[Var<f64>]) -> Var<f64>,
        inputs: &[Tensor<f64>],
    ) -> Result<Report, GradcheckError> {
        let f = Function::new(&f, inputs)?;
        let mut comparisons = Vec::with_capacity(self.directions * inputs.len());
        for round in 0..self.directions {
            let key = Key::new(self.seed).fold_index(round as u64);
            let u = Tensor::normal(
                *f.output.shape(),
                0.0,
                1.0,
                &mut key.fold("cotangent").rng(),
            );
            let gradients = f.by_tape(&u)?;
            for (input, gradient) in gradients.iter().enumerate() {
                let v = Tensor::normal(
                    *gradient.shape(),
                    0.0,
                    1.0,
                    &mut key.fold_index(input as u64).rng(),
                );
                let comparison = f.compare(input, gradient, &v, &u, self.step)?;
                if comparison.error.is_nan() || comparison.error > self.tolerance {
                    return Err(locate::failure(&f, &comparison, gradient, &u, self));
                }
                comparisons.push(comparison);
            }
        }
        Ok(Report::new(comparisons, self.tolerance))
    }
}

/// Fresh leaves of `inputs` on a tape of their own.
fn leaves(inputs: &[Tensor<f64>]) -> (Tape<f64>, Vec<Var<f64>>) {
    let tape = Tape::new();
    let leaves = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    (tape, leaves)
}

#[cfg(test)]
mod tests;
