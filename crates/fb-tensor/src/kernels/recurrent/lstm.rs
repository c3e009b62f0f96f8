//! The LSTM: gates `i, f, g, o`.

use super::rows::State;
use super::{BackwardPart, Factor, ForwardPart, gates_of, line, padded, rows_of};
use crate::element::Float;
use crate::kernels::gemm::{MatMut, Update};

multiversion! {
    /// `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)`; the gates become what they are after their functions.
    fn gates [F: Float] (i: &mut [F], f: &mut [F], g: &mut [F], o: &mut [F], c: &mut [F], h: &mut [F]) {
        let n = h.len();
        let (i, f, g, o, c) = (&mut i[..n], &mut f[..n], &mut g[..n], &mut o[..n], &mut c[..n]);
        for j in 0..n {
            i[j] = i[j].sigmoid();
            f[j] = f[j].sigmoid();
            g[j] = g[j].tanh();
            o[j] = o[j].sigmoid();
            c[j] = f[j] * c[j] + i[j] * g[j];
            h[j] = o[j] * c[j].tanh();
        }
    }
}

multiversion! {
    /// The way back: `by_c` comes as the gradient by the new cell and goes as the one by the old, without what comes from `h`.
    fn gates_backward [F: Float] (
        gates: &[F], cells: [&[F]; 2], by_output: &[F], by_h: &[F], by_c: &mut [F],
        di: &mut [F], df: &mut [F], dg: &mut [F], output: &mut [F],
    ) {
        let n = by_c.len();
        let (i, f) = (&gates[..n], &gates[n..2 * n]);
        let (g, o) = (&gates[2 * n..3 * n], &gates[3 * n..4 * n]);
        let [before, after] = cells.map(|cell| &cell[..n]);
        let (by_output, by_h) = (&by_output[..n], &by_h[..n]);
        let (di, df, dg, output) = (&mut di[..n], &mut df[..n], &mut dg[..n], &mut output[..n]);
        for j in 0..n {
            let dh = by_h[j] + by_output[j];
            let t = after[j].tanh();
            let dc = by_c[j] + dh * o[j] * (F::ONE - t * t);
            di[j] = dc * g[j] * (i[j] * (F::ONE - i[j]));
            df[j] = dc * before[j] * (f[j] * (F::ONE - f[j]));
            dg[j] = dc * i[j] * (F::ONE - g[j] * g[j]);
            output[j] = dh * t * (o[j] * (F::ONE - o[j]));
            by_c[j] = dc * f[j];
        }
    }
}

pub(super) fn forward<F: Float>(mut part: ForwardPart<'_, F>, weight: &Factor<'_, F>) {
    let (scan, n) = (part.scan, part.scan.hidden);
    let mut hidden = State::of(scan.initial[0], &part.rows, n, padded::<F>(n));
    let mut cell = State::of(scan.initial[1], &part.rows, n, n);
    for step in 0..scan.plan.steps() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            break;
        }
        let block = part.gates.step(step);
        let sums = MatMut::row_major(block, count, 4 * n);
        weight.multiply(hidden.matrix(count), Update::ADD, sums);
        let outputs = part.outputs.step(step);
        let mut saved = part.saved.as_mut().map(|saved| saved.step(step));
        for (at, row) in block.chunks_exact_mut(4 * n).enumerate() {
            let [i, f, g, o] = gates_of(row);
            gates(i, f, g, o, cell.row(at), hidden.row(at));
            outputs[at * n..][..n].copy_from_slice(hidden.row(at));
            if let Some(saved) = &mut saved {
                saved[at * n..][..n].copy_from_slice(cell.row(at));
            }
        }
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.outputs.end(0, row).copy_from_slice(hidden.row(at));
        part.outputs.end(1, row).copy_from_slice(cell.row(at));
    }
}

pub(super) fn backward<F: Float>(mut part: BackwardPart<'_, F>, weight: &Factor<'_, F>) {
    let (scan, n, left) = (part.scan, part.scan.hidden, part.left);
    let (mut by_hidden, mut by_cell) = (part.last(0), part.last(1));
    let width = padded::<F>(4 * n);
    for step in (0..scan.plan.steps()).rev() {
        let count = scan.plan.running(step, &part.rows);
        if count == 0 {
            continue;
        }
        let first = scan.plan.packed(step, part.rows.start);
        let sums = part.projected.step(step);
        for (at, sums) in sums.chunks_exact_mut(width).enumerate() {
            let row = first + at;
            let before = match step.checked_sub(1) {
                None => line(scan.initial[1], part.rows.start + at, n),
                Some(step) => line(left.saved, scan.plan.packed(step, part.rows.start + at), n),
            };
            let cells = [before, line(left.saved, row, n)];
            let [di, df, dg, output] = gates_of(&mut sums[..4 * n]);
            gates_backward(
                line(left.gates, row, 4 * n),
                cells,
                line(left.gradient, row, n),
                by_hidden.row(at),
                by_cell.row(at),
                di,
                df,
                dg,
                output,
            );
        }
        let sums = rows_of(sums, count, 4 * n, width);
        weight.multiply(sums, Update::ASSIGN, by_hidden.output(count));
    }
    for (at, row) in part.rows.clone().enumerate() {
        part.states.end(0, row).copy_from_slice(by_hidden.row(at));
        part.states.end(1, row).copy_from_slice(by_cell.row(at));
    }
}
