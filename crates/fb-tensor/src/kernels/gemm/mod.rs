//! Matrix products: `C = α·A·B + β·C` for any strides.
//!
//! [`product`] is the contract; behind it stand a scalar kernel for tiny products, `private-gemm-x86` where the
//! processor has AVX2 or AVX-512, and `matrixmultiply` elsewhere. Every path adds the terms of an output element in
//! the order of `k`, so its bits depend on its own row, its own column and `k` alone: not on how many rows there
//! are, on how the work is split or on the number of threads.

mod backend;
mod tiny;

use crate::element::Float;
use crate::kernels::{InstructionSet, instruction_set};
use crate::threads;

/// Products with fewer multiply–adds than this skip packing and blocking.
const TINY_MULTIPLY_ADDS: usize = 1024;
/// Up to this inner extent the blocked kernels add in one chain.
const ONE_BLOCK: usize = 256;
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
    #[cfg(test)]
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
    if multiply_adds == 0 || !is_tiny(multiply_adds, a.columns) {
        return products(alpha, &[(a, b)], accumulate, c);
    }
    check_factors(&a, &b, &c);
    let mut out = output(c);
    tiny::product(alpha, a, b, accumulate, &mut out);
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

/// Whether the scalar kernel takes the product. It adds in one chain of fused multiply–adds, as the blocked kernels do
/// within a block of `k`; where they would not (several blocks, or a backend that rounds otherwise) it must not be used,
/// or the bits of a row would depend on the number of rows.
#[inline]
fn is_tiny(multiply_adds: usize, k: usize) -> bool {
    multiply_adds <= TINY_MULTIPLY_ADDS
        && k <= ONE_BLOCK
        && instruction_set() > InstructionSet::Portable
}

/// The output as a block that can be split between threads.
#[inline]
fn output<F>(c: MatMut<'_, F>) -> backend::Output<F> {
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
    backend::Output {
        start: c.data.as_mut_ptr(),
        rows: c.rows,
        columns: c.columns,
        row_stride: c.columns,
    }
}

/// Halves the longer side of the output while the parts are worth a thread of their own.
fn split<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    c: backend::Output<F>,
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
    c: backend::Output<F>,
    parts: usize,
) {
    let by_rows = c.rows >= c.columns;
    let side = c.rows.max(c.columns);
    if parts <= 1 || side < 2 * MIN_PART {
        return serial(alpha, factors, accumulate, c);
    }
    let half = parts / 2;
    let middle = (side * half / parts).next_multiple_of(MIN_PART).min(side);
    let (low, high) = if by_rows {
        c.split_rows(middle)
    } else {
        c.split_columns(middle)
    };
    let cut = |first: bool| -> Vec<(MatRef<'_, F>, MatRef<'_, F>)> {
        factors
            .iter()
            .map(|&(a, b)| match (by_rows, first) {
                (true, true) => (MatRef { rows: middle, ..a }, b),
                (true, false) => {
                    let offset = a.offset.wrapping_add_signed(a.row_stride * middle as isize);
                    (
                        MatRef {
                            rows: side - middle,
                            offset,
                            ..a
                        },
                        b,
                    )
                }
                (false, true) => (
                    a,
                    MatRef {
                        columns: middle,
                        ..b
                    },
                ),
                (false, false) => {
                    let offset = b
                        .offset
                        .wrapping_add_signed(b.column_stride * middle as isize);
                    (
                        a,
                        MatRef {
                            columns: side - middle,
                            offset,
                            ..b
                        },
                    )
                }
            })
            .collect()
    };
    if high.rows == 0 || high.columns == 0 {
        return serial(alpha, factors, accumulate, low);
    }
    rayon::join(
        || split_into(alpha, &cut(true), accumulate, low, half),
        || split_into(alpha, &cut(false), accumulate, high, parts - half),
    );
}

fn serial<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    mut c: backend::Output<F>,
) {
    let mut accumulate = accumulate;
    for &(a, b) in factors {
        if a.columns == 0 {
            continue;
        }
        if is_tiny(c.rows * c.columns * a.columns, a.columns) {
            tiny::product(alpha, a, b, accumulate, &mut c);
        } else {
            backend::product(alpha, a, b, accumulate, &mut c);
        }
        accumulate = true;
    }
    if !accumulate {
        for i in 0..c.rows {
            c.row_mut(i).fill(F::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;
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
