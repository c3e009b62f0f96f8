//! Scaled dot-product attention, forward and with its gradients, a step of cached decoding, and rotary positions.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::autograd::{Tape, Var};
use fb::tensor::random::Key;
use fb::tensor::{Attention, AttentionDropout, KvCache, Tensor, threads};
use std::hint::black_box;

/// Batch, heads, time, width, whether causal, and the share of weights that are silenced: the `gpt` workload's shape, a
/// longer and a long one.
const SHAPES: [([usize; 4], bool, f64); 7] = [
    ([16, 8, 128, 32], true, 0.0),
    ([16, 8, 128, 32], true, 0.1),
    ([8, 12, 128, 64], false, 0.0),
    ([8, 12, 128, 64], true, 0.0),
    ([2, 8, 1024, 64], false, 0.0),
    ([2, 8, 1024, 64], false, 0.1),
    ([2, 8, 1024, 64], true, 0.0),
];

/// Heads as they come out of a projection: `[batch, time, heads, width]` in memory.
fn heads([batch, heads, time, width]: [usize; 4], name: &str) -> Tensor {
    let x = Tensor::normal(
        [batch, time, heads, width],
        0.0,
        1.0,
        &mut Key::new(1).fold(name).rng(),
    );
    x.permute(&[0, 2, 1, 3])
}

fn options(batch: usize, causal: bool, dropout: f64) -> Attention {
    let rows = (0..batch).map(|row| row as u64);
    let options = Attention::new().dropout(AttentionDropout::new(dropout, Key::new(2), 0, rows));
    if causal { options.causal() } else { options }
}

fn name(shape: [usize; 4], causal: bool, dropout: f64) -> String {
    let mut name = shape.map(|n| n.to_string()).join("x");
    if causal {
        name += " causal";
    }
    if dropout > 0.0 {
        name += " dropout";
    }
    name
}

fn passes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    for (shape, causal, dropout) in SHAPES {
        let [q, k, v, g] = ["q", "k", "v", "g"].map(|name| heads(shape, name));
        let options = options(shape[0], causal, dropout);
        let pairs = shape[0] * shape[1] * shape[2] * shape[2] / if causal { 2 } else { 1 };
        group.throughput(Throughput::Elements((4 * pairs * shape[3]) as u64));
        let id = BenchmarkId::new("forward", name(shape, causal, dropout));
        group.bench_function(id, |bench| {
            threads::scope(|| bench.iter(|| black_box(q.attention(&k, &v, &options))))
        });
        group.throughput(Throughput::Elements((14 * pairs * shape[3]) as u64));
        let id = BenchmarkId::new("forward and backward", name(shape, causal, dropout));
        let tape = Tape::new();
        group.bench_function(id, |bench| {
            threads::scope(|| {
                bench.iter(|| {
                    tape.clear();
                    let [q, k, v] = [&q, &k, &v].map(|t| tape.leaf(t.clone()));
                    let y = q.attention(&k, &v, &options);
                    let loss = Var::custom("loss", &[&y], Tensor::scalar(0.0), {
                        let g = g.clone();
                        move |_| vec![Some(g.clone())]
                    });
                    black_box(loss.backward())
                })
            })
        });
    }
    group.finish();
}

/// One step with 512 cached ones.
fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    let shape = [8, 8, 512, 64];
    let mut cache = KvCache::new(8, 8, 64, 64).with_capacity(513);
    cache.append(&heads(shape, "k"), &heads(shape, "v"));
    let [q, k, v] = ["q", "k", "v"].map(|name| heads([8, 8, 1, 64], name));
    group.bench_function("cached step after 512", |bench| {
        threads::scope(|| {
            bench.iter(|| {
                cache.append(&k, &v);
                let y = q.attention(&cache.keys(), &cache.values(), &Attention::new().causal());
                cache.truncate(512);
                black_box(y)
            })
        })
    });
    group.finish();
}

fn rotary(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    let shape = [16, 8, 128, 32];
    let x = heads(shape, "q");
    let (cos, sin) = Tensor::rotary_tables(0..shape[2], shape[3], 10_000.0);
    group.throughput(Throughput::Elements(x.len() as u64));
    group.bench_function(
        BenchmarkId::new("rotary", name(shape, false, 0.0)),
        |bench| threads::scope(|| bench.iter(|| black_box(x.rotary(&cos, &sin)))),
    );
    let id = BenchmarkId::new("rotary interleaved", name(shape, false, 0.0));
    group.bench_function(id, |bench| {
        threads::scope(|| bench.iter(|| black_box(x.rotary_interleaved(&cos, &sin))))
    });
    group.finish();
}

criterion_group!(benches, passes, decoding, rotary);
criterion_main!(benches);
