use crate::support::{assert_close, cases, shapes, styles, view_with};
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
