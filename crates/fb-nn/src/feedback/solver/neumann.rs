//! The Neumann series.

use super::drive::{Method, Row, Rules, drive, row_length};
use super::{LinearSolver, Map, Outcome, Solution, Stop, setting};
use crate::error::Result;
use fb_tensor::{Float, Tensor, vectors};
use serde::{Deserialize, Serialize};

/// Sums `u = g + A g + A² g + …`, one product for each term: `u ← (1 − t) u + t (g + A u)`, from `u = g`.
///
/// It converges where every eigenvalue `λ` of `A` has `|1 − t + t λ| < 1`, slowly if that is close to 1. For an `A` that is not
/// normal the terms may grow a long way before they fall, however small its spectral radius: the iterations are
/// capped by [`Stop::max_iterations`], the best sum seen is handed back, and the report has its true residual.
/// [`Gmres`](super::Gmres) is the better choice but for maps that contract strongly.
///
/// ```
/// use fb_nn::feedback::solver::{LinearSolver, Neumann, Stop};
/// use fb_tensor::Tensor;
/// let found = Neumann::default().solve(
///     &mut |u: &Tensor<f64>, _: &[usize]| Ok(u * 0.5),
///     Tensor::ones_of([1, 1]),
///     &Stop::to(1e-9),
/// )?;
/// assert!((found.state.item() - 2.0).abs() < 1e-8); // 1 / (1 − 0.5)
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// C. Neumann, "Untersuchungen über das logarithmische und Newton'sche Potential", 1877; S. Bai, J. Kolter, V. Koltun, "Deep
/// equilibrium models", NeurIPS 2019 (the backward equation).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neumann {
    /// The share `t` of the new sum, above 0 and up to 1.
    pub damping: f64,
}

impl Default for Neumann {
    /// The series itself: a share of 1.
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Neumann {
    /// With this share of the new sum.
    pub fn new(damping: f64) -> Self {
        Self { damping }
    }
}

/// The norm of a right side; finishes rows that need no work: zeros and what is not finite.
pub(super) fn measure<F: Float, M>(row: &mut Row<'_, F, M>, right: &[F]) -> f64 {
    let mut square = [0.0];
    vectors::dots(right, right, &mut square);
    if square[0] == 0.0 {
        row.end(right, 0.0, Outcome::Converged);
    } else if !square[0].is_finite() {
        row.end(right, f64::NAN, Outcome::NonFinite);
    }
    square[0].sqrt()
}

struct Series {
    damping: f64,
    rules: Rules,
}

/// How many residuals without progress below the floor end a row.
const PATIENCE: u16 = 8;

impl<F: Float> Method<F> for Series {
    /// How many products there were.
    type Memory = u32;

    fn vectors(&self) -> usize {
        2
    }

    fn numbers(&self) -> usize {
        1
    }

    fn begin(&self, row: &mut Row<'_, F, u32>, input: &[F], first: &mut [F]) {
        let size = measure(row, input);
        let (store, numbers, _) = row.parts(input.len());
        numbers[0] = size;
        store[..input.len()].copy_from_slice(input);
        first.copy_from_slice(input);
    }

    fn advance(&self, row: &mut Row<'_, F, u32>, asked: &[F], image: &[F], next: &mut [F]) {
        let length = asked.len();
        let (store, numbers, products) = row.parts(length);
        let (right, sum) = store.split_at_mut(length);
        vectors::combine(right, image, &[1.0], sum);
        let [distance, _] = vectors::distance(asked, sum);
        let residual = distance.sqrt() / numbers[0];
        vectors::mix(asked, sum, self.damping, next);
        let exhausted = *products >= self.rules.max_iterations;
        *products = products.saturating_add(1);
        row.trace(residual);
        row.judge(&self.rules, asked, residual, exhausted);
    }
}

impl LinearSolver for Neumann {
    const KIND: &'static str = "Neumann";

    fn validate(&self) -> Result<()> {
        let help = "1 sums the series itself, less goes a part of the way";
        setting::share(Self::KIND, "damping", self.damping, help)
    }

    fn solve<F: Float>(
        &self,
        product: &mut Map<'_, F>,
        right: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>> {
        self.validate()?;
        stop.validate()?;
        let method = Series {
            damping: self.damping,
            rules: Rules::new::<F>(stop, row_length(&right), PATIENCE),
        };
        drive(Self::KIND, &method, product, &right, stop)
    }
}
