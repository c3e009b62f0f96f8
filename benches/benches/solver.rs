//! What solvers cost beside the map: maps that cost nothing, and the equilibrium of a layer.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fb::nn::feedback::solver::{
    Anderson, AnyFixedPointSolver, AnyLinearSolver, Broyden, Damped, Freeze, Gmres, Neumann, Stop,
};
use fb::tensor::random::Key;
use fb::tensor::{Tensor, threads};
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N], deviation: f64, seed: u64) -> Tensor {
    Tensor::normal(shape, 0.0, deviation, &mut Key::new(seed).rng())
}

/// Ten iterations (eleven evaluations) of a map that hands out what was made before: a tenth of the time is an iteration's.
fn overhead(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ten iterations of nothing");
    let fixed: [(&str, Box<dyn AnyFixedPointSolver>); 3] = [
        ("damped", Box::new(Damped::default())),
        ("anderson", Box::new(Anderson::default().safeguard(None))),
        ("broyden", Box::new(Broyden::default().backtracks(0))),
    ];
    let linear: [(&str, Box<dyn AnyLinearSolver>); 2] = [
        ("gmres", Box::new(Gmres::default())),
        ("neumann", Box::new(Neumann::default())),
    ];
    let stop = Stop::to(0.0).max_iterations(10);
    for (rows, columns) in [(1, 64), (64, 256), (1024, 256)] {
        let images: Vec<Tensor> = (0..16).map(|i| normal([rows, columns], 1.0, i)).collect();
        let size = format!("{rows}x{columns}");
        let mut next = 0;
        let mut map = |_: &Tensor, _: &[usize]| {
            next = (next + 1) % images.len();
            Ok(images[next].clone())
        };
        for (name, solver) in &fixed {
            group.bench_function(BenchmarkId::new(*name, &size), |bench| {
                threads::scope(|| {
                    bench.iter(|| black_box(solver.solve(&mut map, images[0].clone(), &stop)))
                })
            });
        }
        for (name, solver) in &linear {
            group.bench_function(BenchmarkId::new(*name, &size), |bench| {
                threads::scope(|| {
                    bench.iter(|| black_box(solver.solve(&mut map, images[0].clone(), &stop)))
                })
            });
        }
    }
    group.finish();
}

/// `tanh(z W + x)`, alike for all rows or with a few that are harder than the others.
fn equilibrium(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("equilibrium of 64x256 to 1e-3");
    let weight = normal([256, 256], 0.8 / 16.0, 1);
    let input = normal([64, 256], 1.0, 2);
    let mixed = Tensor::from_fn([64, 1], |at| if at[0] < 8 { 1.4 } else { 0.3 });
    let stop = Stop::to(1e-3);
    let whole = stop.freeze(Freeze::Together);
    for (name, gain, stop) in [
        ("alike", Tensor::ones([64, 1]), stop),
        ("mixed", mixed.clone(), stop),
        ("mixed, none leaves", mixed, whole),
    ] {
        let mut map = |z: &Tensor, rows: &[usize]| {
            let (gain, input) = if rows.len() == 64 {
                (gain.clone(), input.clone())
            } else {
                (gain.select_rows(rows), input.select_rows(rows))
            };
            Ok((&(&z.matmul(&weight) * &gain) + &input).tanh())
        };
        let solver: &dyn AnyFixedPointSolver = &Anderson::default();
        let found = solver.solve(&mut map, Tensor::zeros([64, 256]), &stop);
        println!("{name}: {}", found.unwrap().report);
        group.bench_function(name, |bench| {
            threads::scope(|| {
                bench.iter(|| {
                    let start = Tensor::zeros([64, 256]);
                    black_box(solver.solve(&mut map, start, &stop))
                })
            })
        });
    }
    group.finish();
}

criterion_group!(benches, overhead, equilibrium);
criterion_main!(benches);
