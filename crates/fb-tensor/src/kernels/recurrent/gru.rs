//! The GRU: gates `r, z, n`, the reset applied after the recurrent product or before it.

use super::rows::State;
use super::{BackwardPart, Factor, ForwardPart, gates_of, line, padded};
use crate::element::Float;
use crate::kernels::gemm::{MatMut, MatRef, Update};

multiversion! {
    /// `h = n + σ(z)·(h − n)` with `n = tanh(n + σ(r)·q)`; the gates become what they are after their functions.
    fn gates_after [F: Float] (r: &mut [F], z: &mut [F], n: &mut [F], q: &[F], h: &mut [F]) {
        let len = h.len();
        let (r, z, n, q) = (&mut r[..len], &mut z[..len], &mut n[..len], &q[..len]);
        for j in 0..len {
            r[j] = r[j].sigmoid();
            z[j] = z[j].sigmoid();
            n[j] = (n[j] + r[j] * q[j]).tanh();
            h[j] = n[j] + z[j] * (h[j] - n[j]);
        }
    }
}

multiversion! {
    /// `by_h` comes as the gradient by the new state and goes as the one by the old, without what comes through the gates.
    fn gates_after_backward [F: Float] (
        gates: &[F], q: &[F], before: &[F], by_output: &[F], by_h: &mut [F],
        dr: &mut [F], dz: &mut [F], dn: &mut [F], dq: &mut [F],
    ) {
        let len = by_h.len();
        let (r, z, n) = (&gates[..len], &gates[len..2 * len], &gates[2 * len..3 * len]);
        let (q, before, by_output) = (&q[..len], &before[..len], &by_output[..len]);
        let (dr, dz, dn, dq) = (&mut dr[..len], &mut dz[..len], &mut dn[..len], &mut dq[..len]);
        for j in 0..len {
            let dh = by_h[j] + by_output[j];
            let by_n = dh * (F::ONE - z[j]) * (F::ONE - n[j] * n[j]);
            dz[j] = dh * (before[j] - n[j]) * (z[j] * (F::ONE - z[j]));
            dr[j] = by_n * q[j] * (r[j] * (F::ONE - r[j]));
            dn[j] = by_n;
            dq[j] = by_n * r[j];
            by_h[j] = dh * z[j];
        }
    }
}

multiversion! {
    /// The gates that do not wait for the reset state, and that state: `σ(r)·h`.
    fn gates_before [F: Float] (r: &mut [F], z: &mut [F], h: &[F], reset: &mut [F]) {
        let len = h.len();
        let (r, z, reset) = (&mut r[..len], &mut z[..len], &mut reset[..len]);
        for j in 0..len {
            r[j] = r[j].sigmoid();
            z[j] = z[j].sigmoid();
            reset[j] = r[j] * h[j];
        }
    }
}

multiversion! {
    /// `h = n + z·(h − n)` with `n = tanh(n)`.
    fn candidate [F: Float] (z: &[F], n: &mut [F], h: &mut [F]) {
        let len = h.len();
        let (z, n) = (&z[..len], &mut n[..len]);
        for j in 0..len {
            n[j] = n[j].tanh();
            h[j] = n[j] + z[j] * (h[j] - n[j]);
        }
    }
}

multiversion! {
    fn candidate_backward [F: Float] (
        gates: &[F], before: &[F], by_output: &[F], by_h: &mut [F], dz: &mut [F], dn: &mut [F],
    ) {
        let len = by_h.len();
        let (z, n) = (&gates[len..2 * len], &gates[2 * len..3 * len]);
        let (before, by_output) = (&before[..len], &by_output[..len]);
        let (dz, dn) = (&mut dz[..len], &mut dn[..len]);
        for j in 0..len {
            let dh = by_h[j] + by_output[j];
            dn[j] = dh * (F::ONE - z[j]) * (F::ONE - n[j] * n[j]);
            dz[j] = dh * (before[j] - n[j]) * (z[j] * (F::ONE - z[j]));
            by_h[j] = dh * z[j];
        }
    }
}

