use crate::support::{assert_close, cases, indices, number, shapes, styles, view, view_with};
use fb_tensor::{Shape, Tensor};
use proptest::prelude::*;

/// The elements that go into each result, in row-major order.
fn groups(t: &Tensor<f32>, axes: &[usize]) -> Vec<Vec<f64>> {
    let kept: Vec<usize> = (0..t.rank()).filter(|a| !axes.contains(a)).collect();
    let extents: Vec<usize> = kept.iter().map(|&a| t.dim(a)).collect();
    let inner: Vec<usize> = (0..t.rank()).filter(|a| axes.contains(a)).collect();
    let inner_extents: Vec<usize> = inner.iter().map(|&a| t.dim(a)).collect();
    let element = |outside: &[usize], inside: &[usize]| {
        let mut index = vec![0; t.rank()];
        kept.iter()
            .zip(outside)
            .for_each(|(&axis, &i)| index[axis] = i);
        inner
            .iter()
            .zip(inside)
            .for_each(|(&axis, &i)| index[axis] = i);
        f64::from(t.at(&index))
    };
    indices(&extents)
        .iter()
        .map(|o| {
            indices(&inner_extents)
                .iter()
                .map(|i| element(o, i))
                .collect()
        })
        .collect()
}

fn variance(x: &[f64], ddof: usize) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let divisor = x.len() as f64 - ddof as f64;
    if divisor > 0.0 {
        x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / divisor
    } else {
        f64::NAN
    }
}

type Reduction = (
    &'static str,
    fn(&Tensor<f32>, &[usize], bool) -> Tensor<f32>,
    fn(&[f64]) -> f64,
    bool,
);

