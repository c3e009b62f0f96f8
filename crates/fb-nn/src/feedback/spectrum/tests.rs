use super::*;
use crate::error::Result;
use fb_tensor::random::{Key, Rng};
use fb_tensor::{Float, Tensor};

/// `v ↦ J v` for a batch of different matrices.
fn product<F: Float>(matrices: &[Tensor<F>]) -> impl FnMut(&Tensor<F>) -> Result<Tensor<F>> {
    let turned: Vec<Tensor<F>> = matrices.iter().map(Tensor::transpose).collect();
    move |v| {
        let row = |(i, turned): (usize, &Tensor<F>)| v.narrow(0, i, 1).matmul(turned).to_vec();
        let rows = turned.iter().enumerate().flat_map(row).collect();
        Ok(Tensor::from_vec(rows, v.dims()))
    }
}

fn spectra<F: Float>(matrices: &[Tensor<F>], arnoldi: &Arnoldi) -> Vec<Spectrum> {
    let n = matrices[0].dim(0);
    eigenvalues(&mut product(matrices), matrices.len(), n, arnoldi).unwrap()
}

fn spectrum<F: Float>(matrix: &Tensor<F>, arnoldi: &Arnoldi) -> Spectrum {
    spectra(std::slice::from_ref(matrix), arnoldi).remove(0)
}

/// Settings with which states of more than 40 elements are iterated on.
fn twenty() -> Arnoldi {
    Arnoldi {
        steps: 20,
        ..Arnoldi::default()
    }
}

/// Square blocks along the diagonal.
fn diagonal(blocks: &[Tensor<f64>]) -> Tensor<f64> {
    let n = blocks.iter().map(|block| block.dim(0)).sum();
    let mut elements = vec![0.0; n * n];
    let mut at = 0;
    for block in blocks {
        let size = block.dim(0);
        for (k, x) in block.iter().enumerate() {
            elements[(at + k / size) * n + at + k % size] = x;
        }
        at += size;
    }
    Tensor::from_vec(elements, [n, n])
}

fn rotation(degrees: f64, radius: f64) -> Tensor<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    Tensor::from_vec(vec![cos, -sin, sin, cos], [2, 2]) * radius
}

fn jordan(size: usize, value: f64) -> Tensor<f64> {
    let element = |at: &[usize]| match at[1].checked_sub(at[0]) {
        Some(0) => value,
        Some(1) => 1.0,
        _ => 0.0,
    };
    Tensor::from_fn([size, size], element)
}

/// Reflections in random directions, one after the other: a random orthogonal matrix.
fn orthogonal(n: usize, rng: &mut Rng) -> Tensor<f64> {
    (0..n).fold(Tensor::eye_of(n), |q, _| {
        let v: Tensor<f64> = Tensor::normal([n, 1], 0.0, 1.0, rng);
        let square = v.transpose().matmul(&v).item();
        &q - &(q.matmul(&v).matmul(&v.transpose()) * (2.0 / square))
    })
}

/// The same map seen from other axes.
fn turned(matrix: &Tensor<f64>, seed: u64) -> Tensor<f64> {
    let q = orthogonal(matrix.dim(0), &mut Key::new(seed).rng());
    q.matmul(matrix).matmul(&q.transpose())
}

fn noise(n: usize, std: f64, seed: u64) -> Tensor<f64> {
    Tensor::normal([n, n], 0.0, std, &mut Key::new(seed).rng())
}

#[track_caller]
fn assert_near(found: f64, wanted: f64, tolerance: f64) {
    assert!(
        (found - wanted).abs() <= tolerance,
        "{found} instead of {wanted}"
    );
}

