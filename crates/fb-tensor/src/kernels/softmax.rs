//! Softmax of rows, its logarithm, the cross-entropy that is made from both, and the ways back.

use super::reduce::{Largest, Sum, sums, total};
use crate::element::Float;

/// Short rows are taken together up to about so many elements, so that exponentials run over long slices.
const GROUP: usize = 1024;

/// `output = factor · (input − max(row))` for a few rows; the factor is not negative.
#[inline(always)]
fn shifted<F: Float>(input: &[F], length: usize, factor: F, output: &mut [F]) {
    for (row, out) in input
        .chunks_exact(length)
        .zip(output.chunks_exact_mut(length))
    {
        let largest = factor * F::from_f64(total(Largest, row));
        for (y, &x) in out.iter_mut().zip(row) {
            *y = factor * x - largest;
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
    /// `eˣ / Σ eˣ` with `x` the factor, which is not negative, times the elements of each row of `length > 0`.
    pub(crate) fn softmax [F: Float] (input: &[F], length: usize, factor: F, output: &mut [F]) {
        let group = group_of(length);
        for (input, output) in input.chunks(group).zip(output.chunks_mut(group)) {
            shifted(input, length, factor, output);
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
            shifted(input, length, F::ONE, output);
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
            shifted(logits, length, F::ONE, output);
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

multiversion! {
    /// Softmax of those elements of `factor · row` that the mask allows; 0 elsewhere, and everywhere if it allows none.
    pub(crate) fn masked_softmax_row [F: Float] (input: &[F], factor: F, mask: &[bool], output: &mut [F]) {
        for ((y, &x), &allowed) in output.iter_mut().zip(input).zip(mask) {
            *y = F::select(allowed, factor * x, -F::INFINITY);
        }
        let largest = F::from_f64(total(Largest, output));
        if largest == -F::INFINITY {
            return output.fill(F::ZERO);
        }
        for y in output.iter_mut() {
            *y -= largest;
        }
        exponentials(output);
        let scale = F::ONE / F::from_f64(total(Sum, output));
        for y in output {
            *y *= scale;
        }
    }
}

multiversion! {
    /// `gradient = factor · y · (gradient − Σ gradient · y)` for each row `y` of a softmax.
    pub(crate) fn softmax_backward [F: Float] (output: &[F], length: usize, factor: F, gradient: &mut [F]) {
        for (y, gradient) in output.chunks_exact(length).zip(gradient.chunks_exact_mut(length)) {
            let [along] = sums([y, gradient], |[y, g]| [y * g]);
            let along = F::from_f64(along);
            for (g, &y) in gradient.iter_mut().zip(y) {
                *g = factor * (y * (*g - along));
            }
        }
    }
}

multiversion! {
    /// `gradient = gradient − eʸ · Σ gradient` for each row `y` of a logarithm of a softmax.
    pub(crate) fn log_softmax_backward [F: Float] (output: &[F], length: usize, gradient: &mut [F]) {
        for (y, gradient) in output.chunks_exact(length).zip(gradient.chunks_exact_mut(length)) {
            let sum = F::from_f64(total(Sum, gradient));
            for (g, &y) in gradient.iter_mut().zip(y) {
                *g -= y.exp() * sum;
            }
        }
    }
}

multiversion! {
    /// `g · (probabilities − one_hot(label))` of each row, into `output`. Labels must lie within the rows.
    pub(crate) fn cross_entropy_backward [F: Float] (
        probabilities: &[F], length: usize, labels: &[i64], gradient: &[F], output: &mut [F],
    ) {
        let rows = probabilities.chunks_exact(length).zip(output.chunks_exact_mut(length));
        for ((row, out), (&label, &g)) in rows.zip(labels.iter().zip(gradient)) {
            for (y, &p) in out.iter_mut().zip(row) {
                *y = g * p;
            }
            out[label as usize] -= g;
        }
    }
}

multiversion! {
    /// `−Σ t · y` of each row `t` of distributions and `y` of logarithms. What is impossible and not expected costs
    /// nothing, where 0 · −∞ would be NaN.
    pub(crate) fn expected_losses [F: Float] (logarithms: &[F], targets: &[F], length: usize, losses: &mut [F]) {
        let rows = logarithms.chunks_exact(length).zip(targets.chunks_exact(length));
        for ((y, t), loss) in rows.zip(losses) {
            let [sum] = sums([y, t], |[y, t]| [F::select(t == F::ZERO, F::ZERO, t * y)]);
            *loss = F::from_f64(-sum);
        }
    }
}

multiversion! {
    /// `g · (eʸ · Σ t − t)` of each row `y` of logarithms and `t` of distributions, into `output`.
    pub(crate) fn expected_losses_backward [F: Float] (
        logarithms: &[F], targets: &[F], length: usize, gradient: &[F], output: &mut [F],
    ) {
        let rows = logarithms.chunks_exact(length).zip(targets.chunks_exact(length));
        for (((y, t), &g), out) in rows.zip(gradient).zip(output.chunks_exact_mut(length)) {
            let sum = F::from_f64(total(Sum, t));
            for ((out, &y), &t) in out.iter_mut().zip(y).zip(t) {
                *out = g * (sum * y.exp() - t);
            }
        }
    }
}
