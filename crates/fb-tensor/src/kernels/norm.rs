//! Normalisation: of rows (layer and root-mean-square norm) and of channels (batch and group norm), and the way back.
//!
//! Means are kept in two parts, a number of the type and what it lacks, so that `(x − mean) − rest` is exact to
//! rounding even where the mean is a million times the deviation. Variances come from the corrected two-pass formula
//! `(Σd² − (Σd)²/n) / n`, with `d` the distance from the mean that the first pass found.

use super::reduce::{Sum, sums, total};
use crate::element::Float;

/// How many numbers are kept for each row or channel: the mean, what it lacks, and the reciprocal deviation.
pub(crate) const KEPT: usize = 3;

/// A double as a number of the type and what that lacks.
#[inline(always)]
pub(crate) fn in_two_parts<F: Float>(value: f64) -> (F, F) {
    let near = F::from_f64(value);
    (near, F::from_f64(value - near.to_f64()))
}

/// `1 / √(variance + ε)`, with a variance that rounding made negative taken as 0 and NaN kept.
#[inline(always)]
pub(crate) fn reciprocal_deviation(variance: f64, epsilon: f64) -> f64 {
    let variance = if variance < 0.0 { 0.0 } else { variance };
    1.0 / (variance + epsilon).sqrt()
}

/// Short rows are taken together up to so many, so that what is done once a row overlaps.
const TOGETHER: usize = 8;
/// And up to about so many elements, so that they stay in the first cache.
const GROUP: usize = 2048;

/// How many elements of whole rows are worked on at a time.
#[inline(always)]
fn group_of(width: usize) -> usize {
    (GROUP / width).clamp(1, TOGETHER) * width
}

/// The mean in two parts and the reciprocal deviation of each of at most [`TOGETHER`] rows; means of 0 if not `centred`.
#[inline(always)]
fn statistics_of<F: Float>(
    rows: &[F],
    width: usize,
    centred: bool,
    epsilon: f64,
    kept: &mut [[F; KEPT]],
) {
    let n = width as f64;
    let mut near = [F::ZERO; TOGETHER];
    let mut totals = [[0.0; 2]; TOGETHER];
    let rows = rows.chunks_exact(width);
    if !centred {
        for (row, total) in rows.zip(&mut totals) {
            let [squares] = sums([row], |[x]| [x * x]);
            total[1] = squares;
        }
    } else {
        let mut means = [0.0; TOGETHER];
        for (row, mean) in rows.clone().zip(&mut means) {
            *mean = total(Sum, row);
        }
        for (near, mean) in near.iter_mut().zip(means) {
            *near = F::from_f64(mean / n);
        }
        for ((row, &near), total) in rows.zip(&near).zip(&mut totals) {
            *total = sums([row], |[x]| {
                let d = x - near;
                [d, d * d]
            });
        }
    }
    let mut results = [[F::ZERO; KEPT]; TOGETHER];
    for ((result, near), [sum, squares]) in results.iter_mut().zip(near).zip(totals) {
        let scale = reciprocal_deviation((squares - sum * sum / n) / n, epsilon);
        let (mean, rest) = in_two_parts(near.to_f64() + sum / n);
        *result = [mean, rest, F::from_f64(scale)];
    }
    kept.copy_from_slice(&results[..kept.len()]);
}

/// `y = ((x − mean) − rest) · scale · weight + bias` of a row.
#[inline(always)]
fn finish_row<F: Float>(row: &[F], kept: [F; KEPT], weight: &[F], bias: &[F], output: &mut [F]) {
    let [mean, rest, scale] = kept;
    for (((y, &x), &w), &b) in output.iter_mut().zip(row).zip(weight).zip(bias) {
        *y = ((x - mean) - rest) * scale * w + b;
    }
}

multiversion! {
    /// Normalises each row; its statistics go to `kept`.
    pub(crate) fn normalise_rows [F: Float] (
        input: &[F], weight: &[F], bias: &[F], centred: bool, epsilon: f64, output: &mut [F], kept: &mut [F],
    ) {
        let width = weight.len();
        let group = group_of(width);
        let groups = input.chunks(group).zip(output.chunks_mut(group));
        let kept = kept.as_chunks_mut::<KEPT>().0.chunks_mut(group / width);
        for ((input, output), kept) in groups.zip(kept) {
            statistics_of(input, width, centred, epsilon, kept);
            let rows = input.chunks_exact(width).zip(output.chunks_exact_mut(width));
            for ((row, out), &mut kept) in rows.zip(kept) {
                finish_row(row, kept, weight, bias, out);
            }
        }
    }
}

