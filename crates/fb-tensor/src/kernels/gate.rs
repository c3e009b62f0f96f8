//! A function of one tensor times another, and the way back in one pass.

use crate::element::Float;
use crate::elementwise::{Saves, UnaryOp};

multiversion! {
    /// `output = op(gate) · values`
    pub(crate) fn gate [F: Float, Op: UnaryOp] (op: &Op, gate: &[F], values: &[F], output: &mut [F]) {
        for ((y, &a), &b) in output.iter_mut().zip(gate).zip(values) {
            *y = op.value(a) * b;
        }
    }
}

multiversion! {
    /// `by_gate = gradient · values · op'(gate)` and `gradient = gradient · op(gate)`, which is the one by the values.
    pub(crate) fn gate_backward [F: Float, Op: UnaryOp] (
        op: &Op, gate: &[F], values: &[F], gradient: &mut [F], by_gate: &mut [F],
    ) {
        let gradients = gradient.iter_mut().zip(by_gate.iter_mut());
        for ((g, by_gate), (&a, &b)) in gradients.zip(gate.iter().zip(values)) {
            let y = op.value(a);
            let saved = if matches!(Op::SAVES, Saves::Output) { y } else { a };
            *by_gate = *g * b * op.derivative(saved);
            *g *= y;
        }
    }
}
