//! Normalisations, by their input, weight and bias.

use super::{Row, between, normal, row};
use fb_autograd::Var;
use fb_tensor::Tensor;

const EPSILON: f64 = 1e-3;

/// Numbers for each of the last axis' positions: `x`, `weight`, `bias`.
fn operands(shape: &[usize]) -> Vec<Tensor<f64>> {
    let width = shape[shape.len() - 1];
    vec![
        normal("x", shape),
        normal("weight", [width]),
        normal("bias", [width]),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for shape in [&[5][..], &[4, 3], &[2, 3, 4]] {
        let (all, x) = (operands(shape), || [normal("x", shape)]);
        rows.push(row("layer_norm", all.clone(), |v| {
            v[0].layer_norm(Some(&v[1]), Some(&v[2]), EPSILON)
        }));
        rows.push(row("layer_norm alone", x(), |v| {
            v[0].layer_norm(None, None, EPSILON)
        }));
        rows.push(row("layer_norm beside its input", x(), |v| {
            v[0].layer_norm(None, None, EPSILON) * &v[0] + v[0].square()
        }));
        rows.push(row("rms_norm", &all[..2], |v| {
            v[0].rms_norm(Some(&v[1]), EPSILON)
        }));
        rows.push(row("rms_norm alone", x(), |v| v[0].rms_norm(None, EPSILON)));
        rows.push(row(
            "add_layer_norm",
            [&all[..], &[normal("residual", shape)]].concat(),
            |v| {
                let (sum, y) = v[0].add_layer_norm(&v[3], Some(&v[1]), Some(&v[2]), EPSILON);
                sum.square() + y
            },
        ));
        if shape.len() == 1 {
            continue;
        }
        rows.push(row("batch_norm", all.clone(), |v| {
            v[0].batch_norm(Some(&v[1]), Some(&v[2]), EPSILON).0
        }));
        rows.push(row("batch_norm alone", x(), |v| {
            v[0].batch_norm(None, None, EPSILON).0 * &v[0]
        }));
        let width = shape[shape.len() - 1];
        rows.push(row("batch_norm_with", all.clone(), move |v| {
            let mean = normal("mean", [width]);
            let variance = between("variance", [width], 0.3, 2.0);
            v[0].batch_norm_with(&mean, &variance, Some(&v[1]), Some(&v[2]), EPSILON)
        }));
    }
    rows.push(row(
        "layer_norm of a constant",
        &operands(&[4, 3])[1..],
        |v| Var::constant(normal("x", [4, 3])).layer_norm(Some(&v[0]), Some(&v[1]), EPSILON),
    ));
    for (groups, shape) in [(1, &[3, 2, 4][..]), (2, &[2, 3, 2, 6]), (4, &[2, 5, 4])] {
        rows.push(row("group_norm", operands(shape), move |v| {
            v[0].group_norm(groups, Some(&v[1]), Some(&v[2]), EPSILON)
        }));
    }
    rows.push(row("group_norm alone", [normal("x", [3, 6])], |v| {
        v[0].group_norm(2, None, None, EPSILON)
    }));
    rows
}