multiversion! {
    /// Adds two matrices and normalises each row of the sum; its statistics go to `kept`.
    pub(crate) fn add_and_normalise_rows [F: Float] (
        terms: [&[F]; 2], weight: &[F], bias: &[F], centred: bool, epsilon: f64, outputs: [&mut [F]; 2], kept: &mut [F],
    ) {
        let ([input, residual], [sum, output]) = (terms, outputs);
        let width = weight.len();
        let group = group_of(width);
        let inputs = input.chunks(group).zip(residual.chunks(group));
        let outputs = sum.chunks_mut(group).zip(output.chunks_mut(group));
        let kept = kept.as_chunks_mut::<KEPT>().0.chunks_mut(group / width);
        for (((a, b), (sum, out)), kept) in inputs.zip(outputs).zip(kept) {
            for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
                *sum = a + b;
            }
            statistics_of(sum, width, centred, epsilon, kept);
            let rows = sum.chunks_exact(width).zip(out.chunks_exact_mut(width));
            for ((row, out), &mut kept) in rows.zip(kept) {
                finish_row(row, kept, weight, bias, out);
            }
        }
    }
}

multiversion! {
    /// The way back from [`normalise_rows`], from its input and the gradient: `scale · (g·w − mean(g·w) − x̂ · mean(g·w·x̂))` of each row is added to
    /// `output` (written there if that is `fresh`), and `g·x̂` and `g`, summed over the rows, to `by_weight` and `by_bias`.
    pub(crate) fn rows_backward [F: Float] (
        inputs: [&[F]; 2], kept: &[F], weight: &[F], centred: bool, fresh: bool,
        output: &mut [F], totals: [&mut [F]; 2],
    ) {
        let ([input, gradient], [by_weight, by_bias]) = (inputs, totals);
        let width = weight.len();
        let n = width as f64;
        let rows = input.chunks_exact(width).zip(gradient.chunks_exact(width));
        let rows = rows.zip(kept.as_chunks::<KEPT>().0).zip(output.chunks_exact_mut(width));
        for (((row, g), &[mean, rest, scale]), out) in rows {
            let [plain, along] = sums([row, g, weight], |[x, g, w]| {
                let share = g * w;
                [share, share * (((x - mean) - rest) * scale)]
            });
            let plain = if centred { F::from_f64(plain / n) } else { F::ZERO };
            let along = F::from_f64(along / n);
            if fresh {
                // Within the first cache, so that one loop does for both.
                out.fill(F::ZERO);
            }
            let values = row.iter().zip(g).zip(weight);
            let places = by_weight.iter_mut().zip(by_bias.iter_mut());
            for ((out, ((&x, &g), &w)), (by_weight, by_bias)) in out.iter_mut().zip(values).zip(places) {
                let x = ((x - mean) - rest) * scale;
                *out += scale * ((g * w - plain) - x * along);
                *by_weight += g * x;
                *by_bias += g;
            }
        }
    }
}

/// Vectors shorter than this are written out several times, so that loops over them are long.
const SHORT: usize = 64;
/// Room for a short vector written out.
const TILE: usize = 2 * SHORT;

/// How many rounds of `width` channels are worked on together.
#[inline(always)]
fn rounds(width: usize) -> usize {
    if width < SHORT { TILE / width } else { 1 }
}

/// A vector written out as often as its length allows, if it is short.
#[inline(always)]
fn tiled<'a, F: Float>(values: &'a [F], store: &'a mut [F; TILE]) -> &'a [F] {
    let times = rounds(values.len());
    if times == 1 {
        return values;
    }
    let tile = &mut store[..times * values.len()];
    for part in tile.chunks_exact_mut(values.len()) {
        part.copy_from_slice(values);
    }
    tile
}

