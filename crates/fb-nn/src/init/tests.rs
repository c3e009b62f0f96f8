use super::Initializer;
use fb_tensor::random::Key;
use fb_tensor::{Shape, Tensor};

fn draw(init: Initializer, shape: impl Into<Shape>) -> Tensor<f64> {
    init.sample(shape.into(), &mut Key::new(42).fold("hidden/weight").rng())
        .unwrap()
}

fn moments(t: &Tensor<f64>) -> (f64, f64) {
    let mean = t.mean();
    (
        mean,
        (t.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / t.len() as f64).sqrt(),
    )
}

/// The largest difference between `AᵀA` and `gain²` times the identity.
fn distance_from_orthogonal(a: &Tensor<f64>, gain: f64) -> f64 {
    let product = a.transpose().matmul(a);
    let want = Tensor::<f64>::eye_of(product.dim(0)) * (gain * gain);
    (product - want).abs().max()
}

#[test]
fn every_rule_has_its_mean_and_standard_deviation() {
    let (inputs, outputs): (usize, usize) = (300, 500);
    let (i, o) = (inputs as f64, outputs as f64);
    let glorot = (2.0 / (i + o)).sqrt();
    for (init, mean, std) in [
        (
            Initializer::Uniform {
                low: -1.0,
                high: 3.0,
            },
            1.0,
            4.0 / 12.0_f64.sqrt(),
        ),
        (
            Initializer::Normal {
                mean: 0.5,
                std: 2.0,
            },
            0.5,
            2.0,
        ),
        (
            Initializer::TruncatedNormal {
                mean: 0.5,
                std: 2.0,
            },
            0.5,
            2.0 * 0.879_625_661_034_239_8,
        ),
        (Initializer::glorot_uniform(), 0.0, glorot),
        (
            Initializer::GlorotUniform { gain: 0.25 },
            0.0,
            0.25 * glorot,
        ),
        (Initializer::glorot_normal(), 0.0, glorot),
        (Initializer::he_uniform(), 0.0, (2.0 / i).sqrt()),
        (Initializer::he_normal(), 0.0, (2.0 / i).sqrt()),
        (
            Initializer::HeNormal { gain: 3.0 },
            0.0,
            3.0 * (2.0 / i).sqrt(),
        ),
        (Initializer::lecun_uniform(), 0.0, (1.0 / i).sqrt()),
        (Initializer::lecun_normal(), 0.0, (1.0 / i).sqrt()),
    ] {
        let t = draw(init, [inputs, outputs]);
        let (found_mean, found_std) = moments(&t);
        // 150 000 draws: four standard errors are 0.010 of the deviation for the mean, 0.0073 for the deviation.
        assert!(
            (found_mean - mean).abs() < 0.011 * std,
            "{init:?}: mean {found_mean}"
        );
        assert!(
            (found_std / std - 1.0).abs() < 0.008,
            "{init:?}: deviation {found_std}, not {std}"
        );
    }
}

#[test]
fn uniform_rules_fill_their_interval_and_no_more() {
    let limit = (6.0_f64 / (20.0 + 30.0)).sqrt();
    let largest = draw(Initializer::glorot_uniform(), [20, 30]).abs().max();
    assert!(
        largest <= limit && largest > 0.98 * limit,
        "{largest} of {limit}"
    );
    let cut = draw(
        Initializer::TruncatedNormal {
            mean: 1.0,
            std: 3.0,
        },
        [1000],
    );
    assert!(cut.iter().all(|x| (x - 1.0).abs() <= 6.0));
}

#[test]
fn kernels_count_every_position() {
    let (_, std) = moments(&draw(Initializer::he_normal(), [3, 3, 16, 64]));
    assert!((std / (2.0_f64 / 144.0).sqrt() - 1.0).abs() < 0.04, "{std}");
}

#[test]
fn orthogonal_matrices_are_orthogonal() {
    for (rows, columns) in [(1, 1), (5, 5), (40, 40), (64, 17), (3, 100)] {
        let a = draw(Initializer::orthogonal(), [rows, columns]);
        let a = if rows >= columns { a } else { a.transpose() };
        assert!(
            distance_from_orthogonal(&a, 1.0) < 1e-12,
            "{rows} x {columns}"
        );
    }
    let scaled = draw(Initializer::Orthogonal { gain: 1.5 }, [30, 20]);
    assert!(distance_from_orthogonal(&scaled, 1.5) < 1e-12);
    let kernel = draw(Initializer::orthogonal(), [2, 3, 4, 5]);
    assert!(distance_from_orthogonal(&kernel.reshape([24, 5]), 1.0) < 1e-12);
    let single: Tensor<f32> = Initializer::orthogonal()
        .sample([64, 64].into(), &mut Key::new(1).rng())
        .unwrap();
    assert!(distance_from_orthogonal(&single.to_f64(), 1.0) < 1e-6);
}

