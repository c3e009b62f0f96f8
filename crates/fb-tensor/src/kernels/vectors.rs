//! Vectors of a solver: distances, dot products with a history, linear combinations.
//!
//! A solver works on each row of a batch by itself, with a few vectors of that row that lie one after the other. Sums are
//! kept in double precision, in lanes that only the length decides: the products of `f32` are exact there, so that the
//! Gram matrix of nearly parallel vectors is still good.

use crate::element::Float;

/// Running sums of a dot product, so that it vectorises and additions overlap.
const LANES: usize = 16;
/// Columns that are combined while they stay in registers.
const STRIP: usize = 64;

/// Lanes joined as a tree.
#[inline(always)]
fn joined(lanes: &[f64; LANES]) -> f64 {
    let eight: [f64; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [f64; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Adds functions of the elements at the same place of several parts to the lanes.
#[allow(
    clippy::needless_range_loop,
    reason = "an iterator over the sums keeps their lanes in memory, numbers let them stay in registers"
)]
#[inline(always)]
fn add_round<F: Float, const N: usize, const M: usize>(
    lanes: &mut [[f64; LANES]; M],
    parts: [&[F; LANES]; N],
    f: &impl Fn([f64; N]) -> [f64; M],
) {
    for lane in 0..LANES {
        let values = f(parts.map(|part| part[lane].to_f64()));
        for sum in 0..M {
            lanes[sum][lane] += values[sum];
        }
    }
}

/// Sums in double precision of functions of the elements at the same place of several vectors; of zeros they are 0.
#[inline(always)]
fn wide_sums<F: Float, const N: usize, const M: usize>(
    inputs: [&[F]; N],
    f: impl Fn([f64; N]) -> [f64; M],
) -> [f64; M] {
    let length = inputs[0].len();
    let inputs = inputs.map(|input| &input[..length]);
    let mut lanes = [[0.0; LANES]; M];
    let whole = length / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let parts = inputs.map(|input| input[start..].first_chunk().expect("a whole round"));
        add_round(&mut lanes, parts, &f);
    }
    if whole < length {
        // A lane that is picked at run time would keep all of them out of registers.
        let mut rest = [[F::ZERO; LANES]; N];
        for (rest, input) in rest.iter_mut().zip(inputs) {
            rest[..length - whole].copy_from_slice(&input[whole..]);
        }
        add_round(&mut lanes, rest.each_ref(), &f);
    }
    let mut totals = [0.0; M];
    for (total, lanes) in totals.iter_mut().zip(&lanes) {
        *total = joined(lanes);
    }
    totals
}

multiversion! {
    fn distance_loop [F: Float] (from: &[F], to: &[F]) -> [f64; 2] {
        wide_sums([from, to], |[from, to]| {
            let d = to - from;
            [d * d, to * to]
        })
    }
}

multiversion! {
    fn dots_loop [F: Float] (rows: &[F], vector: &[F], output: &mut [f64]) {
        let length = vector.len();
        let (pairs, last) = output.as_chunks_mut::<2>();
        let mut rows = rows.chunks_exact(length);
        for out in pairs {
            let (a, b) = (rows.next().expect("a row for each"), rows.next().expect("a row for each"));
            *out = wide_sums([a, b, vector], |[a, b, x]| [a * x, b * x]);
        }
        for (out, row) in last.iter_mut().zip(rows) {
            [*out] = wide_sums([row, vector], |[a, x]| [a * x]);
        }
    }
}

multiversion! {
    fn dot_pairs_loop [F: Float] (rows: &[F], vectors: [&[F]; 2], output: &mut [[f64; 2]]) {
        let [x, y] = vectors;
        let (pairs, last) = output.as_chunks_mut::<2>();
        let mut rows = rows.chunks_exact(x.len());
        for [one, two] in pairs {
            let (a, b) = (rows.next().expect("a row for each"), rows.next().expect("a row for each"));
            let [ax, ay, bx, by] = wide_sums([a, b, x, y], |[a, b, x, y]| [a * x, a * y, b * x, b * y]);
            (*one, *two) = ([ax, ay], [bx, by]);
        }
        for (out, row) in last.iter_mut().zip(rows) {
            *out = wide_sums([row, x, y], |[a, x, y]| [a * x, a * y]);
        }
    }
}