/// Sums of a tile, or of the vector itself, added to the vector: the rounds one after the other.
#[inline(always)]
fn fold_tile<F: Float>(tile: &[F], output: &mut [F]) {
    for part in tile.chunks_exact(output.len()) {
        for (out, &x) in output.iter_mut().zip(part) {
            *out += x;
        }
    }
}

/// Lets `add` add to two vectors of sums, or to tiles of zeros that are then folded onto them.
#[inline(always)]
fn with_tiles<F: Float>(first: &mut [F], second: &mut [F], add: impl Fn(&mut [F], &mut [F])) {
    let times = rounds(first.len());
    if times == 1 {
        return add(first, second);
    }
    let length = times * first.len();
    let mut tiles = [[F::ZERO; TILE]; 2];
    let [a, b] = &mut tiles;
    add(&mut a[..length], &mut b[..length]);
    fold_tile(&a[..length], first);
    fold_tile(&b[..length], second);
}

multiversion! {
    /// The mean of each channel over some rows, and sums and squares of the distances from it: `KEPT` vectors.
    pub(crate) fn channel_moments [F: Float] (input: &[F], width: usize, moments: &mut [F]) {
        moments.fill(F::ZERO);
        let (means, sums) = moments.split_at_mut(width);
        let (sums, squares) = sums.split_at_mut(width);
        let count = F::from_f64((input.len() / width) as f64);
        with_tiles(means, squares, |sums, _| {
            for row in input.chunks(sums.len()) {
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        });
        for mean in means.iter_mut() {
            *mean /= count;
        }
        let mut store = [F::ZERO; TILE];
        let near = tiled(means, &mut store);
        with_tiles(sums, squares, |sums, squares| {
            for row in input.chunks(near.len()) {
                let places = sums.iter_mut().zip(squares.iter_mut());
                for (((sum, square), &near), &x) in places.zip(near).zip(row) {
                    let d = x - near;
                    *sum += d;
                    *square += d * d;
                }
            }
        });
    }
}

multiversion! {
    /// `((x − mean) − rest) · scale + shift`, each channel with its own numbers.
    pub(crate) fn normalise_channels [F: Float] (
        input: &[F], mean: &[F], rest: &[F], scale: &[F], shift: &[F], output: &mut [F],
    ) {
        let mut stores = [[F::ZERO; TILE]; 4];
        let [a, b, c, d] = &mut stores;
        let (mean, rest) = (tiled(mean, a), tiled(rest, b));
        let (scale, shift) = (tiled(scale, c), tiled(shift, d));
        for (row, out) in input.chunks(mean.len()).zip(output.chunks_mut(mean.len())) {
            let moments = mean.iter().zip(rest);
            let factors = scale.iter().zip(shift);
            let numbers = moments.zip(factors);
            for ((y, &x), ((&mean, &rest), (&scale, &shift))) in out.iter_mut().zip(row).zip(numbers) {
                *y = ((x - mean) - rest) * scale + shift;
            }
        }
    }
}

multiversion! {
    /// `Σ g·x̂` and `Σ g` of each channel over some rows.
    pub(crate) fn channel_gradient_sums [F: Float] (
        input: &[F], gradient: &[F], kept: [&[F]; KEPT], by_weight: &mut [F], by_bias: &mut [F],
    ) {
        let [mean, rest, scale] = kept;
        by_weight.fill(F::ZERO);
        by_bias.fill(F::ZERO);
        let mut stores = [[F::ZERO; TILE]; 3];
        let [a, b, c] = &mut stores;
        let (mean, rest, scale) = (tiled(mean, a), tiled(rest, b), tiled(scale, c));
        with_tiles(by_weight, by_bias, |by_weight, by_bias| {
            for (row, g) in input.chunks(mean.len()).zip(gradient.chunks(mean.len())) {
                let sums = by_weight.iter_mut().zip(by_bias.iter_mut());
                let numbers = mean.iter().zip(rest).zip(scale);
                let places = row.iter().zip(g).zip(numbers);
                for ((by_weight, by_bias), ((&x, &g), ((&mean, &rest), &scale))) in sums.zip(places) {
                    *by_weight += g * (((x - mean) - rest) * scale);
                    *by_bias += g;
                }
            }
        });
    }
}

multiversion! {
    /// `g · factor − plain − x̂ · along`, added to `output` (written there if that is `fresh`), each channel with its own
    /// numbers.
    pub(crate) fn channels_backward [F: Float] (
        input: &[F], gradient: &[F], kept: [&[F]; KEPT], factors: [&[F]; 3], fresh: bool, output: &mut [F],
    ) {
        let ([mean, rest, scale], [factor, plain, along]) = (kept, factors);
        let mut stores = [[F::ZERO; TILE]; 6];
        let [a, b, c, d, e, f] = &mut stores;
        let (mean, rest, scale) = (tiled(mean, a), tiled(rest, b), tiled(scale, c));
        let (factor, plain, along) = (tiled(factor, d), tiled(plain, e), tiled(along, f));
        let length = mean.len();
        let inputs = input.chunks(length).zip(gradient.chunks(length));
        for ((row, g), out) in inputs.zip(output.chunks_mut(length)) {
            let moments = mean.iter().zip(rest).zip(scale);
            let factors = factor.iter().zip(plain).zip(along);
            if fresh {
                out.fill(F::ZERO);
            }
            let values = row.iter().zip(g);
            let places = out.iter_mut().zip(values).zip(moments.zip(factors));
            for ((out, (&x, &g)), (((&mean, &rest), &scale), ((&factor, &plain), &along))) in places {
                let x = ((x - mean) - rest) * scale;
                *out += (g * factor - plain) - x * along;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reduce::{BLOCK, LANES};
    use crate::kernels::reference;

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n)
            .map(|i| (((i + seed) * 2_654_435_761) % 1_000_003) as f32 / 1_000_003.0 - 0.3)
            .collect()
    }

    fn close(got: &[f32], want: &[f64], tolerance: f64) {
        assert_eq!(got.len(), want.len());
        for (&got, &want) in got.iter().zip(want) {
            let near = (f64::from(got) - want).abs() <= tolerance * want.abs().max(1.0);
            assert!(near, "{got} instead of {want}");
        }
    }

    /// Widths and numbers of rows on both sides of every change of method.
    const SHAPES: [(usize, usize); 9] = [
        (1, 1),
        (3, 5),
        (2, LANES),
        (4, LANES + 1),
        (130, 3),
        (9, SHORT - 1),
        (7, SHORT),
        (5, 2 * LANES + 7),
        (2, BLOCK + 9),
    ];

    #[test]
    fn rows_are_those_of_the_naive_twin() {
        for (rows, width) in SHAPES {
            for centred in [true, false] {
                let (x, g) = (values(rows * width, 1), values(rows * width, 77));
                let (w, b) = (values(width, 5), values(width, 9));
                let (mut y, mut kept) = (vec![0.0; x.len()], vec![0.0; KEPT * rows]);
                normalise_rows(&x, &w, &b, centred, 1e-5, &mut y, &mut kept);
                let want = reference::norm_rows(&x, &w, &b, centred, 1e-5);
                close(&y, &want, 1e-5);

                let halves: Vec<f32> = x.iter().map(|x| 0.5 * x).collect();
                let (mut sum, mut again) = (vec![0.0; x.len()], vec![0.0; x.len()]);
                let mut kept_again = kept.clone();
                add_and_normalise_rows(
                    [&halves, &halves],
                    &w,
                    &b,
                    centred,
                    1e-5,
                    [&mut sum, &mut again],
                    &mut kept_again,
                );
                assert_eq!((&sum, &again, &kept_again), (&x, &y, &kept));

                let mut dx = vec![1.0; x.len()];
                let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
                rows_backward(
                    [&x, &g],
                    &kept,
                    &w,
                    centred,
                    false,
                    &mut dx,
                    [&mut dw, &mut db],
                );
                let (want_dx, want_dw, want_db) =
                    reference::norm_rows_backward(&x, &w, &g, centred, 1e-5);
                let want_dx: Vec<f64> = want_dx.iter().map(|d| 1.0 + d).collect();
                // Of one element nothing is left but rounding, divided by √ε.
                close(&dx, &want_dx, if width == 1 { 1e-3 } else { 1e-4 });
                close(&dw, &want_dw, 1e-4);
                close(&db, &want_db, 1e-4);
            }
        }
    }

    /// A channel of a matrix is a row of its transpose.
    #[test]
    fn channels_are_rows_of_the_transpose() {
        for (rows, width) in SHAPES {
            if rows == 1 {
                continue;
            }
            let (x, g) = (values(rows * width, 1), values(rows * width, 77));
            let turn = |m: &[f32]| -> Vec<f32> {
                (0..m.len())
                    .map(|i| m[i % rows * width + i / rows])
                    .collect()
            };
            let back = |m: &[f64]| -> Vec<f64> {
                (0..m.len())
                    .map(|i| m[i % width * rows + i / width])
                    .collect()
            };
            let mut moments = vec![f32::NAN; KEPT * width];
            channel_moments(&x, width, &mut moments);
            let n = rows as f64;
            let mut mean = vec![0.0; width];
            let mut rest = vec![0.0; width];
            let mut scale = vec![0.0; width];
            for c in 0..width {
                let (near, sum) = (f64::from(moments[c]), f64::from(moments[width + c]));
                let squares = f64::from(moments[2 * width + c]);
                (mean[c], rest[c]) = in_two_parts(near + sum / n);
                scale[c] = reciprocal_deviation((squares - sum * sum / n) / n, 1e-5) as f32;
            }
            let mut y = vec![f32::NAN; x.len()];
            let zero = vec![0.0; width];
            normalise_channels(&x, &mean, &rest, &scale, &zero, &mut y);
            let (ones, zeros) = (vec![1.0; rows], vec![0.0; rows]);
            let want = back(&reference::norm_rows(&turn(&x), &ones, &zeros, true, 1e-5));
            close(&y, &want, 1e-4);

            let (mut dw, mut db) = (vec![f32::NAN; width], vec![f32::NAN; width]);
            channel_gradient_sums(&x, &g, [&mean, &rest, &scale], &mut dw, &mut db);
            let column = |f: &dyn Fn(usize) -> f64, c: usize| -> f64 {
                (0..rows).map(|r| f(r * width + c)).sum()
            };
            let want_dw: Vec<f64> = (0..width)
                .map(|c| column(&|i| f64::from(g[i]) * want[i], c))
                .collect();
            let want_db: Vec<f64> = (0..width)
                .map(|c| column(&|i| f64::from(g[i]), c))
                .collect();
            close(&dw, &want_dw, 1e-4);
            close(&db, &want_db, 1e-4);

            let (want_dx, _, _) =
                reference::norm_rows_backward(&turn(&x), &ones, &turn(&g), true, 1e-5);
            let want_dx: Vec<f64> = back(&want_dx).iter().map(|d| 1.0 + d).collect();
            let of = |sum: &[f32]| -> Vec<f32> {
                sum.iter()
                    .zip(&scale)
                    .map(|(sum, scale)| sum / rows as f32 * scale)
                    .collect()
            };
            let mut dx = vec![1.0; x.len()];
            let factors = [&scale[..], &of(&db), &of(&dw)];
            channels_backward(&x, &g, [&mean, &rest, &scale], factors, false, &mut dx);
            close(&dx, &want_dx, 1e-4);
        }
    }

    #[test]
    fn a_mean_far_from_zero_does_not_cancel() {
        let width = 1000;
        // Multiples of 1/16 next to a million are exact.
        let noise: Vec<f64> = (0..width)
            .map(|i| f64::from((i * 37 % 101) as i32 - 50) / 16.0)
            .collect();
        let x: Vec<f32> = noise.iter().map(|d| (1e6 + d) as f32).collect();
        let exact: Vec<f32> = noise.iter().map(|&d| d as f32).collect();
        let (w, b) = (vec![1.0; width], vec![0.0; width]);
        let (mut y, mut kept) = (vec![0.0; width], vec![0.0; KEPT]);
        normalise_rows(&x, &w, &b, true, 1e-5, &mut y, &mut kept);
        close(&y, &reference::norm_rows(&exact, &w, &b, true, 1e-5), 3e-6);
        let g = values(width, 3);
        let (want, want_dw, _) = reference::norm_rows_backward(&exact, &w, &g, true, 1e-5);
        let mut dx = vec![f32::NAN; width];
        let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
        rows_backward([&x, &g], &kept, &w, true, true, &mut dx, [&mut dw, &mut db]);
        close(&dx, &want, 3e-6);
        close(&dw, &want_dw, 3e-6);
    }
}