#[test]
fn orthogonal_matrices_have_no_preferred_direction() {
    // Without the positive diagonal of R, the first element of a Q from Householder reflections is always negative.
    let key = Key::new(9);
    let firsts = (0..400).map(|i| -> Tensor<f64> {
        Initializer::orthogonal()
            .sample([3, 3].into(), &mut key.fold_index(i).rng())
            .unwrap()
    });
    let (mut positive, mut squares) = (0, 0.0);
    for a in firsts {
        positive += usize::from(a.at(&[0, 0]) > 0.0);
        squares += a.at(&[2, 1]).powi(2);
    }
    assert!((160..=240).contains(&positive), "{positive} of 400");
    assert!((squares / 400.0 - 1.0 / 3.0).abs() < 0.06, "{squares}");
}

#[test]
fn identities_may_be_rectangular() {
    assert_eq!(
        draw(Initializer::Identity { gain: 2.0 }, [2, 3]).to_vec(),
        [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]
    );
}

#[test]
fn constants_and_nothing() {
    assert_eq!(draw(Initializer::Constant(0.5), [3]).to_vec(), [0.5; 3]);
    assert_eq!(draw(Initializer::Zeros, [3]).to_vec(), [0.0; 3]);
    for init in [
        Initializer::glorot_uniform(),
        Initializer::he_normal(),
        Initializer::orthogonal(),
    ] {
        assert_eq!(draw(init, [0, 4]).dims(), [0, 4]);
        assert_eq!(draw(init, [4, 0]).dims(), [4, 0]);
    }
}

/// Results of saved experiments depend on these numbers.
#[test]
fn values_are_pinned() {
    let first = |init| draw(init, [2, 2]).to_vec();
    for (init, want) in [
        (
            Initializer::glorot_uniform(),
            [
                1.1264558580511463,
                -0.653933615487239,
                1.128197019544822,
                0.9469913169360435,
            ],
        ),
        (
            Initializer::lecun_normal(),
            [
                0.746215121253498,
                -0.709104692870852,
                0.8995577971558796,
                1.155649343351217,
            ],
        ),
        (
            Initializer::TruncatedNormal {
                mean: 0.0,
                std: 1.0,
            },
            [
                1.0553075449245803,
                -1.002825473800367,
                1.2721668368763104,
                1.6343349747148526,
            ],
        ),
        (
            Initializer::orthogonal(),
            [
                0.7249022512094373,
                0.6888517447110735,
                -0.6888517447110735,
                0.7249022512094373,
            ],
        ),
    ] {
        let got = first(init);
        assert!(
            got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-15),
            "{init:?}: {got:?}"
        );
    }
}

#[test]
fn numbers_outside_their_domain_are_errors() {
    let error = |init: Initializer, shape: &[usize]| {
        init.sample::<f32>(shape.into(), &mut Key::new(0).rng())
            .unwrap_err()
            .to_string()
    };
    for (init, want) in [
        (
            Initializer::Constant(f64::NAN),
            "constant initializer: expected a finite number, found NaN",
        ),
        (
            Initializer::Uniform {
                low: 1.0,
                high: -1.0,
            },
            "uniform initializer: expected finite numbers low <= high, found 1 and -1",
        ),
        (
            Initializer::Normal {
                mean: 0.0,
                std: -1.0,
            },
            "normal initializer: expected a finite standard deviation from 0 on, found -1",
        ),
        (
            Initializer::TruncatedNormal {
                mean: f64::INFINITY,
                std: 1.0,
            },
            "truncated normal initializer: expected a finite mean, found inf",
        ),
        (
            Initializer::HeUniform { gain: 0.0 },
            "He uniform initializer: expected a finite gain above 0, found 0",
        ),
    ] {
        assert_eq!(error(init, &[2, 2]), want);
    }
    assert_eq!(
        error(Initializer::orthogonal(), &[4]),
        "orthogonal initializer: expected a matrix [in, out] or a kernel [..., in, out], found [4]"
    );
    assert_eq!(
        error(Initializer::identity(), &[2, 2, 2]),
        "identity initializer: expected a matrix [in, out], found [2, 2, 2]"
    );
}

#[test]
fn initializers_survive_serialisation() {
    for init in [
        Initializer::Zeros,
        Initializer::Constant(0.25),
        Initializer::Orthogonal { gain: 0.9 },
    ] {
        let json = serde_json::to_value(init).unwrap();
        assert_eq!(serde_json::from_value::<Initializer>(json).unwrap(), init);
    }
    assert!(
        serde_json::from_str::<Initializer>(r#"{"GlorotUniform": {"gain": 1.0, "skew": 2.0}}"#)
            .is_err()
    );
}
