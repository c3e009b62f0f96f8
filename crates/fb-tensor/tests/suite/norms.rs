use crate::support::{assert_close, cases, number, styles, view, view_with};
use fb_tensor::Tensor;
use fb_tensor::norm::{ChannelNorm, Over, RowNorm};
use proptest::collection::vec;
use proptest::prelude::*;

const EPSILON: f64 = 1e-2;

/// `(x − mean) / √(variance + ε) · weight + bias` along the axes, by the definition.
fn by_definition(x: &Tensor<f64>, axes: &[usize], w: &Tensor<f64>, b: &Tensor<f64>) -> Tensor<f64> {
    let centred = x - &x.mean_axes(axes, true);
    let variance = centred.square().mean_axes(axes, true);
    centred / &variance.add_scalar(EPSILON).sqrt() * w + b
}

#[track_caller]
fn assert_near(got: &Tensor<f32>, want: &Tensor<f64>) {
    assert_eq!(got.shape(), want.shape());
    for (got, want) in got.iter().zip(want.iter()) {
        assert_close(f64::from(got), want, 1e-4);
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn norms_are_what_they_are_by_definition(
        lead in vec(0_usize..5, 1..=3), groups in 1_usize..4, each in 1_usize..30, s in (styles(), styles(), styles()),
    ) {
        let width = groups * each;
        let shape = [&lead[..], &[width]].concat();
        let (x, w, b) = (view(&shape, &s.0), view(&[width], &s.1), view(&[width], &s.2));
        let (wide, wide_w, wide_b) = (x.to_f64(), w.to_f64(), b.to_f64());
        let last = shape.len() - 1;
        let rows = by_definition(&wide, &[last], &wide_w, &wide_b);
        assert_near(&x.layer_norm(Some(&w), Some(&b), EPSILON), &rows);
        let (sum, y) = x.add_layer_norm(&x, Some(&w), Some(&b), EPSILON);
        prop_assert_eq!(&sum, &(&x + &x));
        assert_near(&y, &by_definition(&(&wide + &wide), &[last], &wide_w, &wide_b));
        let root = wide.square().mean_axes(&[last], true).add_scalar(EPSILON).sqrt();
        assert_near(&x.rms_norm(Some(&w), EPSILON), &(&wide / &root * &wide_w));

        let all: Vec<usize> = (0..last).collect();
        let (y, mean, variance) = x.batch_norm(Some(&w), Some(&b), EPSILON);
        assert_near(&y, &by_definition(&wide, &all, &wide_w, &wide_b));
        assert_near(&mean, &wide.mean_axes(&all, false));
        assert_near(&variance, &wide.var_axes(&all, 0, false));
        if !x.is_empty() {
            assert_near(&x.batch_norm_with(&mean, &variance, Some(&w), Some(&b), EPSILON), &y.to_f64());
        }

        let middle: usize = lead[1..].iter().product();
        let of_groups = |t: &Tensor<f64>| t.reshape([groups, each]);
        let in_groups = by_definition(
            &wide.reshape([lead[0], middle, groups, each]), &[1, 3], &of_groups(&wide_w), &of_groups(&wide_b),
        );
        assert_near(&x.group_norm(groups, Some(&w), Some(&b), EPSILON), &in_groups.reshape(shape));
    }

    #[test]
    fn a_row_depends_on_nothing_else((rows, width) in (1_usize..300, 1_usize..200), pick in any::<prop::sample::Index>(), s in styles()) {
        let x = view(&[rows, width], &s);
        let row = pick.index(rows);
        let alone = x.slice(0, row..row + 1);
        prop_assert_eq!(x.layer_norm(None, None, EPSILON).slice(0, row..row + 1), alone.layer_norm(None, None, EPSILON));
        prop_assert_eq!(x.rms_norm(None, EPSILON).slice(0, row..row + 1), alone.rms_norm(None, EPSILON));
        prop_assert_eq!(x.group_norm(1, None, None, EPSILON).slice(0, row..row + 1), alone.group_norm(1, None, None, EPSILON));
    }

    #[test]
    fn a_gradient_is_added_to_what_has_arrived((rows, width) in (1_usize..100, 1_usize..40), s in (styles(), styles())) {
        let (x, g) = (view_with(&[rows, width], &s.0, |x| x), view_with(&[rows, width], &s.1, |x| x));
        let norm = RowNorm::layer(EPSILON);
        let normed = norm.forward(&x, None, None, None).unwrap();
        let fresh = norm.backward(&normed.input, &normed.statistics, None, &g, None);
        let added = norm.backward(&normed.input, &normed.statistics, None, &g, Some(x.clone()));
        prop_assert_eq!(&added.weight, &fresh.weight);
        for (added, want) in added.input.iter().zip((&fresh.input + &x).iter()) {
            assert_close(added, want, 1e-14);
        }
        let norm = ChannelNorm { over: Over::Batch, epsilon: EPSILON };
        let normed = norm.forward(&x, None, None).unwrap();
        let fresh = norm.backward(&x, &normed.statistics, false, None, &g, None);
        let added = norm.backward(&x, &normed.statistics, false, None, &g, Some(x.clone()));
        for (added, want) in added.input.iter().zip((&fresh.input + &x).iter()) {
            assert_close(added, want, 1e-14);
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let t = |rows: usize, width: usize, seed| {
        Tensor::from_fn([rows, width], |i| number(i[0] * width + i[1], seed) as f32)
    };
    for (rows, width) in [(3000, 70), (40_000, 5), (700, 300)] {
        let (x, g, w) = (
            t(rows, width, 1),
            t(rows, width, 2),
            t(1, width, 3).flatten(),
        );
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let norm = RowNorm::add_layer(EPSILON);
                let y = norm.forward(&x, Some(&g), Some(&w), Some(&w)).unwrap();
                let d = norm.backward(&y.input, &y.statistics, Some(&w), &g, None);
                let over = Over::Batch;
                let norm = ChannelNorm {
                    over,
                    epsilon: EPSILON,
                };
                let z = norm.forward(&x, Some(&w), None).unwrap();
                let e = norm.backward(&x, &z.statistics, false, Some(&w), &g, None);
                let grouped = x
                    .reshape([rows / 20, 20, width])
                    .group_norm(5, None, None, EPSILON);
                [
                    y.output, y.input, d.input, d.weight, d.bias, z.output, e.input, e.weight,
                    e.bias, grouped,
                ]
            })
        };
        let alone = run(1);
        assert_eq!(alone, run(2));
        assert_eq!(alone, run(4));
    }
}

