//! The tape's own cost, and whole training steps.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::autograd::Tape;
use fb::nn::feedback::schedule::Unroll;
use fb::nn::layers::{Activation, Dense};
use fb::nn::{Context, Graph, Mode};
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

/// Eight layers of four units in a loop with two feedback edges: nanoseconds per element are nanoseconds per layer and
/// iteration, nearly all of them the graph's own cost.
fn feedback(criterion: &mut Criterion) {
    const LAYERS: usize = 8;
    const ITERATIONS: usize = 20;
    let tanh = || Dense::new(4).activation(Activation::Tanh);
    let graph = (1..LAYERS).fold(
        Graph::new().input("x", [4]).layer("n0", tanh(), "x"),
        |graph, n| graph.layer(format!("n{n}"), tanh(), format!("n{}", n - 1)),
    );
    let network = graph
        .feedback("n7", "n0")
        .feedback("n5", "n2")
        .schedule(Unroll::iterations(ITERATIONS))
        .build()
        .expect("the graph can be built");
    let x = Tensor::ones([1, 4]);
    let mut group = criterion.benchmark_group("feedback");
    group.throughput(Throughput::Elements((LAYERS * ITERATIONS) as u64));
    group.bench_function("tiny_forward", |bench| {
        threads::scope(|| {
            bench.iter(|| {
                let mut cx = Context::eval(network.params());
                black_box(network.forward(&mut cx, x.clone()))
            });
        });
    });
    let tape = Tape::new();
    group.bench_function("tiny_training", |bench| {
        threads::scope(|| {
            bench.iter(|| {
                tape.clear();
                let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
                let y = network.forward(&mut cx, x.clone()).expect("it runs");
                black_box(y.as_float().expect("numbers").sum().backward())
            });
        });
    });
    group.finish();
}

criterion_group!(benches, tape, training_step, feedback);
criterion_main!(benches);
