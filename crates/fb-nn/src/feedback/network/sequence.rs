//! Running a network along a sequence.
//!
//! What no edge over steps touches runs once on all steps together, `[batch · time, …]`; the loop over steps runs between,
//! one step after another.

use super::run::{self, RunOptions, Trajectory};
use super::runner::Runner;
use super::tick::Values;
use super::{Wanted, Wiring};
use crate::error::Result;
use crate::feedback::State;
use crate::feedback::gradient::{Read, Unrolled};
use crate::feedback::schedule::Rule;
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use std::sync::{Arc, PoisonError};

/// Runs a network on `[batch, time, …]`.
pub(super) fn run<F: Float>(
    wiring: &Arc<Wiring<F>>,
    cx: &mut Context<'_, F>,
    inputs: &[Value<F>],
    options: &RunOptions<'_, F>,
    rule: &Rule,
) -> Result<Trajectory<F>> {
    let (batch, time) = (inputs[0].shape()[0], inputs[0].shape()[1]);
    let together = Together { batch, time };
    let mut values = Values::new(wiring);
    for (slot, input) in values.slots.iter_mut().zip(inputs) {
        *slot = Some(fold(input));
    }
    if !wiring.steps() {
        // Nothing ties the steps together: each is a sample, whose loop starts anew.
        if let Some(state) = &options.state {
            state.check(&wiring.layout, Some(batch))?;
        }
        let alone = RunOptions {
            state: None,
            wanted: Wanted::Last,
            ..options.clone()
        };
        let rule = rule.inner();
        let run = together.within(cx, |cx| {
            run::run_stage(wiring, cx, &mut values, &alone, rule)
        })?;
        let run = run.of_steps(time, State::new(wiring.layout.clone()));
        return Ok(run.map_outputs(|value| unfold(value, batch, time)));
    }
    let strategy = run::strategy(options, rule)?;
    together.within(cx, |cx| wiring.before(cx, &mut values))?;
    let body = wiring.plan.body.as_ref().expect("a loop over steps");
    together.within(cx, |cx| wiring.hoist(cx, body, &mut values))?;
    let state = wiring.starting(options, batch)?;
    for slot in values.slots.iter_mut().flatten() {
        *slot = unfold(slot, batch, time);
    }
    for sum in values.sums.iter_mut().flatten() {
        if let Value::Float(unfolded) = unfold(&Value::Float(sum.clone()), batch, time) {
            *sum = unfolded;
        }
    }
    let kind = strategy.kind();
    let (strategy, inner) = run::along_steps(wiring, rule, strategy);
    let reports = inner.reports.clone();
    let mut runner = Runner::new(wiring.clone(), body.clone(), Some(inner), &values);
    let state = runner.begin(cx, state)?;
    let done = strategy.unroll(&mut runner, cx, state, time, Wanted::Every)?;
    for slot in values.slots.iter_mut().flatten() {
        *slot = fold(slot);
    }
    let done = all_steps(done);
    let run = together.within(cx, |cx| wiring.after(cx, &mut values, done, time, kind))?;
    let reports = std::mem::take(&mut *reports.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(run
        .with_reports(reports)
        .map_outputs(|value| unfold(value, batch, time)))
}

/// All steps of a sequence as the rows of one batch.
struct Together {
    batch: usize,
    time: usize,
}

impl Together {
    /// Runs `work` on all steps together. What a row draws at random is the same at each of its steps, as it is where the
    /// steps run one after another.
    fn within<F: Float, R>(
        &self,
        cx: &mut Context<'_, F>,
        work: impl FnOnce(&mut Context<'_, F>) -> R,
    ) -> R {
        if !cx.draws() {
            return work(cx);
        }
        let rows = (0..self.batch).flat_map(|row| std::iter::repeat_n(row, self.time));
        cx.for_rows(&rows.collect::<Vec<_>>(), work)
    }
}

/// `[batch, time, …]` as `[batch · time, …]`.
fn fold<F: Float>(value: &Value<F>) -> Value<F> {
    let shape = value.shape();
    let mut extents = vec![shape[0] * shape[1]];
    extents.extend(&shape[2..]);
    value.reshape(extents)
}

/// `[batch · time, …]` as `[batch, time, …]`.
fn unfold<F: Float>(value: &Value<F>, batch: usize, time: usize) -> Value<F> {
    let mut extents = vec![batch, time];
    extents.extend(&value.shape()[1..]);
    value.reshape(extents)
}

/// What was read at all steps as one read of `[batch · time, …]`.
fn all_steps<F: Float>(done: Unrolled<F>) -> Unrolled<F> {
    let slots = done.reads.first().map_or(0, |read| read.values.len());
    let recorded = done.reads.iter().any(|read| read.recorded);
    let values = (0..slots)
        .map(|slot| fold(&stack(done.reads.iter().map(|read| &read.values[slot]))))
        .collect();
    Unrolled::new(vec![Read { values, recorded }], done.state)
}

/// Values of all steps along a new axis behind the batch.
fn stack<'v, F: Float>(steps: impl Iterator<Item = &'v Value<F>>) -> Value<F> {
    let steps: Vec<&Value<F>> = steps.collect();
    match steps[0] {
        Value::Float(_) => {
            let parts: Vec<&Var<F>> = steps.iter().filter_map(|v| v.as_float()).collect();
            Value::Float(Var::stack(&parts, 1))
        }
        Value::Index(_) => {
            let parts = steps.iter().filter_map(|v| match v {
                Value::Index(x) => Some(x),
                _ => None,
            });
            Value::Index(Tensor::stack(&parts.collect::<Vec<_>>(), 1))
        }
        Value::Mask(_) => {
            let parts = steps.iter().filter_map(|v| match v {
                Value::Mask(x) => Some(x),
                _ => None,
            });
            Value::Mask(Tensor::stack(&parts.collect::<Vec<_>>(), 1))
        }
    }
}
