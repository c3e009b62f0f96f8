//! Linear systems whose solution is known.

use crate::maps::{batch, by_row, close, fixed_point, jordan, linear_solvers, numbers, product};
use fb_nn::feedback::solver::{Gmres, LinearSolver, Neumann, Outcome, Stop};
use fb_tensor::{Float, Tensor};

/// `‖g − u + A u‖ / ‖g‖`
fn residual<F: Float>(matrix: &[f64], u: &[F], right: &[F]) -> f64 {
    let image: Vec<F> = product(matrix, u);
    let rest = u.iter().zip(&image).zip(right);
    let rest: f64 = rest
        .map(|((u, image), g)| (g.to_f64() - u.to_f64() + image.to_f64()).powi(2))
        .sum();
    let size: f64 = right.iter().map(|g| g.to_f64().powi(2)).sum();
    (rest / size).sqrt()
}

#[test]
fn gmres_is_exact_in_as_many_products_as_there_are_numbers() {
    for n in 1..24 {
        // Far outside the reach of a series.
        let matrix: Vec<f64> = numbers(n * n, 3).iter().map(|x| 3.0 * x).collect();
        let right = numbers(n, 4);
        let stop = Stop::to(1e-10).max_iterations(n);
        let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
        let start = Tensor::from_vec(right.clone(), [1, n]);
        let found = Gmres::default()
            .restart(n)
            .solve(&mut map, start, &stop)
            .unwrap();
        assert!(found.report.converged(), "{n}: {}", found.report);
        assert!(found.report.samples[0].evaluations as usize <= n + 1);
        close(
            &found.state.to_vec(),
            &fixed_point(&matrix, &right),
            1e-7,
            "gmres",
        );
    }
}

#[test]
fn rotations_of_every_angle_are_solved() {
    for step in 1..24 {
        let angle = f64::from(step) * std::f64::consts::TAU / 24.0;
        for radius in [0.5, 0.99, 1.0, 7.0] {
            let (c, s) = (radius * angle.cos(), radius * angle.sin());
            let matrix = [c, -s, s, c];
            let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
            let right = Tensor::from([[1.0, -2.0]]).cast::<f64>();
            let found = Gmres::default()
                .solve(&mut map, right, &Stop::to(1e-12))
                .unwrap();
            assert!(
                found.report.converged() && found.report.calls <= 3,
                "{}",
                found.report
            );
            let want = fixed_point(&matrix, &[1.0, -2.0]);
            close(&found.state.to_vec(), &want, 1e-11, "rotation");
        }
    }
}

#[test]
fn gmres_and_the_series_agree_on_contractions() {
    let jordan_block = jordan(8, 0.5, 0.4);
    let random: Vec<f64> = numbers(64, 3).iter().map(|x| x * 0.3).collect();
    for matrix in [jordan_block, random, vec![0.0; 64], jordan(8, 0.0, 0.5)] {
        let right = batch::<f64>([1, 8], 5);
        let want = fixed_point(&matrix, &right.to_vec());
        for solver in linear_solvers() {
            let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
            let stop = Stop::to(1e-12).max_iterations(500);
            let found = solver.solve(&mut map, right.clone(), &stop).unwrap();
            assert!(found.report.converged(), "{solver:?}: {}", found.report);
            close(&found.state.to_vec(), &want, 1e-10, &format!("{solver:?}"));

            let mut map = by_row(|_, u: &[f32]| product(&matrix, u));
            let stop = Stop::to(1e-4).max_iterations(500);
            let found = solver.solve(&mut map, right.cast(), &stop).unwrap();
            assert!(found.report.converged(), "{solver:?}: {}", found.report);
            close(&found.state.to_vec(), &want, 2e-2, &format!("{solver:?}"));
        }
    }
}

#[test]
fn a_series_that_grows_before_it_falls_ends_with_the_best_sum() {
    // Powers of it grow a hundredfold before they fall.
    let matrix = jordan(30, 0.7, 0.6);
    let right = batch::<f64>([1, 30], 1);
    let stop = Stop::to(1e-9).max_iterations(15).trace(true);
    let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
    let series = Neumann::default()
        .solve(&mut map, right.clone(), &stop)
        .unwrap();
    let sample = &series.report.samples[0];
    let least = sample.trace.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(sample.trace[15] > 10.0 * least, "{sample:?}");
    assert_eq!(
        (sample.outcome, sample.residual),
        (Outcome::Exhausted, least)
    );
    assert!((residual(&matrix, &series.state.to_vec(), &right.to_vec()) - least).abs() < 1e-12);
    let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
    let stop = stop.max_iterations(60);
    let found = Gmres::default()
        .restart(30)
        .solve(&mut map, right, &stop)
        .unwrap();
    assert!(found.report.converged(), "{}", found.report);
}