/// torchdeq 0.1.0 reports 0.823, 0.475 and 0.000 for 30, 60 and 90 degrees.
#[test]
fn rotations_of_every_angle_have_their_radius_and_angle() {
    let degrees: Vec<f64> = (0..=180).map(f64::from).collect();
    let small: Vec<_> = degrees.iter().map(|&d| rotation(d, 0.95)).collect();
    for (spectrum, degrees) in spectra(&small, &twenty()).iter().zip(&degrees) {
        assert_near(spectrum.radius, 0.95, 1e-12);
        assert_near(
            spectrum.eigenvalues[0].angle().to_degrees().abs(),
            *degrees,
            1e-6,
        );
        assert!(spectrum.exact && spectrum.error < 1e-12, "{spectrum:?}");
    }
    for degrees in [0.0, 1.0, 30.0, 60.0, 90.0, 120.0, 179.0, 180.0] {
        let among_others = diagonal(&[rotation(degrees, 0.95), noise(58, 0.07, 3)]);
        let spectrum = spectrum(&turned(&among_others, 1), &twenty());
        assert_near(spectrum.radius, 0.95, 1e-6);
        assert_near(
            spectrum.eigenvalues[0].angle().to_degrees().abs(),
            degrees,
            1e-3,
        );
        assert!(spectrum.converged && spectrum.products > 20, "{spectrum:?}");
    }
}

