//! Fixed points that are known, and those that are not.

use crate::maps::{
    affine, batch, by_row, close, fixed_point, jordan, numbers, residuals, solvers, tanh_layer,
};
use fb_nn::feedback::solver::{
    Anderson, AnyFixedPointSolver, Broyden, Damped, FixedPointSolver, Outcome, Stop,
};
use fb_tensor::{Float, Tensor};

/// Matrices with their names: of several spectral radii, not normal, with repeated and with complex eigenvalues.
fn matrices() -> Vec<(&'static str, Vec<f64>)> {
    let random = |gain: f64| -> Vec<f64> { numbers(36, 5).iter().map(|x| x * gain).collect() };
    let (c, s) = (0.9 * 1.0_f64.cos(), 0.9 * 1.0_f64.sin());
    vec![
        ("zero", vec![0.0; 9]),
        ("one number", vec![0.9]),
        ("one negative number", vec![-0.95]),
        ("random, small", random(0.2)),
        ("random, large", random(0.4)),
        ("rotation", vec![c, -s, s, c]),
        ("Jordan block", jordan(4, 0.7, 1.0)),
        ("far from normal", vec![0.5, 20.0, 0.0, 0.5]),
        ("nilpotent", jordan(5, 0.0, 3.0)),
    ]
}

#[test]
fn linear_maps_are_solved_by_all() {
    for (name, matrix) in matrices() {
        let n = matrix.len().isqrt();
        let b = numbers(n, 9);
        let want = fixed_point(&matrix, &b);
        for solver in solvers() {
            let what = format!("{solver:?} on {name}");
            let stop = Stop::to(1e-13).max_iterations(2000);
            let mut map = by_row(|_, z: &[f64]| affine(&matrix, &b, z));
            let found = solver.solve(&mut map, batch([1, n], 3), &stop).unwrap();
            close(&found.state.to_vec(), &want, 1e-10, &what);

            let stop = Stop::to(1e-6).max_iterations(2000);
            let mut map = by_row(|_, z: &[f32]| affine(&matrix, &b, z));
            let found = solver.solve(&mut map, batch([1, n], 3), &stop).unwrap();
            close(&found.state.to_vec(), &want, 2e-4, &what);
        }
    }
}

#[test]
fn a_line_is_solved_within_the_tolerance() {
    let check = |solver: &dyn AnyFixedPointSolver, tolerance: f64| {
        let stop = Stop::to(tolerance).max_iterations(500);
        let mut map = by_row(|_, z: &[f64]| vec![0.9 * z[0] + 1.0]);
        let found = solver
            .solve(&mut map, Tensor::zeros_of([1, 1]), &stop)
            .unwrap();
        // (f(z) − z) = (1 − a) (10 − z), so the error is ten residuals.
        let error = (found.state.item() - 10.0).abs();
        assert!(
            found.report.converged() && error <= 101.0 * tolerance,
            "{solver:?} {error}"
        );
    };
    for tolerance in [1e-2, 1e-5, 1e-11] {
        for solver in solvers() {
            check(&*solver, tolerance);
        }
    }
}

#[test]
fn nonlinear_maps_are_solved_alike_by_all() {
    for (length, gain) in [(1, 0.9), (7, 0.5), (40, 0.95), (40, 3.0)] {
        let mut first: Option<Vec<f64>> = None;
        for solver in solvers() {
            let what = format!("{solver:?}, {length} units, gain {gain}");
            let stop = Stop::to(1e-13).max_iterations(3000);
            let map = |row: usize, z: &[f64]| tanh_layer(length, gain, row as u64, z);
            let found = solver
                .solve(&mut by_row(map), Tensor::zeros_of([3, length]), &stop)
                .unwrap();
            let state = found.state.to_vec();
            close(
                &state,
                first.get_or_insert_with(|| state.clone()),
                1e-10,
                &what,
            );
        }
    }
}

