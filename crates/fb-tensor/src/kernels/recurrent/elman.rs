//! The plain recurrent cell of Elman: a sum and a nonlinearity.

use super::rows::State;
use super::{BackwardPart, Factor, ForwardPart, line, padded, rows_of};
use crate::element::Float;
use crate::kernels::gemm::{MatMut, Update};

multiversion! {
    /// `h = tanh(sum)`
    pub(super) fn tanh [F: Float] (sums: &[F], h: &mut [F]) {
        for (h, &sum) in h.iter_mut().zip(sums) {
            *h = sum.tanh();
        }
    }
}

multiversion! {
    /// `h = max(sum, 0)`, NaN at NaN
    pub(super) fn relu [F: Float] (sums: &[F], h: &mut [F]) {
        for (h, &sum) in h.iter_mut().zip(sums) {
            *h = sum.maximum(F::ZERO);
        }
    }
}

multiversion! {
    pub(super) fn tanh_backward [F: Float] (h: &[F], by_output: &[F], by_h: &[F], sums: &mut [F]) {
        let n = sums.len();
        let (h, by_output, by_h) = (&h[..n], &by_output[..n], &by_h[..n]);
        for j in 0..n {
            sums[j] = (by_h[j] + by_output[j]) * (F::ONE - h[j] * h[j]);
        }
    }
}

multiversion! {
    pub(super) fn relu_backward [F: Float] (h: &[F], by_output: &[F], by_h: &[F], sums: &mut [F]) {
        let n = sums.len();
        let (h, by_output, by_h) = (&h[..n], &by_output[..n], &by_h[..n]);
        for j in 0..n {
            sums[j] = F::select(h[j] > F::ZERO, by_h[j] + by_output[j], F::ZERO);
        }
    }
}

pub(super) fn forward<F: Float>(
    mut part: ForwardPart<'_, F>,
    weight: &Factor<'_, F>,
    activate: fn(&[F], &mut [F]),
) {
    let (scan, n) = (part.scan, part.scan.hidden);
    let mut hidden = State::of(scan.initial[0], &part.rows, n, padded::<F>(n));
    for step in 0..scan.plan.steps() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            break;
        }
        let block = part.gates.step(step);
        let sums = MatMut::row_major(block, count, n);
        weight.multiply(hidden.matrix(count), Update::ADD, sums);
        let outputs = part.outputs.step(step);
        for (at, row) in block.chunks_exact(n).enumerate() {
            activate(row, hidden.row(at));
            outputs[at * n..][..n].copy_from_slice(hidden.row(at));
        }
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.outputs.end(0, row).copy_from_slice(hidden.row(at));
    }
}

/// What a nonlinearity does on its way back: from the output, the gradients by output and state, to the one by the sum.
type Back<F> = fn(&[F], &[F], &[F], &mut [F]);

pub(super) fn backward<F: Float>(
    mut part: BackwardPart<'_, F>,
    weight: &Factor<'_, F>,
    activate_backward: Back<F>,
) {
    let (scan, n, left) = (part.scan, part.scan.hidden, part.left);
    let mut by_hidden = part.last(0);
    let width = padded::<F>(n);
    for step in (0..scan.plan.steps()).rev() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            continue;
        }
        let first = scan.plan.packed(step, part.rows.start);
        let sums = part.projected.step(step);
        for (at, sums) in sums.chunks_exact_mut(width).enumerate() {
            let (h, by_output) = (
                line(left.outputs, first + at, n),
                line(left.gradient, first + at, n),
            );
            activate_backward(h, by_output, by_hidden.row(at), &mut sums[..n]);
        }
        let sums = rows_of(sums, count, n, width);
        weight.multiply(sums, Update::ASSIGN, by_hidden.output(count));
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.states.end(0, row).copy_from_slice(by_hidden.row(at));
    }
}
