//! What a solver says about its work.

use serde::Serialize;
use std::fmt;

/// How the work on a sample ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Outcome {
    /// The residual is within the tolerance.
    Converged,
    /// The residual is above the tolerance, but rounding of the number type keeps it from falling further.
    AtFloor,
    /// The iterations are used up.
    Exhausted,
    /// NaN or an infinity appeared.
    NonFinite,
}

/// What came of one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleReport {
    /// The relative residual of the returned state, in double precision; NaN if the map gives NaN or an infinity for it.
    pub residual: f64,
    /// How often the map was evaluated for this sample.
    pub evaluations: u32,
    /// How often the solver gave up what it had learnt about the map and went on with a plain step.
    pub fallbacks: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The residual at each evaluation, if [`Stop::trace`](super::Stop::trace) asks for it. Those of
    /// [`Gmres`](super::Gmres) are its estimates, and that of the state itself at the end of each cycle.
    pub trace: Vec<f64>,
}

impl SampleReport {
    pub(super) const fn new() -> Self {
        Self {
            residual: f64::NAN,
            evaluations: 0,
            fallbacks: 0,
            outcome: Outcome::Exhausted,
            trace: Vec::new(),
        }
    }
}

/// What came of a batch. Its text is a summary.
///
/// ```
/// use fb_nn::feedback::solver::{Damped, FixedPointSolver, Stop};
/// use fb_tensor::Tensor;
/// let found = Damped::new(1.0).solve(
///     &mut |z: &Tensor, _: &[usize]| Ok(&(z * 0.5) + 1.0),
///     Tensor::zeros_of([2, 1]),
///     &Stop::to(1e-3),
/// )?;
/// assert_eq!(
///     found.report.to_string(),
///     "Damped: 2 of 2 samples converged to 1e-3 in 10 evaluations, residual up to 9.8e-4"
/// );
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SolverReport {
    /// The kind of the solver.
    pub solver: &'static str,
    /// The relative residual that was asked for.
    pub tolerance: f64,
    /// How often the map was called, each time for all samples still in the batch.
    pub calls: usize,
    /// What came of each sample.
    pub samples: Vec<SampleReport>,
}

impl SolverReport {
    /// How many samples ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.samples.iter().filter(|s| s.outcome == outcome).count()
    }

    /// Whether every sample is within the tolerance.
    pub fn converged(&self) -> bool {
        self.count(Outcome::Converged) == self.samples.len()
    }

    /// The samples whose residual is above the tolerance, with what came of them.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &SampleReport)> {
        let all = self.samples.iter().enumerate();
        all.filter(|(_, sample)| sample.outcome != Outcome::Converged)
    }

    /// The sample with the largest residual (NaN before any number) and that residual; `None` of an empty batch.
    pub fn worst(&self) -> Option<(usize, f64)> {
        let all = self.samples.iter().enumerate();
        all.map(|(row, sample)| (row, sample.residual))
            .max_by(|a, b| {
                let key = |r: f64| if r.is_nan() { f64::NAN } else { r };
                key(a.1)
                    .abs()
                    .total_cmp(&key(b.1).abs())
                    .then(b.0.cmp(&a.0))
            })
    }

    /// The evaluations of all samples together: what the solve cost where finished samples leave the batch.
    pub fn evaluations(&self) -> u64 {
        self.samples.iter().map(|s| u64::from(s.evaluations)).sum()
    }

    /// How often a sample fell back to a plain step, over the batch.
    pub fn fallbacks(&self) -> u64 {
        self.samples.iter().map(|s| u64::from(s.fallbacks)).sum()
    }
}

/// One line, and one more for samples that did not converge.
impl fmt::Display for SolverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.samples.len();
        write!(
            f,
            "{}: {} of {count} samples converged to {:e}",
            self.solver,
            self.count(Outcome::Converged),
            self.tolerance
        )?;
        let evaluations = self.samples.iter().map(|s| s.evaluations);
        if let (Some(least), Some(most)) = (evaluations.clone().min(), evaluations.max()) {
            if least == most {
                write!(f, " in {most} evaluations")?;
            } else {
                let mean = self.evaluations() as f64 / count as f64;
                write!(
                    f,
                    " in {least} to {most} evaluations ({mean:.1} on average)"
                )?;
            }
        }
        if let Some((_, worst)) = self.worst() {
            write!(f, ", residual up to {worst:.1e}")?;
        }
        if self.fallbacks() > 0 {
            write!(f, ", {} fallbacks to plain steps", self.fallbacks())?;
        }
        if self.converged() {
            return Ok(());
        }
        let mut separator = "\n  ";
        for (outcome, text) in [
            (Outcome::AtFloor, "at the floor of rounding"),
            (Outcome::Exhausted, "out of iterations"),
            (Outcome::NonFinite, "stopped by NaN or infinity"),
        ] {
            let ended = |s: &SampleReport| s.outcome == outcome;
            if let Some(first) = self.samples.iter().position(ended) {
                let number = self.count(outcome);
                let rows = if number == 1 {
                    format!("sample {first}")
                } else {
                    format!("{number} samples (the first is {first})")
                };
                write!(f, "{separator}{rows} {text}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}