multiversion! {
    fn reset_backward [F: Float] (r: &[F], before: &[F], by_reset: &[F], by_h: &mut [F], dr: &mut [F]) {
        let len = by_h.len();
        let (r, before, by_reset, dr) = (&r[..len], &before[..len], &by_reset[..len], &mut dr[..len]);
        for j in 0..len {
            dr[j] = by_reset[j] * before[j] * (r[j] * (F::ONE - r[j]));
            by_h[j] += by_reset[j] * r[j];
        }
    }
}

/// Some of the columns of a step's gates, for a product to add to.
fn some<F>(
    block: &mut [F],
    count: usize,
    columns: std::ops::Range<usize>,
    stride: usize,
) -> MatMut<'_, F> {
    MatMut {
        data: &mut block[columns.start..],
        rows: count,
        columns: columns.len(),
        row_stride: stride,
    }
}

pub(super) fn forward_after<F: Float>(
    mut part: ForwardPart<'_, F>,
    switches: &Factor<'_, F>,
    candidates: &Factor<'_, F>,
) {
    let (scan, n) = (part.scan, part.scan.hidden);
    let mut hidden = State::of(scan.initial[0], &part.rows, n, padded::<F>(n));
    let mut sums = State::new(part.rows.len(), n, n);
    for step in 0..scan.plan.steps() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            break;
        }
        let block = part.gates.step(step);
        let left = hidden.matrix(count);
        switches.multiply(left, Update::ADD, some(block, count, 0..2 * n, 3 * n));
        let start = match scan.bias {
            Some(bias) => Update::from(MatRef::repeated(bias, count)),
            None => Update::ASSIGN,
        };
        candidates.multiply(left, start, sums.output(count));
        let outputs = part.outputs.step(step);
        let mut saved = part.saved.as_mut().map(|saved| saved.step(step));
        for (at, row) in block.chunks_exact_mut(3 * n).enumerate() {
            let [r, z, candidate] = gates_of(row);
            gates_after(r, z, candidate, sums.row(at), hidden.row(at));
            outputs[at * n..][..n].copy_from_slice(hidden.row(at));
            if let Some(saved) = &mut saved {
                saved[at * n..][..n].copy_from_slice(sums.row(at));
            }
        }
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.outputs.end(0, row).copy_from_slice(hidden.row(at));
    }
}

pub(super) fn forward_before<F: Float>(
    mut part: ForwardPart<'_, F>,
    switches: &Factor<'_, F>,
    candidates: &Factor<'_, F>,
) {
    let (scan, n) = (part.scan, part.scan.hidden);
    let mut hidden = State::of(scan.initial[0], &part.rows, n, padded::<F>(n));
    let mut reset = State::new(part.rows.len(), n, padded::<F>(n));
    for step in 0..scan.plan.steps() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            break;
        }
        let block = part.gates.step(step);
        let sums = some(block, count, 0..2 * n, 3 * n);
        switches.multiply(hidden.matrix(count), Update::ADD, sums);
        let mut saved = part.saved.as_mut().map(|saved| saved.step(step));
        for (at, row) in block.chunks_exact_mut(3 * n).enumerate() {
            let [r, z, _] = gates_of(row);
            gates_before(r, z, hidden.row(at), reset.row(at));
            if let Some(saved) = &mut saved {
                saved[at * n..][..n].copy_from_slice(reset.row(at));
            }
        }
        let sums = some(block, count, 2 * n..3 * n, 3 * n);
        candidates.multiply(reset.matrix(count), Update::ADD, sums);
        let outputs = part.outputs.step(step);
        for (at, row) in block.chunks_exact_mut(3 * n).enumerate() {
            let [_, z, n_gate] = gates_of(row);
            candidate(z, n_gate, hidden.row(at));
            outputs[at * n..][..n].copy_from_slice(hidden.row(at));
        }
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.outputs.end(0, row).copy_from_slice(hidden.row(at));
    }
}

