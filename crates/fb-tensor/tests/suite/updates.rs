use crate::support::{assert_close, cases, number, shapes, shrunk, styles, view};
use fb_tensor::Tensor;
use fb_tensor::optimizer::{AdamStep, RmsPropStep, SgdStep, adam, rms_prop, sgd};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn changes_in_place_leave_other_owners_alone(shape in shapes(3), drop in 0_usize..3, mask in any::<u8>(), s in (styles(), styles())) {
        let (x, part) = (view(&shape, &s.0), view(&shrunk(&shape, drop, mask), &s.1));
        let before = x.to_vec();
        for start in [x.clone(), x.contiguous(), x.contiguous() * 1.0] {
            let mut scaled = start.clone();
            scaled.scale_mut(3.0);
            prop_assert_eq!(&scaled, &(&x * 3.0));
            let mut moved = start.clone();
            moved.add_scaled(&part, -0.5);
            prop_assert_eq!(&moved, &(&x + &part * -0.5));
            let mut filled = start.clone();
            filled.fill_mut(2.0);
            prop_assert_eq!(filled.to_vec(), vec![2.0; x.len()]);
            let other = view(&shape, &s.1);
            let mut copied = start.clone();
            copied.copy_from(&other);
            prop_assert_eq!(&copied, &other);
            let mut own = start * 1.0;
            own.copy_from(&other);
            prop_assert_eq!(&own, &other);
        }
        prop_assert_eq!(x.to_vec(), before);
    }
}

#[test]
fn unshared_memory_is_kept() {
    let mut x = Tensor::zeros([100]) + 1.0;
    let address = x.as_slice().unwrap().as_ptr();
    x.fill_mut(2.0);
    x.scale_mut(2.0);
    x.add_scaled(&Tensor::ones([100]), 1.0);
    x.copy_from(&Tensor::ones([100, 1]).squeeze(1));
    x.add_assign(&Tensor::ones([1]));
    assert_eq!(x.as_slice().unwrap().as_ptr(), address);
    assert_eq!(x.to_vec(), [2.0; 100]);
}

const N: usize = 40_011;

/// Five steps of `step(state of one element, gradient)`, element by element in double precision.
fn naive<const M: usize>(step: impl Fn(&mut [f64; M], f64, i32)) -> Vec<[f64; M]> {
    (0..N)
        .map(|i| {
            let mut state = [0.0; M];
            state[0] = number(i, 1);
            (1..=5).for_each(|t| step(&mut state, gradient(i, t), t));
            state
        })
        .collect()
}

fn gradient(i: usize, t: i32) -> f64 {
    number(i, 10 + t as u32)
}

/// The same five steps by a pass over slices, on several threads.
fn fused<const M: usize>(
    step: impl Fn(&mut [Vec<f32>; M], &[f32], i32) + Send + Sync,
) -> [Vec<f32>; M] {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    pool.install(|| {
        let mut state: [Vec<f32>; M] = std::array::from_fn(|_| vec![0.0; N]);
        state[0] = (0..N).map(|i| number(i, 1) as f32).collect();
        for t in 1..=5 {
            let gradient: Vec<f32> = (0..N).map(|i| gradient(i, t) as f32).collect();
            step(&mut state, &gradient, t);
        }
        state
    })
}

fn assert_same<const M: usize>(got: &[Vec<f32>; M], want: &[[f64; M]]) {
    for (i, want) in want.iter().enumerate() {
        for (got, want) in got.iter().zip(want) {
            assert_close(f64::from(got[i]), *want, 2e-5);
        }
    }
}

