use crate::support::{
    assert_close, at_broadcast, cases, indices, shapes, shrunk, styles, view_with,
};
use fb_tensor::Tensor;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn probabilities_along_any_axis_of_any_view(shape in shapes(4), style in styles(), axis in 0_usize..4) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        let scores = view_with(&shape, &style, |x| (20.0 * x) as f32);
        let (p, l) = (scores.softmax(axis), scores.log_softmax(axis));
        prop_assert!(p.is_contiguous() && l.is_contiguous());
        prop_assert_eq!(p.dims(), &shape[..]);
        let wide = scores.to_f64();
        let exact = &wide - &wide.logsumexp(&[axis], true);
        for ((p, l), exact) in p.iter().zip(l.iter()).zip(exact.iter()) {
            assert_close(f64::from(l), exact, 1e-6);
            let relative = (f64::from(p) - exact.exp()).abs() / exact.exp();
            prop_assert!(relative < 1e-5, "{} {}", p, exact.exp());
        }
    }

    #[test]
    fn masked_rows_are_softmaxes_of_what_is_allowed(
        shape in shapes(4), drop in 0_usize..4, narrow in any::<u8>(), s in (styles(), styles()), scale in -2.0_f64..2.0,
    ) {
        prop_assume!(!shape.is_empty());
        let scores = view_with(&shape, &s.0, |x| (20.0 * x) as f32);
        let mask = view_with(&shrunk(&shape, drop, narrow), &s.1, |x| x > -0.3);
        let got = scores.masked_softmax(scale, Some(&mask));
        prop_assert_eq!(got.dims(), &shape[..]);
        let width = *shape.last().unwrap();
        let all = indices(&shape);
        for row in all.chunks(width.max(1)) {
            let allowed: Vec<f64> = row
                .iter()
                .map(|i| if at_broadcast(&mask, i) { scale * f64::from(scores.at(i)) } else { f64::NEG_INFINITY })
                .collect();
            let largest = allowed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = allowed.iter().map(|x| (x - largest).exp()).sum();
            for (i, x) in row.iter().zip(&allowed) {
                let want = if largest == f64::NEG_INFINITY { 0.0 } else { (x - largest).exp() / total };
                assert_close(f64::from(got.at(i)), want, 1e-5);
            }
        }
        let everything = Tensor::full_of([1], true);
        prop_assert_eq!(scores.masked_softmax(scale, None), scores.masked_softmax(scale, Some(&everything)));
    }
}

#[test]
fn what_is_masked_is_not_looked_at() {
    let scores = Tensor::from([[f32::NAN, 1.0, 1.0], [f32::INFINITY, 0.0, 0.0]]);
    let mask = Tensor::from([false, true, true]);
    let p = scores.masked_softmax(1.0, Some(&mask));
    assert_eq!(p.to_vec(), [0.0, 0.5, 0.5, 0.0, 0.5, 0.5]);
    let error = scores
        .try_masked_softmax(1.0, Some(&Tensor::from([true, false])))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("masked_softmax: [2, 3] and [2] do not fit"),
        "{error}"
    );
    let error = scores
        .try_masked_softmax(1.0, Some(&Tensor::full_of([4, 1, 1], true)))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "masked_softmax: [2, 3] and [4, 1, 1] do not fit\n  help: the mask broadcasts to the shape of the scores"
    );
}

#[test]
fn masks_infinities_and_nan() {
    const LOW: f32 = f32::NEG_INFINITY;
    let p = Tensor::from([
        [0.0, LOW, 0.0],
        [LOW, LOW, LOW],
        [f32::NAN, 0.0, 0.0],
        [3e38, -3e38, 0.0],
    ])
    .softmax(1);
    assert_eq!(p.slice(0, 0..1).to_vec(), [0.5, 0.0, 0.5]);
    assert!(p.slice(0, 1..3).iter().all(f32::is_nan));
    assert_eq!(p.slice(0, 3..4).to_vec(), [1.0, 0.0, 0.0]);
    let l = Tensor::from([0.0, LOW]).log_softmax(0);
    assert_eq!(l.to_vec(), [0.0, LOW]);
    assert!(
        Tensor::zeros([0, 3]).softmax(1).is_empty()
            && Tensor::zeros([3, 0]).log_softmax(1).is_empty()
    );
}