#[test]
fn a_channel_far_from_zero_does_not_cancel() {
    let noise = Tensor::from_fn([2000, 3], |i| ((i[0] * 37 + i[1]) % 101) as f64 / 16.0);
    let x = noise.add_scalar(1e6).to_f32();
    let ones = Tensor::ones_of([3]);
    let want = by_definition(&noise, &[0], &ones, &ones.zeros_like());
    let (y, mean, variance) = x.batch_norm(None, None, EPSILON);
    assert_near(&y, &want);
    assert_near(&variance, &noise.var_axes(&[0], 0, false));
    assert_near(&mean, &noise.add_scalar(1e6).mean_axes(&[0], false));
}

#[test]
fn no_elements() {
    for shape in [[0, 3], [3, 0], [0, 0]] {
        let x = Tensor::zeros(shape);
        assert_eq!(x.layer_norm(None, None, EPSILON).dims(), shape);
        assert_eq!(x.rms_norm(None, EPSILON).dims(), shape);
        assert_eq!(x.group_norm(1, None, None, EPSILON).dims(), shape);
        let (y, mean, variance) = x.batch_norm(None, None, EPSILON);
        assert_eq!((y.dims(), mean.dims()), (&shape[..], &shape[1..]));
        assert!(mean.iter().chain(variance.iter()).all(f32::is_nan));
    }
}

#[test]
fn a_nan_stays_in_its_row() {
    let x = Tensor::from([[1.0, f32::NAN], [1.0, 3.0], [f32::INFINITY, 0.0]]);
    let y = x.layer_norm(None, None, 0.0);
    assert!(y.slice(0, 0..1).iter().all(f32::is_nan));
    assert_eq!(y.slice(0, 1..2).to_vec(), [-1.0, 1.0]);
    assert!(y.slice(0, 2..3).iter().all(f32::is_nan));
}
