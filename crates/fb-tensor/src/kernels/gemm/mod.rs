//! Matrix products: `C = finish(α·A·B + start)` for any strides.
//!
//! [`product`] is the contract; behind it stand one blocked algorithm, a micro-kernel for each instruction set, and a
//! scalar loop for tiny products whose right factor lies across. Every path adds the terms of an output element in the
//! order of `k`, in the same blocks, so its bits depend on its own row, its own column and `k` alone: not on how many rows
//! there are, on how the work is split or on the number of threads.
//!
//! A right factor that is used again and again can be packed once: [`PackedRight`].

mod blocked;
mod matrix;
mod output;
mod packed_right;
mod tile;
mod tiny;
mod transpose;
mod update;

pub(crate) use blocked::DIRECT_ROWS;
pub(crate) use matrix::{MatMut, MatRef};
pub(crate) use packed_right::{
    Chain, PackedRight, Stack, product_with_packed, product_with_packed_unsplit,
    stacked_with_packed,
};
pub(crate) use update::{Finish, Start, Update};

use crate::element::Float;
use crate::threads;
use std::ops::Range;

/// Products with no more multiply–adds than this, in one block of the inner index, are never packed or split.
const TINY_MULTIPLY_ADDS: usize = 1024;
/// Multiply–adds that one core does in a nanosecond, roughly, for [`threads::worth_splitting`].
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// A part of a split product has at least this many rows or columns.
const MIN_PART: usize = 16;

/// `c = finish(alpha·a·b + start)`
pub(crate) fn product<F: Float>(
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    let multiply_adds = c.rows * c.columns * a.columns;
    if multiply_adds == 0 || multiply_adds > TINY_MULTIPLY_ADDS || a.columns > blocked::DEPTH {
        return products(&[(a, b)], update, c);
    }
    check_factors(&a, &b, &c);
    update.check(c.rows, c.columns);
    if b.column_stride == 1 && b.columns > 1 {
        return blocked::product(&[(a, b)], &update, output(c));
    }
    tiny::product(a, b, &update, &mut output(c));
}

/// `c = finish(alpha·Σ aᵢ·bᵢ + start)`: one product over a list of factors, without joining them.
///
/// This is how the weight gradients of all steps of a loop are added up.
pub(crate) fn products<F: Float>(
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    let multiply_adds = check_products(factors, &update, &c);
    split(factors, &update, output(c), parts_for(multiply_adds));
}

/// [`products`] on this thread alone, for work that is split already.
pub(crate) fn products_unsplit<F: Float>(
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    check_products(factors, &update, &c);
    blocked::product(factors, &update, output(c));
}

/// Panics unless everything fits together and lies in its slice; how many multiply–adds there are.
fn check_products<F: Float>(
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    update: &Update<'_, F>,
    c: &MatMut<'_, F>,
) -> usize {
    let mut multiply_adds = 0;
    for (a, b) in factors {
        check_factors(a, b, c);
        multiply_adds += c.rows * c.columns * a.columns;
    }
    update.check(c.rows, c.columns);
    multiply_adds
}

/// [`product`] on this thread alone: for callers that have split their work already. The bits are the same.
pub(crate) fn product_unsplit<F: Float>(
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    products_unsplit(&[(a, b)], update, c);
}

/// Copies a matrix to rows of `stride` elements, zeros beyond its columns.
pub(crate) fn gather<F: Float>(source: MatRef<'_, F>, stride: usize, out: &mut [F]) {
    source.check();
    assert!(
        source.columns <= stride && out.len() == source.rows * stride,
        "{} x {} in {} elements, rows of {stride}",
        source.rows,
        source.columns,
        out.len()
    );
    if !out.is_empty() {
        blocked::gather(tile::micro_kernel::<F>(), source, stride, out);
    }
}

/// Panics unless the factors fit together and everything lies in its slice.
#[inline]
fn check_factors<F>(a: &MatRef<'_, F>, b: &MatRef<'_, F>, c: &MatMut<'_, F>) {
    let (m, n) = (c.rows, c.columns);
    assert!(
        a.rows == m && b.columns == n && a.columns == b.rows,
        "product of {}x{} and {}x{} into {m}x{n}",
        a.rows,
        a.columns,
        b.rows,
        b.columns
    );
    a.check();
    b.check();
}

/// The output as a block that can be split between threads.
#[inline]
fn output<F>(c: MatMut<'_, F>) -> output::Output<F> {
    c.check();
    output::Output {
        start: c.data.as_mut_ptr(),
        rows: c.rows,
        columns: c.columns,
        row_stride: c.row_stride,
        place: [0, 0],
    }
}

/// In how many parts a product is worked on: one, or one for each thread if it is worth it.
fn parts_for(multiply_adds: usize) -> usize {
    if threads::worth_splitting(multiply_adds / MULTIPLY_ADDS_PER_NS) {
        threads::count()
    } else {
        1
    }
}

/// Halves the output until each part is one thread's.
fn split<F: Float>(
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    update: &Update<'_, F>,
    c: output::Output<F>,
    parts: usize,
) {
    // Parts of the columns need each their own part of the right factor; parts of the rows would pack all of it twice.
    let by_rows = c.rows >= 4 * c.columns || c.columns < 4 * MIN_PART;
    let Some(halves) = halve(c, parts, by_rows, MIN_PART) else {
        return;
    };
    let halves = match halves {
        Halves::Whole(c) => return blocked::product(factors, update, c),
        Halves::Two(halves) => halves,
    };
    let work = |half: Half<F>| {
        let (rows, columns) = (half.rows.clone(), half.columns.clone());
        let factors: Vec<_> = factors
            .iter()
            .map(|(a, b)| {
                (
                    a.part(rows.clone(), 0..a.columns),
                    b.part(0..b.rows, columns.clone()),
                )
            })
            .collect();
        split(
            &factors,
            &update.part(rows, columns),
            half.output,
            half.parts,
        );
    };
    let [low, high] = halves;
    rayon::join(|| work(low), || work(high));
}

/// A half of an output, for some of the threads.
struct Half<F> {
    output: output::Output<F>,
    /// Its rows and columns in the whole.
    rows: Range<usize>,
    columns: Range<usize>,
    parts: usize,
}

enum Halves<F> {
    Whole(output::Output<F>),
    Two([Half<F>; 2]),
}

/// Cuts an output for so many threads, its rows or its columns at a multiple of `unit`; `None` if it is empty.
fn halve<F>(c: output::Output<F>, parts: usize, by_rows: bool, unit: usize) -> Option<Halves<F>> {
    let (rows, columns) = (c.rows, c.columns);
    if rows == 0 || columns == 0 {
        return None;
    }
    let side = if by_rows { rows } else { columns };
    let half = parts / 2;
    let middle = match parts {
        0 | 1 => side,
        _ => (side * half / parts).next_multiple_of(unit),
    };
    if side < 2 * MIN_PART || middle >= side {
        return Some(Halves::Whole(c));
    }
    let ((low, high), [first, second]) = if by_rows {
        let cut = [(0..middle, 0..columns), (middle..rows, 0..columns)];
        (c.split_rows(middle), cut)
    } else {
        let cut = [(0..rows, 0..middle), (0..rows, middle..columns)];
        (c.split_columns(middle), cut)
    };
    let make = |output, (rows, columns), parts| Half {
        output,
        rows,
        columns,
        parts,
    };
    Some(Halves::Two([
        make(low, first, half),
        make(high, second, parts - half),
    ]))
}

#[cfg(test)]
mod tests;
