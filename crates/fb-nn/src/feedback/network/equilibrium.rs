//! Running a loop until it has come to rest.

use super::runner::Runner;
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::gradient::flat::{flatten, unflatten};
use crate::feedback::gradient::{GradientStrategy, Loop, Read, Unrolled};
use crate::feedback::schedule::Converge;
use crate::feedback::solver::SolverReport;
use crate::module::{Context, Mode};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};

/// Finds where the loop comes to rest, and gives it its gradient where the pass is recorded.
pub(super) fn run<F: Float>(
    runner: &mut Runner<F>,
    cx: &mut Context<'_, F>,
    state: State<F>,
    schedule: &Converge,
    strategy: &dyn GradientStrategy<F>,
) -> Result<(Unrolled<F>, SolverReport)> {
    let mut start = state;
    runner.fill(cx, &mut start);
    let start = start.detached();
    let (state, report) = cx.without_gradients(|cx| solve(runner, cx, &start, schedule))?;
    if schedule.fails() && !report.converged() {
        return Err(unsettled(runner, &report));
    }
    let trains = cx.tape().records() || cx.mode() == Mode::Train;
    if trains && !cx.is_detached() {
        return Ok((strategy.equilibrium(runner, cx, state)?, report));
    }
    let values = match runner.read_state(&state) {
        Some(values) => values,
        None => runner.tick(cx, &mut state.clone(), 1, true)?,
    };
    let read = Read {
        values,
        recorded: true,
    };
    Ok((Unrolled::new(vec![read], state), report))
}

fn solve<F: Float>(
    runner: &mut Runner<F>,
    cx: &mut Context<'_, F>,
    start: &State<F>,
    schedule: &Converge,
) -> Result<(State<F>, SolverReport)> {
    let batch = runner.rows();
    // The loop for the samples that are still worked on, made anew when some leave.
    let mut active: Option<(Vec<usize>, Runner<F>)> = None;
    let mut evaluations = 0;
    let mut map = |z: &Tensor<F>, rows: &[usize]| -> Result<Tensor<F>> {
        evaluations += 1;
        cx.enter_iteration(Some(evaluations));
        let mut state = unflatten(start, &Var::constant(z.clone()));
        if rows.len() == batch {
            runner.tick(cx, &mut state, 1, false)?;
            return Ok(flatten(&state));
        }
        if active.as_ref().is_none_or(|(of, _)| of != rows) {
            active = Some((rows.to_vec(), runner.select_rows(cx, rows)));
        }
        let (_, part) = active.as_mut().expect("made above");
        cx.for_rows(rows, |cx| part.tick(cx, &mut state, 1, false))?;
        Ok(flatten(&state))
    };
    let solver = schedule.method()?;
    let found = solver.solve(&mut map, flatten(start), schedule.stop())?;
    cx.enter_iteration(None);
    Ok((unflatten(start, &Var::constant(found.state)), found.report))
}

#[cold]
fn unsettled<F: Float>(runner: &Runner<F>, report: &SolverReport) -> Error {
    let (row, residual) = report.worst().unwrap_or((0, f64::NAN));
    let sample = report.samples.get(row);
    Error::Data {
        place: format!("the loop of {}", runner.edges()),
        expected: format!("a residual of at most {:e} for every sample", report.tolerance),
        found: format!(
            "{residual:.1e} in row {row} after {} evaluations ({report})",
            sample.map_or(0, |sample| sample.evaluations)
        ),
        help: "allow more with .max_iterations(n), damp the edges with .damping(0.5), keep the loop contracting (SpectralNorm on its weights), or take what there is with OnFailure::Report"
            .to_owned(),
    }
}
