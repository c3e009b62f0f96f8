//! Passes over a tile of scores: from scores to weights, forward and backward.
//!
//! Rows are whole vectors of [`LANES`] numbers, of which a query sees some from the front. Sums are dealt to lanes by
//! position, so numbers that are zero at the end of a row do not change them.

use crate::element::Float;

/// Numbers that a sum deals to at a time; rows of a tile are a multiple of so many.
pub(super) const LANES: usize = 16;

/// The lanes joined as a tree.
#[inline(always)]
fn join<F: Float>(mut lanes: [F; LANES], joined: impl Fn(F, F) -> F) -> F {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = joined(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The larger of two numbers; the second if the first is NaN. (A NaN shows up in the sum of the weights.)
#[inline(always)]
fn larger<F: Float>(a: F, b: F) -> F {
    if a > b { a } else { b }
}

/// Which part of its row each query of a tile sees: the first one `first` numbers, each further one `step` more.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) first: usize,
    pub(super) step: usize,
    /// Keys of the tile; further numbers of a row only fill its last vector.
    pub(super) keys: usize,
    /// Length of a row.
    pub(super) stride: usize,
}

impl Seen {
    #[inline(always)]
    fn by(&self, row: usize) -> usize {
        (self.first + self.step * row).min(self.keys)
    }

    /// The vectors of a row that hold what its query sees, what it does not see among them replaced by −∞, and the rest.
    #[inline(always)]
    fn split<'a, F: Float>(&self, row: usize, values: &'a mut [F]) -> (&'a mut [F], &'a mut [F]) {
        let seen = self.by(row);
        let (inside, beyond) = values.split_at_mut(seen.next_multiple_of(LANES));
        inside[seen..].fill(-F::INFINITY);
        (inside, beyond)
    }
}

multiversion! {
    /// One step of the online softmax: scores become weights `exp(score − largest)`, and what was gathered so far (the
    /// sums of the weights and the weighted values, `width` for each query) is brought to the new largest score.
    pub(super) fn online [F: Float] (
        scores: &mut [F], seen: Seen, largest: &mut [F], sums: &mut [F], values: &mut [F], width: usize,
    ) {
        for (r, row) in scores.chunks_exact_mut(seen.stride).enumerate() {
            let (inside, beyond) = seen.split(r, row);
            beyond.fill(F::ZERO);
            let mut lanes = [-F::INFINITY; LANES];
            for part in inside.chunks_exact(LANES) {
                for (lane, &x) in lanes.iter_mut().zip(part) {
                    *lane = larger(x, *lane);
                }
            }
            let before = largest[r];
            let now = larger(join(lanes, larger), before);
            // Where nothing is seen yet there is nothing to subtract, and −∞ − −∞ would be NaN.
            let shift = if now == -F::INFINITY { F::ZERO } else { now };
            let mut lanes = [F::ZERO; LANES];
            for part in inside.chunks_exact_mut(LANES) {
                for (lane, x) in lanes.iter_mut().zip(part) {
                    *x = (*x - shift).exp();
                    *lane += *x;
                }
            }
            let kept = (before - shift).exp();
            largest[r] = now;
            sums[r] = sums[r] * kept + join(lanes, |a, b| a + b);
            if kept != F::ONE {
                for value in &mut values[r * width..(r + 1) * width] {
                    *value *= kept;
                }
            }
        }
    }
}

multiversion! {
    /// The end of the online softmax: `output = values / sum`, zeros where nothing was seen; returns the logarithm of the
    /// sum of the exponentials of all scores.
    pub(super) fn finish [F: Float] (largest: F, sum: F, values: &[F], output: &mut [F]) -> F {
        if sum == F::ZERO {
            output.fill(F::ZERO);
            return F::ZERO;
        }
        let scale = F::ONE / sum;
        for (out, &value) in output.iter_mut().zip(values) {
            *out = value * scale;
        }
        largest + sum.ln()
    }
}

multiversion! {
    /// The backward pass of the softmax: `weight = exp(score − log_sum)` in place of the scores, and in place of the
    /// gradients by the weights those by the scores, `weight · (gradient − mean)`, where `mean` is the weighted one.
    pub(super) fn gradients [F: Float] (
        scores: &mut [F], gradients: &mut [F], seen: Seen, log_sums: &[F], means: &[F],
    ) {
        let rows = scores.chunks_exact_mut(seen.stride).zip(gradients.chunks_exact_mut(seen.stride));
        for (r, (row, gradients)) in rows.enumerate() {
            let (inside, beyond) = seen.split(r, row);
            beyond.fill(F::ZERO);
            let (gradients, unseen) = gradients.split_at_mut(inside.len());
            unseen.fill(F::ZERO);
            let (log_sum, mean) = (log_sums[r], means[r]);
            let parts = inside.chunks_exact_mut(LANES).zip(gradients.chunks_exact_mut(LANES));
            for (part, gradients) in parts {
                for (x, g) in part.iter_mut().zip(gradients) {
                    *x = (*x - log_sum).exp();
                    *g = *x * (*g - mean);
                }
            }
        }
    }
}

multiversion! {
    /// `Σ a·b`
    pub(super) fn dot [F: Float] (a: &[F], b: &[F]) -> F {
        let mut lanes = [F::ZERO; LANES];
        let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let ends = a_parts.remainder().iter().zip(b_parts.remainder());
        for (a, b) in a_parts.zip(b_parts) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += a * b;
            }
        }
        for (lane, (&a, &b)) in lanes.iter_mut().zip(ends) {
            *lane += a * b;
        }
        join(lanes, |a, b| a + b)
    }
}

multiversion! {
    /// `score = −∞` where it is not allowed; `allowed` has one flag for each score or one for all of them.
    pub(super) fn hide [F: Float] (scores: &mut [F], allowed: &[bool]) {
        if let [allowed] = allowed {
            if !allowed {
                scores.fill(-F::INFINITY);
            }
            return;
        }
        for (score, &allowed) in scores.iter_mut().zip(allowed) {
            *score = F::select(allowed, *score, -F::INFINITY);
        }
    }
}

multiversion! {
    /// `score += added`, which has one number for each score or one for all of them.
    pub(super) fn add [F: Float] (scores: &mut [F], added: &[F]) {
        if let &[added] = added {
            scores.iter_mut().for_each(|score| *score += added);
            return;
        }
        for (score, &added) in scores.iter_mut().zip(added) {
            *score += added;
        }
    }
}
