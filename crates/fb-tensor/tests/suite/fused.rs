use crate::support::{assert_close, cases, shapes, styles, view, view_with};
use fb_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn linear_is_a_product_and_a_sum(
        lead in vec(0_usize..6, 0..=3), (k, n) in (0_usize..40, 0_usize..40), with_bias in any::<bool>(), s in (styles(), styles(), styles()),
    ) {
        let (x, w, b) = (view(&[&lead[..], &[k]].concat(), &s.0), view(&[k, n], &s.1), view(&[n], &s.2));
        let got = x.linear(&w, with_bias.then_some(&b));
        prop_assert_eq!(got.dims(), &[&lead[..], &[n]].concat()[..]);
        let product = x.to_f64().matmul(&w.to_f64());
        let want = if with_bias { product + &b.to_f64() } else { product };
        for (got, want) in got.iter().zip(want.iter()) {
            assert_close(f64::from(got), want, 1e-5);
        }
    }

    #[test]
    fn a_row_of_linear_depends_on_nothing_else((m, k, n) in (1_usize..70, 1_usize..900, 1_usize..40), pick in any::<prop::sample::Index>(), s in (styles(), styles(), styles())) {
        let (x, w, b) = (view(&[m, k], &s.0), view(&[k, n], &s.1), view(&[n], &s.2));
        let row = pick.index(m);
        let alone = x.slice(0, row..row + 1).linear(&w, Some(&b));
        prop_assert_eq!(x.linear(&w, Some(&b)).slice(0, row..row + 1), alone);
    }

    #[test]
    fn cross_entropy_is_a_gathered_log_softmax((n, classes) in (0_usize..40, 1_usize..80), s in (styles(), styles())) {
        let scores = view_with(&[n, classes], &s.0, |x| (10.0 * x) as f32);
        let labels = view_with(&[n], &s.1, |x| ((x + 1.0) / 2.0 * classes as f64) as i64);
        let (losses, probabilities) = scores.softmax_cross_entropy(&labels);
        let want = scores.to_f64().log_softmax(1).gather(1, &labels.unsqueeze(1)).squeeze(1);
        prop_assert_eq!(losses.dims(), [n]);
        for (got, want) in losses.iter().zip(want.iter()) {
            assert_close(f64::from(got), -want, 1e-5);
        }
        prop_assert_eq!(probabilities, scores.softmax(1));
    }

    #[test]
    fn gates_are_products(shape in shapes(3), s in (styles(), styles())) {
        let (a, b) = (view(&shape, &s.0), view(&shape, &s.1));
        let pairs = [
            (a.sigmoid_mul(&b), a.sigmoid() * &b),
            (a.silu_mul(&b), a.silu() * &b),
            (a.gelu_mul(&b), a.gelu() * &b),
            (a.gelu_tanh_mul(&b), a.gelu_tanh() * &b),
        ];
        for (got, want) in pairs {
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn gradients_of_losses_are_what_they_are_by_definition((n, classes) in (0_usize..40, 1_usize..80), s in (styles(), styles(), styles(), styles())) {
        let scores = view_with(&[n, classes], &s.0, |x| 10.0 * x);
        let labels = view_with(&[n], &s.1, |x| ((x + 1.0) / 2.0 * classes as f64) as i64);
        let g = view_with(&[n], &s.2, |x| x);
        let (_, p) = scores.softmax_cross_entropy(&labels);
        let want = (&p - &Tensor::one_hot_of(&labels, classes)) * &g.unsqueeze(1);
        for (got, want) in Tensor::chain_softmax_cross_entropy(&p, &labels, &g).iter().zip(want.iter()) {
            assert_close(got, want, 1e-14);
        }
        let targets = view_with(&[n, classes], &s.3, |x| x.max(0.0));
        let (losses, y) = scores.softmax_cross_entropy_with(&targets);
        for (got, want) in losses.iter().zip((&y * &targets).sum_axes(&[1], false).iter()) {
            assert_close(got, -want, 1e-13);
        }
        let want = (y.exp() * &targets.sum_axes(&[1], true) - &targets) * &g.unsqueeze(1);
        for (got, want) in Tensor::chain_softmax_cross_entropy_with(&y, &targets, &g).iter().zip(want.iter()) {
            assert_close(got, want, 1e-13);
        }
    }
}

#[test]
#[should_panic(expected = "silu_mul: [2] and [1] do not fit")]
fn gates_are_not_broadcast() {
    let _ = Tensor::zeros([2]).silu_mul(&Tensor::zeros([1]));
}

#[test]
fn cross_entropy_of_extreme_scores() {
    let scores = Tensor::from([[1e4, -1e4], [1e4, -1e4], [0.0, f32::NEG_INFINITY]]);
    let (losses, probabilities) = scores.softmax_cross_entropy(&Tensor::from([0_i64, 1, 1]));
    assert_eq!(losses.to_vec(), [0.0, 2e4, f32::INFINITY]);
    assert_eq!(probabilities.to_vec(), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
}
