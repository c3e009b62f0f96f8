//! Broyden's method.

use super::drive::{FixedPoint, Row, Update, drive};
use super::{FixedPointSolver, Map, Solution, Stop, setting};
use crate::error::Result;
use fb_tensor::{Float, Tensor, vectors};
use serde::{Deserialize, Serialize};

/// Broyden's (good) method: Newton's, with an inverse Jacobian that is learnt from the steps themselves.
///
/// For `g(z) = f(z) − z`, the inverse starts at `H = −I`, which makes the first step the plain one, and after a step `Δz`
/// that changed `g` by `Δg` it is corrected to `H + (Δz − H Δg) Δzᵀ H / (Δzᵀ H Δg)`. After `memory` corrections it starts again from `−I` and the last
/// step: corrections build on each other, so that dropping the oldest alone would spoil the others.
///
/// Each sample searches along its own direction `p = −H g`: while `‖g(z + t p)‖ > (1 − 10⁻⁴ t) ‖g(z)‖`, `t` falls to the
/// minimum of the parabola that the two norms suggest, by a factor of 0.1 to 0.5, at most `backtracks` times. Each trial is
/// an iteration of that sample; the others take their steps meanwhile. A sample whose search fails keeps the last trial and
/// forgets its corrections.
///
/// ```
/// use fb_nn::feedback::solver::{Broyden, FixedPointSolver, Stop};
/// use fb_tensor::Tensor;
/// // Repels every other method: the slope at the fixed point −2 is 1.5.
/// let found = Broyden::default().solve(
///     &mut |z: &Tensor<f64>, _: &[usize]| Ok(&(z * 1.5) + 1.0),
///     Tensor::zeros_of([1, 1]),
///     &Stop::to(1e-9),
/// )?;
/// assert!(found.report.converged() && (found.state.item() + 2.0).abs() < 1e-6);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// C. Broyden, "A class of methods for solving nonlinear simultaneous equations", Mathematics of Computation 19(92), 1965
/// (method 1); C. Kelley, "Iterative methods for linear and nonlinear equations", SIAM, 1995 (section 8.3, the search);
/// S. Bai, J. Kolter, V. Koltun, "Deep equilibrium models", NeurIPS 2019 (in networks, limited memory).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broyden {
    memory: usize,
    backtracks: usize,
}

impl Default for Broyden {
    /// A memory of 10, at most 3 trials more a step.
    fn default() -> Self {
        Self {
            memory: 10,
            backtracks: 3,
        }
    }
}

impl Broyden {
    /// How many corrections are made before it starts again: 1 to 256.
    #[must_use]
    pub fn memory(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    /// How often a step is shortened at most: 0 to 20, with 0 for no search.
    #[must_use]
    pub fn backtracks(self, backtracks: usize) -> Self {
        Self { backtracks, ..self }
    }
}

/// The share of the step by which the norm should fall.
const DECREASE: f64 = 1e-4;
/// A correction whose denominator is below this share of its factors' norms is left out.
const DEGENERATE: f64 = 1e-12;

/// Where a row stands.
#[derive(Default)]
struct Search {
    /// How many corrections there are.
    count: u16,
    /// How often the step was shortened.
    backtracks: u8,
    started: bool,
}

/// Broyden's method with a memory of this size.
struct Corrections {
    memory: usize,
    backtracks: u8,
}

/// The vectors of a row: the accepted state with its `g`, the direction from there, and room for a correction.
struct Vectors<'v, F> {
    base: &'v mut [F],
    base_step: &'v mut [F],
    direction: &'v mut [F],
    /// Minus the change of `g`.
    less_step: &'v mut [F],
    /// Minus the change of the state.
    less_state: &'v mut [F],
    /// `H Δg`.
    image: &'v mut [F],
    /// `Hᵀ Δz`.
    covector: &'v mut [F],
    /// `H = −I + Σ uⱼ vⱼᵀ`.
    us: &'v mut [F],
    vs: &'v mut [F],
}

/// Vectors beside the corrections.
const SINGLE: usize = 7;

