//! Settings that cannot be, and maps that do not keep to what they promise.

use crate::maps::{linear_solvers, solvers, text};
use fb_nn::feedback::solver::{
    Anderson, AnyFixedPointSolver, AnyLinearSolver, Broyden, Damped, Gmres, Neumann, Stop,
};
use fb_nn::{Error, Registry, Result};
use fb_tensor::Tensor;

fn identity(z: &Tensor<f32>, _: &[usize]) -> Result<Tensor<f32>> {
    Ok(z.clone())
}

#[test]
fn settings_outside_their_domain_are_refused() {
    let cases: Vec<(Box<dyn AnyFixedPointSolver>, &str)> = vec![
        (
            Box::new(Damped::new(0.0)),
            "Damped damping: expected a number above 0 and up to 1, found 0",
        ),
        (
            Box::new(Damped::new(1.5)),
            "Damped damping: expected a number above 0 and up to 1, found 1.5",
        ),
        (
            Box::new(Damped::new(f64::NAN)),
            "Damped damping: expected a number above 0 and up to 1, found NaN",
        ),
        (
            Box::new(Anderson::default().memory(0)),
            "Anderson memory: expected 1 to 64, found 0",
        ),
        (
            Box::new(Anderson::default().memory(65)),
            "Anderson memory: expected 1 to 64, found 65",
        ),
        (
            Box::new(Anderson::default().mixing(-0.5)),
            "Anderson mixing: expected a number above 0 and up to 1, found -0.5",
        ),
        (
            Box::new(Anderson::default().regularisation(-1e-9)),
            "Anderson regularisation: expected a number from 0 to 1",
        ),
        (
            Box::new(Anderson::default().regularisation(f64::NAN)),
            "Anderson regularisation: expected a number from 0 to 1",
        ),
        (
            Box::new(Anderson::default().safeguard(0.5)),
            "Anderson safeguard: expected a finite number from 1 on, found 0.5",
        ),
        (
            Box::new(Anderson::default().safeguard(f64::INFINITY)),
            "Anderson safeguard: expected a finite number from 1 on",
        ),
        (
            Box::new(Anderson::default().restart(0)),
            "Anderson restart: expected at least 1 step, found 0",
        ),
        (
            Box::new(Broyden::default().memory(0)),
            "Broyden memory: expected 1 to 256, found 0",
        ),
        (
            Box::new(Broyden::default().backtracks(21)),
            "Broyden backtracks: expected 0 to 20, found 21",
        ),
    ];
    for (solver, expected) in cases {
        for error in [
            text(solver.validate()),
            text(solver.solve(&mut identity, Tensor::zeros_of([1, 1]), &Stop::default())),
        ] {
            assert!(
                error.starts_with(expected) && error.contains("\n  help: "),
                "{error}"
            );
        }
    }
    let cases: Vec<(Box<dyn AnyLinearSolver>, &str)> = vec![
        (
            Box::new(Gmres::default().restart(0)),
            "Gmres restart: expected 1 to 1024, found 0",
        ),
        (
            Box::new(Neumann::new(1.01)),
            "Neumann damping: expected a number above 0 and up to 1, found 1.01",
        ),
    ];
    for (solver, expected) in cases {
        for error in [
            text(solver.validate()),
            text(solver.solve(&mut identity, Tensor::zeros_of([1, 1]), &Stop::default())),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

#[test]
fn a_tolerance_that_is_no_number_is_refused() {
    for tolerance in [f64::NAN, -1e-3, f64::INFINITY] {
        let stop = Stop::to(tolerance);
        for solver in solvers() {
            let error = text(solver.solve(&mut identity, Tensor::zeros_of([1, 1]), &stop));
            assert!(
                error.starts_with("the tolerance of a solver: expected a finite number from 0 on"),
                "{error}"
            );
        }
        for solver in linear_solvers() {
            let error = text(solver.solve(&mut identity, Tensor::zeros_of([1, 1]), &stop));
            assert!(error.starts_with("the tolerance of a solver"), "{error}");
        }
    }
}

#[test]
fn a_map_that_changes_the_shape_is_named() {
    let mut wider = |z: &Tensor<f32>, _: &[usize]| Ok(Tensor::ones_of([z.dim(0), z.dim(1) + 1]));
    for solver in solvers() {
        let error = text(solver.solve(&mut wider, Tensor::ones_of([2, 3]), &Stop::default()));
        let kind = solver.kind();
        assert_eq!(
            error,
            format!(
                "the map that {kind} iterates: expected shape [2, 3], as it was given, found shape [2, 4]\n  \
                 help: the image of a state is a state"
            )
        );
    }
    for solver in linear_solvers() {
        let error = text(solver.solve(&mut wider, Tensor::ones_of([2, 3]), &Stop::default()));
        assert!(error.contains("expected shape [2, 3]"), "{error}");
    }
}

#[test]
fn an_error_of_the_map_comes_through() {
    let refused = Error::NonFinite {
        place: "layer \"a\"".to_owned(),
        iteration: Some(2),
        found: "NaN".to_owned(),
        help: String::new(),
    };
    for solver in solvers() {
        let mut calls = 0;
        let mut map = |z: &Tensor<f32>, _: &[usize]| {
            calls += 1;
            if calls == 2 {
                Err(refused.clone())
            } else {
                Ok(&(z * 0.5) + 1.0)
            }
        };
        let error = solver
            .solve(&mut map, Tensor::zeros_of([1, 2]), &Stop::to(1e-6))
            .unwrap_err();
        assert_eq!(error, refused);
    }
}

#[test]
fn a_start_without_a_batch_is_refused() {
    for solver in solvers() {
        let error = text(solver.solve(
            &mut identity,
            Tensor::from_scalar(0.0_f32),
            &Stop::default(),
        ));
        assert!(
            error.contains("starts from: expected shape [batch, …], found shape []"),
            "{error}"
        );
    }
}

#[test]
fn batches_without_rows_and_rows_without_numbers_are_done() {
    for shape in [[0, 3], [2, 0], [0, 0]] {
        for solver in solvers() {
            let found = solver
                .solve(&mut identity, Tensor::zeros_of(shape), &Stop::default())
                .unwrap();
            assert_eq!(found.state.dims(), shape);
            assert!(found.report.converged() && found.report.samples.len() == shape[0]);
        }
        for solver in linear_solvers() {
            let found = solver
                .solve(&mut identity, Tensor::zeros_of(shape), &Stop::default())
                .unwrap();
            assert_eq!((found.state.dims(), found.report.calls), (&shape[..], 0));
        }
    }
    let report = Damped::default();
    let report = (&report as &dyn AnyFixedPointSolver)
        .solve(&mut identity, Tensor::zeros_of([0, 3]), &Stop::to(1e-3))
        .unwrap()
        .report;
    assert_eq!(
        report.to_string(),
        "Damped: 0 of 0 samples converged to 1e-3"
    );
}

#[test]
fn rows_that_start_with_nan_stop_at_once() {
    let start = Tensor::from([[f32::NAN, 1.0], [0.0, 0.0], [f32::INFINITY, 0.0]]);
    for solver in solvers() {
        let mut map = |z: &Tensor<f32>, _: &[usize]| Ok(&(z * 0.5) + 1.0);
        let found = solver
            .solve(&mut map, start.clone(), &Stop::to(1e-5))
            .unwrap();
        let samples = &found.report.samples;
        assert_eq!((samples[0].evaluations, samples[2].evaluations), (1, 1));
        assert!(samples[0].residual.is_nan() && samples[1].residual <= 1e-5);
        assert!(found.state.at(&[0, 0]).is_nan() && (found.state.at(&[1, 1]) - 2.0).abs() < 1e-4);
    }
}

#[test]
fn solvers_go_through_files() {
    let registry = Registry::builtin();
    for solver in solvers() {
        let config = solver.config().unwrap();
        let read = registry
            .solver("the schedule", solver.kind(), config)
            .unwrap();
        assert_eq!(format!("{read:?}"), format!("{solver:?}"));
    }
    for solver in linear_solvers() {
        let config = solver.config().unwrap();
        let read = registry
            .linear_solver("the gradient", solver.kind(), config)
            .unwrap();
        assert_eq!(format!("{read:?}"), format!("{solver:?}"));
    }
    let config = serde_json::json!({"damping": 2.0});
    let error = text(registry.solver("the schedule", "Damped", config));
    assert!(error.starts_with("Damped damping"), "{error}");
    let config = serde_json::json!({"damping": 0.5, "speed": 1});
    let error = text(registry.linear_solver("the gradient", "Neumann", config));
    assert!(error.contains("unknown field `speed`"), "{error}");
    let error = text(registry.solver("the schedule", "Newton", serde_json::json!({})));
    assert!(
        error.contains("\"Newton\"") && error.contains("Anderson, Broyden, Damped"),
        "{error}"
    );
    let stop = Stop::to(1e-3).max_iterations(7);
    let read: Stop = serde_json::from_value(serde_json::to_value(stop).unwrap()).unwrap();
    assert_eq!(read, stop);
}
