//! Convolutions, pooling, other sizes.

use super::{Row, normal, row};
use fb_autograd::Var;
use fb_tensor::ops::unary;
use fb_tensor::{ConvOptions, ConvTransposeOptions, Padding, PoolOptions, Tensor};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = convolutions();
    rows.extend(transposed());
    rows.extend(series());
    rows.extend(pools());
    rows.extend(sizes());
    rows
}

/// Input, kernel and bias.
fn operands<const D: usize>(x: [usize; D], w: [usize; D], outputs: usize) -> [Tensor<f64>; 3] {
    [normal("x", x), normal("w", w), normal("b", [outputs])]
}

fn convolutions() -> Vec<Row> {
    let options = ConvOptions::new();
    let same = options.padding(Padding::Same);
    let uneven = Padding::Explicit([(0, 2), (3, 1)]);
    let mut rows = vec![row(
        "conv2d without bias",
        [normal("x", [2, 4, 5, 2]), normal("w", [2, 3, 2, 3])],
        move |v| v[0].conv2d(&v[1], None, &options),
    )];
    for (name, x, w, options) in [
        ("conv2d", [2, 4, 5, 2], [2, 3, 2, 3], options),
        (
            "conv2d of single pixels",
            [2, 3, 4, 3],
            [1, 1, 3, 2],
            options,
        ),
        ("conv2d same", [2, 4, 4, 2], [3, 3, 2, 2], same),
        ("conv2d same, one channel", [2, 4, 5, 1], [3, 3, 1, 4], same),
        (
            "conv2d of many channels",
            [1, 3, 4, 17],
            [2, 2, 17, 3],
            same,
        ),
        (
            "conv2d with strides",
            [2, 5, 7, 2],
            [3, 2, 2, 3],
            same.stride([2, 3]),
        ),
        (
            "conv2d, stride above kernel",
            [1, 6, 7, 2],
            [1, 2, 2, 2],
            options.stride([3, 4]),
        ),
        (
            "conv2d, uneven padding",
            [2, 3, 3, 2],
            [2, 2, 2, 2],
            options.padding(uneven),
        ),
        (
            "conv2d, dilated",
            [1, 6, 5, 2],
            [3, 2, 2, 3],
            same.dilation([2, 3]),
        ),
        (
            "conv2d in groups",
            [2, 4, 3, 4],
            [2, 2, 2, 6],
            same.groups(2),
        ),
        (
            "conv2d in groups with strides",
            [1, 5, 5, 6],
            [3, 2, 2, 3],
            same.groups(3).stride([2, 1]),
        ),
        (
            "conv2d, depthwise",
            [2, 4, 4, 3],
            [3, 3, 1, 3],
            same.groups(3),
        ),
        (
            "conv2d, depthwise with strides",
            [2, 5, 4, 3],
            [3, 2, 1, 3],
            same.groups(3).stride([2, 2]),
        ),
        (
            "conv2d, depthwise and widened",
            [1, 4, 3, 2],
            [2, 2, 1, 4],
            same.groups(2),
        ),
    ] {
        rows.push(row(name, operands(x, w, w[3]), move |v| {
            v[0].conv2d(&v[1], Some(&v[2]), &options)
        }));
    }
    let operands = || operands([1, 4, 3, 2], [2, 3, 2, 3], 3);
    rows.push(row("conv2d_then tanh", operands(), move |v| {
        v[0].conv2d_then(&v[1], Some(&v[2]), &same, unary::Tanh {})
    }));
    rows.push(row("conv2d_then silu", operands(), move |v| {
        v[0].conv2d_then(&v[1], Some(&v[2]), &same, unary::Silu {})
    }));
    let [x, w, b] = operands();
    rows.push(row("conv2d_then of data", [w, b], move |v| {
        let x = Var::constant(x.clone());
        x.conv2d_then(&v[0], Some(&v[1]), &same, unary::Tanh {})
    }));
    rows.push(row(
        "conv2d_then without bias",
        &operands()[..2],
        move |v| v[0].conv2d_then(&v[1], None, &options, unary::Sigmoid {}),
    ));
    rows
}

fn transposed() -> Vec<Row> {
    let options = ConvTransposeOptions::new();
    let stride = options.stride([2, 3]);
    let mut rows = vec![row(
        "conv_transpose2d without bias",
        [normal("x", [1, 2, 3, 2]), normal("w", [2, 2, 3, 2])],
        move |v| v[0].conv_transpose2d(&v[1], None, &options),
    )];
    for (name, x, w, options) in [
        ("conv_transpose2d", [2, 2, 3, 2], [2, 3, 3, 2], options),
        (
            "conv_transpose2d with strides",
            [1, 3, 2, 2],
            [3, 2, 2, 2],
            stride,
        ),
        (
            "conv_transpose2d, padded output",
            [1, 2, 2, 2],
            [3, 3, 2, 2],
            stride.output_padding([1, 2]),
        ),
        (
            "conv_transpose2d same",
            [1, 3, 2, 2],
            [3, 4, 2, 2],
            stride.padding(Padding::Same),
        ),
        (
            "conv_transpose2d, cut",
            [1, 3, 4, 2],
            [3, 3, 2, 2],
            options.padding(Padding::both([1, 1])),
        ),
        (
            "conv_transpose2d in groups",
            [1, 2, 3, 4],
            [2, 2, 3, 4],
            stride.groups(2),
        ),
        (
            "conv_transpose2d, dilated",
            [1, 2, 3, 2],
            [2, 2, 2, 2],
            options.dilation([2, 2]),
        ),
    ] {
        rows.push(row(name, operands(x, w, w[2] * options.groups), move |v| {
            v[0].conv_transpose2d(&v[1], Some(&v[2]), &options)
        }));
    }
    rows
}