#[test]
fn defective_jacobians_have_their_radius() {
    for (size, value) in [1, 2, 3, 4]
        .into_iter()
        .flat_map(|s| [0.9, -0.5, 0.0].map(|v| (s, v)))
    {
        let block = jordan(size, value);
        for alone in [block.clone(), block.transpose()] {
            assert_near(spectrum(&alone, &twenty()).radius, value.abs(), 1e-15);
        }
        for more in [0, 12, 76] {
            let among_others = diagonal(&[block.clone(), noise(more, 0.3 / 76_f64.sqrt(), 5)]);
            for seed in 1..4 {
                let spectrum = spectrum(&turned(&among_others, seed), &twenty());
                let found = match value {
                    // Something else leads.
                    0.0 if more > 0 => 0.0,
                    _ => spectrum.radius,
                };
                assert_near(found, value.abs(), 1e-3);
                assert!(
                    4.0 * spectrum.error >= (found - value.abs()).abs(),
                    "{spectrum:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_and_multiples_of_the_identity_have_their_radius() {
    for n in [1, 2, 20, 21, 60] {
        for value in [0.0, 0.5, -2.0] {
            let spectrum = spectrum(&(Tensor::<f64>::eye_of(n) * value), &twenty());
            assert_near(spectrum.radius, f64::abs(value), 1e-12);
            assert_eq!(spectrum.eigenvalues.len(), n.min(6));
            assert!(spectrum.exact && spectrum.converged && spectrum.error < 1e-12);
        }
    }
}

#[test]
fn spaces_that_map_into_themselves_are_continued() {
    // Rank 2, with a pair of eigenvalues; everything else is 0.
    let pair = diagonal(&[rotation(40.0, 0.7), Tensor::zeros_of([48, 48])]);
    let found = spectrum(&turned(&pair, 2), &twenty());
    let moduli: Vec<f64> = found.eigenvalues.iter().map(|z| z.modulus()).collect();
    assert_near(moduli[0], 0.7, 1e-10);
    assert_eq!(found.eigenvalues[0].conjugate(), found.eigenvalues[1]);
    assert!(
        moduli[2..].iter().all(|&m| m < 1e-10) && found.exact,
        "{found:?}"
    );
    // A permutation of three, twenty times over: each of its eigenvalues is there twenty times.
    let cycle = Tensor::from_vec(vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [3, 3]);
    let found = spectrum(&diagonal(&vec![cycle; 20]), &twenty());
    assert_near(found.radius, 1.0, 1e-10);
    assert!(found.exact);
}

#[test]
fn clusters_and_all_of_one_size_have_their_radius() {
    // Twelve pairs within a thousandth of each other, and a whole orthogonal map.
    let pairs = (0..12).map(|k| rotation(5.0 + 14.0 * f64::from(k), 0.9 + 1e-4 * f64::from(k)));
    let blocks: Vec<_> = pairs.chain([noise(60, 0.05, 9)]).collect();
    assert_near(
        spectrum(&turned(&diagonal(&blocks), 4), &twenty()).radius,
        0.9011,
        1e-3,
    );
    let circle = |pairs: i32| {
        let turn = 176.0 / f64::from(pairs);
        let blocks: Vec<_> = (0..pairs)
            .map(|k| rotation(turn * f64::from(k), 0.95))
            .collect();
        spectrum(&turned(&diagonal(&blocks), 5), &twenty())
    };
    let multiplied_out = circle(40);
    assert_near(multiplied_out.radius, 0.95, 1e-10);
    assert!(multiplied_out.converged && multiplied_out.products > 80);
    // Too many to be multiplied out: what is not known is not claimed.
    let open = circle(70);
    assert!(!open.converged && !open.exact, "{open:?}");
    assert_near(open.radius, 0.95, open.error);
}

#[test]
fn real_ones_of_both_signs_are_told_apart() {
    let values = [0.9, -0.89, 0.5];
    let blocks: Vec<_> = values
        .iter()
        .map(|&v| jordan(1, v))
        .chain([noise(40, 0.02, 6)])
        .collect();
    let found = spectrum(&turned(&diagonal(&blocks), 7), &twenty());
    for (found, wanted) in found.eigenvalues.iter().zip(values) {
        assert_near(found.re, wanted, 1e-5);
        assert_eq!(found.im, 0.0);
    }
}

#[test]
fn badly_scaled_jacobians_keep_their_small_eigenvalues() {
    // D A D⁻¹ with D from 1 to 1e18 has the eigenvalues of A.
    let n = 7;
    let a = noise(n, 0.4, 8);
    let scaled = Tensor::from_fn([n, n], |at| {
        let size = |i: usize| 10_f64.powi(3 * i as i32);
        a.at(at) * size(at[0]) / size(at[1])
    });
    let arnoldi = Arnoldi {
        count: n,
        ..twenty()
    };
    let (plain, scaled) = (spectrum(&a, &arnoldi), spectrum(&scaled, &arnoldi));
    for (x, y) in plain.eigenvalues.iter().zip(&scaled.eigenvalues) {
        assert_near((*x - *y).modulus(), 0.0, 1e-12);
    }
    for factor in [1e-140, 1e140] {
        let found = spectrum(&(noise(12, 1.0, 1) * factor), &arnoldi);
        let ratio = found.radius / factor / spectrum(&noise(12, 1.0, 1), &arnoldi).radius;
        assert_near(ratio, 1.0, 1e-12);
    }
}

#[test]
fn a_sample_does_not_depend_on_its_neighbours() {
    let n = 48;
    let easy = turned(&diagonal(&[jordan(1, 0.9), noise(47, 0.02, 2)]), 1);
    let hard = noise(n, 0.15, 3);
    let nothing = Tensor::zeros_of([n, n]);
    let alone = [&easy, &hard, &nothing].map(|m| spectrum(m, &twenty()));
    let together = spectra(&[nothing, hard, easy], &twenty());
    assert!(alone.iter().rev().eq(&together), "{alone:?}, {together:?}");
    assert!(alone[0].products < alone[1].products);
}

#[test]
fn single_precision_is_right_to_a_thousandth() {
    for n in [1, 2, 5, 20, 40, 64, 150] {
        let matrix = noise(n, 1.0 / (n as f64).sqrt(), n as u64);
        let all = Arnoldi {
            steps: 150,
            count: 3,
            ..twenty()
        };
        let wanted = spectrum(&matrix, &all).radius;
        let found = spectrum(
            &matrix.to_f32(),
            &Arnoldi {
                count: 3,
                ..twenty()
            },
        );
        assert_near(found.radius / wanted, 1.0, 1e-3);
        assert!(found.error > 0.0);
    }
    let turn = turned(&diagonal(&[rotation(60.0, 0.95), noise(98, 0.05, 1)]), 2);
    assert_near(spectrum(&turn.to_f32(), &twenty()).radius, 0.95, 1e-5);
}

#[test]
fn the_error_is_not_smaller_than_the_distance() {
    for seed in 0..12 {
        let matrix = noise(60, 0.1, seed);
        let all = Arnoldi {
            steps: 60,
            count: 57,
            ..twenty()
        };
        let wanted = spectrum(&matrix, &all).eigenvalues;
        for restarts in [0, 2, 30] {
            let found = spectrum(
                &matrix,
                &Arnoldi {
                    restarts,
                    count: 4,
                    ..twenty()
                },
            );
            for value in &found.eigenvalues {
                let nearest = wanted.iter().map(|w| (*w - *value).modulus());
                let nearest = nearest.fold(f64::INFINITY, f64::min);
                assert!(nearest <= 2.0 * found.error, "{nearest} and {found:?}");
            }
        }
    }
}

#[test]
fn the_largest_singular_value_is_the_spectral_norm() {
    let one = |matrix: Tensor<f64>| {
        let n = matrix.dim(0);
        let (j, t) = ([matrix.clone()], [matrix.transpose()]);
        let found =
            largest_singular_value(&mut product(&j), &mut product(&t), 1, n, &twenty()).unwrap();
        assert!(found[0].converged && found[0].error <= 1e-4 * found[0].value.max(1e-8));
        found[0].value
    };
    for n in [1, 5, 30, 80] {
        assert_eq!(one(Tensor::zeros_of([n, n])), 0.0);
        assert_near(one(orthogonal(n, &mut Key::new(3).rng()) * 0.3), 0.3, 1e-6);
        let sizes = Tensor::from_fn([n, 1], |at| 2.0 / (1.0 + at[0] as f64));
        let left = orthogonal(n, &mut Key::new(1).rng());
        let right = orthogonal(n, &mut Key::new(2).rng());
        assert_near(one(left.matmul(&(sizes * &right))), 2.0, 1e-6);
    }
    assert_near(one(jordan(2, 0.0) * 3.0), 3.0, 1e-15);
}

#[test]
fn empty_batches_and_states_have_empty_answers() {
    let mut nothing = |v: &Tensor<f64>| Ok(v.clone());
    assert_eq!(eigenvalues(&mut nothing, 0, 5, &twenty()).unwrap(), []);
    let found = eigenvalues(&mut nothing, 2, 0, &twenty()).unwrap();
    assert_eq!((found.len(), found[0].radius), (2, 0.0));
    assert!(found[1].eigenvalues.is_empty() && found[1].exact);
}

#[test]
fn products_that_cannot_be_used_are_refused() {
    for n in [3, 40] {
        for (value, what) in [(f64::NAN, "NaN"), (f64::INFINITY, "an infinity")] {
            let mut calls = 0;
            let mut spoilt = |v: &Tensor<f64>| {
                calls += 1;
                let mut out = v.clone();
                if calls == 3 {
                    out.make_mut()[n + 1] = value;
                }
                Ok(out)
            };
            let error = eigenvalues(&mut spoilt, 2, n, &twenty()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the product with the loop's Jacobian gives {what} in sample 1\n  \
                     help: look at the state it is taken at: the loop may have diverged before"
                )
            );
        }
        let error = eigenvalues(&mut |v: &Tensor<f64>| Ok(v.flatten()), 2, n, &twenty());
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains(&format!("[2, {n}], found [{}]", 2 * n)),
            "{text}"
        );
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (arnoldi, text) in [
        (
            Arnoldi {
                count: 0,
                ..twenty()
            },
            "Arnoldi count: expected at least 1, found 0",
        ),
        (
            Arnoldi {
                steps: 8,
                ..twenty()
            },
            "Arnoldi steps: expected at least 9, count + 3, found 8",
        ),
        (
            Arnoldi {
                tolerance: f64::NAN,
                ..twenty()
            },
            "Arnoldi tolerance: expected a number between 0 and 1, found NaN",
        ),
    ] {
        let error = eigenvalues(&mut |v: &Tensor<f64>| Ok(v.clone()), 1, 1, &arnoldi).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
    }
}

#[test]
fn alignment_has_a_value_for_every_pair() {
    let pair = |a: [f64; 2], b: [f64; 2]| {
        let state = |x: [f64; 2]| Tensor::from_vec(x.to_vec(), [1, 2, 1]);
        path_independence(&state(a), &state(b)).unwrap()[0]
    };
    assert_eq!(pair([0.0, 0.0], [0.0, 0.0]), 1.0);
    assert_eq!(pair([0.0, 0.0], [1.0, 0.0]), 0.0);
    assert_near(pair([1e300, 1e300], [-1e300, -1e300]), -1.0, 1e-15);
    assert_near(pair([1e-300, 0.0], [1e-300, 1e-300]), 0.5_f64.sqrt(), 1e-15);
    assert!(pair([f64::NAN, 0.0], [1.0, 0.0]).is_nan());
    assert!(pair([1.0, 0.0], [0.0, f64::INFINITY]).is_nan());
    let (a, b) = (Tensor::<f32>::zeros([2, 3]), Tensor::zeros([3, 2]));
    let text = path_independence(&a, &b).unwrap_err().to_string();
    assert!(text.contains("[2, 3], found [3, 2]"), "{text}");
}
