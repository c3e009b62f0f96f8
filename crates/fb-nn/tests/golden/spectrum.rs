//! Eigenvalues and singular values against LAPACK.

use crate::file::{cases, tensor};
use fb_nn::Result;
use fb_nn::feedback::spectrum::{Arnoldi, Complex, eigenvalues, largest_singular_value};
use fb_tensor::{Float, Tensor};
use serde_json::Value as Json;

fn product<F: Float>(factor: Tensor<F>) -> impl FnMut(&Tensor<F>) -> Result<Tensor<F>> {
    move |v| Ok(v.matmul(&factor))
}

fn wanted(case: &Json) -> Vec<Complex> {
    let pairs = tensor(&case["eigenvalues"]);
    let number = |i: usize| Complex::new(pairs.at(&[i, 0]), pairs.at(&[i, 1]));
    (0..pairs.dim(0)).map(number).collect()
}

/// Asserts that each number has one of the others within the tolerance.
fn assert_among(found: &[Complex], wanted: &[Complex], tolerance: f64, what: &str) {
    for value in found {
        let nearest = wanted.iter().map(|w| (*w - *value).modulus());
        let nearest = nearest.fold(f64::INFINITY, f64::min);
        assert!(nearest <= tolerance, "{what}: {value} is off by {nearest}");
    }
}

#[test]
fn all_eigenvalues_agree_with_lapack() {
    let all = Arnoldi {
        steps: 67,
        count: 64,
        ..Arnoldi::default()
    };
    for case in cases(include_str!("spectrum.json")).as_array().unwrap() {
        let what = case["name"].as_str().unwrap();
        let (jacobian, wanted) = (tensor(&case["matrix"]), wanted(case));
        // The transposed Jacobian, as a backward sweep gives it, has the same eigenvalues.
        for factor in [jacobian.transpose(), jacobian.clone()] {
            let n = jacobian.dim(0);
            let found = eigenvalues(&mut product(factor), 1, n, &all)
                .unwrap()
                .remove(0);
            assert_eq!(found.eigenvalues.len(), n, "{what}");
            let tolerance = (10.0 * found.error).max(1e-13);
            assert!(
                tolerance < 1e-9 || what.starts_with("low_rank"),
                "{what}: {tolerance}"
            );
            assert_among(&found.eigenvalues, &wanted, tolerance, what);
            assert_among(&wanted, &found.eigenvalues, tolerance, what);
        }
    }
}

#[test]
fn leading_eigenvalues_of_restarted_spaces_agree_with_lapack() {
    fn check<F: Float>(case: &Json, tolerance: f64) {
        let what = case["name"].as_str().unwrap();
        let (jacobian, wanted) = (tensor(&case["matrix"]), wanted(case));
        let n = jacobian.dim(0);
        for (steps, count) in [(20, 6), (12, 1)] {
            let arnoldi = Arnoldi {
                steps,
                count,
                ..Arnoldi::default()
            };
            let found = eigenvalues(
                &mut product::<F>(jacobian.transpose().cast()),
                1,
                n,
                &arnoldi,
            );
            let found = found.unwrap().remove(0);
            let radius = wanted[0].modulus();
            assert!(
                (found.radius - radius).abs() <= tolerance * radius,
                "{what}: {} instead of {radius}, {found:?}",
                found.radius
            );
            if found.converged {
                let tolerance = (tolerance * radius).max(2.0 * found.error);
                assert_among(&found.eigenvalues, &wanted, tolerance, what);
            }
        }
    }
    for case in cases(include_str!("spectrum.json")).as_array().unwrap() {
        check::<f64>(case, 1e-3);
        check::<f32>(case, 1e-3);
    }
}

#[test]
fn largest_singular_values_agree_with_lapack() {
    let arnoldi = Arnoldi {
        steps: 20,
        ..Arnoldi::default()
    };
    for case in cases(include_str!("spectrum.json")).as_array().unwrap() {
        let jacobian = tensor(&case["matrix"]);
        let found = largest_singular_value(
            &mut product(jacobian.transpose()),
            &mut product(jacobian.clone()),
            1,
            jacobian.dim(0),
            &arnoldi,
        );
        let (found, wanted) = (
            found.unwrap()[0],
            case["largest_singular_value"].as_f64().unwrap(),
        );
        let what = case["name"].as_str().unwrap();
        assert!(
            (found.value - wanted).abs() <= 1e-5 * wanted,
            "{what}: {found:?}, {wanted}"
        );
        assert!(
            (found.value - wanted).abs() <= 2.0 * found.error,
            "{what}: {found:?}, {wanted}"
        );
    }
}
