use crate::support::{assert_close, at_broadcast, cases, indices, styles, view};
use fb_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn rotations_of_any_view(
        lead in vec(0_usize..5, 0..=2), time in 0_usize..8, (pairs, rest) in (0_usize..20, 0_usize..4), drop in 0_usize..3,
        interleaved in any::<bool>(), s in (styles(), styles(), styles()),
    ) {
        let width = 2 * pairs + rest;
        let shape = [&lead[..], &[time, width]].concat();
        // Tables for the times alone, or for each row.
        let angles = [&lead[drop.min(lead.len())..], &[time, pairs]].concat();
        let (x, cos, sin) = (view(&shape, &s.0), view(&angles, &s.1), view(&angles, &s.2));
        let y = if interleaved { x.rotary_interleaved(&cos, &sin) } else { x.rotary(&cos, &sin) };
        prop_assert_eq!(y.shape(), x.shape());
        for at in indices(&shape) {
            let (i, row) = (at[at.len() - 1], &at[..at.len() - 1]);
            let read = |t: &Tensor, i: usize| f64::from(at_broadcast(t, &[row, &[i]].concat()));
            // The other feature of the pair, the pair's number, and the sign of the sine.
            let pair = match (i < 2 * pairs, interleaved) {
                (false, _) => None,
                (_, true) => Some((i ^ 1, i / 2, i % 2 == 0)),
                (_, false) if i < pairs => Some((i + pairs, i, true)),
                _ => Some((i - pairs, i - pairs, false)),
            };
            let want = pair.map_or(read(&x, i), |(other, pair, first)| {
                let sin = if first { -read(&sin, pair) } else { read(&sin, pair) };
                read(&x, i) * read(&cos, pair) + read(&x, other) * sin
            });
            assert_close(f64::from(y.at(&at)), want, 1e-6);
        }
    }
}

#[test]
fn the_result_lies_like_the_operand() {
    let x = Tensor::ones([2, 6, 3, 8]).permute(&[0, 2, 1, 3]);
    let (cos, sin) = Tensor::rotary_tables(0..6, 8, 10_000.0);
    for y in [x.rotary(&cos, &sin), x.rotary_interleaved(&cos, &sin)] {
        assert!(y.permute(&[0, 2, 1, 3]).is_contiguous());
    }
}

#[test]
fn inner_products_depend_on_distance_alone() {
    let (cos, sin) = Tensor::<f64>::rotary_tables_of(0..40, 6, 100.0);
    let [q, k] =
        [0.3, -0.7].map(|step| Tensor::from_fn([40, 6], |at| (step * (at[1] as f64 + 1.0)).sin()));
    type Rotation = fn(&Tensor<f64>, &Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
    let rotations: [Rotation; 2] = [Tensor::rotary, Tensor::rotary_interleaved];
    for rotate in rotations {
        let products = rotate(&q, &cos, &sin).matmul(&rotate(&k, &cos, &sin).transpose());
        for distance in [0, 3, 17] {
            let first = products.at(&[distance, 0]);
            for i in 0..40 - distance {
                assert_close(products.at(&[i + distance, i]), first, 1e-13);
            }
        }
        assert!((products.at(&[3, 0]) - products.at(&[0, 0])).abs() > 1e-3);
    }
}

#[test]
fn tables_continue_where_the_last_ones_ended() {
    let (cos, sin) = Tensor::rotary_tables(0..12, 10, 10_000.0);
    let (later_cos, later_sin) = Tensor::rotary_tables(7..12, 10, 10_000.0);
    assert_eq!(
        (cos.slice(0, 7..12), sin.slice(0, 7..12)),
        (later_cos, later_sin)
    );
    let table = Tensor::sinusoidal_positions(0..12, 7);
    assert_eq!(
        table.slice(0, 5..12),
        Tensor::sinusoidal_positions(5..12, 7)
    );
    for at in indices(&[12, 7]) {
        let angle = at[0] as f64 / 10_000_f64.powf((at[1] / 2 * 2) as f64 / 7.0);
        let want = if at[1] % 2 == 0 {
            angle.sin()
        } else {
            angle.cos()
        };
        assert_close(f64::from(table.at(&at)), want, 1e-7);
    }
}
