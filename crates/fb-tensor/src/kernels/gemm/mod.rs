//! Matrix products: `C = α·A·B + β·C` for any strides.
//!
//! [`product`] is the contract; behind it stand one blocked algorithm, a micro-kernel for each instruction set, and a
//! scalar loop for tiny products whose right factor lies across. Every path adds the terms of an output element in the
//! order of `k`, in the same blocks, so its bits depend on its own row, its own column and `k` alone: not on how many rows
//! there are, on how the work is split or on the number of threads.

mod blocked;
mod output;
mod tile;
mod tiny;
mod transpose;

use crate::element::Float;
use crate::threads;
use std::ops::Range;

pub(crate) use blocked::DIRECT_ROWS;

/// Products with no more multiply–adds than this, in one block of the inner index, are never packed or split.
const TINY_MULTIPLY_ADDS: usize = 1024;
/// Multiply–adds that one core does in a nanosecond, roughly, for [`threads::worth_splitting`].
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// A part of a split product has at least this many rows or columns.
const MIN_PART: usize = 16;

/// A matrix inside a slice: element (i, j) is `data[offset + i·row_stride + j·column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct MatRef<'a, F> {
    pub(crate) data: &'a [F],
    pub(crate) offset: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: isize,
    pub(crate) column_stride: isize,
}

impl<'a, F> MatRef<'a, F> {
    /// A matrix stored row by row from the start of the slice.
    pub(crate) fn row_major(data: &'a [F], rows: usize, columns: usize) -> Self {
        Self {
            data,
            offset: 0,
            rows,
            columns,
            row_stride: columns as isize,
            column_stride: 1,
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of its rows and columns.
    pub(crate) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let shift =
            self.row_stride * rows.start as isize + self.column_stride * columns.start as isize;
        Self {
            rows: rows.len(),
            columns: columns.len(),
            offset: self.offset.wrapping_add_signed(shift),
            data: self.data,
            row_stride: self.row_stride,
            column_stride: self.column_stride,
        }
    }

    fn check(&self) {
        check_bounds(
            self.data.len(),
            self.offset,
            [
                (self.rows, self.row_stride),
                (self.columns, self.column_stride),
            ],
        );
    }
}

/// A matrix to be written, stored row by row from the start of the slice.
pub(crate) struct MatMut<'a, F> {
    pub(crate) data: &'a mut [F],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Panics unless the first and the last position of the view lie within the slice. Everything below relies on it.
#[inline]
fn check_bounds(len: usize, offset: usize, axes: [(usize, isize); 2]) {
    if axes[0].0 == 0 || axes[1].0 == 0 {
        return;
    }
    // Saturation keeps absurd strides absurd: they fail the comparison.
    let reach = axes.map(|(extent, stride)| stride.saturating_mul(extent as isize - 1));
    let offset = offset as isize;
    let low = offset
        .saturating_add(reach[0].min(0))
        .saturating_add(reach[1].min(0));
    let high = offset
        .saturating_add(reach[0].max(0))
        .saturating_add(reach[1].max(0));
    if offset < 0 || low < 0 || high < 0 || high as usize >= len {
        out_of_bounds(len, offset, axes);
    }
}

#[cold]
#[inline(never)]
fn out_of_bounds(len: usize, offset: isize, axes: [(usize, isize); 2]) -> ! {
    panic!("matrix view of {axes:?} at {offset} leaves its slice of {len}")
}

/// `c = alpha·a·b`, or `c += alpha·a·b` if `accumulate`.
pub(crate) fn product<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: MatMut<'_, F>,
) {
    let multiply_adds = c.rows * c.columns * a.columns;
    if multiply_adds == 0 || multiply_adds > TINY_MULTIPLY_ADDS || a.columns > blocked::DEPTH {
        return products(alpha, &[(a, b)], accumulate, c);
    }
    check_factors(&a, &b, &c);
    if b.column_stride == 1 && b.columns > 1 {
        return blocked::product(alpha, &[(a, b)], accumulate, output(c));
    }
    tiny::product(alpha, a, b, accumulate, &mut output(c));
}

