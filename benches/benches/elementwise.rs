//! Passes over memory: functions of each element, softmax, normalisation, transposes, lookups, and their ways back.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::norm::RowNorm;
use fb::tensor::random::Key;
use fb::tensor::{Tensor, threads};
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

/// From a few numbers to more than the caches hold; the first pass is what all others are measured against.
fn elementwise(criterion: &mut Criterion) {
    type Pass = fn(&Tensor) -> Tensor;
    let passes: [(&str, Pass); 18] = [
        ("copy", |x| {
            Tensor::from_slice(x.as_slice().unwrap(), *x.shape())
        }),
        ("relu", |x| x.relu()),
        ("exp", |x| x.exp()),
        ("ln", |x| x.ln()),
        ("tanh", |x| x.tanh()),
        ("sigmoid", |x| x.sigmoid()),
        ("silu", |x| x.silu()),
        ("gelu", |x| x.gelu()),
        ("softplus", |x| x.softplus()),
        ("erf", |x| x.erf()),
        ("sin", |x| x.sin()),
        ("add", |x| x + x),
        ("silu_mul", |x| x.silu_mul(x)),
        ("softmax", |x| x.softmax(1)),
        ("layer_norm", |x| x.layer_norm(None, None, 1e-5)),
        ("rms_norm", |x| x.rms_norm(None, 1e-5)),
        ("batch_norm", |x| x.batch_norm(None, None, 1e-5).0),
        ("transpose", |x| x.transpose().contiguous()),
    ];
    let mut group = criterion.benchmark_group("elementwise");
    for (rows, columns) in [(1, 8), (32, 128), (1024, 1024), (4096, 1024)] {
        let x = normal([rows, columns]);
        group.throughput(Throughput::Elements((rows * columns) as u64));
        for (name, pass) in passes {
            let id = BenchmarkId::new(name, format!("{rows}x{columns}"));
            group.bench_function(id, |bench| {
                threads::scope(|| bench.iter(|| black_box(pass(&x))))
            });
        }
    }
    let (x, g) = (normal([4096, 1024]), normal([4096, 1024]));
    group.throughput(Throughput::Elements(4096 * 1024));
    let norm = RowNorm::layer(1e-5);
    let normed = norm.forward(&x, None, None, None).unwrap();
    group.bench_function("layer_norm, way back", |bench| {
        let back = || norm.backward(&x, &normed.statistics, None, &g, None);
        threads::scope(|| bench.iter(|| black_box(back())))
    });
    let short = x.reshape([65536, 64]);
    group.bench_function("layer_norm of short rows", |bench| {
        threads::scope(|| bench.iter(|| black_box(short.layer_norm(None, None, 1e-5))))
    });
    group.bench_function("softmax of short rows", |bench| {
        threads::scope(|| bench.iter(|| black_box(short.softmax(1))))
    });
    let images = x.reshape([64, 32, 32, 64]);
    group.bench_function("channels last to first", |bench| {
        threads::scope(|| bench.iter(|| black_box(images.permute(&[0, 3, 1, 2]).contiguous())))
    });
    let index = Tensor::from_fn([4096], |i| (i[0] * 7919 % 4096) as i64);
    group.bench_function("embedding", |bench| {
        threads::scope(|| bench.iter(|| black_box(x.embedding(&index, None))))
    });
    let mut sum = vec![0.0; x.len()];
    group.bench_function("embedding, way back", |bench| {
        threads::scope(|| bench.iter(|| fb::tensor::add_rows(&mut sum, &index, &g, None)))
    });
    group.finish();
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