fn honest<F: Float>(tolerance: f64) {
    let matrix: Vec<f64> = numbers(400, 8).iter().map(|x| x * 0.25).collect();
    for solver in linear_solvers() {
        for most in [0, 1, 2, 3, 5, 9, 100] {
            let right = batch::<F>([1, 20], 6);
            let mut map = by_row(|_, u: &[F]| product(&matrix, u));
            let stop = Stop::to(tolerance).max_iterations(most);
            let found = solver.solve(&mut map, right.clone(), &stop).unwrap();
            let sample = &found.report.samples[0];
            let again = residual(&matrix, &found.state.to_vec(), &right.to_vec());
            let what = format!("{solver:?} at most {most}: {sample:?} {again}");
            let near = 4.0 * F::EPSILON.to_f64() + 1e-6 * again;
            assert!((sample.residual - again).abs() <= near, "{what}");
            assert_eq!(
                sample.outcome == Outcome::Converged,
                sample.residual <= tolerance,
                "{what}"
            );
            if most > 0 {
                let gmres = solver.kind() == Gmres::KIND;
                assert!(
                    found.report.calls > 0 && (sample.residual < 1.0 || !gmres),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn the_reported_residual_is_that_of_the_returned_solution() {
    honest::<f64>(1e-10);
    honest::<f32>(1e-5);
}

#[test]
fn more_products_never_do_harm() {
    let matrix: Vec<f64> = numbers(144, 8).iter().map(|x| x * 0.6).collect();
    let mut last = f64::INFINITY;
    for most in 0..13 {
        let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
        let stop = Stop::to(1e-10).max_iterations(most);
        let found = Gmres::default()
            .solve(&mut map, batch([1, 12], 2), &stop)
            .unwrap();
        let residual = found.report.samples[0].residual;
        assert!(
            residual <= last * (1.0 + 1e-9),
            "{most}: {residual} after {last}"
        );
        last = residual;
    }
    assert!(last <= 1e-10);
}

#[test]
fn systems_without_a_solution_are_told() {
    // I − A takes the second number to nothing.
    let matrix = [0.5, 0.0, 0.0, 1.0];
    for solver in linear_solvers() {
        let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
        let right = Tensor::from([[1.0, 1.0]]).cast::<f64>();
        let stop = Stop::to(1e-8).max_iterations(60);
        let found = solver.solve(&mut map, right, &stop).unwrap();
        assert!(
            !found.report.converged() && found.state.iter().all(f64::is_finite),
            "{solver:?}"
        );
        let residual = found.report.samples[0].residual;
        assert!(residual > 0.7 && residual <= 1.0, "{solver:?} {residual}");
    }
    // What has one along the other number is solved.
    let mut map = by_row(|_, u: &[f64]| product(&matrix, u));
    let right = Tensor::from([[1.0, 0.0]]).cast::<f64>();
    let found = Gmres::default()
        .solve(&mut map, right, &Stop::to(1e-12))
        .unwrap();
    assert_eq!(found.state.to_vec(), [2.0, 0.0]);
}

#[test]
fn the_floor_of_single_precision_is_seen() {
    let matrix: Vec<f64> = numbers(2500, 3).iter().map(|x| x * 0.15).collect();
    for solver in linear_solvers() {
        let mut map = by_row(|_, u: &[f32]| product(&matrix, u));
        let stop = Stop::to(0.0).max_iterations(3000);
        let found = solver.solve(&mut map, batch([1, 50], 1), &stop).unwrap();
        let sample = &found.report.samples[0];
        let ended = matches!(sample.outcome, Outcome::AtFloor | Outcome::Converged);
        assert!(
            ended && sample.residual < 3e-6 && sample.evaluations < 600,
            "{solver:?} {sample:?}"
        );
    }
}

#[test]
fn rows_of_nan_and_of_nothing_come_back_as_they_are() {
    for solver in linear_solvers() {
        let mut map = by_row(|row, u: &[f32]| {
            assert_ne!(row, 0, "zeros need no product");
            if row == 3 {
                vec![f32::NAN; 2]
            } else {
                vec![0.5 * u[0], 0.25 * u[1]]
            }
        });
        let right = Tensor::from([
            [0.0, 0.0],
            [f32::NAN, 1.0],
            [1.0, 3.0],
            [1.0, 1.0],
            [f32::INFINITY, 0.0],
        ]);
        let found = solver.solve(&mut map, right, &Stop::to(1e-5)).unwrap();
        let u = found.state.to_vec();
        assert_eq!(u[..2], [0.0, 0.0]);
        assert!(u[2].is_nan() && u[8].is_infinite());
        close(&u[4..6], &[2.0, 4.0], 1e-4, "the sound row");
        let outcomes: Vec<Outcome> = found.report.samples.iter().map(|s| s.outcome).collect();
        use Outcome::{Converged, NonFinite};
        assert_eq!(
            outcomes,
            [Converged, NonFinite, Converged, NonFinite, NonFinite],
            "{solver:?}"
        );
        assert!(u[6..8].iter().all(|x| x.is_finite()), "{solver:?}");
    }
}