multiversion! {
    fn combine_loop [F: Float] (base: &[F], rows: &[F], factors: &[f64], output: &mut [F]) {
        let length = base.len();
        let whole = length / STRIP * STRIP;
        for start in (0..whole).step_by(STRIP) {
            let mut sums: [F; STRIP] = *base[start..].first_chunk().expect("a whole strip");
            for (row, &factor) in rows.chunks_exact(length).zip(factors) {
                let factor = F::from_f64(factor);
                let row: &[F; STRIP] = row[start..].first_chunk().expect("a whole strip");
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += factor * x;
                }
            }
            output[start..start + STRIP].copy_from_slice(&sums);
        }
        let rest = &mut output[whole..];
        rest.copy_from_slice(&base[whole..]);
        for (row, &factor) in rows.chunks_exact(length).zip(factors) {
            let factor = F::from_f64(factor);
            for (sum, &x) in rest.iter_mut().zip(&row[whole..]) {
                *sum += factor * x;
            }
        }
    }
}

multiversion! {
    fn mix_loop [F: Float] (from: &[F], to: &[F], share: f64, output: &mut [F]) {
        let (rest, share) = (F::from_f64(1.0 - share), F::from_f64(share));
        for ((out, &a), &b) in output.iter_mut().zip(from).zip(to) {
            *out = rest * a + share * b;
        }
    }
}

multiversion! {
    fn secant_loop [F: Float] (from: &[F], to: &[F], share: f64, last: [&mut [F]; 2], changes: [&mut [F]; 2]) {
        let (rest, share) = (F::from_f64(1.0 - share), F::from_f64(share));
        let ([last_step, last_mixed], [step_change, mixed_change]) = (last, changes);
        let last = last_step.iter_mut().zip(last_mixed);
        let changes = step_change.iter_mut().zip(mixed_change);
        for (((&a, &b), (last_step, last_mixed)), (step_change, mixed_change)) in from.iter().zip(to).zip(last).zip(changes) {
            let (step, mixed) = (b - a, rest * a + share * b);
            *step_change = step - *last_step;
            *mixed_change = mixed - *last_mixed;
            *last_step = step;
            *last_mixed = mixed;
        }
    }
}

/// The loops, compiled once for each type.
#[allow(clippy::type_complexity, reason = "a table of signatures")]
pub(crate) struct VectorLoops<F: Float> {
    distance: fn(&[F], &[F]) -> [f64; 2],
    dots: fn(&[F], &[F], &mut [f64]),
    dot_pairs: fn(&[F], [&[F]; 2], &mut [[f64; 2]]),
    combine: fn(&[F], &[F], &[f64], &mut [F]),
    mix: fn(&[F], &[F], f64, &mut [F]),
    secant: fn(&[F], &[F], f64, [&mut [F]; 2], [&mut [F]; 2]),
}

impl<F: Float> VectorLoops<F> {
    pub(crate) const fn new() -> Self {
        Self {
            distance: distance_loop,
            dots: dots_loop,
            dot_pairs: dot_pairs_loop,
            combine: combine_loop,
            mix: mix_loop,
            secant: secant_loop,
        }
    }
}

fn loops<F: Float>() -> &'static VectorLoops<F> {
    &F::kernels().vectors
}

/// Panics unless the vectors are of one length.
#[track_caller]
fn check(name: &str, length: usize, others: &[usize]) {
    assert!(
        others.iter().all(|&other| other == length),
        "{name}: vectors of {length} and {others:?} elements, expected equal lengths"
    );
}

/// Panics unless there are as many rows as numbers for them.
#[track_caller]
fn check_rows(name: &str, rows: usize, count: usize, length: usize) {
    assert!(
        length.checked_mul(count) == Some(rows),
        "{name}: {rows} elements are not {count} rows of {length}"
    );
}

/// `Σ (to − from)²` and `Σ to²` in double precision.
///
/// ```
/// use fb_tensor::vectors;
/// assert_eq!(vectors::distance(&[1.0_f32, 0.0], &[4.0, 4.0]), [25.0, 32.0]);
/// ```
///
/// # Panics
/// If the vectors differ in length.
#[track_caller]
pub fn distance<F: Float>(from: &[F], to: &[F]) -> [f64; 2] {
    check("distance", from.len(), &[to.len()]);
    (loops::<F>().distance)(from, to)
}