/// Name, method, definition, and whether it is defined over no elements.
const REDUCTIONS: [Reduction; 8] = [
    ("sum", |t, a, k| t.sum_axes(a, k), |x| x.iter().sum(), true),
    (
        "mean",
        |t, a, k| t.mean_axes(a, k),
        |x| x.iter().sum::<f64>() / x.len() as f64,
        true,
    ),
    (
        "prod",
        |t, a, k| t.prod_axes(a, k),
        |x| x.iter().product(),
        true,
    ),
    (
        "max",
        |t, a, k| t.max_axes(a, k),
        |x| x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        false,
    ),
    (
        "min",
        |t, a, k| t.min_axes(a, k),
        |x| x.iter().copied().fold(f64::INFINITY, f64::min),
        false,
    ),
    (
        "var",
        |t, a, k| t.var_axes(a, 0, k),
        |x| variance(x, 0),
        true,
    ),
    (
        "std",
        |t, a, k| t.std_axes(a, 1, k),
        |x| variance(x, 1).sqrt(),
        true,
    ),
    (
        "logsumexp",
        |t, a, k| t.logsumexp(a, k),
        |x| x.iter().map(|x| x.exp()).sum::<f64>().ln(),
        true,
    ),
];

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn reductions_over_any_axes_of_any_view(shape in shapes(4), style in styles(), mask in any::<u8>(), keep in any::<bool>()) {
        let t = view(&shape, &style);
        let axes: Vec<usize> = (0..shape.len()).rev().filter(|a| mask >> a & 1 == 1).collect();
        let groups = groups(&t, &axes);
        let mut wanted = vec![];
        for (axis, &extent) in shape.iter().enumerate() {
            match (axes.contains(&axis), keep) {
                (true, true) => wanted.push(1),
                (true, false) => {}
                (false, _) => wanted.push(extent),
            }
        }
        for (name, reduce, definition, without_elements) in REDUCTIONS {
            if !without_elements && groups.iter().any(Vec::is_empty) {
                continue;
            }
            let got = reduce(&t, &axes, keep);
            prop_assert_eq!(got.dims(), &wanted[..], "{}", name);
            for (group, got) in groups.iter().zip(got.iter()) {
                assert_close(f64::from(got), definition(group), 1e-4);
            }
        }
        // The same elements in the same order have the same sum, bit for bit, however they lie.
        let again = t.contiguous().sum_axes(&axes, keep);
        prop_assert_eq!(t.sum_axes(&axes, keep), again);
    }

    #[test]
    fn reductions_of_all_elements(shape in shapes(4), style in styles()) {
        let t = view(&shape, &style);
        let all: Vec<f64> = t.iter().map(f64::from).collect();
        assert_close(f64::from(t.sum()), all.iter().sum(), 1e-5);
        assert_close(f64::from(t.mean()), all.iter().sum::<f64>() / all.len() as f64, 1e-5);
        assert_close(f64::from(t.prod()), all.iter().product(), 1e-5);
        assert_close(t.squared_norm(), all.iter().map(|x| x * x).sum(), 1e-12);
        assert_close(f64::from(t.norm()), all.iter().map(|x| x * x).sum::<f64>().sqrt(), 1e-6);
        prop_assert!(t.is_all_finite());
        if !t.is_empty() {
            prop_assert_eq!(f64::from(t.max()), all.iter().copied().fold(f64::MIN, f64::max));
            prop_assert_eq!(f64::from(t.min()), all.iter().copied().fold(f64::MAX, f64::min));
        }
    }

    #[test]
    fn arguments_of_extrema(shape in shapes(3), style in styles(), axis in 0_usize..3) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        prop_assume!(shape[axis] > 0);
        // Few values, so that there are equals.
        let t = view_with(&shape, &style, |x| (x * 2.0).round() as f32);
        for (group, (largest, smallest)) in groups(&t, &[axis]).iter().zip(t.argmax(axis).iter().zip(t.argmin(axis).iter())) {
            let first = |better: fn(f64, f64) -> bool| (1..group.len()).fold(0, |at, i| if better(group[i], group[at]) { i } else { at });
            prop_assert_eq!(largest, first(|a, b| a > b) as i64);
            prop_assert_eq!(smallest, first(|a, b| a < b) as i64);
        }
    }

    #[test]
    fn summing_back_is_the_adjoint_of_broadcasting(shape in shapes(4), drop in 0_usize..3, mask in any::<u8>(), s in (styles(), styles())) {
        let small = crate::support::shrunk(&shape, drop, mask);
        prop_assume!(Shape::from(&small[..]).broadcast(&Shape::from(&shape[..]), "test").is_ok());
        // ⟨broadcast(x), g⟩ = ⟨x, sum_to(g)⟩
        let (x, g) = (view(&small, &s.0).to_f64(), view(&shape, &s.1).to_f64());
        let back = g.sum_to(*x.shape());
        prop_assert_eq!(back.shape(), x.shape());
        let (left, right) = ((x.expand(&shape[..]) * &g).sum(), (&x * &back).sum());
        assert_close(left, right, 1e-9);
        prop_assert_eq!(view(&shape, &s.1).sum_to(*x.shape()), view(&shape, &s.1).contiguous().sum_to(*x.shape()));
    }

    #[test]
    fn running_sums_end_in_the_sum(shape in shapes(3), style in styles(), axis in 0_usize..3) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        let t = view_with(&shape, &style, |x| x);
        let running = t.cumsum(axis);
        for i in 0..shape[axis] {
            let want = t.slice(axis, 0..i + 1).sum_axes(&[axis], false);
            for (got, want) in running.index_axis(axis, i).iter().zip(want.iter()) {
                assert_close(got, want, 1e-12);
            }
        }
    }
}

#[test]
fn a_long_sum_stays_accurate() {
    let n = 10_000_000;
    let t = Tensor::from_fn([n], |i| 0.1 + (i[0] % 7) as f32 * 1e-3);
    let exact: f64 = t.as_slice().unwrap().iter().map(|&x| f64::from(x)).sum();
    let relative = |got: f32| (f64::from(got) - exact).abs() / exact;
    assert!(relative(t.sum()) < 1e-6, "{}", relative(t.sum()));
    let columns = t.reshape([n, 1]).sum_axes(&[0], false);
    assert_eq!(columns.item().to_bits(), t.sum().to_bits());
}

