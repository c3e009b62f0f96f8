//! Products against the naive one, and against the chain of multiply–adds that fixes their bits.

use super::update::Start;
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

fn update(alpha: f32, accumulate: bool) -> Update<'static, f32> {
    let start = if accumulate {
        Start::Output
    } else {
        Start::Zero
    };
    Update {
        alpha,
        start,
        finish: None,
    }
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
        product(av, bv, update(0.5, accumulate), MatMut::row_major(&mut got, m, n));
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
        product(view(&a, m, k, false), view(&b, k, n, false), Update::ASSIGN, MatMut::row_major(&mut all, m, n));
        let row = row.index(m);
        let mut alone = vec![0.0; n];
        product(view(&a[row * k..(row + 1) * k], 1, k, false), view(&b, k, n, false), Update::ASSIGN, MatMut::row_major(&mut alone, 1, n));
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
            let out = MatMut::row_major(&mut got, m, n);
            product(a.view(), b.view(), update(0.75, accumulate), out);
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
            let out = MatMut::row_major(&mut got, m, n);
            product(MatRef::row_major(&a, m, k), b_view, Update::ASSIGN, out);
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
            view(&a, m, k, false),
            view(&b, k, n, false),
            Update::ASSIGN,
            MatMut::row_major(&mut c, m, n),
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
    products(&factors, Update::ASSIGN, MatMut::row_major(&mut got, m, n));
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
        MatRef::row_major(&a, 2, 3),
        MatRef::row_major(&a, 3, 1),
        Update::ASSIGN,
        MatMut::row_major(&mut [0.0; 2], 2, 1),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Bias, residual and activation inside a product are those after it, also in rows that lie apart, also with the right
    /// factor packed before.
    #[test]
    fn starts_and_finishes_are_those_of_three_passes(
        m in 0_usize..70, k in 0_usize..300, n in 0_usize..150, gap in 0_usize..3,
        across in any::<bool>(), apart in any::<bool>(), seed in any::<u64>(),
    ) {
        let (a, b) = (values(m * k, seed), values(k * n, seed ^ 1));
        let (bias, residual) = (values(n, seed ^ 2), values(m * n, seed ^ 3));
        let (a, b) = (view(&a, m, k, apart), view(&b, k, n, across));
        let row_stride = n + gap;
        let finish = |row: &mut [f32], i: usize, j: usize| {
            let width = row.len();
            for (x, r) in row.iter_mut().zip(&residual[i * n + j..][..width]) {
                *x = x.max(0.0) + r;
            }
        };
        let with = Update { finish: Some(&finish), ..Update::from(MatRef::repeated(&bias, m)) };
        let size = if m == 0 { 0 } else { (m - 1) * row_stride + n };
        let mut got = vec![7.0; size];
        product(a, b, with, MatMut { data: &mut got, rows: m, columns: n, row_stride });
        let mut packed = vec![7.0; size];
        let right = PackedRight::new(&[b]);
        product_with_packed(&[a], &right, with, MatMut { data: &mut packed, rows: m, columns: n, row_stride });
        prop_assert_eq!(&got, &packed);
        let mut want = vec![0.0; m * n];
        product(a, b, Update::from(MatRef::repeated(&bias, m)), MatMut::row_major(&mut want, m, n));
        for i in 0..m {
            finish(&mut want[i * n..(i + 1) * n], i, 0);
            prop_assert_eq!(&got[i * row_stride..][..n], &want[i * n..][..n]);
            if i + 1 < m {
                prop_assert!(got[i * row_stride + n..(i + 1) * row_stride].iter().all(|&x| x == 7.0));
            }
        }
    }

    #[test]
    fn packed_lists_are_the_sum_of_their_products(
        m in 1_usize..60, ks in prop::collection::vec(0_usize..300, 1..4), n in 1_usize..100,
        across in any::<bool>(), seed in any::<u64>(),
    ) {
        let a: Vec<_> = ks.iter().map(|&k| values(m * k, seed ^ k as u64)).collect();
        let b: Vec<_> = ks.iter().map(|&k| values(k * n, seed ^ (k as u64 + 1000))).collect();
        let lefts: Vec<_> = ks.iter().zip(&a).map(|(&k, a)| view(a, m, k, across)).collect();
        let rights: Vec<_> = ks.iter().zip(&b).map(|(&k, b)| view(b, k, n, !across)).collect();
        let packed = PackedRight::new(&rights);
        let mut got = vec![0.0; m * n];
        product_with_packed(&lefts, &packed, Update::ADD, MatMut::row_major(&mut got, m, n));
        let mut want = vec![0.0; m * n];
        for (&a, &b) in lefts.iter().zip(&rights) {
            reference::product(1.0, a, b, true, &mut want);
        }
        for (g, w) in got.iter().zip(&want) {
            prop_assert!((g - w).abs() < 1e-4, "{g} {w}");
        }
    }
}

