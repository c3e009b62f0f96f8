//! Convolutions, pooling and resizing: forwards and each gradient.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fb::tensor::random::Key;
use fb::tensor::{ConvOptions, Padding, PoolOptions, Tensor, threads};
use std::hint::black_box;

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

/// Images × side × channels → outputs, 3×3 with the size kept; the last ones depthwise.
fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv");
    for (batch, side, channels, outputs, groups) in [
        (64, 28, 1, 32, 1),
        (64, 14, 32, 64, 1),
        (32, 28, 64, 64, 1),
        (16, 28, 128, 128, 128),
    ] {
        let options = ConvOptions::new().padding(Padding::Same).groups(groups);
        let x = normal([batch, side, side, channels]);
        let w = normal([3, 3, channels / groups, outputs]);
        let b = normal([outputs]);
        let g = normal([batch, side, side, outputs]);
        let multiply_adds = g.len() * 9 * channels / groups;
        group.throughput(Throughput::Elements(2 * multiply_adds as u64));
        let shape = format!("{batch}x{side}x{side} {channels}->{outputs}");
        let mut bench = |what: &str, work: &(dyn Fn() -> Tensor + Sync)| {
            group.bench_function(format!("{shape} {what}"), |bench| {
                threads::scope(|| bench.iter(|| black_box(work())))
            });
        };
        bench("forward", &|| x.conv2d(&w, Some(&b), &options));
        bench("by input", &|| {
            g.conv2d_input_gradient(&w, *x.shape(), &options)
        });
        bench("by weight", &|| {
            x.conv2d_weight_gradient(&g, *w.shape(), &options)
        });
    }
    group.finish();
}

fn pooling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv pooling");
    let x = normal([64, 28, 28, 32]);
    let halving = PoolOptions::new([2, 2]);
    let (y, offsets) = x
        .try_max_pool2d_with_offsets(&halving)
        .expect("windows that fit");
    group.throughput(Throughput::Bytes((x.len() * size_of::<f32>()) as u64));
    let mut bench = |what: &str, work: &(dyn Fn() -> Tensor + Sync)| {
        group.bench_function(what, |bench| {
            threads::scope(|| bench.iter(|| black_box(work())))
        });
    };
    bench("max 2x2", &|| x.max_pool2d(&halving));
    bench("max 2x2 gradient", &|| offsets.gradient(&y));
    bench("average 2x2", &|| x.avg_pool2d(&halving));
    bench("global average", &|| x.global_avg_pool());
    bench("nearest, twice the size", &|| x.resize_nearest([56, 56]));
    bench("bilinear, twice the size", &|| {
        x.resize_bilinear([56, 56], false)
    });
    group.finish();
}

criterion_group!(benches, convolutions, pooling);
criterion_main!(benches);