impl<'v, F: Float> Vectors<'v, F> {
    fn of(store: &'v mut [F], length: usize, memory: usize) -> Self {
        let mut rest = store;
        let mut take = |count: usize| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(count * length);
            rest = after;
            part
        };
        Self {
            base: take(1),
            base_step: take(1),
            direction: take(1),
            less_step: take(1),
            less_state: take(1),
            image: take(1),
            covector: take(1),
            us: take(memory),
            vs: take(memory),
        }
    }

    /// Moves the base to a state, noting what changed on the way.
    fn accept(&mut self, state: &[F], image: &[F]) {
        let bases = self.base.iter_mut().zip(self.base_step.iter_mut());
        let changes = self.less_state.iter_mut().zip(self.less_step.iter_mut());
        let values = state.iter().zip(image);
        for (((base, base_step), (less_state, less_step)), (&z, &f)) in
            bases.zip(changes).zip(values)
        {
            let step = f - z;
            *less_state = *base - z;
            *less_step = *base_step - step;
            *base = z;
            *base_step = step;
        }
    }

    /// Makes the correction of the last move and puts it after the others, if it is sound; `right` is to hold `vⱼ·g` of all.
    fn correct(&mut self, count: usize, products: &mut [[f64; 2]], right: &mut [f64]) -> bool {
        let length = self.base.len();
        let kept = count * length;
        vectors::dot_pairs(
            &self.vs[..kept],
            [self.less_step, self.base_step],
            &mut products[..count],
        );
        for (right, product) in right.iter_mut().zip(&products[..count]) {
            *right = -product[0];
        }
        vectors::combine(
            self.less_step,
            &self.us[..kept],
            &right[..count],
            self.image,
        );
        vectors::dots(&self.us[..kept], self.less_state, &mut right[..count]);
        for right in &mut right[..count] {
            *right = -*right;
        }
        vectors::combine(
            self.less_state,
            &self.vs[..kept],
            &right[..count],
            self.covector,
        );
        for (right, product) in right.iter_mut().zip(&products[..count]) {
            *right = product[1];
        }
        let mut along = [[0.0; 2]];
        vectors::dot_pairs(self.covector, [self.less_step, self.base_step], &mut along);
        let [[less_denominator, onto_step]] = along;
        let square = |x: &[F]| {
            let mut square = [0.0];
            vectors::dots(x, x, &mut square);
            square[0]
        };
        let size = (square(self.covector) * square(self.less_step)).sqrt();
        let sound = less_denominator.abs() > DEGENERATE * size && less_denominator.is_finite();
        if sound {
            let slot = kept..kept + length;
            self.vs[slot.clone()].copy_from_slice(self.covector);
            let scale = F::from_f64(1.0 / less_denominator);
            let moved = self.less_state.iter().zip(self.image.iter());
            for (u, (&less_state, &image)) in self.us[slot].iter_mut().zip(moved) {
                *u = (less_state + image) * scale;
            }
            right[count] = onto_step;
        }
        sound
    }

    /// `p = −H g = g − Σ uⱼ (vⱼ·g)`, or `g` if that is nothing to go by.
    fn aim(&mut self, count: usize, right: &mut [f64]) {
        for right in &mut right[..count] {
            *right = -*right;
        }
        let kept = count * self.base.len();
        vectors::combine(
            self.base_step,
            &self.us[..kept],
            &right[..count],
            self.direction,
        );
    }
}

impl<F: Float> Update<F> for Corrections {
    type Memory = Search;

    fn vectors(&self) -> usize {
        SINGLE + 2 * self.memory
    }

    fn numbers(&self) -> usize {
        2 + 3 * self.memory
    }

    fn update(
        &self,
        row: &mut Row<'_, F, Search>,
        state: &[F],
        image: &[F],
        distance: f64,
        next: &mut [F],
    ) {
        let length = state.len();
        let (store, numbers, search) = row.parts(length);
        let mut vectors = Vectors::of(store, length, self.memory);
        let (scalars, numbers) = numbers.split_at_mut(2);
        let [base_distance, share] = scalars else {
            unreachable!("split at 2")
        };
        let (right, products) = numbers.split_at_mut(self.memory);
        let products = products.as_chunks_mut::<2>().0;

        let enough = (1.0 - DECREASE * *share) * *base_distance;
        if search.started && distance > enough && search.backtracks < self.backtracks {
            search.backtracks += 1;
            // The parabola through both squares whose slope at 0 is that of Newton's direction, −2 ‖g‖².
            let ratio = (distance / *base_distance).powi(2);
            let shortened = *share / (ratio - 1.0 + 2.0 * *share);
            *share *= if shortened.is_finite() {
                shortened.clamp(0.1, 0.5)
            } else {
                0.1
            };
            fb_tensor::vectors::combine(vectors.base, vectors.direction, &[*share], next);
            return;
        }
        let failed = search.started && distance > *base_distance && self.backtracks > 0;
        if failed || usize::from(search.count) == self.memory {
            search.count = 0;
        }
        vectors.accept(state, image);
        if search.started {
            let sound = vectors.correct(usize::from(search.count), products, right);
            search.count += u16::from(sound);
        }
        vectors.aim(usize::from(search.count), right);
        search.started = true;
        search.backtracks = 0;
        (*base_distance, *share) = (distance, 1.0);
        fb_tensor::vectors::combine(vectors.base, vectors.direction, &[1.0], next);
        if failed {
            row.fell_back();
        }
    }
}

impl FixedPointSolver for Broyden {
    const KIND: &'static str = "Broyden";

    fn validate(&self) -> Result<()> {
        let help = "10 is usual; each correction costs two vectors a row";
        setting::count(Self::KIND, "memory", self.memory, 1..=256, help)?;
        let help = "3 is usual; 0 takes every step whole";
        setting::count(Self::KIND, "backtracks", self.backtracks, 0..=20, help)
    }

    fn solve<F: Float>(
        &self,
        map: &mut Map<'_, F>,
        start: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>> {
        self.validate()?;
        stop.validate()?;
        let update = Corrections {
            memory: self.memory.min(stop.max_iterations).max(1),
            backtracks: self.backtracks as u8,
        };
        let method = FixedPoint::new(update, &start, stop);
        drive(Self::KIND, &method, map, &start, stop)
    }
}
