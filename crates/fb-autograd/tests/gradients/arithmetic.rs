//! Operations of two operands: operators, choices, powers and products.

use super::{Row, between, normal, row};
use fb_autograd::Var;
use fb_tensor::ops::unary;
use fb_tensor::{Shape, Tensor};

/// Shapes that broadcast, either way and both ways.
fn shapes() -> [(Shape, Shape); 6] {
    [
        ([2, 3].into(), [2, 3].into()),
        ([2, 3].into(), [3].into()),
        ([3].into(), [2, 3].into()),
        ([2, 1].into(), [1, 3].into()),
        (Shape::SCALAR, [2, 3].into()),
        ([4, 1, 3].into(), [2, 1].into()),
    ]
}

fn pairs(rows: &mut Vec<Row>, name: &'static str, f: fn(&Var<f64>, &Var<f64>) -> Var<f64>) {
    for (a, b) in shapes() {
        // Positive and away from 0: a base of a power and a divisor must be.
        let inputs = [between("left", a, 0.4, 2.0), between("right", b, 0.5, 2.5)];
        rows.push(row(name, inputs, move |v| f(&v[0], &v[1])));
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    pairs(&mut rows, "add", |a, b| a + b);
    pairs(&mut rows, "sub", |a, b| a - b);
    pairs(&mut rows, "mul", |a, b| a * b);
    pairs(&mut rows, "div", |a, b| a / b);
    pairs(&mut rows, "pow", |a, b| a.pow(b));
    pairs(&mut rows, "maximum", |a, b| a.maximum(b));
    pairs(&mut rows, "minimum", |a, b| a.minimum(b));
    pairs(&mut rows, "where_", |a, b| {
        Var::where_(&Tensor::from([true, false, true]), a, b)
    });
    pairs(&mut rows, "where_ of a tall condition", |a, b| {
        Var::where_(&Tensor::from([[true], [false]]), a, b)
    });
    for shape in [Shape::from([2, 3]), [4].into()] {
        let mut push = |name, f: fn(&Var<f64>, &Var<f64>) -> Var<f64>| {
            let inputs = [normal("gate", shape), normal("values", shape)];
            rows.push(row(name, inputs, move |v| f(&v[0], &v[1])));
        };
        push("sigmoid_mul", |a, b| a.sigmoid_mul(b));
        push("silu_mul", |a, b| a.silu_mul(b));
        push("gelu_mul", |a, b| a.gelu_mul(b));
        push("gelu_tanh_mul", |a, b| a.gelu_tanh_mul(b));
        push("silu_mul with itself", |a, b| a.silu_mul(a) * b);
        push("gelu_mul by a constant", |a, b| {
            a.gelu_mul(&Var::constant(b.tensor().ones_like() * 0.7)) * b
        });
    }
    let x = || normal("x", [2, 3]);
    rows.push(row("neg", [x()], |v| -&v[0]));
    rows.push(row("add a number", [x()], |v| &v[0] + 0.5));
    rows.push(row("sub a number", [x()], |v| &v[0] - 0.5));
    rows.push(row("mul by a number", [x()], |v| &v[0] * 0.5));
    rows.push(row("div by a number", [x()], |v| &v[0] / 0.5));
    rows.push(row("mul of a variable with itself", [x()], |v| {
        &v[0] * &v[0]
    }));
    rows.push(row("sub of a variable from itself", [x()], |v| {
        &v[0].square() - &v[0]
    }));
    rows.push(row("mul by a constant", [x()], |v| {
        &v[0] * &Var::constant(normal("c", [3]))
    }));
    rows.push(row(
        "div of a constant",
        [between("d", [2, 3], 0.5, 2.0)],
        |v| &Var::constant(normal("c", [4, 1, 1])) / &v[0],
    ));
    rows.extend(products());
    rows
}

fn products() -> Vec<Row> {
    let mut rows = Vec::new();
    let shapes: [(Shape, Shape); 9] = [
        ([2, 3].into(), [3, 4].into()),
        ([3].into(), [3, 4].into()),
        ([2, 3].into(), [3].into()),
        ([3].into(), [3].into()),
        ([5, 2, 3].into(), [3, 4].into()),
        ([2, 3].into(), [5, 3, 4].into()),
        ([5, 2, 3].into(), [5, 3, 4].into()),
        ([2, 1, 2, 3].into(), [5, 3, 4].into()),
        ([5, 2, 3].into(), [3].into()),
    ];
    for (a, b) in shapes {
        rows.push(row("matmul", [normal("a", a), normal("b", b)], |v| {
            v[0].matmul(&v[1])
        }));
    }
    rows.push(row(
        "matmul of a vector with a stack",
        [normal("a", [3]), normal("b", [2, 3, 2])],
        |v| v[0].matmul(&v[1]),
    ));
    rows.push(row(
        "matmul of a variable with itself",
        [normal("a", [3, 3])],
        |v| v[0].matmul(&v[0]),
    ));
    for x in [Shape::from([3]), [4, 3].into(), [2, 4, 3].into()] {
        let operands = || [normal("x", x), normal("w", [3, 2]), normal("b", [2])];
        rows.push(row("linear", operands(), |v| {
            v[0].linear(&v[1], Some(&v[2]))
        }));
        rows.push(row("linear without bias", &operands()[..2], |v| {
            v[0].linear(&v[1], None)
        }));
        rows.push(row("linear_then sigmoid", operands(), |v| {
            v[0].linear_then(&v[1], Some(&v[2]), unary::Sigmoid {})
        }));
        rows.push(row("linear_then silu", operands(), |v| {
            v[0].linear_then(&v[1], Some(&v[2]), unary::Silu {})
        }));
        rows.push(row("linear_then without bias", &operands()[..2], |v| {
            v[0].linear_then(&v[1], None, unary::Tanh {})
        }));
        let with_residual = || {
            let [x, w, b] = operands();
            let residual = normal("residual", x.linear(&w, None).shape().to_vec());
            [x, w, b, residual]
        };
        rows.push(row("linear_add", with_residual(), |v| {
            v[0].linear_add(&v[1], Some(&v[2]), &v[3])
        }));
        rows.push(row("linear_add without bias", with_residual(), |v| {
            v[0].linear_add(&v[1], None, &v[3])
        }));
        rows.push(row("linear of a constant", &operands()[1..], move |v| {
            Var::constant(normal("x", x)).linear(&v[0], Some(&v[1]))
        }));
        rows.push(row("linear by constants", &operands()[..1], |v| {
            v[0].linear(
                &Var::constant(normal("w", [3, 2])),
                Some(&Var::constant(normal("b", [2]))),
            )
        }));
    }
    rows.push(row(
        "linear with one weight at many steps",
        [normal("x", [2, 3]), normal("w", [3, 3])],
        |v| {
            let step = |x: Var<f64>| x.linear(&v[1], None).tanh();
            step(step(step(v[0].clone()))).matmul(&v[1])
        },
    ));
    rows
}
