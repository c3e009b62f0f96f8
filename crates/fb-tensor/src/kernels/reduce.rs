//! Sums, extrema and products of slices, of their rows and of their columns.
//!
//! All of them fold the elements of one output in one order, which their number alone decides: fewer than [`LANES`]
//! one after the other, more of them dealt to lanes in turn, the lanes joined as a tree, and blocks of [`BLOCK`]
//! joined in double precision. So a sum has the same bits whether its elements lie in a row or in a column, beside
//! whatever other rows and on however many threads; and its rounding error does not grow with its length.

use crate::element::Float;

/// How many running results a long fold keeps, so that it vectorises and additions overlap.
pub(crate) const LANES: usize = 32;
/// Elements folded in the type's own precision before the result goes into a double.
pub(crate) const BLOCK: usize = 128 * LANES;
/// How many columns are folded together.
pub(crate) const STRIP: usize = 64;

/// What is done to numbers when many become one: lifted into an accumulator and joined there.
pub(crate) trait Fold<F: Float>: Copy + Send + Sync {
    /// The fold: its types carry no data.
    const NEW: Self;
    /// The accumulator's type.
    type Partial: Float;
    /// Rough cost per element on one core.
    const PICOSECONDS: usize = 100;
    /// Whether a single element is its own result.
    const LIFTS_UNCHANGED: bool = true;
    /// What no elements fold to.
    fn start<A: Float>(self) -> A;
    /// One element as an accumulator.
    fn lift(self, x: F) -> Self::Partial;
    /// Two accumulators as one.
    fn join<A: Float>(self, a: A, b: A) -> A;
}