/// `c = alpha·Σ aᵢ·bᵢ`, or `c += …` if `accumulate`: one product over a list of factors, without joining them.
///
/// This is how the weight gradients of all steps of a loop are added up.
pub(crate) fn products<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    c: MatMut<'_, F>,
) {
    let (m, n) = (c.rows, c.columns);
    let mut multiply_adds = 0;
    for (a, b) in factors {
        check_factors(a, b, &c);
        multiply_adds += m * n * a.columns;
    }
    if m == 0 || n == 0 {
        return;
    }
    split(alpha, factors, accumulate, output(c), multiply_adds);
}

/// [`product`] on this thread alone: for callers that have split their work already. The bits are the same.
pub(crate) fn product_here<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: MatMut<'_, F>,
) {
    check_factors(&a, &b, &c);
    blocked::product(alpha, &[(a, b)], accumulate, output(c));
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
    let elements = c
        .rows
        .checked_mul(c.columns)
        .expect("an output of this size fits in memory");
    assert!(
        c.data.len() >= elements,
        "output of {} x {} needs {elements} elements, has {}",
        c.rows,
        c.columns,
        c.data.len()
    );
    output::Output {
        start: c.data.as_mut_ptr(),
        rows: c.rows,
        columns: c.columns,
        row_stride: c.columns,
    }
}

/// Halves the output while the parts are worth a thread of their own.
fn split<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    c: output::Output<F>,
    multiply_adds: usize,
) {
    let threads = threads::count();
    let parts = if threads::worth_splitting(multiply_adds / MULTIPLY_ADDS_PER_NS) {
        threads
    } else {
        1
    };
    split_into(alpha, factors, accumulate, c, parts);
}