fn series() -> Vec<Row> {
    let options = ConvOptions::new()
        .stride([2])
        .padding(Padding::Explicit([(2, 0)]));
    let doubling = ConvTransposeOptions::new().stride([2]).output_padding([1]);
    let pool = PoolOptions::new([3])
        .stride([2])
        .padding(Padding::both([1]));
    let series = || [normal("series", [2, 7, 3])];
    let [x, w, b] = operands([2, 6, 2], [3, 2, 4], 4);
    vec![
        row("conv1d", operands([2, 6, 2], [3, 2, 4], 4), move |v| {
            v[0].conv1d(&v[1], Some(&v[2]), &options)
        }),
        row(
            "conv1d_then sigmoid",
            operands([2, 6, 2], [3, 2, 4], 4),
            move |v| v[0].conv1d_then(&v[1], Some(&v[2]), &options, unary::Sigmoid {}),
        ),
        row("conv1d_then of data", [w, b], move |v| {
            let x = Var::constant(x.clone());
            x.conv1d_then(&v[0], Some(&v[1]), &options, unary::Tanh {})
        }),
        row(
            "conv1d_then silu",
            operands([2, 6, 2], [3, 2, 4], 4),
            move |v| v[0].conv1d_then(&v[1], Some(&v[2]), &options, unary::Silu {}),
        ),
        row(
            "conv1d, depthwise",
            operands([2, 6, 3], [3, 1, 3], 3),
            move |v| v[0].conv1d(&v[1], Some(&v[2]), &options.groups(3)),
        ),
        row(
            "conv_transpose1d",
            operands([2, 4, 2], [3, 3, 2], 3),
            move |v| v[0].conv_transpose1d(&v[1], Some(&v[2]), &doubling),
        ),
        row("max_pool1d", series(), move |v| v[0].max_pool1d(&pool)),
        row("avg_pool1d", series(), move |v| v[0].avg_pool1d(&pool)),
        row("adaptive_max_pool1d", series(), |v| {
            v[0].adaptive_max_pool1d(3)
        }),
        row("adaptive_avg_pool1d", series(), |v| {
            v[0].adaptive_avg_pool1d(3)
        }),
        row("global_max_pool of series", series(), |v| {
            v[0].global_max_pool()
        }),
        row("global_avg_pool of series", series(), |v| {
            v[0].global_avg_pool()
        }),
    ]
}

fn images() -> [Tensor<f64>; 1] {
    [normal("images", [2, 5, 6, 3])]
}

fn pools() -> Vec<Row> {
    let halving = PoolOptions::new([2, 2]);
    let overlapping = PoolOptions::new([3, 2])
        .stride([2, 1])
        .padding(Padding::both([1, 1]));
    let apart = PoolOptions::new([1, 2]).stride([2, 3]);
    let mut rows = vec![
        row("avg_pool2d without padding counted", images(), move |v| {
            v[0].avg_pool2d(&overlapping.count_include_pad(false))
        }),
        row(
            "max_pool2d of large windows",
            [normal("large", [1, 20, 17, 2])],
            |v| v[0].max_pool2d(&PoolOptions::new([20, 15])),
        ),
        row("global_max_pool", images(), |v| v[0].global_max_pool()),
        row("global_avg_pool", images(), |v| v[0].global_avg_pool()),
    ];
    for options in [halving, overlapping, apart, halving.padding(Padding::Same)] {
        rows.push(row("max_pool2d", images(), move |v| {
            v[0].max_pool2d(&options)
        }));
        rows.push(row("avg_pool2d", images(), move |v| {
            v[0].avg_pool2d(&options)
        }));
    }
    for outputs in [[1, 1], [2, 4], [5, 6], [7, 3]] {
        rows.push(row("adaptive_max_pool2d", images(), move |v| {
            v[0].adaptive_max_pool2d(outputs)
        }));
        rows.push(row("adaptive_avg_pool2d", images(), move |v| {
            v[0].adaptive_avg_pool2d(outputs)
        }));
    }
    rows
}

fn sizes() -> Vec<Row> {
    let mut rows = Vec::new();
    for size in [[1, 1], [3, 9], [10, 12], [5, 6]] {
        rows.push(row("resize_nearest", images(), move |v| {
            v[0].resize_nearest(size)
        }));
        for align in [false, true] {
            rows.push(row("resize_bilinear", images(), move |v| {
                v[0].resize_bilinear(size, align)
            }));
        }
    }
    rows
}