macro_rules! folds {
    ($($(#[$doc:meta])* $Fold:ident, start $start:expr, |$a:ident, $b:ident| $join:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(crate) struct $Fold;

            impl<F: Float> Fold<F> for $Fold {
                const NEW: Self = Self;
                type Partial = F;
                #[inline(always)]
                fn start<A: Float>(self) -> A {
                    $start
                }
                #[inline(always)]
                fn lift(self, x: F) -> F {
                    x
                }
                #[inline(always)]
                fn join<A: Float>(self, $a: A, $b: A) -> A {
                    $join
                }
            }
        )*
    };
}

folds! {
    /// `Σ x`
    Sum, start A::ZERO, |a, b| a + b;
    /// `Π x`
    Product, start A::ONE, |a, b| a * b;
    /// The largest; NaN if any is NaN
    Largest, start -A::INFINITY, |a, b| a.maximum(b);
    /// The largest; some number or NaN if any is NaN
    LargestNumber, start -A::INFINITY, |a, b| A::select(b > a, b, a);
    /// The smallest; NaN if any is NaN
    Smallest, start A::INFINITY, |a, b| a.minimum(b);
}

/// A sum of some function of each element.
macro_rules! sums_of {
    ($($(#[$doc:meta])* $Fold:ident in $Partial:ty, |$x:ident| $lift:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(crate) struct $Fold;

            impl<F: Float> Fold<F> for $Fold {
                const NEW: Self = Self;
                type Partial = $Partial;
                const LIFTS_UNCHANGED: bool = false;
                #[inline(always)]
                fn start<A: Float>(self) -> A {
                    A::ZERO
                }
                #[inline(always)]
                fn lift(self, $x: F) -> $Partial {
                    $lift
                }
                #[inline(always)]
                fn join<A: Float>(self, a: A, b: A) -> A {
                    a + b
                }
            }
        )*
    };
}

sums_of! {
    /// `Σ x²`
    Squares in F, |x| x * x;
    /// `Σ x²` in double precision
    WideSquares in f64, |x| { let x = x.to_f64(); x * x };
    /// 0 if every element is finite, NaN otherwise
    NotFinite in F, |x| x * F::ZERO;
}

/// Lanes joined as a tree. Each stage is an array of its own: in one array, the compiler stores and loads parts of it.
#[inline(always)]
fn joined<A: Float>(lanes: &[A; LANES], join: impl Fn(A, A) -> A) -> A {
    let sixteen: [A; 16] = std::array::from_fn(|i| join(lanes[i], lanes[i + 16]));
    let eight: [A; 8] = std::array::from_fn(|i| join(sixteen[i], sixteen[i + 8]));
    let four: [A; 4] = std::array::from_fn(|i| join(eight[i], eight[i + 4]));
    join(join(four[0], four[2]), join(four[1], four[3]))
}

/// The fold of at most [`BLOCK`] elements.
#[inline(always)]
fn block<F: Float, O: Fold<F>>(op: O, values: &[F]) -> O::Partial {
    debug_assert!(values.len() <= BLOCK);
    if values.len() < LANES {
        return values
            .iter()
            .fold(op.start(), |sum, &x| op.join(sum, op.lift(x)));
    }
    let mut rows = values.chunks_exact(LANES);
    let first = rows.next().expect("at least one full row of lanes");
    let mut lanes: [O::Partial; LANES] = std::array::from_fn(|i| op.lift(first[i]));
    for row in rows.by_ref() {
        for (lane, &x) in lanes.iter_mut().zip(row) {
            *lane = op.join(*lane, op.lift(x));
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rows.remainder()) {
        *lane = op.join(*lane, op.lift(x));
    }
    joined(&lanes, |a, b| op.join(a, b))
}

/// The fold of any number of elements.
#[inline(always)]
pub(super) fn total<F: Float, O: Fold<F>>(op: O, values: &[F]) -> f64 {
    if values.len() <= BLOCK {
        return block(op, values).to_f64();
    }
    values
        .chunks(BLOCK)
        .map(|part| block(op, part).to_f64())
        .reduce(|a, b| op.join(a, b))
        .expect("several blocks")
}

/// Sums of functions `f` of the elements at the same place of several slices of one length, in the order of a fold.
#[inline(always)]
pub(super) fn sums<F: Float, const N: usize, const M: usize>(
    inputs: [&[F]; N],
    f: impl Fn([F; N]) -> [F; M],
) -> [f64; M] {
    let length = inputs[0].len();
    let mut totals = [0.0; M];
    let mut from = 0;
    while from < length {
        let end = (from + BLOCK).min(length);
        let part = inputs.map(|input| &input[from..end]);
        let mut lanes = [[F::ZERO; LANES]; M];
        let whole = (end - from) / LANES * LANES;
        for start in (0..whole).step_by(LANES) {
            let rows: [&[F; LANES]; N] =
                part.map(|input| input[start..].first_chunk().expect("a whole round"));
            for lane in 0..LANES {
                let values = f(rows.map(|row| row[lane]));
                for (lanes, value) in lanes.iter_mut().zip(values) {
                    lanes[lane] += value;
                }
            }
        }
        for (lane, at) in (whole..end - from).enumerate() {
            let values = f(part.map(|input| input[at]));
            for (lanes, value) in lanes.iter_mut().zip(values) {
                lanes[lane] += value;
            }
        }
        for (total, lanes) in totals.iter_mut().zip(&lanes) {
            *total += joined(lanes, |a, b| a + b).to_f64();
        }
        from = end;
    }
    totals
}

multiversion! {
    /// The fold of each part of `length` elements, at most [`BLOCK`]; the last may be shorter.
    fn fold_parts [F: Float, O: Fold<F>] (op: O, values: &[F], length: usize, output: &mut [f64]) {
        for (out, part) in output.iter_mut().zip(values.chunks(length)) {
            *out = block(op, part).to_f64();
        }
    }
}

/// How many results of parts are kept before they are used.
const KEPT: usize = 32;

/// The fold of a slice, on this thread.
pub(crate) fn fold<F: Float, O: Fold<F>>(op: O, values: &[F]) -> f64 {
    let mut kept = [0.0; KEPT];
    let mut sum: Option<f64> = None;
    for part in values.chunks(KEPT * BLOCK) {
        let kept = &mut kept[..part.len().div_ceil(BLOCK)];
        fold_parts(op, part, BLOCK, kept);
        for &result in kept.iter() {
            sum = Some(sum.map_or(result, |sum| op.join(sum, result)));
        }
    }
    sum.unwrap_or_else(|| op.start())
}

/// The fold of each [`BLOCK`] of a slice, to be joined in order.
pub(crate) fn fold_blocks<F: Float, O: Fold<F>>(op: O, values: &[F], output: &mut [f64]) {
    fold_parts(op, values, BLOCK, output);
}

/// The fold of each row of `length` elements.
pub(crate) fn fold_rows<F: Float, O: Fold<F>>(op: O, input: &[F], length: usize, output: &mut [F]) {
    if length == 0 {
        output.fill(op.start());
    } else if length <= BLOCK {
        let mut kept = [0.0; KEPT];
        for (out, rows) in output.chunks_mut(KEPT).zip(input.chunks(KEPT * length)) {
            fold_parts(op, rows, length, &mut kept);
            out.iter_mut()
                .zip(&kept)
                .for_each(|(out, &result)| *out = F::from_f64(result));
        }
    } else {
        for (out, row) in output.iter_mut().zip(input.chunks_exact(length)) {
            *out = F::from_f64(fold(op, row));
        }
    }
}

/// Rows of `width` elements in a slice: row `r` starts at `start + r · step`.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, F> {
    pub(crate) data: &'a [F],
    pub(crate) start: usize,
    pub(crate) step: isize,
    pub(crate) count: usize,
    pub(crate) width: usize,
}

impl<'a, F> Rows<'a, F> {
    #[inline(always)]
    fn row(&self, r: usize) -> &'a [F] {
        let at = self.start.wrapping_add_signed(self.step * r as isize);
        &self.data[at..at + self.width]
    }

    /// Rows `from..from + count`.
    #[inline(always)]
    pub(crate) fn range(self, from: usize, count: usize) -> Self {
        Self {
            start: self.start.wrapping_add_signed(self.step * from as isize),
            count,
            ..self
        }
    }

    /// Columns `from..from + width`.
    #[inline(always)]
    pub(crate) fn columns(self, from: usize, width: usize) -> Self {
        Self {
            start: self.start + from,
            width,
            ..self
        }
    }
}

/// Fewer rows than lanes: joined one after the other, whatever their width.
#[inline(always)]
fn few_rows<F: Float, O: Fold<F>>(op: O, rows: Rows<'_, F>, output: &mut [O::Partial]) {
    let Some(rest) = rows.count.checked_sub(1) else {
        return output.fill(op.start());
    };
    for (out, &x) in output.iter_mut().zip(rows.row(0)) {
        *out = op.join(op.start(), op.lift(x));
    }
    for r in 1..=rest {
        for (out, &x) in output.iter_mut().zip(rows.row(r)) {
            *out = op.join(*out, op.lift(x));
        }
    }
}

/// The columns' folds of [`LANES`] to [`BLOCK`] rows of at most [`STRIP`] elements; they are left at the start of `lanes`.
#[inline(always)]
fn many_rows<F: Float, O: Fold<F>>(op: O, rows: Rows<'_, F>, lanes: &mut [O::Partial]) {
    let width = rows.width;
    let lanes = &mut lanes[..LANES * width];
    let full = rows.count / LANES * LANES;
    if rows.step == width as isize {
        // Rows without gaps: a whole round of lanes is one slice.
        let values = &rows.data[rows.start..rows.start + rows.count * width];
        let mut rounds = values.chunks_exact(LANES * width);
        let first = rounds.next().expect("at least one full round of lanes");
        lanes
            .iter_mut()
            .zip(first)
            .for_each(|(lane, &x)| *lane = op.lift(x));
        for round in rounds.by_ref() {
            lanes
                .iter_mut()
                .zip(round)
                .for_each(|(lane, &x)| *lane = op.join(*lane, op.lift(x)));
        }
        lanes
            .iter_mut()
            .zip(rounds.remainder())
            .for_each(|(lane, &x)| *lane = op.join(*lane, op.lift(x)));
    } else {
        for (lane, r) in lanes.chunks_exact_mut(width).zip(0..LANES) {
            lane.iter_mut()
                .zip(rows.row(r))
                .for_each(|(lane, &x)| *lane = op.lift(x));
        }
        for round in (LANES..full).step_by(LANES) {
            for (lane, r) in lanes.chunks_exact_mut(width).zip(round..round + LANES) {
                lane.iter_mut()
                    .zip(rows.row(r))
                    .for_each(|(lane, &x)| *lane = op.join(*lane, op.lift(x)));
            }
        }
        for (lane, r) in lanes.chunks_exact_mut(width).zip(full..rows.count) {
            lane.iter_mut()
                .zip(rows.row(r))
                .for_each(|(lane, &x)| *lane = op.join(*lane, op.lift(x)));
        }
    }
    let mut half = LANES / 2 * width;
    while half >= width {
        let (low, high) = lanes.split_at_mut(half);
        low.iter_mut()
            .zip(high)
            .for_each(|(a, &mut b)| *a = op.join(*a, b));
        half /= 2;
    }
}

multiversion! {
    /// The columns' folds of at least [`LANES`] rows of at most [`STRIP`] elements.
    fn strip [F: Float, O: Fold<F>] (op: O, rows: Rows<'_, F>, lanes: &mut [O::Partial], totals: &mut [f64]) {
        let mut from = 0;
        while from < rows.count {
            let part = rows.range(from, BLOCK.min(rows.count - from));
            if part.count < LANES {
                few_rows(op, part, &mut lanes[..rows.width]);
            } else {
                many_rows(op, part, lanes);
            }
            let results = totals.iter_mut().zip(lanes.iter());
            if from == 0 {
                results.for_each(|(total, result)| *total = result.to_f64());
            } else {
                results.for_each(|(total, result)| *total = op.join(*total, result.to_f64()));
            }
            from += BLOCK;
        }
    }
}

multiversion! {
    fn fold_few_rows [F: Float, O: Fold<F, Partial = F>] (op: O, rows: Rows<'_, F>, output: &mut [F]) {
        few_rows(op, rows, output);
    }
}

fn fold_many_rows<F: Float, O: Fold<F, Partial = F>>(op: O, rows: Rows<'_, F>, output: &mut [F]) {
    let mut lanes = [F::ZERO; LANES * STRIP];
    let mut totals = [0.0_f64; STRIP];
    for (i, out) in output.chunks_mut(STRIP).enumerate() {
        let columns = rows.columns(i * STRIP, out.len());
        strip(op, columns, &mut lanes, &mut totals[..out.len()]);
        out.iter_mut()
            .zip(&totals)
            .for_each(|(out, &total)| *out = F::from_f64(total));
    }
}

/// The fold of each column, on this thread.
#[inline]
pub(crate) fn fold_columns<F: Float, O: Fold<F, Partial = F>>(
    op: O,
    rows: Rows<'_, F>,
    output: &mut [F],
) {
    debug_assert_eq!(rows.width, output.len());
    if rows.count < LANES {
        fold_few_rows(op, rows, output)
    } else {
        fold_many_rows(op, rows, output)
    }
}

/// The fold of each column of one block of rows, at most [`STRIP`] wide; to be joined in the order of blocks.
pub(crate) fn fold_columns_block<F: Float, O: Fold<F, Partial = F>>(
    op: O,
    rows: Rows<'_, F>,
    output: &mut [f64],
) {
    let mut lanes = [F::ZERO; LANES * STRIP];
    strip(op, rows, &mut lanes, output);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    /// Lengths on both sides of every change of method.
    const LENGTHS: [usize; 13] = [
        0,
        1,
        2,
        31,
        32,
        33,
        64,
        100,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        BLOCK + LANES,
        3 * BLOCK + 7,
    ];

    fn values(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * 2_654_435_761) % 1_000_003) as f32 / 1_000_003.0 - 0.3)
            .collect()
    }

    fn check<O: Fold<f32, Partial = f32>>(op: O, naive: impl Fn(&[f32]) -> f64) {
        for length in LENGTHS {
            for width in [1, 2, 7, STRIP, STRIP + 3] {
                let matrix = values(length * width);
                let columns: Vec<Vec<f32>> = (0..width)
                    .map(|j| (0..length).map(|i| matrix[i * width + j]).collect())
                    .collect();
                let mut by_columns = vec![0.0; width];
                let rows = Rows {
                    data: &matrix,
                    start: 0,
                    step: width as isize,
                    count: length,
                    width,
                };
                fold_columns(op, rows, &mut by_columns);
                let mut by_rows = vec![0.0; width];
                fold_rows(op, &columns.concat(), length, &mut by_rows);
                for (j, column) in columns.iter().enumerate() {
                    let alone = fold(op, column) as f32;
                    assert_eq!(
                        by_columns[j].to_bits(),
                        alone.to_bits(),
                        "column {j} of {length} x {width}"
                    );
                    assert_eq!(
                        by_rows[j].to_bits(),
                        alone.to_bits(),
                        "row {j} of {width} x {length}"
                    );
                    let want = naive(column);
                    let near = (f64::from(alone) - want).abs() <= 1e-5 * want.abs().max(1.0);
                    assert!(near || f64::from(alone) == want, "{alone} {want}");
                }
                let mut blocks = vec![0.0; length.div_ceil(BLOCK)];
                fold_blocks(op, &columns[0], &mut blocks);
                if let Some(joined) = blocks.into_iter().reduce(|a, b| op.join(a, b)) {
                    assert_eq!(joined as f32, fold(op, &columns[0]) as f32);
                }
            }
        }
    }

    #[test]
    fn rows_and_columns_have_the_same_bits_and_the_naive_value() {
        check(Sum, |x| reference::sum(x.iter().copied(), |x| x));
        check(Squares, |x| reference::sum(x.iter().copied(), |x| x * x));
        check(Largest, |x| {
            x.iter()
                .copied()
                .fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(x)))
        });
        check(Smallest, |x| {
            x.iter()
                .copied()
                .fold(f64::INFINITY, |m, x| m.min(f64::from(x)))
        });
    }

    #[test]
    fn rows_with_gaps_reversed_or_repeated_are_folded_where_they_lie() {
        let matrix = values(200 * 10);
        for (start, step) in [(3, 10), (3 + 199 * 10, -10), (5, 0)] {
            let mut got = [0.0; 4];
            fold_columns(
                Sum,
                Rows {
                    data: &matrix,
                    start,
                    step,
                    count: 200,
                    width: 4,
                },
                &mut got,
            );
            for (j, got) in got.iter().enumerate() {
                let column: Vec<f32> = (0..200)
                    .map(|i| matrix[start.wrapping_add_signed(step * i) + j])
                    .collect();
                assert_eq!(f64::from(*got), fold(Sum, &column));
            }
        }
    }

    #[test]
    fn a_nan_anywhere_is_seen() {
        for length in [1, 5, 32, 100, BLOCK + 5] {
            for at in [0, length / 2, length - 1] {
                let mut x = values(length);
                x[at] = f32::NAN;
                assert!(
                    fold(Largest, &x).is_nan()
                        && fold(Smallest, &x).is_nan()
                        && fold(Sum, &x).is_nan()
                );
                assert!(fold(NotFinite, &x).is_nan());
                x[at] = f32::NEG_INFINITY;
                assert!(fold(NotFinite, &x).is_nan());
                assert_eq!(fold(Smallest, &x), f64::NEG_INFINITY);
            }
            assert_eq!(fold(NotFinite, &values(length)), 0.0);
        }
    }
}
