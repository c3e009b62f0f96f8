//! Passes over all elements.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::random::Key;
use fb::tensor::{Tensor, threads};
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

fn elementwise(criterion: &mut Criterion) {
    type Pass = fn(&Tensor) -> Tensor;
    let passes: [(&str, Pass); 6] = [
        ("relu", |x| x.relu()),
        ("exp", |x| x.exp()),
        ("tanh", |x| x.tanh()),
        ("sigmoid", |x| x.sigmoid()),
        ("add", |x| x + x),
        ("softmax", |x| x.softmax(1)),
    ];
    let mut group = criterion.benchmark_group("elementwise");
    for (rows, columns) in [(1, 8), (32, 128), (1024, 1024)] {
        let x = normal([rows, columns]);
        group.throughput(Throughput::Elements((rows * columns) as u64));
        for (name, pass) in passes {
            let id = BenchmarkId::new(name, format!("{rows}x{columns}"));
            group.bench_function(id, |bench| {
                threads::scope(|| bench.iter(|| black_box(pass(&x))))
            });
        }
    }
    group.finish();
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
