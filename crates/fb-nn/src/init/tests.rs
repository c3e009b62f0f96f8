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

/// The size of the largest eigenvalue, from `‖Aᵐ‖^(1/m)` at a very high power.
fn radius(a: &Tensor<f64>) -> f64 {
    let (mut power, mut log) = (a.clone(), 0.0);
    for k in 0..26 {
        let size = power.norm();
        log += size.ln() / 2.0_f64.powi(k);
        power = power * (1.0 / size);
        power = power.matmul(&power);
    }
    log.exp()
}

#[test]
fn reservoirs_have_their_radius_and_density() {
    for (n, want, density) in [
        (1, 0.9, 1.0),
        (7, 1.25, 0.5),
        (60, 0.95, 0.1),
        (150, 1.1, 1.0),
    ] {
        let init = Initializer::SpectralRadius {
            radius: want,
            density,
        };
        let a = draw(init, [n, n]);
        let found = radius(&a);
        assert!((found / want - 1.0).abs() < 1e-3, "{n}: {found}");
        let share = a.iter().filter(|x| *x != 0.0).count() as f64 / (n * n) as f64;
        let noise = (density * (1.0 - density) / (n * n) as f64).sqrt();
        assert!((share - density).abs() <= 4.0 * noise, "{n}: {share}");
    }
    let single: Tensor<f32> = Initializer::spectral_radius(0.9)
        .sample([50, 50].into(), &mut Key::new(3).rng())
        .unwrap();
    assert!((radius(&single.to_f64()) / 0.9 - 1.0).abs() < 1e-3);
}

#[test]
fn small_gains_are_bounds() {
    let squared = |a: &Tensor<f64>| radius(&a.transpose().matmul(a));
    for (rows, columns) in [(1, 1), (6, 6), (20, 5), (3, 40)] {
        let found = squared(&draw(Initializer::small_gain(0.7), [rows, columns])).sqrt();
        assert!(
            (found / 0.7 - 1.0).abs() < 1e-6,
            "{rows} x {columns}: {found}"
        );
    }
    let kernel = draw(Initializer::small_gain(0.7), [3, 2, 4, 5]).reshape([6, 4, 5]);
    let sum: f64 = (0..6)
        .map(|at| squared(&kernel.index_axis(0, at)).sqrt())
        .sum();
    assert!((sum / 0.7 - 1.0).abs() < 1e-6, "{sum}");
}

#[test]
fn gates_have_their_parts_of_the_vector() {
    let ones = draw(Initializer::unit_forget(), [12]).to_vec();
    let want: Vec<f64> = (0..12).map(|i| f64::from(u8::from(i / 3 == 1))).collect();
    assert_eq!(ones, want);
    let alone = Initializer::UnitForget {
        gates: 1,
        forget: 0,
    };
    assert_eq!(draw(alone, [2]).to_vec(), [1.0, 1.0]);
    assert_eq!(draw(Initializer::unit_forget(), [0]).dims(), [0]);

    let longest = 200.0;
    let bias = draw(Initializer::chrono(longest), [4 * 500]);
    let (write, forget) = (bias.slice(0, 0..500), bias.slice(0, 500..1000));
    assert_eq!(write.to_vec(), (-&forget).to_vec());
    assert!(bias.slice(0, 1000..2000).iter().all(|x| x == 0.0));
    // The lags eᵇ are spread evenly over 1 to 199.
    let lags: Vec<f64> = forget.iter().map(f64::exp).collect();
    assert!(lags.iter().all(|lag| (1.0..=199.0).contains(lag)));
    let mean = lags.iter().sum::<f64>() / 500.0;
    assert!((mean - 100.0).abs() < 4.0 * 198.0 / 12.0_f64.sqrt() / 500.0_f64.sqrt());
    // A gated unit's update gate writes where it does not forget: one gate.
    let update = Initializer::Chrono {
        longest,
        gates: 3,
        forget: 2,
        input: None,
    };
    let bias = draw(update, [6]);
    assert!(bias.slice(0, 0..4).iter().all(|x| x == 0.0) && bias.slice(0, 4..6).min() > 0.0);
}

#[test]
fn constants_and_nothing() {
    assert_eq!(draw(Initializer::Constant(0.5), [3]).to_vec(), [0.5; 3]);
    assert_eq!(draw(Initializer::Zeros, [3]).to_vec(), [0.0; 3]);
    for init in [
        Initializer::glorot_uniform(),
        Initializer::he_normal(),
        Initializer::orthogonal(),
        Initializer::small_gain(1.0),
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
        (
            Initializer::chrono(2.0),
            "chrono initializer: expected a finite longest lag above 2, found 2",
        ),
        (
            Initializer::UnitForget {
                gates: 3,
                forget: 3,
            },
            "unit forget initializer: expected gates of its own for each meaning, counted from 0, found [3] of 3",
        ),
        (
            Initializer::Chrono {
                longest: 9.0,
                gates: 2,
                forget: 1,
                input: Some(1),
            },
            "chrono initializer: expected gates of its own for each meaning, counted from 0, found [1, 1] of 2",
        ),
        (
            Initializer::spectral_radius(f64::NAN),
            "spectral radius initializer: expected a finite radius above 0, found NaN",
        ),
        (
            Initializer::SpectralRadius {
                radius: 1.0,
                density: 0.0,
            },
            "spectral radius initializer: expected a density above 0 and up to 1, found 0",
        ),
        (
            Initializer::SpectralRadius {
                radius: 1.0,
                density: 1e-9,
            },
            "spectral radius initializer: expected a density that leaves a loop through the matrix, found 0.000000001",
        ),
        (
            Initializer::small_gain(0.0),
            "small gain initializer: expected a finite norm above 0, found 0",
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
    assert_eq!(
        error(Initializer::spectral_radius(1.0), &[2, 3]),
        "spectral radius initializer: expected a square matrix, found [2, 3]"
    );
    assert_eq!(
        error(Initializer::unit_forget(), &[6]),
        "unit forget initializer: expected a vector [4 gates times units], found [6]"
    );
}

#[test]
fn initializers_survive_serialisation() {
    for init in [
        Initializer::Zeros,
        Initializer::Constant(0.25),
        Initializer::Orthogonal { gain: 0.9 },
        Initializer::chrono(40.0),
        Initializer::spectral_radius(1.25),
    ] {
        let json = serde_json::to_value(init).unwrap();
        assert_eq!(serde_json::from_value::<Initializer>(json).unwrap(), init);
    }
    assert!(
        serde_json::from_str::<Initializer>(r#"{"GlorotUniform": {"gain": 1.0, "skew": 2.0}}"#)
            .is_err()
    );
}