#[test]
fn gradient_descent_follows_its_definition() {
    let step = SgdStep {
        rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        penalty: 0.01,
    };
    let got = fused::<1>(|[w], g, _| sgd(step, w, g, None));
    assert_same(&got, &naive(|[w], g, _| *w -= 0.1 * (g + 0.01 * *w)));
    let got = fused::<2>(|[w, u], g, _| sgd(step, w, g, Some(u)));
    let heavy_ball = |[w, u]: &mut [f64; 2], g: f64, _| {
        *u = 0.9 * *u + g + 0.01 * *w;
        *w -= 0.1 * *u;
    };
    assert_same(&got, &naive(heavy_ball));
    let got = fused::<2>(|[w, u], g, _| {
        sgd(
            SgdStep {
                nesterov: true,
                ..step
            },
            w,
            g,
            Some(u),
        )
    });
    let nesterov = |[w, u]: &mut [f64; 2], g: f64, _| {
        let g = g + 0.01 * *w;
        *u = 0.9 * *u + g;
        *w -= 0.1 * (g + 0.9 * *u);
    };
    assert_same(&got, &naive(nesterov));
}

#[test]
fn rms_prop_follows_its_definition() {
    let step = RmsPropStep {
        rate: 0.01,
        decay: 0.9,
        keep: 1.0 - 0.9,
        epsilon: 1e-3,
        momentum: 0.8,
        penalty: 0.02,
    };
    let scaled = |w: f64, v: &mut f64, g: f64| {
        let g = g + 0.02 * w;
        *v = 0.9 * *v + 0.1 * g * g;
        g / (v.sqrt() + 1e-3)
    };
    let got = fused::<2>(|[w, v], g, _| rms_prop(step, w, g, v, None, None));
    assert_same(&got, &naive(|[w, v], g, _| *w -= 0.01 * scaled(*w, v, g)));
    let got = fused::<3>(|[w, v, u], g, _| rms_prop(step, w, g, v, None, Some(u)));
    let with_velocity = |[w, v, u]: &mut [f64; 3], g: f64, _| {
        *u = 0.8 * *u + scaled(*w, v, g);
        *w -= 0.01 * *u;
    };
    assert_same(&got, &naive(with_velocity));
    let centred = |w: f64, v: &mut f64, m: &mut f64, g: f64| {
        let g = g + 0.02 * w;
        *v = 0.9 * *v + 0.1 * g * g;
        *m = 0.9 * *m + 0.1 * g;
        g / ((*v - *m * *m).sqrt() + 1e-3)
    };
    let got = fused::<3>(|[w, v, m], g, _| rms_prop(step, w, g, v, Some(m), None));
    assert_same(
        &got,
        &naive(|[w, v, m], g, _| *w -= 0.01 * centred(*w, v, m, g)),
    );
    let got = fused::<4>(|[w, v, m, u], g, _| rms_prop(step, w, g, v, Some(m), Some(u)));
    let both = |[w, v, m, u]: &mut [f64; 4], g: f64, _| {
        *u = 0.8 * *u + centred(*w, v, m, g);
        *w -= 0.01 * *u;
    };
    assert_same(&got, &naive(both));
}

#[test]
fn adam_follows_its_definition() {
    let (beta1, beta2) = (0.9_f64, 0.99_f64);
    for (penalty, decay) in [(0.0, 0.0), (0.02, 0.0), (0.0, 0.1)] {
        let got = fused::<3>(|[w, m, v], g, t| {
            let step = AdamStep {
                rate: 0.01,
                beta1: beta1 as f32,
                beta2: beta2 as f32,
                keep1: (1.0 - beta1) as f32,
                keep2: (1.0 - beta2) as f32,
                epsilon: 1e-3,
                correction1: (1.0 - beta1.powi(t)) as f32,
                correction2_root: (1.0 - beta2.powi(t)).sqrt() as f32,
                penalty: penalty as f32,
                decay: decay as f32,
            };
            adam(step, w, g, m, v);
        });
        let definition = |[w, m, v]: &mut [f64; 3], g: f64, t: i32| {
            let g = g + penalty * *w;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            let (m_hat, v_hat) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
            *w -= 0.01 * decay * *w;
            *w -= 0.01 * m_hat / (v_hat.sqrt() + 1e-3);
        };
        assert_same(&got, &naive(definition));
    }
}

#[test]
#[should_panic(expected = "sgd: value, gradient and moments differ in length")]
fn slices_of_different_lengths_are_refused() {
    let step = SgdStep {
        rate: 0.1,
        momentum: 0.0,
        nesterov: false,
        penalty: 0.0,
    };
    sgd(step, &mut [1.0, 2.0], &[1.0], None);
}