pub(super) fn backward_after<F: Float>(
    mut part: BackwardPart<'_, F>,
    switches: &Factor<'_, F>,
    candidates: &Factor<'_, F>,
) {
    let (scan, n, left) = (part.scan, part.scan.hidden, part.left);
    let mut by_hidden = part.last(0);
    let width = padded::<F>(3 * n);
    let mut sums = State::new(part.rows.len(), 3 * n, width);
    for step in (0..scan.plan.steps()).rev() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            continue;
        }
        let first = scan.plan.packed(step, part.rows.start);
        let projected = part.projected.step(step);
        for (at, out) in projected.chunks_exact_mut(width).enumerate() {
            let row = first + at;
            let [dr, dz, dq] = gates_of(sums.row(at));
            let (switches_out, dn) = out[..3 * n].split_at_mut(2 * n);
            gates_after_backward(
                line(left.gates, row, 3 * n),
                line(left.saved, row, n),
                match step.checked_sub(1) {
                    None => line(scan.initial[0], part.rows.start + at, n),
                    Some(before) => line(
                        left.outputs,
                        scan.plan.packed(before, part.rows.start + at),
                        n,
                    ),
                },
                line(left.gradient, row, n),
                by_hidden.row(at),
                dr,
                dz,
                dn,
                dq,
            );
            switches_out.copy_from_slice(&sums.row(at)[..2 * n]);
        }
        if let Some(recurrent) = &mut part.recurrent {
            let rows = recurrent.step(step).chunks_exact_mut(width);
            for (at, out) in rows.enumerate() {
                out[..3 * n].copy_from_slice(sums.row(at));
            }
        }
        let to = by_hidden.output(count);
        switches.multiply(sums.columns(count, 0..2 * n), Update::ADD, to);
        let to = by_hidden.output(count);
        candidates.multiply(sums.columns(count, 2 * n..3 * n), Update::ADD, to);
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.states.end(0, row).copy_from_slice(by_hidden.row(at));
    }
}

pub(super) fn backward_before<F: Float>(
    mut part: BackwardPart<'_, F>,
    switches: &Factor<'_, F>,
    candidates: &Factor<'_, F>,
) {
    let (scan, n, left) = (part.scan, part.scan.hidden, part.left);
    let mut by_hidden = part.last(0);
    let width = padded::<F>(3 * n);
    let mut sums = State::new(part.rows.len(), 3 * n, width);
    let mut by_reset = State::new(part.rows.len(), n, n);
    for step in (0..scan.plan.steps()).rev() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            continue;
        }
        let first = scan.plan.packed(step, part.rows.start);
        for at in 0..count {
            let [_, dz, dn] = gates_of(sums.row(at));
            candidate_backward(
                line(left.gates, first + at, 3 * n),
                part.before(0, left.outputs, step, at),
                line(left.gradient, first + at, n),
                by_hidden.row(at),
                dz,
                dn,
            );
        }
        let to = by_reset.output(count);
        candidates.multiply(sums.columns(count, 2 * n..3 * n), Update::ASSIGN, to);
        for at in 0..count {
            let [dr, _, _] = gates_of(sums.row(at));
            reset_backward(
                &line(left.gates, first + at, 3 * n)[..n],
                part.before(0, left.outputs, step, at),
                by_reset.row(at),
                by_hidden.row(at),
                dr,
            );
        }
        let to = by_hidden.output(count);
        switches.multiply(sums.columns(count, 0..2 * n), Update::ADD, to);
        let projected = part.projected.step(step);
        for (at, out) in projected.chunks_exact_mut(width).enumerate() {
            out[..3 * n].copy_from_slice(sums.row(at));
        }
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.states.end(0, row).copy_from_slice(by_hidden.row(at));
    }
}