/// The dot product in double precision of each row with a vector; `rows` holds them one after the other.
///
/// ```
/// use fb_tensor::vectors;
/// let mut output = [0.0; 2];
/// vectors::dots(&[1.0_f32, 2.0, 3.0, 4.0], &[1.0, 10.0], &mut output);
/// assert_eq!(output, [21.0, 43.0]);
/// ```
///
/// # Panics
/// If the rows are not as many as outputs, each as long as the vector.
#[track_caller]
pub fn dots<F: Float>(rows: &[F], vector: &[F], output: &mut [f64]) {
    check_rows("dots", rows.len(), output.len(), vector.len());
    if vector.is_empty() {
        return output.fill(0.0);
    }
    (loops::<F>().dots)(rows, vector, output)
}

/// [`dots`] with two vectors, in one pass over the rows. The sums have the same bits as those of [`dots`].
///
/// # Panics
/// If the vectors differ in length, or the rows are not as many as outputs, each as long as they.
#[track_caller]
pub fn dot_pairs<F: Float>(rows: &[F], vectors: [&[F]; 2], output: &mut [[f64; 2]]) {
    let length = vectors[0].len();
    check("dot_pairs", length, &[vectors[1].len()]);
    check_rows("dot_pairs", rows.len(), output.len(), length);
    if length == 0 {
        return output.fill([0.0; 2]);
    }
    (loops::<F>().dot_pairs)(rows, vectors, output)
}

/// `output = base + Σ factorⱼ · rowⱼ`, with the rows one after the other.
///
/// ```
/// use fb_tensor::vectors;
/// let mut output = [0.0_f32; 2];
/// vectors::combine(&[1.0, 1.0], &[1.0, 2.0, 3.0, 4.0], &[10.0, -1.0], &mut output);
/// assert_eq!(output, [8.0, 17.0]);
/// ```
///
/// # Panics
/// If base and output differ in length, or the rows are not as many as factors, each as long as they.
#[track_caller]
pub fn combine<F: Float>(base: &[F], rows: &[F], factors: &[f64], output: &mut [F]) {
    check("combine", base.len(), &[output.len()]);
    check_rows("combine", rows.len(), factors.len(), base.len());
    if !base.is_empty() {
        (loops::<F>().combine)(base, rows, factors, output)
    }
}

/// `output = (1 − share) · from + share · to`
///
/// # Panics
/// If the vectors differ in length.
#[track_caller]
pub fn mix<F: Float>(from: &[F], to: &[F], share: f64, output: &mut [F]) {
    check("mix", from.len(), &[to.len(), output.len()]);
    (loops::<F>().mix)(from, to, share, output)
}

