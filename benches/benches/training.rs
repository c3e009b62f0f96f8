//! The tape's own cost, and whole training steps.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::autograd::Tape;
use fb::tensor::{Tensor, threads};
use fb_benches::workloads;
use std::hint::black_box;

/// A chain of one-element nodes, forward and backward: nanoseconds per element are nanoseconds per node.
fn tape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tape");
    for length in [10_usize, 1000] {
        let tape = Tape::new();
        group.throughput(Throughput::Elements(length as u64));
        group.bench_function(BenchmarkId::new("chain", length), |bench| {
            bench.iter(|| {
                tape.clear();
                let x = tape.leaf(Tensor::scalar(0.5));
                let y = (0..length).fold(x.clone(), |y, _| y.tanh());
                black_box(y.backward().take(&x))
            });
        });
    }
    group.finish();
}

fn training_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("training_step");
    for name in ["xor_step", "deep_small", "mlp", "feedback"] {
        let workload = workloads::find(name).expect("a workload of this name");
        let mut step = workload.prepare().expect("the workload can be set up");
        group.bench_function(name, |bench| threads::scope(|| bench.iter(&mut *step)));
    }
    group.finish();
}

criterion_group!(benches, tape, training_step);
criterion_main!(benches);