/// With `FB_LONG_TESTS` set, over a hundred million numbers: 400 MB and some seconds.
#[test]
fn sums_means_and_variances_of_many_numbers_stay_accurate() {
    let long = std::env::var_os("FB_LONG_TESTS").is_some();
    let n = if long { 100_000_000 } else { 1_000_000 };
    let t = Tensor::from(
        (0..n)
            .map(|i| number(i, 1) as f32 + 0.1)
            .collect::<Vec<_>>(),
    );
    let values = || t.as_slice().unwrap().iter().map(|&x| f64::from(x));
    let exact: f64 = values().sum();
    assert!((f64::from(t.sum()) - exact).abs() <= 1e-6 * exact);
    let mean = exact / n as f64;
    assert!((f64::from(t.mean()) - mean).abs() <= 1e-6 * mean);
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
    let got = f64::from(t.var_axes(&[0], 0, false).item());
    assert!(
        (got - variance).abs() <= 1e-5 * variance,
        "{got} {variance}"
    );
}

#[test]
fn threads_and_neighbours_do_not_change_the_bits() {
    let (rows, columns) = (9000, 70);
    let t = Tensor::from_fn([rows, columns], |i| number(i[0] * columns + i[1], 3) as f32);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let narrow = t.reshape([rows * columns / 2, 2]);
            let sums = [
                t.sum_axes(&[0], false),
                t.sum_axes(&[1], false),
                narrow.sum_axes(&[0], false),
                narrow.sum_axes(&[1], false),
            ];
            (sums, t.sum(), t.squared_norm(), t.softmax(1))
        })
    };
    let alone = run(1);
    assert_eq!(alone, run(2));
    assert_eq!(alone, run(4));
    assert_eq!(alone.0[0].at(&[7]), t.slice(1, 7..8).contiguous().sum());
    assert_eq!(alone.0[1].at(&[11]), t.slice(0, 11..12).sum());
    assert_eq!(alone.3.slice(0, 11..12), t.slice(0, 11..12).softmax(1));
}

#[test]
fn nan_and_infinity_come_through() {
    let t = Tensor::from([[1.0, f32::NAN, 3.0], [4.0, 5.0, f32::NEG_INFINITY]]);
    assert!(t.max().is_nan() && t.min().is_nan() && t.sum().is_nan());
    assert!(t.max_axes(&[1], false).at(&[0]).is_nan() && t.max_axes(&[1], false).at(&[1]) == 5.0);
    assert_eq!(t.argmax(1).to_vec(), [1, 1]);
    assert_eq!(t.argmin(1).to_vec(), [1, 2]);
    assert!(!t.is_all_finite());
    let low = Tensor::from([f32::NEG_INFINITY; 2]);
    assert_eq!(low.logsumexp(&[0], false).item(), f32::NEG_INFINITY);
    assert_eq!(
        Tensor::from([1000.0, 1000.0]).logsumexp(&[0], false).item(),
        1000.0 + 2.0_f32.ln()
    );
    assert_eq!(
        Tensor::from([f32::INFINITY, 0.0])
            .logsumexp(&[0], false)
            .item(),
        f32::INFINITY
    );
}

#[test]
fn no_elements() {
    let t = Tensor::zeros([2, 0]);
    assert_eq!(t.sum(), 0.0);
    assert!(t.mean().is_nan());
    assert_eq!(t.sum_axes(&[1], false).to_vec(), [0.0, 0.0]);
    assert!(t.mean_axes(&[1], false).iter().all(f32::is_nan));
    assert_eq!(t.logsumexp(&[1], false).to_vec(), [f32::NEG_INFINITY; 2]);
    assert_eq!(t.max_axes(&[0], false).dims(), [0]);
    assert_eq!(t.argmax(0).dims(), [0]);
    assert!(
        Tensor::from([3.0_f32])
            .var_axes(&[0], 1, false)
            .item()
            .is_nan()
    );
}
