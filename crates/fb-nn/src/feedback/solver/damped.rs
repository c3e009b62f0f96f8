//! The plain iteration.

use super::drive::{FixedPoint, Row, Update, drive};
use super::{FixedPointSolver, Map, Solution, Stop, setting};
use crate::error::Result;
use fb_tensor::{Float, Tensor, vectors};
use serde::{Deserialize, Serialize};

/// Applies the map again and again: `z ← (1 − t) z + t f(z)`.
///
/// It converges where every eigenvalue `λ` of the Jacobian has `|1 − t + t λ| < 1`: with `t = 1` where the spectral radius is
/// below 1; a smaller `t` also bears eigenvalues far below −1 and oscillations. The error falls by the largest of
/// these numbers with each iteration, so close to 1 it is slow, and a residual `r` may leave an error of `r / (1 − ρ)`.
///
/// ```
/// use fb_nn::feedback::solver::{Damped, FixedPointSolver, Stop};
/// use fb_tensor::Tensor;
/// let found = Damped::new(1.0).solve(
///     &mut |z: &Tensor<f64>, _: &[usize]| Ok(&(z * 0.9) + 1.0),
///     Tensor::zeros_of([1, 1]),
///     &Stop::to(1e-9).max_iterations(300),
/// )?;
/// assert!((found.state.item() - 10.0).abs() < 1e-6);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// S. Banach, "Sur les opérations dans les ensembles abstraits et leur application aux équations intégrales", Fundamenta
/// Mathematicae 3, 1922; M. Krasnoselskii, "Two remarks on the method of successive approximations", 1955 (damped).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damped {
    /// The share `t` of the image in the next state, above 0 and up to 1.
    pub damping: f64,
}

impl Default for Damped {
    /// The image itself: a share of 1.
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Damped {
    /// With this share of the image in the next state.
    pub fn new(damping: f64) -> Self {
        Self { damping }
    }
}

impl<F: Float> Update<F> for Damped {
    type Memory = ();

    fn vectors(&self) -> usize {
        0
    }

    fn numbers(&self) -> usize {
        0
    }

    fn update(
        &self,
        _row: &mut Row<'_, F, ()>,
        state: &[F],
        image: &[F],
        _distance: f64,
        next: &mut [F],
    ) {
        vectors::mix(state, image, self.damping, next);
    }
}

impl FixedPointSolver for Damped {
    const KIND: &'static str = "Damped";

    fn validate(&self) -> Result<()> {
        let help = "1 takes the image itself, 0.5 goes half the way";
        setting::share(Self::KIND, "damping", self.damping, help)
    }

    fn solve<F: Float>(
        &self,
        map: &mut Map<'_, F>,
        start: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>> {
        self.validate()?;
        stop.validate()?;
        let method = FixedPoint::new(*self, &start, stop);
        drive(Self::KIND, &method, map, &start, stop)
    }
}
