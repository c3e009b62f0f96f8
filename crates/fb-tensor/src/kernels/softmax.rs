//! Softmax of rows, its logarithm, and the cross-entropy that is made from both.

use super::reduce::{Largest, Sum, total};
use crate::element::Float;

/// Short rows are taken together up to about so many elements, so that exponentials run over long slices.
const GROUP: usize = 1024;

/// `output = input − max(row)` and then its exponential, for a few rows.
#[inline(always)]
fn shifted<F: Float>(input: &[F], length: usize, output: &mut [F]) {
    for (row, out) in input
        .chunks_exact(length)
        .zip(output.chunks_exact_mut(length))
    {
        let largest = F::from_f64(total(Largest, row));
        for (y, &x) in out.iter_mut().zip(row) {
            *y = x - largest;
        }
    }
}

#[inline(always)]
fn exponentials<F: Float>(values: &mut [F]) {
    for x in values {
        *x = x.exp();
    }
}

/// How many elements of whole rows are worked on at a time.
#[inline(always)]
fn group_of(length: usize) -> usize {
    (GROUP / length).max(1) * length
}

multiversion! {
    /// `eˣ / Σ eˣ` of each row of `length > 0` elements.
    pub(crate) fn softmax [F: Float] (input: &[F], length: usize, output: &mut [F]) {
        let group = group_of(length);
        for (input, output) in input.chunks(group).zip(output.chunks_mut(group)) {
            shifted(input, length, output);
            exponentials(output);
            for row in output.chunks_exact_mut(length) {
                let scale = F::ONE / F::from_f64(total(Sum, row));
                for y in row {
                    *y *= scale;
                }
            }
        }
    }
}

multiversion! {
    /// `x − ln Σ eˣ` of each row of `length > 0` elements.
    pub(crate) fn log_softmax [F: Float] (input: &[F], length: usize, output: &mut [F]) {
        let group = group_of(length);
        for (input, output) in input.chunks(group).zip(output.chunks_mut(group)) {
            shifted(input, length, output);
            exponentials(output);
            for (row, out) in input.chunks_exact(length).zip(output.chunks_exact_mut(length)) {
                let largest = F::from_f64(total(Largest, row));
                let logarithm = F::from_f64(total(Sum, out)).ln();
                for (y, &x) in out.iter_mut().zip(row) {
                    *y = (x - largest) - logarithm;
                }
            }
        }
    }
}

multiversion! {
    /// Softmax of each row of `length > 0` elements, and `ln Σ eˣ − x` of the element that the row's label names. Labels
    /// must lie within the rows.
    pub(crate) fn cross_entropy [F: Float] (
        logits: &[F], length: usize, labels: &[i64], losses: &mut [F], probabilities: &mut [F],
    ) {
        let group = group_of(length);
        let labels = labels.chunks(group / length).zip(losses.chunks_mut(group / length));
        let rows = logits.chunks(group).zip(probabilities.chunks_mut(group));
        for ((logits, output), (labels, losses)) in rows.zip(labels) {
            shifted(logits, length, output);
            for ((row, &label), loss) in output.chunks_exact(length).zip(labels).zip(losses.iter_mut()) {
                *loss = -row[label as usize];
            }
            exponentials(output);
            for (row, loss) in output.chunks_exact_mut(length).zip(losses) {
                let sum = F::from_f64(total(Sum, row));
                *loss += sum.ln();
                let scale = F::ONE / sum;
                for y in row {
                    *y *= scale;
                }
            }
        }
    }
}