/// What is said of the returned state is true of it, whether it converged or not.
fn honest<F: Float>(tolerance: f64, precision: f64) {
    for solver in solvers() {
        for most in [0, 1, 2, 3, 7, 200] {
            // Easy rows, hard ones, one that repels, one that rotates for ever.
            let map = |row: usize, z: &[F]| match row {
                0..4 => tanh_layer(6, [0.1, 0.9, 2.0, 6.0][row], row as u64, z),
                4 => affine(&jordan(6, 1.3, 0.5), &[1.0; 6], z),
                _ => z.iter().map(|&z| F::ONE - z).collect(),
            };
            let stop = Stop::to(tolerance).max_iterations(most).trace(true);
            let start = batch::<F>([6, 6], 1);
            let found = solver
                .solve(&mut by_row(map), start.clone(), &stop)
                .unwrap();
            let again = residuals(&found, &mut by_row(map));
            for (row, (sample, again)) in found.report.samples.iter().zip(again).enumerate() {
                let what = format!("{solver:?}, row {row} of at most {most}: {sample:?} {again}");
                assert!(
                    (sample.residual - again).abs() <= precision * again + 1e-300,
                    "{what}"
                );
                let evaluations = sample.evaluations as usize;
                assert!(evaluations <= most + 1, "{what}");
                assert_eq!(sample.trace.len(), evaluations, "{what}");
                // The best that was seen, and the first of that.
                let least = sample.trace.iter().copied().fold(f64::INFINITY, f64::min);
                assert_eq!(sample.residual, least, "{what}");
                let converged = sample.outcome == Outcome::Converged;
                assert_eq!(converged, sample.residual <= tolerance, "{what}");
                if sample.outcome == Outcome::Exhausted {
                    assert_eq!(evaluations, most + 1, "{what}");
                }
            }
            if most == 0 {
                assert_eq!(found.state, start);
            }
        }
    }
}

#[test]
fn the_reported_residual_is_that_of_the_returned_state() {
    honest::<f64>(1e-9, 1e-9);
    honest::<f32>(1e-4, 1e-9);
}

#[test]
fn one_or_two_iterations_get_nearer() {
    for solver in solvers() {
        let mut last = f64::INFINITY;
        for most in 0..4 {
            let stop = Stop::to(1e-12).max_iterations(most);
            let map = |_: usize, z: &[f64]| tanh_layer(12, 0.8, 4, z);
            let start = Tensor::full_of([1, 12], 5.0);
            let found = solver.solve(&mut by_row(map), start, &stop).unwrap();
            let residual = found.report.samples[0].residual;
            assert!(
                residual < last,
                "{solver:?}: {residual} after {most} iterations, {last} before"
            );
            assert_eq!(found.report.calls, most + 1);
            last = residual;
        }
    }
}

#[test]
fn acceleration_takes_fewer_evaluations() {
    let evaluations = |solver: &dyn AnyFixedPointSolver| {
        // Eigenvalues from −0.99 to 0.99.
        let map = |_: usize, z: &[f64]| -> Vec<f64> {
            let slope = |i: usize| (i as f64 - 9.5) / 9.6;
            z.iter()
                .enumerate()
                .map(|(i, z)| slope(i) * z + 1.0)
                .collect()
        };
        let stop = Stop::to(1e-8).max_iterations(5000);
        let found = solver
            .solve(&mut by_row(map), Tensor::zeros_of([1, 20]), &stop)
            .unwrap();
        assert!(found.report.converged(), "{}", found.report);
        found.report.evaluations()
    };
    let (plain, anderson, broyden) = (Damped::default(), Anderson::default(), Broyden::default());
    assert!(5 * evaluations(&anderson) < evaluations(&plain));
    assert!(2 * evaluations(&broyden) < evaluations(&plain));
    // With room for all changes it is a Krylov method: exact in as many steps as there are numbers.
    assert!(
        evaluations(&anderson.memory(20)) <= 23,
        "{}",
        evaluations(&anderson.memory(20))
    );
}

#[test]
fn maps_that_repel_are_solved_or_told() {
    let repelling = || by_row(|_, z: &[f64]| affine(&jordan(3, -2.0, 0.5), &[1.0, 2.0, 3.0], z));
    let want = fixed_point(&jordan(3, -2.0, 0.5), &[1.0, 2.0, 3.0]);
    let stop = Stop::to(1e-11).max_iterations(200);
    for solver in [
        &Anderson::default() as &dyn AnyFixedPointSolver,
        &Broyden::default(),
    ] {
        let found = solver
            .solve(&mut repelling(), Tensor::zeros_of([1, 3]), &stop)
            .unwrap();
        assert!(found.report.converged(), "{}", found.report);
        close(&found.state.to_vec(), &want, 1e-9, "a map that repels");
    }
    // The plain iteration overflows; what it hands back is finite, and the best it saw.
    let stop = stop.max_iterations(5000);
    let found = Damped::default()
        .solve(&mut repelling(), Tensor::zeros_of([1, 3]), &stop)
        .unwrap();
    let sample = &found.report.samples[0];
    assert_eq!(sample.outcome, Outcome::NonFinite);
    assert!(sample.residual.is_finite() && found.state.iter().all(f64::is_finite));
    assert!(sample.evaluations < 2000);
    // Half steps bear the slope of −2 no better, a quarter does.
    let found = Damped::new(0.25)
        .solve(&mut repelling(), Tensor::zeros_of([1, 3]), &stop)
        .unwrap();
    close(&found.state.to_vec(), &want, 1e-9, "damped");
}

