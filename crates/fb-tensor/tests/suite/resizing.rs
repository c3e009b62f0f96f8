use crate::support::{assert_close, cases, indices, styles, view};
use fb_tensor::Tensor;
use proptest::prelude::*;

/// The inputs of an output along an axis with their shares.
type Shares = Vec<(usize, f64)>;

fn nearest(input: usize, output: usize, i: usize) -> Shares {
    // The largest index that does not lie beyond: found without a division.
    let index = (0..input).rev().find(|k| k * output <= i * input);
    vec![(index.unwrap(), 1.0)]
}

fn bilinear(input: usize, output: usize, i: usize, align_corners: bool) -> Shares {
    let at = if align_corners {
        if output == 1 {
            0.0
        } else {
            i as f64 * (input - 1) as f64 / (output - 1) as f64
        }
    } else {
        (i as f64 + 0.5) * input as f64 / output as f64 - 0.5
    };
    let at = at.clamp(0.0, (input - 1) as f64);
    // A hat around each input.
    let share = |k: usize| (1.0 - (at - k as f64).abs()).max(0.0);
    (0..input)
        .map(|k| (k, share(k)))
        .filter(|&(_, share)| share > 0.0)
        .collect()
}

fn check(
    x: &Tensor,
    g: &Tensor,
    y: &Tensor,
    dx: &Tensor,
    shares: impl Fn(usize, usize, usize) -> Shares,
) {
    let (xs, ys) = (x.dims(), y.dims());
    assert_eq!(dx.dims(), xs);
    let mut sums = vec![0.0; x.len()];
    for index in indices(ys) {
        let (rows, columns) = (
            shares(xs[1], ys[1], index[1]),
            shares(xs[2], ys[2], index[2]),
        );
        let mut want = 0.0;
        for &(i, down) in &rows {
            for &(j, right) in &columns {
                want += down * right * f64::from(x.at(&[index[0], i, j, index[3]]));
                let at = ((index[0] * xs[1] + i) * xs[2] + j) * xs[3] + index[3];
                sums[at] += down * right * f64::from(g.at(&index));
            }
        }
        assert_close(f64::from(y.at(&index)), want, 1e-5);
    }
    for (got, want) in dx.iter().zip(sums) {
        assert_close(f64::from(got), want, 2e-5);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn images_of_another_size((n, h, w, c) in (0_usize..3, 1_usize..9, 1_usize..9, 0_usize..40), size in [0_usize..14, 0..14], s in (styles(), styles())) {
        let x = view(&[n, h, w, c], &s.0);
        let g = view(&[n, size[0], size[1], c], &s.1);
        let y = x.resize_nearest(size);
        prop_assert_eq!(y.dims(), g.dims());
        check(&x, &g, &y, &g.resize_nearest_gradient(*x.shape()), nearest);
        for align in [false, true] {
            let y = x.resize_bilinear(size, align);
            prop_assert_eq!(y.dims(), g.dims());
            let dx = g.resize_bilinear_gradient(*x.shape(), align);
            check(&x, &g, &y, &dx, |input, output, i| bilinear(input, output, i, align));
        }
        prop_assert_eq!(x.resize_nearest([h, w]), x.clone());
        prop_assert_eq!(x.resize_bilinear([h, w], true), x.contiguous());
    }
}
