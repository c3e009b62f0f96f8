//! What memory costs: blocks from the pool against blocks from the system, and filling them.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::{Tensor, pool, threads};
use std::hint::black_box;

/// Temporaries of a chain that are alive at once.
const LIVE: usize = 6;
/// Numbers in 4 MiB.
const NUMBERS: usize = 1 << 20;

/// A chain of passes whose results all live to its end, as those of a forward pass do.
fn chain(start: &Tensor) -> Vec<Tensor> {
    let mut results = vec![start.relu()];
    while results.len() < LIVE {
        let last = results.last().expect("the chain has begun");
        results.push(last.relu());
    }
    results
}

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    let start = Tensor::zeros([NUMBERS]);
    group.throughput(Throughput::Bytes((LIVE * NUMBERS * 4) as u64));
    group.bench_function("chain of 6 of 4 MiB, recycled", |bench| {
        threads::scope(|| bench.iter(|| black_box(chain(&start))));
    });
    group.bench_function("chain of 6 of 4 MiB, fresh", |bench| {
        threads::scope(|| {
            bench.iter(|| {
                pool::release();
                black_box(chain(&start))
            });
        });
    });
    group.throughput(Throughput::Bytes((NUMBERS * 4) as u64));
    group.bench_function("4 MiB of zeros", |bench| {
        threads::scope(|| bench.iter(|| black_box(Tensor::zeros([NUMBERS]))));
    });
    group.bench_function("4 MiB written once", |bench| {
        threads::scope(|| bench.iter(|| black_box(start.relu())));
    });
    group.bench_function("4 MiB of zeros, then written", |bench| {
        threads::scope(|| {
            bench.iter(|| {
                let mut filled = Tensor::zeros([NUMBERS]);
                filled.add_assign(&start);
                black_box(filled)
            });
        });
    });
    group.throughput(Throughput::Bytes(256));
    group.bench_function("64 numbers, recycled", |bench| {
        threads::scope(|| bench.iter(|| black_box(Tensor::zeros([64]))));
    });
    group.finish();
}

criterion_group!(benches, memory);
criterion_main!(benches);