/// What two steps of an iteration differ by: the steps `to − from` and the mixtures `(1 − share) · from + share · to`.
/// Both are written over those of the step before in `last`, and what they changed by to `changes`.
///
/// # Panics
/// If the vectors differ in length.
#[track_caller]
pub fn secant<F: Float>(
    from: &[F],
    to: &[F],
    share: f64,
    last: [&mut [F]; 2],
    changes: [&mut [F]; 2],
) {
    let [last_step, last_mixed] = &last;
    let [step_change, mixed_change] = &changes;
    let lengths = [
        to.len(),
        last_step.len(),
        last_mixed.len(),
        step_change.len(),
        mixed_change.len(),
    ];
    check("secant", from.len(), &lengths);
    (loops::<F>().secant)(from, to, share, last, changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reproducible numbers of both signs.
    fn numbers<F: Float>(count: usize, seed: u64) -> Vec<F> {
        (0..count as u64)
            .map(|i| {
                let mixed = (i + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
                F::from_f64(mixed as f64 / (1 << 23) as f64 - 1.0)
            })
            .collect()
    }

    fn naive_dot<F: Float>(a: &[F], b: &[F]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
    }

    fn near(got: f64, want: f64, length: usize, epsilon: f64) {
        let bound = epsilon * (length as f64 + 8.0) * (1.0 + want.abs());
        assert!((got - want).abs() <= bound, "{got} {want}");
    }

    fn agree<F: Float>(length: usize, count: usize, share: f64, seed: u64) {
        let rows = numbers::<F>(count * length, seed);
        let (x, y) = (
            numbers::<F>(length, seed + 1),
            numbers::<F>(length, seed + 2),
        );
        let row = |j: usize| &rows[j * length..(j + 1) * length];

        let [gap, size] = distance(&x, &y);
        let squares = |d: Vec<f64>| d.iter().map(|d| d * d).sum::<f64>();
        let gaps = x.iter().zip(&y).map(|(x, y)| y.to_f64() - x.to_f64());
        near(gap, squares(gaps.collect()), length, 1e-15);
        near(size, naive_dot(&y, &y), length, 1e-15);

        let mut single = vec![f64::NAN; count];
        let mut double = vec![[f64::NAN; 2]; count];
        dots(&rows, &x, &mut single);
        dot_pairs(&rows, [&x, &y], &mut double);
        for j in 0..count {
            near(single[j], naive_dot(row(j), &x), length, 1e-15);
            near(double[j][1], naive_dot(row(j), &y), length, 1e-15);
            assert_eq!(single[j].to_bits(), double[j][0].to_bits());
            // A sum does not depend on the rows beside it.
            let mut alone = [0.0];
            dots(row(j), &x, &mut alone);
            assert_eq!(single[j].to_bits(), alone[0].to_bits());
        }

        let factors: Vec<f64> = numbers::<f64>(count, seed + 3);
        let mut output = vec![F::NAN; length];
        combine(&x, &rows, &factors, &mut output);
        let epsilon = F::EPSILON.to_f64();
        for (i, out) in output.iter().enumerate() {
            let sum: f64 = (0..count).map(|j| factors[j] * row(j)[i].to_f64()).sum();
            near(out.to_f64(), x[i].to_f64() + sum, 4 * count, epsilon);
        }

        mix(&x, &y, share, &mut output);
        let (mut step, mut mixed) = (
            numbers::<F>(length, seed + 4),
            numbers::<F>(length, seed + 5),
        );
        let before = (step.clone(), mixed.clone());
        let mut changes = [vec![F::NAN; length], vec![F::NAN; length]];
        let [by_step, by_mixed] = &mut changes;
        secant(&x, &y, share, [&mut step, &mut mixed], [by_step, by_mixed]);
        assert_eq!(mixed, output);
        for i in 0..length {
            let want = (1.0 - share) * x[i].to_f64() + share * y[i].to_f64();
            near(mixed[i].to_f64(), want, 0, epsilon);
            assert_eq!(step[i], y[i] - x[i]);
            assert_eq!(changes[0][i], step[i] - before.0[i]);
            assert_eq!(changes[1][i], mixed[i] - before.1[i]);
        }
    }

    proptest! {
        #[test]
        fn every_loop_agrees_with_sums_written_out(
            length in prop_oneof![0_usize..6, 14_usize..20, 60_usize..70, 200_usize..300],
            count in 0_usize..7,
            share in 0.0..=1.0,
            seed in 0_u64..1000,
        ) {
            agree::<f32>(length, count, share, seed);
            agree::<f64>(length, count, share, seed);
        }
    }

    #[test]
    fn a_whole_share_gives_the_other_vector_itself() {
        let (x, y) = (numbers::<f32>(77, 1), numbers::<f32>(77, 2));
        let mut output = vec![0.0; 77];
        mix(&x, &y, 1.0, &mut output);
        assert_eq!(output, y);
    }

    #[test]
    fn products_of_single_precision_are_summed_without_loss() {
        // 1 + 2⁻⁴⁰ squared away: lost in f32, kept in f64.
        let (a, b) = ([1.0_f32, 2_f32.powi(-20)], [1.0_f32, 2_f32.powi(-20)]);
        let mut output = [0.0];
        dots(&a, &b, &mut output);
        assert_eq!(output[0], 1.0 + 2_f64.powi(-40));
    }

    #[test]
    #[should_panic(expected = "dots: 5 elements are not 2 rows of 3")]
    fn rows_of_another_length_are_refused() {
        dots(&[0.0_f32; 5], &[0.0; 3], &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "mix: vectors of 2 and [3, 2] elements, expected equal lengths")]
    fn vectors_of_several_lengths_are_refused() {
        mix(&[0.0_f32; 2], &[0.0; 3], 0.5, &mut [0.0; 2]);
    }
}
