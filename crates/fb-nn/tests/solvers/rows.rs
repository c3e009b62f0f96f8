//! What a row ends with is its own affair.

use crate::maps::{
    affine, batch, bits, by_row, jordan, linear_solvers, numbers, product, solvers, tanh_layer,
};
use fb_nn::feedback::solver::{AnyFixedPointSolver, Freeze, Outcome, Solution, Stop};
use fb_tensor::{Float, Tensor, threads};

const LENGTH: usize = 33;
const ROWS: usize = 9;

/// A map for each row: easy ones, hard ones, one that repels, one that stays away, one that turns into NaN after a while.
fn image<F: Float>(kind: usize, z: &[F]) -> Vec<F> {
    match kind {
        0..5 => tanh_layer(LENGTH, [0.05, 0.5, 0.9, 1.5, 4.0][kind], kind as u64, z),
        5 => affine(&jordan(LENGTH, 0.6, 0.5), &numbers(LENGTH, 3), z),
        6 => affine(&jordan(LENGTH, 1.2, 1.0), &numbers(LENGTH, 3), z),
        7 => z.iter().map(|&z| F::ONE - z).collect(),
        _ => z
            .iter()
            .map(|&z| (z * z * z + F::ONE) / (F::from_f64(3.0) - z))
            .map(|z| if z > F::from_f64(0.38) { F::NAN } else { z })
            .collect(),
    }
}

fn solve<F: Float>(
    solver: &dyn AnyFixedPointSolver,
    kinds: &[usize],
    start: Tensor<F>,
    freeze: Freeze,
) -> Solution<F> {
    let stop = Stop::to(1e-5).max_iterations(40).freeze(freeze).trace(true);
    let mut map = by_row(|row, z: &[F]| image(kinds[row], z));
    solver.solve(&mut map, start, &stop).unwrap()
}

fn same<F: Float>(a: &Solution<F>, b: &Solution<F>, row: usize, other: usize, what: &str) {
    let (one, two) = (a.state.select_rows(&[row]), b.state.select_rows(&[other]));
    assert_eq!(bits(&one), bits(&two), "{what}: the state of row {row}");
    let reports = [&a.report.samples[row], &b.report.samples[other]].map(|s| format!("{s:?}"));
    assert_eq!(reports[0], reports[1], "{what}: the report of row {row}");
}

fn alone_or_not<F: Float>() {
    let kinds: Vec<usize> = (0..ROWS).collect();
    let start = batch::<F>([ROWS, LENGTH], 7);
    let reversed: Vec<usize> = (0..ROWS).rev().collect();
    for solver in solvers() {
        let solver = &*solver;
        let all = solve(solver, &kinds, start.clone(), Freeze::PerSample);
        let masked = solve(solver, &kinds, start.clone(), Freeze::Together);
        let turned = solve(
            solver,
            &reversed,
            start.select_rows(&reversed),
            Freeze::PerSample,
        );
        let easy = solve(solver, &kinds[..4], start.slice(0, 0..4), Freeze::PerSample);
        for row in 0..ROWS {
            same(&all, &masked, row, row, "left in the batch");
            same(&all, &turned, row, ROWS - 1 - row, "in another order");
            let one = solve(solver, &[row], start.select_rows(&[row]), Freeze::PerSample);
            same(&all, &one, row, 0, "alone");
        }
        for row in 0..4 {
            same(&all, &easy, row, row, "without the hard ones");
        }
        assert_eq!(all.report.calls, masked.report.calls);
        let outcome = |row: usize| all.report.samples[row].outcome;
        assert_eq!(outcome(0), Outcome::Converged);
        assert_eq!(outcome(8), Outcome::NonFinite, "{solver:?}");
        assert!(all.state.iter().all(F::is_finite));
    }
}

#[test]
fn a_row_does_not_see_the_others() {
    alone_or_not::<f32>();
    alone_or_not::<f64>();
}

#[test]
fn finished_rows_leave_the_batch_or_stay_as_they_are() {
    for freeze in [Freeze::PerSample, Freeze::Together] {
        for solver in solvers() {
            let mut seen: Vec<(Vec<usize>, Vec<u64>)> = Vec::new();
            let mut inner = by_row(|row, z: &[f64]| image(row, z));
            let mut map = |z: &Tensor<f64>, rows: &[usize]| {
                seen.push((rows.to_vec(), bits(z)));
                inner(z, rows)
            };
            let stop = Stop::to(1e-5).max_iterations(40).freeze(freeze);
            let found = solver
                .solve(&mut map, batch([ROWS, LENGTH], 7), &stop)
                .unwrap();
            let asked: usize = seen.iter().map(|(rows, _)| rows.len()).sum();
            if freeze == Freeze::PerSample {
                assert_eq!(asked as u64, found.report.evaluations());
            } else {
                assert_eq!(asked, ROWS * found.report.calls);
                let row = |bits: &[u64]| bits[..LENGTH].to_vec();
                let end = found.report.samples[0].evaluations as usize - 1;
                assert!(seen[end..].iter().all(|(_, z)| row(z) == row(&seen[end].1)));
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let kinds: Vec<usize> = (0..300).map(|i| i % ROWS).collect();
    let start = batch::<f32>([300, LENGTH], 2);
    for solver in solvers() {
        let on = |count: usize| {
            threads::scope_with(count, || {
                let stop = Stop::to(1e-5).max_iterations(12);
                // Wide rows, so that the work is worth splitting.
                let wide = start.repeat(1, 8);
                let mut map = by_row(|row, z: &[f32]| {
                    z.chunks(LENGTH)
                        .flat_map(|z| image(kinds[row], z))
                        .collect()
                });
                let found = solver.solve(&mut map, wide, &stop).unwrap();
                (bits(&found.state), format!("{:?}", found.report))
            })
        };
        assert_eq!(on(1), on(2), "{solver:?}");
    }
}

#[test]
fn linear_systems_do_not_see_each_other() {
    let matrices: Vec<Vec<f64>> = (0..6)
        .map(|row| match row {
            4 => jordan(12, 1.5, 1.0),
            5 => vec![0.0; 144],
            _ => numbers(144, row)
                .iter()
                .map(|x| x * 0.08 * (row + 1) as f64)
                .collect(),
        })
        .collect();
    let right = batch::<f32>([6, 12], 4);
    let right = &right * &Tensor::from([[1.0], [1e-6], [1.0], [1e6], [1.0], [0.0]]);
    for solver in linear_solvers() {
        let solve = |rows: &[usize], freeze: Freeze| {
            let stop = Stop::to(1e-5).max_iterations(30).freeze(freeze).trace(true);
            let mut map = by_row(|row, u: &[f32]| product(&matrices[rows[row]], u));
            solver
                .solve(&mut map, right.select_rows(rows), &stop)
                .unwrap()
        };
        let order = [0, 1, 2, 3, 4, 5];
        let all = solve(&order, Freeze::PerSample);
        let masked = solve(&order, Freeze::Together);
        let turned = solve(&[5, 4, 3, 2, 1, 0], Freeze::PerSample);
        for row in order {
            same(&all, &masked, row, row, "left in the batch");
            same(&all, &turned, row, 5 - row, "in another order");
            same(&all, &solve(&[row], Freeze::PerSample), row, 0, "alone");
        }
        // A right side of zeros needs no product.
        assert_eq!(all.report.samples[5].evaluations, 0);
        assert_eq!(all.report.samples[5].outcome, Outcome::Converged);
    }
}
