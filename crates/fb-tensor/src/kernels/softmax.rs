//! Softmax of rows, its logarithm, the cross-entropy that is made from both, and the ways back.

use super::reduce::{LANES, Largest, LargestNumber, Sum, sums, total};
use crate::element::Float;

/// Rows shorter than this are taken together, so that exponentials run over long slices.
const SHORT: usize = 4 * LANES;
/// Short rows are taken together up to about so many elements.
const GROUP: usize = 1024;

/// `output = factor · input − max` with the largest of that in each of a few rows; the factor is not negative.
#[inline(always)]
fn shifted<F: Float>(input: &[F], length: usize, factor: F, output: &mut [F]) {
    for (row, out) in input
        .chunks_exact(length)
        .zip(output.chunks_exact_mut(length))
    {
        let largest = factor * F::from_f64(total(LargestNumber, row));
        for (y, &x) in out.iter_mut().zip(row) {
            *y = factor * x - largest;
        }
    }
}

/// `eˣ` of what is not above 0.
#[inline(always)]
fn exponentials<F: Float>(values: &mut [F]) {
    for x in values {
        *x = x.exp_of_negative();
    }
}

#[inline(always)]
fn scale<F: Float>(row: &mut [F], factor: F) {
    for y in row {
        *y *= factor;
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
        if length >= SHORT {
            for (row, out) in input.chunks_exact(length).zip(output.chunks_exact_mut(length)) {
                let largest = factor * F::from_f64(total(LargestNumber, row));
                for (y, &x) in out.iter_mut().zip(row) {
                    *y = (factor * x - largest).exp_of_negative();
                }
                let sum = F::from_f64(total(Sum, out));
                scale(out, F::ONE / sum);
            }
            return;
        }
        let group = group_of(length);
        for (input, output) in input.chunks(group).zip(output.chunks_mut(group)) {
            shifted(input, length, factor, output);
            exponentials(output);
            for row in output.chunks_exact_mut(length) {
                let factor = F::ONE / F::from_f64(total(Sum, row));
                scale(row, factor);
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
                let largest = F::from_f64(total(LargestNumber, row));
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
                scale(row, F::ONE / sum);
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
        let factor = F::ONE / F::from_f64(total(Sum, output));
        scale(output, factor);
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
                *g -= y.exp_of_negative() * sum;
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
                *out = g * (sum * y.exp_of_negative() - t);
            }
        }
    }
}
