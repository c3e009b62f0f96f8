//! Products.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::random::Key;
use fb::tensor::{Tensor, threads};
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

/// rows × inner × columns: tiny, skinny, square, the transposed products of a backward pass, and a batch.
fn matmul(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    for (m, k, n) in [
        (1, 2, 2),
        (4, 8, 8),
        (32, 128, 128),
        (128, 784, 512),
        (256, 256, 256),
        (1024, 1024, 1024),
    ] {
        let (a, b) = (normal([m, k]), normal([k, n]));
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        let id = BenchmarkId::from_parameter(format!("{m}x{k}x{n}"));
        group.bench_function(id, |bench| {
            threads::scope(|| bench.iter(|| black_box(a.matmul(&b))))
        });
    }
    let (a, b) = (normal([784, 128]), normal([128, 512]));
    let a = a.transpose().contiguous().transpose();
    group.throughput(Throughput::Elements(2 * 784 * 128 * 512));
    group.bench_function("784x128x512 transposed", |bench| {
        threads::scope(|| bench.iter(|| black_box(a.matmul(&b))))
    });
    let (a, b) = (normal([32, 64, 64]), normal([32, 64, 64]));
    group.throughput(Throughput::Elements(2 * 32 * 64 * 64 * 64));
    group.bench_function("32 of 64x64x64", |bench| {
        threads::scope(|| bench.iter(|| black_box(a.matmul(&b))))
    });
    group.finish();
}

criterion_group!(benches, matmul);
criterion_main!(benches);