#[test]
fn a_step_that_raises_the_residual_is_taken_back() {
    // A kink: changes on one side say nothing about the other.
    let kinked = |_: usize, z: &[f64]| -> Vec<f64> {
        let slope = |z: f64| {
            if z < 1.0 {
                0.98 * z + 0.1
            } else {
                -0.9 * z + 1.98
            }
        };
        z.iter().map(|&z| slope(z)).collect()
    };
    let stop = Stop::to(1e-10).max_iterations(400).trace(true);
    let solve = |solver: Anderson| {
        let start = Tensor::from([[-50.0, 0.5]]).cast::<f64>();
        solver.solve(&mut by_row(kinked), start, &stop).unwrap()
    };
    let found = solve(Anderson::default().safeguard(1.0));
    assert!(found.report.converged(), "{}", found.report);
    assert!(found.report.fallbacks() > 0, "{}", found.report);
    assert!(
        found
            .report
            .to_string()
            .contains("fallbacks to plain steps")
    );
    let bare = solve(Anderson::default().safeguard(None));
    assert_eq!(bare.report.fallbacks(), 0);
}

#[test]
fn the_floor_of_single_precision_is_seen() {
    for solver in solvers() {
        let map = |row: usize, z: &[f32]| tanh_layer(100, 0.9, row as u64, z);
        let stop = Stop::to(0.0).max_iterations(1000);
        let found = solver
            .solve(&mut by_row(map), Tensor::zeros_of([4, 100]), &stop)
            .unwrap();
        for sample in &found.report.samples {
            let ended = matches!(sample.outcome, Outcome::AtFloor | Outcome::Converged);
            assert!(ended && sample.residual < 5e-7, "{solver:?} {sample:?}");
            assert!(sample.evaluations < 200, "{solver:?} {sample:?}");
        }
    }
    // What falls slowly, but falls, is no floor.
    let map = |_: usize, z: &[f32]| z.iter().map(|z| 0.99 * z + 1.0).collect();
    let stop = Stop::to(3e-6).max_iterations(20_000);
    let found = Damped::default()
        .solve(&mut by_row(map), batch([1, 64], 3), &stop)
        .unwrap();
    assert_eq!(
        found.report.samples[0].outcome,
        Outcome::Converged,
        "{}",
        found.report
    );
}

#[test]
fn a_fixed_point_at_nothing_is_found() {
    for solver in solvers() {
        for rate in [0.0, 0.5, -0.8] {
            let map = |_: usize, z: &[f64]| z.iter().map(|z| rate * z).collect();
            let stop = Stop::to(1e-6).max_iterations(200);
            let found = solver
                .solve(&mut by_row(map), batch([2, 5], 8), &stop)
                .unwrap();
            assert!(found.report.converged(), "{solver:?} {}", found.report);
            close(&found.state.to_vec(), &[0.0; 10], 1e-9, "nothing");
        }
    }
}

#[test]
fn rows_may_have_several_axes() {
    for solver in solvers() {
        let map = |_: usize, z: &[f64]| tanh_layer(24, 0.7, 2, z);
        let stop = Stop::to(1e-11);
        let flat = solver
            .solve(&mut by_row(map), batch([2, 24], 1), &stop)
            .unwrap();
        // A view with gaps, besides.
        let start = batch::<f64>([24, 2], 0).transpose().reshape([2, 2, 3, 4]);
        let boxed = solver.solve(&mut by_row(map), start, &stop).unwrap();
        assert_eq!(boxed.state.dims(), [2, 2, 3, 4]);
        close(&boxed.state.to_vec(), &flat.state.to_vec(), 1e-9, "axes");
    }
}

#[test]
fn the_summary_tells_what_happened() {
    let map = |row: usize, z: &[f64]| match row {
        0 => vec![0.5 * z[0] + 1.0],
        1 => vec![f64::NAN],
        _ => vec![1.0 - z[0]],
    };
    let stop = Stop::to(1e-3).max_iterations(20);
    let found = Damped::default()
        .solve(&mut by_row(map), Tensor::zeros_of([4, 1]), &stop)
        .unwrap();
    assert_eq!(
        found.report.to_string(),
        "Damped: 1 of 4 samples converged to 1e-3 in 1 to 21 evaluations (13.2 on average), residual up to NaN\n  \
         2 samples (the first is 2) out of iterations; sample 1 stopped by NaN or infinity"
    );
    assert_eq!(
        found
            .report
            .failures()
            .map(|(row, _)| row)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(found.report.worst().map(|(row, _)| row), Some(1));
    assert_eq!(found.report.count(Outcome::Exhausted), 2);
    assert!(
        serde_json::to_string(&found.report)
            .unwrap()
            .contains("\"outcome\":\"NonFinite\"")
    );
}
