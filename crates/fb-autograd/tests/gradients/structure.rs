//! Reductions, shapes, parts, joins, selections.

use super::{Row, normal, row};
use fb_autograd::Var;
use fb_tensor::Tensor;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = reductions();
    rows.extend(shapes());
    rows.extend(parts());
    rows.extend(joins());
    rows.extend(selections());
    rows
}

fn cube() -> [Tensor<f64>; 1] {
    [normal("cube", [2, 3, 4])]
}

fn reductions() -> Vec<Row> {
    let mut rows = vec![
        row("sum", cube(), |v| v[0].sum()),
        row("mean", cube(), |v| v[0].mean()),
        row(
            "sum of no axes",
            [normal("s", fb_tensor::Shape::SCALAR)],
            |v| v[0].sum(),
        ),
    ];
    for axes in [
        vec![],
        vec![0],
        vec![1],
        vec![2],
        vec![0, 2],
        vec![1, 2],
        vec![2, 0, 1],
    ] {
        for keep in [false, true] {
            let mut push = |name, f: fn(&Var<f64>, &[usize], bool) -> Var<f64>| {
                let axes = axes.clone();
                rows.push(row(name, cube(), move |v| f(&v[0], &axes, keep)));
            };
            push("sum_axes", |x, axes, keep| x.sum_axes(axes, keep));
            push("mean_axes", |x, axes, keep| x.mean_axes(axes, keep));
            push("max_axes", |x, axes, keep| x.max_axes(axes, keep));
            push("min_axes", |x, axes, keep| x.min_axes(axes, keep));
            push("logsumexp", |x, axes, keep| x.logsumexp(axes, keep));
            push("var_axes", |x, axes, keep| x.var_axes(axes, 0, keep));
            if !axes.is_empty() {
                push("var_axes of a sample", |x, axes, keep| {
                    x.var_axes(axes, 1, keep)
                });
            }
        }
    }
    for axis in 0..3 {
        rows.push(row("softmax", cube(), move |v| v[0].softmax(axis)));
        rows.push(row("log_softmax", cube(), move |v| v[0].log_softmax(axis)));
    }
    rows.push(row("masked_softmax of everything", cube(), |v| {
        v[0].masked_softmax(0.7, None)
    }));
    rows.push(row("masked_softmax by a negative scale", cube(), |v| {
        v[0].masked_softmax(-0.7, None)
    }));
    let masks = [
        Tensor::from([true, false, true, true]),
        Tensor::from([[true], [false], [true]]),
        Tensor::from([[true, false, false, true]; 3]),
        Tensor::from([[[true, false, true, true]; 3], [[false; 4]; 3]]),
    ];
    for mask in masks {
        rows.push(row("masked_softmax", cube(), move |v| {
            v[0].masked_softmax(1.3, Some(&mask))
        }));
    }
    rows
}

fn shapes() -> Vec<Row> {
    vec![
        row("reshape", cube(), |v| v[0].reshape([4, 6])),
        row("flatten", cube(), |v| v[0].flatten()),
        row("unsqueeze", cube(), |v| v[0].unsqueeze(1)),
        row("squeeze", [normal("x", [2, 1, 3])], |v| v[0].squeeze(1)),
        row("permute", cube(), |v| v[0].permute(&[2, 0, 1])),
        row("transpose", cube(), |v| v[0].transpose()),
        row("swap_axes", cube(), |v| v[0].swap_axes(0, 2)),
        row("flip", cube(), |v| v[0].flip(1)),
        row("expand", [normal("x", [2, 1])], |v| v[0].expand([4, 2, 3])),
        row("broadcast_to", [normal("x", [3])], |v| {
            v[0].broadcast_to([2, 3])
        }),
    ]
}

