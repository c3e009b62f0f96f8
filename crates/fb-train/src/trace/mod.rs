//! What a loop does with given samples, iteration by iteration: [`Trace`].

mod table;
mod write;

use crate::error::Result;
use crate::plot::TrajectoryChart;
use fb_nn::feedback::solver::SolverReport;
use serde::Serialize;
use std::path::Path;

/// What a loop did with some samples; from [`Model::trace`](crate::Model::trace). `println!` it.
///
/// It is recorded while the loop runs one iteration after another under no solver, as often as the schedule allows; what the
/// schedule itself does is in [`used`](Self::used) and [`reports`](Self::reports).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// The kind of the schedule.
    pub schedule: String,
    /// How many samples.
    pub rows: usize,
    /// The iterations, in order.
    pub iterations: Vec<TraceIteration>,
    /// After how many iterations each sample halted, or how many evaluations the solver needed for it; empty where the schedule
    /// runs equally often for all.
    pub used: Vec<usize>,
    /// What the schedule's solver says, for each batch.
    pub reports: Vec<SolverReport>,
}

/// One iteration: numbers of each sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TraceIteration {
    /// By how much what the loop carries has changed, relative to its norm.
    pub residuals: Vec<f64>,
    /// By how much it has changed: the norm.
    pub changes: Vec<f64>,
    /// The norm of what each edge carries, by the edge's name.
    pub norms: Vec<(String, Vec<f64>)>,
    /// By how much the output has changed: the norm; empty at the first iteration.
    pub output_changes: Vec<f64>,
    /// The share of right answers, where there are targets that one can be right about.
    pub accuracy: Option<f64>,
}

impl Trace {
    /// The residuals, of each iteration those of the samples.
    pub fn residuals(&self) -> Vec<Vec<f64>> {
        self.iterations
            .iter()
            .map(|iteration| iteration.residuals.clone())
            .collect()
    }

    /// The accuracy after each iteration, if there were targets.
    pub fn accuracy(&self) -> Option<Vec<f64>> {
        self.iterations
            .iter()
            .map(|iteration| iteration.accuracy)
            .collect()
    }

    /// Residual and accuracy by iteration as a chart.
    pub fn chart(&self) -> TrajectoryChart {
        let title = format!("{} over {} samples", self.schedule, self.rows);
        let mut chart = TrajectoryChart::new(title).residuals(&self.residuals());
        if let Some(report) = self.reports.first() {
            chart = chart.tolerance(report.tolerance);
        }
        match self.accuracy() {
            Some(accuracy) => chart.accuracy("accuracy", &accuracy),
            None => chart,
        }
    }

    /// Draws residual and accuracy by iteration, as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        self.chart().save(path)
    }
}
