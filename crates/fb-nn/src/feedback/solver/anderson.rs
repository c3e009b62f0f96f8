//! Anderson's acceleration.

use super::drive::{FixedPoint, Row, Update, drive, row_length};
use super::{FixedPointSolver, Map, Solution, Stop, setting, small_system};
use crate::error::Result;
use fb_tensor::{Float, Tensor, vectors};
use serde::{Deserialize, Serialize};

/// Anderson's acceleration of type II: the step that would have been best, by what the last steps changed.
///
/// With the steps `g = f(z) − z`, and the changes `ΔG`, `ΔZ` of steps and states over the last `m` iterations:
///
/// `γ = argmin ‖g − ΔG γ‖² + λ ‖D γ‖²`, `z ← z + β g − (ΔZ + β ΔG) γ`
///
/// where `D` holds the lengths of the columns of `ΔG`: the regularisation is relative to each change, so it means the same at
/// the first iteration and at the last, when they are smaller by many orders of magnitude. The Gram matrix is kept in
/// double precision, whose products of `f32` are exact.
///
/// Safeguard: where an accelerated step raises `‖g‖` beyond `safeguard` times that of the step before, the state goes back
/// to there, takes the plain step `z + β g`, and the history starts again. Plain steps are never refused, so maps that do not
/// contract can still be solved.
///
/// For linear maps this is GMRES in disguise (Walker and Ni, theorem 2.2): at most as many iterations as numbers in
/// a row, if the memory holds them all.
///
/// ```
/// use fb_nn::feedback::solver::{Anderson, FixedPointSolver, Stop};
/// use fb_tensor::Tensor;
/// let found = Anderson::default().solve(
///     &mut |z: &Tensor<f64>, _: &[usize]| Ok(&(z * 0.9) + 1.0),
///     Tensor::zeros_of([1, 1]),
///     &Stop::to(1e-9),
/// )?;
/// assert!((found.state.item() - 10.0).abs() < 1e-6);
/// assert_eq!(found.report.samples[0].evaluations, 3); // a line needs two points
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// D. Anderson, "Iterative procedures for nonlinear integral equations", Journal of the ACM 12(4), 1965; H. Walker, P. Ni,
/// "Anderson acceleration for fixed-point iterations", SIAM Journal on Numerical Analysis 49(4), 2011 (section 2);
/// S. Bai, J. Kolter, V. Koltun, "Deep equilibrium models", NeurIPS 2019 (in networks).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anderson {
    memory: usize,
    mixing: f64,
    regularisation: f64,
    restart: Option<usize>,
    safeguard: Option<f64>,
}

impl Default for Anderson {
    /// A memory of 5, whole steps, a regularisation of 1e-10, no restarts, a safeguard at twice the last step.
    fn default() -> Self {
        Self {
            memory: 5,
            mixing: 1.0,
            regularisation: 1e-10,
            restart: None,
            safeguard: Some(2.0),
        }
    }
}

impl Anderson {
    /// How many changes are remembered, `m`: 1 to 64.
    #[must_use]
    pub fn memory(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    /// The share `β` of the step `f(z) − z` that is taken, above 0 and up to 1.
    #[must_use]
    pub fn mixing(self, mixing: f64) -> Self {
        Self { mixing, ..self }
    }

    /// The Tikhonov regularisation `λ`, relative to the square of each change: 0 to 1.
    #[must_use]
    pub fn regularisation(self, regularisation: f64) -> Self {
        Self {
            regularisation,
            ..self
        }
    }

    /// Forgets the history after so many accelerated steps.
    #[must_use]
    pub fn restart(self, after: impl Into<Option<usize>>) -> Self {
        Self {
            restart: after.into(),
            ..self
        }
    }

    /// How many times as large as the last one a step may be before it is taken back, at least 1; `None` takes none back.
    #[must_use]
    pub fn safeguard(self, growth: impl Into<Option<f64>>) -> Self {
        Self {
            safeguard: growth.into(),
            ..self
        }
    }
}

/// Anderson's method for rows of one length.
struct Acceleration {
    settings: Anderson,
    /// The changes that are remembered.
    memory: usize,
    growth: f64,
}

/// Where a row stands.
#[derive(Default)]
struct History {
    /// How many changes there are.
    count: u8,
    /// Where the next goes.
    place: u8,
    /// Accelerated steps since the history started.
    steps: u16,
    started: bool,
    accelerated: bool,
}

impl<F: Float> Update<F> for Acceleration {
    type Memory = History;

    fn vectors(&self) -> usize {
        2 + 2 * self.memory
    }