#[test]
fn threads_do_not_change_the_bits_of_packed_products() {
    let (m, k, n) = (130, 600, 200);
    let (a, b) = (values(m * k, 1), values(k * n, 2));
    let right = PackedRight::new(&[view(&b, k, n, false)]);
    for rows in [40, m] {
        let a = view(&a[..rows * k], rows, k, false);
        let run = || {
            let mut c = vec![0.0; rows * n];
            product_with_packed(
                &[a],
                &right,
                Update::ASSIGN,
                MatMut::row_major(&mut c, rows, n),
            );
            c
        };
        let [one, two, four] = [1, 2, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(run)
        });
        assert!(one == two && one == four);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stacks_of_chains_are_the_sums_of_their_products(
        m in 1_usize..30, k in 1_usize..20, n in 1_usize..70, links in prop::collection::vec(1_usize..5, 1..3),
        count in 0_usize..4, across in any::<bool>(), accumulate in any::<bool>(), seed in any::<u64>(),
    ) {
        // Left factors overlap, as those of a convolution do.
        let (step, left) = (3, 5);
        let factors: usize = links.iter().sum();
        let size = m * k + factors * step + count * left;
        let a = values(size, seed);
        let factor = |offset| {
            let [row_stride, column_stride] = if across { [1, m as isize] } else { [k as isize, 1] };
            MatRef { data: &a[..], offset, rows: m, columns: k, row_stride, column_stride }
        };
        let b = values(factors * k * n, seed ^ 1);
        let rights: Vec<_> = b.chunks_exact(k * n).map(|b| MatRef::row_major(b, k, n)).collect();
        let mut place = 0;
        let chains: Vec<_> = links
            .iter()
            .map(|&count| {
                let first = factor(place * step);
                place += count;
                Chain { first, count, step }
            })
            .collect();
        let start = values(count.max(1) * m * n, seed ^ 2);
        let (mut got, mut want) = (start.clone(), start);
        let stack = Stack { count, left, output: m * n };
        let packed = PackedRight::new(&rights);
        stacked_with_packed(&chains, stack, &packed, update(1.0, accumulate), MatMut::row_major(&mut got, m, n));
        for (i, want) in want.chunks_exact_mut(m * n).enumerate().take(count) {
            for (j, &right) in rights.iter().enumerate() {
                let left = factor(i * left + j * step);
                reference::product(1.0, left, right, accumulate || j > 0, want);
            }
        }
        for (g, w) in got.iter().zip(&want) {
            prop_assert!((g - w).abs() < 1e-5, "{g} {w}");
        }
    }
}

#[test]
#[should_panic(expected = "leaves its slice")]
fn a_chain_beyond_its_slice_is_refused() {
    let (a, b) = (values(10, 1), values(4, 2));
    let rights = [
        MatRef::row_major(&b[..2], 2, 1),
        MatRef::row_major(&b[2..], 2, 1),
    ];
    let chain = Chain {
        first: MatRef::row_major(&a[..6], 3, 2),
        count: 2,
        step: 1,
    };
    let stack = Stack {
        count: 1,
        left: 0,
        output: 0,
    };
    let mut c = [0.0; 3];
    stacked_with_packed(
        &[chain],
        stack,
        &PackedRight::new(&rights),
        Update::ASSIGN,
        MatMut::row_major(&mut c, 3, 1),
    );
}

#[test]
fn places_are_cut_into_chains_that_fit() {
    let a = [0.0_f32; 300];
    let places: Vec<_> = (0..5).map(|i| 7 * i).collect();
    let chains = |columns: usize| -> Vec<Chain<'_, f32>> {
        let first = MatRef::row_major(&a[..columns], 1, columns);
        Chain::of(&places, columns, |offset| MatRef { offset, ..first }).collect()
    };
    let counts = |columns| -> Vec<_> { chains(columns).iter().map(|chain| chain.count).collect() };
    assert_eq!(counts(96), [3, 2]);
    assert_eq!(counts(200), [1; 5]);
    assert_eq!(counts(300), [1; 5]);
    let chains = chains(96);
    assert_eq!((chains[1].first.offset, chains[1].step), (21, 7));
}
