//! Any cell through all steps.

use super::{Cell, CellState};
use crate::error::{Error, Result};
use crate::module::Context;
use fb_autograd::Var;
use fb_tensor::Float;
use fb_tensor::recurrent::Steps;

/// What [`scan`] gives.
#[derive(Clone, Debug)]
pub struct Scan<F: Float = f32> {
    /// The outputs of all steps, `[rows, …]` in their order.
    pub outputs: Var<F>,
    /// The state after the last step of each sequence, in the order in which the sequences come.
    pub last: CellState<F>,
}

impl<F: Float> Scan<F> {
    /// The outputs at the last step of each sequence, `[batch, …]`, in the order in which the sequences come.
    #[must_use]
    pub fn last_outputs(&self, cell: &dyn Cell<F>, steps: &Steps) -> Var<F> {
        if cell.fused().is_some() {
            return self.last.registers()[0].clone();
        }
        let row = |place: usize| {
            let last = steps.length(place).saturating_sub(1);
            steps.step(last).start + place
        };
        let rows: Vec<usize> = match steps.order() {
            None => (0..steps.batch()).map(row).collect(),
            Some(order) => {
                let mut rows = vec![0; order.len()];
                for (place, &sequence) in order.iter().enumerate() {
                    rows[sequence] = row(place);
                }
                rows
            }
        };
        self.outputs.select_rows(&rows)
    }
}

/// Runs a cell through all steps of a batch of sequences: what its input gives at once, then one fused operation if the cell
/// has one, or else its steps one after the other.
///
/// A sequence that has ended keeps the state of its last step, and nothing is computed for it from there on.
///
/// # Shapes
/// - `x`: `[rows, …]`, packed in the order of `steps`
/// - `state`: `[batch, …]` for each register
///
/// # Errors
/// There is no step, the input or the state is not one of the cell, or a step fails.
pub fn scan<F: Float>(
    cx: &mut Context<'_, F>,
    cell: &dyn Cell<F>,
    x: &Var<F>,
    state: CellState<F>,
    steps: &Steps,
) -> Result<Scan<F>> {
    state.check(cell, cx, steps.batch())?;
    if x.shape().first() != Some(&steps.rows()) || (steps.is_empty() && steps.batch() > 0) {
        return Err(Error::Data {
            place: cx.place(),
            expected: format!("at least one step, and {} rows", steps.rows()),
            found: x.shape().to_string(),
            help: "Steps::pack gives the rows of all steps".to_owned(),
        });
    }
    let projected = cell.project(cx, x)?;
    if let Some(fused) = cell.fused() {
        let (outputs, last) = fused.scan(cx, projected, &state, steps)?;
        return Ok(Scan { outputs, last });
    }
    if steps.is_empty() {
        let (outputs, last) = cell.step(cx, projected, &state)?;
        return Ok(Scan { outputs, last });
    }
    let mut state = match steps.order() {
        Some(order) => state.select(order),
        None => state,
    };
    let mut ended = Vec::new();
    let mut outputs = Vec::with_capacity(steps.len());
    for step in 0..steps.len() {
        let rows = steps.step(step);
        let (running, before) = (rows.len(), state.batch());
        if running < before {
            ended.push(state.slice(running..before));
            state = state.slice(0..running);
        }
        let (output, next) = cell.step(cx, projected.slice(0, rows), &state)?;
        next.check(cell, cx, running)?;
        outputs.push(output);
        state = next;
    }
    ended.push(state);
    let outputs = Var::concat(&outputs.iter().collect::<Vec<_>>(), 0);
    let last = joined(&ended, steps);
    Ok(Scan { outputs, last })
}

/// The last states, which came from the shortest sequences first, in the order in which the sequences come.
fn joined<F: Float>(ended: &[CellState<F>], steps: &Steps) -> CellState<F> {
    let register = |i: usize| {
        let parts: Vec<_> = ended
            .iter()
            .rev()
            .map(|state| &state.registers()[i])
            .collect();
        match *parts {
            [one] => one.clone(),
            _ => Var::concat(&parts, 0),
        }
    };
    let registers = ended[0].registers().len();
    let state = CellState::new((0..registers).map(register).collect());
    match steps.order() {
        None => state,
        Some(order) => {
            let mut places = vec![0; order.len()];
            for (place, &sequence) in order.iter().enumerate() {
                places[sequence] = place;
            }
            state.select(&places)
        }
    }
}