    fn numbers(&self) -> usize {
        1 + self.memory * (3 + 2 * self.memory)
    }

    fn update(
        &self,
        row: &mut Row<'_, F, History>,
        state: &[F],
        image: &[F],
        distance: f64,
        next: &mut [F],
    ) {
        let (length, memory, mixing) = (state.len(), self.memory, self.settings.mixing);
        let (store, numbers, history) = row.parts(length);
        let (last_step, store) = store.split_at_mut(length);
        let (last_plain, store) = store.split_at_mut(length);
        let (steps, plains) = store.split_at_mut(memory * length);
        let (last_distance, numbers) = numbers.split_first_mut().expect("room for it");
        let (right, numbers) = numbers.split_at_mut(2 * memory);
        let (factors, numbers) = numbers.split_at_mut(memory);
        let (gram, factor) = numbers.split_at_mut(memory * memory);
        let right = right.as_chunks_mut::<2>().0;

        if history.accelerated && distance > self.growth * *last_distance {
            next.copy_from_slice(last_plain);
            *history = History {
                started: true,
                ..History::default()
            };
            return row.fell_back();
        }
        *last_distance = distance;
        let place = usize::from(history.place);
        let slot = place * length..(place + 1) * length;
        let changes = [&mut steps[slot.clone()], &mut plains[slot.clone()]];
        vectors::secant(state, image, mixing, [last_step, last_plain], changes);
        if !history.started {
            // What the vectors before the first have changed by is nothing that counts.
            history.started = true;
            next.copy_from_slice(last_plain);
            return;
        }
        let count = (usize::from(history.count) + 1).min(memory);
        let kept = &steps[..count * length];
        vectors::dot_pairs(kept, [&steps[slot], last_step], &mut right[..count]);
        for (j, &[with_newest, _]) in right[..count].iter().enumerate() {
            gram[place * memory + j] = with_newest;
            gram[j * memory + place] = with_newest;
        }
        let sizes = [memory, count, place];
        small_system::solve(
            gram,
            sizes,
            self.settings.regularisation,
            right,
            factor,
            factors,
        );
        for factor in &mut factors[..count] {
            *factor = -*factor;
        }
        vectors::combine(
            last_plain,
            &plains[..count * length],
            &factors[..count],
            next,
        );
        history.accelerated = true;
        history.count = count as u8;
        history.place = if place + 1 == memory {
            0
        } else {
            place as u8 + 1
        };
        history.steps = history.steps.saturating_add(1);
        let restart = self.settings.restart;
        if restart.is_some_and(|after| usize::from(history.steps) >= after) {
            (history.count, history.place, history.steps) = (0, 0, 0);
        }
    }
}

impl FixedPointSolver for Anderson {
    const KIND: &'static str = "Anderson";

    fn validate(&self) -> Result<()> {
        let help = "5 is usual; each change costs two vectors a row";
        setting::count(Self::KIND, "memory", self.memory, 1..=64, help)?;
        let help = "1 takes the whole step";
        setting::share(Self::KIND, "mixing", self.mixing, help)?;
        if !(0.0..=1.0).contains(&self.regularisation) {
            let what = format!("{} regularisation", Self::KIND);
            let help = "it is relative to the square of each change: 1e-10 is the default";
            return Err(setting::refuse(
                what,
                "a number from 0 to 1",
                self.regularisation,
                help,
            ));
        }
        if let Some(growth) = self.safeguard
            && !(growth >= 1.0 && growth.is_finite())
        {
            let what = format!("{} safeguard", Self::KIND);
            let help = "2 lets a step be twice as large as the last; None takes no step back";
            return Err(setting::refuse(
                what,
                "a finite number from 1 on",
                growth,
                help,
            ));
        }
        if self.restart == Some(0) {
            let what = format!("{} restart", Self::KIND);
            let help = "None never forgets; Damped has no history at all";
            return Err(setting::refuse(what, "at least 1 step", 0, help));
        }
        Ok(())
    }

    fn solve<F: Float>(
        &self,
        map: &mut Map<'_, F>,
        start: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>> {
        self.validate()?;
        stop.validate()?;
        // More changes than numbers in a row are never independent.
        let most = row_length(&start).min(stop.max_iterations).max(1);
        let update = Acceleration {
            settings: *self,
            memory: self.memory.min(most),
            growth: self.safeguard.unwrap_or(f64::INFINITY),
        };
        let method = FixedPoint::new(update, &start, stop);
        drive(Self::KIND, &method, map, &start, stop)
    }
}
