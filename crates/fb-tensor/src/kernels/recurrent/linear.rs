//! Linear recurrences without a matrix: each number of the state decays by a factor of its own and is added to.

use super::rows::{Shared, State};
use super::{Plan, over_parts};
use crate::element::Float;
use crate::threads;

/// What a number of a step costs, in picoseconds: three are read and one or two written.
const PICOSECONDS: usize = 600;
/// A part of the batch has at least so many numbers of a step.
const MIN_NUMBERS: usize = 64;

multiversion! {
    /// `h = decay·h + input`
    fn advance [F: Float] (decay: &[F], input: &[F], h: &mut [F]) {
        for ((h, &decay), &input) in h.iter_mut().zip(decay).zip(input) {
            *h = decay * *h + input;
        }
    }
}

multiversion! {
    /// `by_h` comes as the gradient by the new state and goes as the one by the old.
    fn retreat [F: Float] (
        decay: &[F], before: &[F], by_output: &[F], by_decay: &mut [F], by_input: &mut [F], by_h: &mut [F],
    ) {
        let n = by_h.len();
        let (decay, before, by_output) = (&decay[..n], &before[..n], &by_output[..n]);
        let (by_decay, by_input) = (&mut by_decay[..n], &mut by_input[..n]);
        for j in 0..n {
            let dh = by_h[j] + by_output[j];
            by_input[j] = dh;
            by_decay[j] = dh * before[j];
            by_h[j] = dh * decay[j];
        }
    }
}

/// What forward and backward passes share: numbers of the state, and the states before the first step by falling length.
#[derive(Clone, Copy)]
pub(crate) struct LinearScan<'a, F> {
    pub(crate) plan: Plan<'a>,
    pub(crate) width: usize,
    pub(crate) decay: &'a [F],
    pub(crate) initial: &'a [F],
}

impl<F> LinearScan<'_, F> {
    fn parts(&self) -> usize {
        let cost = self.plan.rows() * self.width * PICOSECONDS / 1000;
        if !threads::worth_splitting(cost) {
            return 1;
        }
        let most = self.plan.batch() * self.width / MIN_NUMBERS;
        threads::count().min(most).min(self.plan.batch()).max(1)
    }
}

/// Runs all steps: `outputs` gets the rows `[rows, width]` and after them the last states `[batch, width]`.
pub(crate) fn forward<F: Float>(scan: &LinearScan<'_, F>, input: &[F], outputs: &mut [F]) {
    let (plan, n, parts) = (&scan.plan, scan.width, scan.parts());
    let outputs = Shared::new(outputs, n);
    over_parts(plan, 0..plan.batch(), parts, &|rows| {
        // SAFETY: parts of the batch are disjoint, and each is worked on once.
        let mut outputs = unsafe { outputs.own(*plan, rows.clone(), plan.rows()) };
        let mut state = State::of(scan.initial, &rows, n, n);
        for step in 0..plan.steps() {
            let count = plan.running(step, &rows);
            if count == 0 {
                break;
            }
            let own = plan.packed(step, rows.start) * n..;
            let state = state.rows(count);
            advance(&scan.decay[own.clone()], &input[own], state);
            outputs.step(step).copy_from_slice(state);
        }
        for (at, row) in rows.clone().enumerate() {
            outputs.end(0, row).copy_from_slice(state.row(at));
        }
    });
}

/// Goes back over all steps: the gradients by the decays and the inputs `[rows, width]`, and by the states before the first
/// step `[batch, width]`.
pub(crate) fn backward<F: Float>(
    scan: &LinearScan<'_, F>,
    outputs: &[F],
    gradient: &[F],
    by_decay: &mut [F],
    by_input: &mut [F],
    by_state: &mut [F],
) {
    let (plan, n, parts) = (&scan.plan, scan.width, scan.parts());
    let shared = [by_decay, by_input, by_state].map(|block| Shared::new(block, n));
    over_parts(plan, 0..plan.batch(), parts, &|rows| {
        let [by_decay, by_input, by_state] = &shared;
        // SAFETY: parts of the batch are disjoint, and each is worked on once.
        let (mut by_decay, mut by_input, mut by_state) = unsafe {
            (
                by_decay.own(*plan, rows.clone(), plan.rows()),
                by_input.own(*plan, rows.clone(), plan.rows()),
                by_state.own(*plan, rows.clone(), 0),
            )
        };
        let mut by_hidden = State::new(rows.len(), n, n);
        for (at, row) in rows.clone().enumerate() {
            let from = (plan.rows() + plan.place(row)) * n;
            by_hidden.row(at).copy_from_slice(&gradient[from..][..n]);
        }
        for step in (0..plan.steps()).rev() {
            let count = plan.running(step, &rows);
            if count == 0 {
                continue;
            }
            let own = plan.packed(step, rows.start) * n..;
            let before = match step.checked_sub(1) {
                None => &scan.initial[rows.start * n..],
                Some(step) => &outputs[plan.packed(step, rows.start) * n..],
            };
            retreat(
                &scan.decay[own.clone()],
                before,
                &gradient[own],
                by_decay.step(step),
                by_input.step(step),
                by_hidden.rows(count),
            );
        }
        for (at, row) in rows.clone().enumerate() {
            by_state.end(0, row).copy_from_slice(by_hidden.row(at));
        }
    });
}