fn parts() -> Vec<Row> {
    let mut rows = vec![
        row("slice of everything", cube(), |v| v[0].slice(1, 0..3)),
        row("slice of nothing", cube(), |v| v[0].slice(1, 2..2)),
        row("slice, twice the same", cube(), |v| {
            v[0].slice(2, 1..3) * v[0].slice(2, 1..3)
        }),
        row("slice, overlapping", cube(), |v| {
            v[0].slice(2, 0..3) * v[0].slice(2, 1..4)
        }),
        row("slice, beside the whole", cube(), |v| {
            v[0].slice(0, 1..2) * &v[0]
        }),
    ];
    for axis in 0..3 {
        rows.push(row("slice", cube(), move |v| v[0].slice(axis, 1..2)));
        rows.push(row("narrow", cube(), move |v| v[0].narrow(axis, 0, 2)));
        rows.push(row("slice_step", [normal("x", [4, 5, 3])], move |v| {
            v[0].slice_step(axis, 1, 3, 2)
        }));
        rows.push(row(
            "slice_step to the end",
            [normal("x", [5, 5, 5])],
            move |v| v[0].slice_step(axis, 0, 5, 2),
        ));
        rows.push(row("index_axis", cube(), move |v| v[0].index_axis(axis, 1)));
        let parts_of_squares = |parts: Vec<Var<f64>>| {
            parts
                .iter()
                .enumerate()
                .map(|(i, x)| (x * (1.0 + i as f64)).square().sum())
                .reduce(|a, b| a + b)
                .unwrap()
        };
        rows.push(row("split", [normal("x", [4, 4, 4])], move |v| {
            parts_of_squares(v[0].split(axis, &[1, 0, 3]))
        }));
        rows.push(row("chunks", [normal("x", [5, 5, 5])], move |v| {
            parts_of_squares(v[0].chunks(axis, 2))
        }));
    }
    rows
}

fn joins() -> Vec<Row> {
    let pair = |b: [usize; 2]| [normal("a", [2, 3]), normal("b", b)];
    vec![
        row("concat", pair([4, 3]), |v| Var::concat(&[&v[0], &v[1]], 0)),
        row("concat", pair([2, 1]), |v| {
            Var::concat(&[&v[0], &v[1], &v[0]], 1)
        }),
        row("concat with a constant", pair([2, 3]), |v| {
            Var::concat(&[&Var::constant(normal("c", [1, 3])), &v[0], &v[1]], 0).square()
        }),
        row("stack", pair([2, 3]), |v| {
            Var::stack(&[&v[0], &v[1], &v[0]], 0)
        }),
        row("stack", pair([2, 3]), |v| Var::stack(&[&v[0], &v[1]], 2)),
        row("stack with a constant", pair([2, 3]), |v| {
            Var::stack(&[&v[0], &Var::constant(normal("c", [2, 3])), &v[1]], 1)
        }),
        row("pad", cube(), |v| v[0].pad(&[(0, 1), (2, 0), (1, 1)], 7.0)),
        row("repeat", cube(), |v| v[0].repeat(0, 2)),
        row("repeat", cube(), |v| v[0].repeat(1, 3)),
        row("repeat", cube(), |v| v[0].repeat(2, 2)),
        row("custom", cube(), |v| {
            let y = v[0].tensor().square();
            let x = v[0].tensor().clone();
            Var::custom("square", &[&v[0]], y, move |g| vec![Some(g * &x * 2.0)])
        }),
        row("map_op", cube(), |v| {
            v[0].map_op(fb_tensor::ops::unary::Tanh {})
        }),
    ]
}

fn selections() -> Vec<Row> {
    let matrix = || [normal("matrix", [4, 3])];
    vec![
        row("gather", matrix(), |v| {
            v[0].gather(0, &Tensor::from([[3_i64, 0], [3, 1]]))
        }),
        row("gather", matrix(), |v| {
            v[0].gather(1, &Tensor::from([[2_i64, 2, 0, 1], [0, 1, 0, 0]]))
        }),
        row("gather from a cube", cube(), |v| {
            v[0].gather(1, &Tensor::from([[[2_i64, 0, 1], [2, 2, 2]]]))
        }),
        row("index_select", matrix(), |v| {
            v[0].index_select(0, &Tensor::from([3_i64, 1, 3]))
        }),
        row("index_select", cube(), |v| {
            v[0].index_select(1, &Tensor::from([2_i64, 0, 2, 2]))
        }),
        row("index_select", cube(), |v| {
            v[0].index_select(2, &Tensor::from([3_i64, 3]))
        }),
        row("index_select of nothing", cube(), |v| {
            v[0].index_select(2, &Tensor::from(Vec::<i64>::new()))
        }),
        row("select_rows", cube(), |v| v[0].select_rows(&[1, 1, 0])),
        row("embedding", matrix(), |v| {
            v[0].embedding(&Tensor::from([[3_i64, 3], [0, 1]]), None)
        }),
        row("try_embedding of a sequence, used twice", matrix(), |v| {
            let index = Tensor::from([1_i64, 2, 1]);
            v[0].try_embedding(&index, None).unwrap() * v[0].embedding(&index, None)
        }),
    ]
}