fn split_into<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    c: output::Output<F>,
    parts: usize,
) {
    // Parts of the columns need each their own part of the right factor; parts of the rows would pack all of it twice.
    let by_rows = c.rows >= 4 * c.columns || c.columns < 4 * MIN_PART;
    let side = if by_rows { c.rows } else { c.columns };
    if parts <= 1 || side < 2 * MIN_PART {
        return blocked::product(alpha, factors, accumulate, c);
    }
    let half = parts / 2;
    let middle = (side * half / parts).next_multiple_of(MIN_PART).min(side);
    let (low, high) = if by_rows {
        c.split_rows(middle)
    } else {
        c.split_columns(middle)
    };
    let cut = |lines: Range<usize>| -> Vec<(MatRef<'_, F>, MatRef<'_, F>)> {
        let parts = factors.iter().map(|(a, b)| {
            if by_rows {
                (a.part(lines.clone(), 0..a.columns), *b)
            } else {
                (*a, b.part(0..b.rows, lines.clone()))
            }
        });
        parts.collect()
    };
    if high.rows == 0 || high.columns == 0 {
        return blocked::product(alpha, factors, accumulate, low);
    }
    rayon::join(
        || split_into(alpha, &cut(0..middle), accumulate, low, half),
        || split_into(alpha, &cut(middle..side), accumulate, high, parts - half),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{InstructionSet, instruction_set, reference};
    use proptest::prelude::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(12345);
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                ((state >> 40) as f32 / 16_777_216.0) - 0.5
            })
            .collect()
    }

    fn view(data: &[f32], rows: usize, columns: usize, transposed: bool) -> MatRef<'_, f32> {
        if transposed {
            MatRef::row_major(data, columns, rows).transposed()
        } else {
            MatRef::row_major(data, rows, columns)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn agrees_with_the_naive_product(
            m in 0_usize..40, k in 0_usize..70, n in 0_usize..40,
            ta in any::<bool>(), tb in any::<bool>(), accumulate in any::<bool>(), seed in any::<u64>(),
        ) {
            let (a, b, start) = (values(m * k, seed), values(k * n, seed ^ 1), values(m * n, seed ^ 2));
            let (av, bv) = (view(&a, m, k, ta), view(&b, k, n, tb));
            let mut got = start.clone();
            product(0.5, av, bv, accumulate, MatMut { data: &mut got, rows: m, columns: n });
            let mut want = start;
            reference::product(0.5, av, bv, accumulate, &mut want);
            for (g, w) in got.iter().zip(&want) {
                prop_assert!((g - w).abs() < 1e-5, "{g} {w}");
            }
        }

        #[test]
        fn the_bits_of_a_row_depend_on_nothing_else(
            m in 1_usize..150, k in 1_usize..80, n in 1_usize..60, row in any::<prop::sample::Index>(), seed in any::<u64>(),
        ) {
            let (a, b) = (values(m * k, seed), values(k * n, seed ^ 1));
            let mut all = vec![0.0; m * n];
            product(1.0, view(&a, m, k, false), view(&b, k, n, false), false, MatMut { data: &mut all, rows: m, columns: n });
            let row = row.index(m);
            let mut alone = vec![0.0; n];
            product(1.0, view(&a[row * k..(row + 1) * k], 1, k, false), view(&b, k, n, false), false, MatMut { data: &mut alone, rows: 1, columns: n });
            prop_assert_eq!(&all[row * n..(row + 1) * n], &alone[..]);
        }
    }

    /// Extents on both sides of every change of method: heights of tiles, vectors, packing, blocks of each index.
    const ROWS: [usize; 12] = [1, 2, 3, 4, 5, 8, 11, 12, 24, 25, 241, 260];
    const DEPTHS: [usize; 7] = [1, 3, 31, 255, 256, 257, 520];
    const COLUMNS: [usize; 12] = [1, 2, 7, 16, 17, 31, 32, 33, 70, 129, 1024, 1031];

    /// A matrix stored in one of four ways, NaN where none of its elements is: row by row, column by column, with gaps, and
    /// with the last row first.
    struct Stored {
        plain: Vec<f32>,
        data: Vec<f32>,
        offset: usize,
        strides: [isize; 2],
        extents: [usize; 2],
    }

    impl Stored {
        fn new(extents: [usize; 2], way: usize, seed: u64) -> Self {
            let [rows, columns] = extents;
            let width = columns as isize;
            let (offset, strides) = match way {
                0 => (0, [width, 1]),
                1 => (0, [1, rows as isize]),
                2 => (0, [2 * width + 3, 2]),
                _ => ((rows - 1) * columns, [-width, 1]),
            };
            let plain = values(rows * columns, seed);
            let mut data = vec![f32::NAN; rows * (2 * columns + 3)];
            for i in 0..rows {
                for j in 0..columns {
                    let shift = strides[0] * i as isize + strides[1] * j as isize;
                    data[offset.wrapping_add_signed(shift)] = plain[i * columns + j];
                }
            }
            Self {
                plain,
                data,
                offset,
                strides,
                extents,
            }
        }

        fn view(&self) -> MatRef<'_, f32> {
            MatRef {
                data: &self.data,
                offset: self.offset,
                rows: self.extents[0],
                columns: self.extents[1],
                row_stride: self.strides[0],
                column_stride: self.strides[1],
            }
        }
    }

    #[test]
    fn every_path_and_layout_gives_the_bits_of_the_chain() {
        // Few combinations of all: each extent with each kind of layout, the others going round.
        let mut turn = 0;
        for &m in &ROWS {
            for &k in &DEPTHS {
                let n = COLUMNS[turn % COLUMNS.len()];
                let a = Stored::new([m, k], turn % 4, turn as u64);
                let b = Stored::new([k, n], turn / 4 % 4, 1000 + turn as u64);
                let accumulate = turn % 3 == 0;
                let start = values(m * n, 2000 + turn as u64);
                let mut got = start.clone();
                let out = MatMut {
                    data: &mut got,
                    rows: m,
                    columns: n,
                };
                product(0.75, a.view(), b.view(), accumulate, out);
                let fused = instruction_set() > InstructionSet::Portable || tile::FUSED;
                for i in 0..m {
                    for j in 0..n {
                        let mut want = if accumulate { start[i * n + j] } else { 0.0 };
                        for from in (0..k).step_by(blocked::DEPTH) {
                            let mut sum = 0.0_f32;
                            for l in from..k.min(from + blocked::DEPTH) {
                                let (x, y) = (a.plain[i * k + l], b.plain[l * n + j]);
                                sum = if fused {
                                    x.mul_add(y, sum)
                                } else {
                                    x * y + sum
                                };
                            }
                            let first = from == 0 && !accumulate;
                            want = match (first, fused) {
                                (true, _) => 0.75 * sum,
                                (false, true) => 0.75_f32.mul_add(sum, want),
                                (false, false) => 0.75 * sum + want,
                            };
                        }
                        let got = got[i * n + j];
                        assert_eq!(got, want, "({i}, {j}) of {m}x{k}x{n}, turn {turn}");
                    }
                }
                turn += 1;
            }
        }
    }

    #[test]
    fn doubles_take_the_same_paths() {
        for (m, k, n) in [
            (1, 300, 75),
            (2, 7, 40),
            (4, 9, 33),
            (13, 257, 9),
            (30, 40, 50),
        ] {
            let wide = |v: Vec<f32>| -> Vec<f64> { v.into_iter().map(f64::from).collect() };
            let (a, b) = (wide(values(m * k, 5)), wide(values(k * n, 6)));
            for across in [false, true] {
                let b_view = if across {
                    MatRef::row_major(&b, n, k).transposed()
                } else {
                    MatRef::row_major(&b, k, n)
                };
                let mut got = vec![f64::NAN; m * n];
                let out = MatMut {
                    data: &mut got,
                    rows: m,
                    columns: n,
                };
                product(1.0, MatRef::row_major(&a, m, k), b_view, false, out);
                for i in 0..m {
                    for j in 0..n {
                        let at = |l: usize| if across { b[j * k + l] } else { b[l * n + j] };
                        let want: f64 = (0..k).map(|l| a[i * k + l] * at(l)).sum();
                        assert!((got[i * n + j] - want).abs() < 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_the_bits() {
        let (m, k, n) = (300, 200, 150);
        let (a, b) = (values(m * k, 1), values(k * n, 2));
        let run = || {
            let mut c = vec![0.0; m * n];
            product(
                1.0,
                view(&a, m, k, false),
                view(&b, k, n, false),
                false,
                MatMut {
                    data: &mut c,
                    rows: m,
                    columns: n,
                },
            );
            c
        };
        let pools: Vec<Vec<f32>> = [1, 2, 4]
            .map(|n| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(n)
                    .build()
                    .unwrap()
                    .install(run)
            })
            .into();
        assert_eq!(pools[0], pools[1]);
        assert_eq!(pools[0], pools[2]);
    }

    #[test]
    fn a_list_of_factors_is_the_sum_of_their_products() {
        let (m, n) = (33, 17);
        let ks = [0, 5, 64, 1];
        let a: Vec<Vec<f32>> = ks.iter().map(|&k| values(m * k, k as u64)).collect();
        let b: Vec<Vec<f32>> = ks.iter().map(|&k| values(k * n, 100 + k as u64)).collect();
        let factors: Vec<_> = (0..ks.len())
            .map(|i| (view(&a[i], m, ks[i], true), view(&b[i], ks[i], n, false)))
            .collect();
        let mut got = vec![7.0; m * n];
        products(
            1.0,
            &factors,
            false,
            MatMut {
                data: &mut got,
                rows: m,
                columns: n,
            },
        );
        let mut want = vec![0.0; m * n];
        for &(a, b) in &factors {
            reference::product(1.0, a, b, true, &mut want);
        }
        for (g, w) in got.iter().zip(&want) {
            assert!((g - w).abs() < 1e-5);
        }
    }

    #[test]
    #[should_panic(expected = "leaves its slice")]
    fn a_view_beyond_its_slice_is_refused() {
        let a = [0.0_f32; 5];
        product(
            1.0,
            MatRef::row_major(&a, 2, 3),
            MatRef::row_major(&a, 3, 1),
            false,
            MatMut {
                data: &mut [0.0; 2],
                rows: 2,
                columns: 1,
            },
        );
    }
}
