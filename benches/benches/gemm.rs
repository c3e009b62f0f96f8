//! Products: from a few numbers to large squares, those that training steps are made of, and a batch.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::random::Key;
use fb::tensor::{Tensor, threads};
use fb_benches::workloads;
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

/// Named by rows × inner × columns; elements are operations, two a multiply–add.
fn gemm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm");
    for (m, k, n) in [
        (1, 2, 2),
        (4, 2, 2),
        (4, 8, 4),
        (8, 8, 8),
        (16, 16, 16),
        (64, 64, 64),
    ] {
        let (a, b) = (normal([m, k]), normal([k, n]));
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        let id = BenchmarkId::from_parameter(format!("{m}x{k}x{n}_nn"));
        group.bench_function(id, |bench| {
            threads::scope(|| bench.iter(|| black_box(a.matmul(&b))))
        });
    }
    let products = workloads::all();
    for workload in products.iter().filter(|w| w.name.starts_with("gemm_")) {
        let mut step = workload.prepare().expect("the factors can be made");
        group.throughput(Throughput::Elements(2 * workload.floor.multiply_adds));
        group.bench_function(workload.name.trim_start_matches("gemm_"), |bench| {
            threads::scope(|| bench.iter(&mut *step))
        });
    }
    let (a, b) = (normal([32, 64, 64]), normal([32, 64, 64]));
    group.throughput(Throughput::Elements(2 * 32 * 64 * 64 * 64));
    group.bench_function("32 of 64x64x64_nn", |bench| {
        threads::scope(|| bench.iter(|| black_box(a.matmul(&b))))
    });
    group.finish();
}

criterion_group!(benches, gemm);
criterion_main!(benches);
