//! Scans of every cell over even, ragged and reversed sequences, and packing.

use super::{Row, normal, row};
use fb_autograd::Var;
use fb_tensor::Tensor;
use fb_tensor::recurrent::{Recurrence, Steps};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("pack", [normal("x", [3, 4, 2])], |v| v[0].pack(&ragged())),
        row("pack, reversed", [normal("x", [3, 4, 2])], |v| {
            v[0].pack(&ragged().reversed())
        }),
        row("try_pack", [normal("x", [2, 3])], |v| {
            v[0].try_pack(&Steps::even(2, 3)).unwrap()
        }),
        row("unpack", [normal("x", [7, 2])], |v| v[0].unpack(&ragged())),
        row("unpack, reversed", [normal("x", [7, 2])], |v| {
            v[0].unpack(&ragged().reversed())
        }),
        row("try_unpack", [normal("x", [6])], |v| {
            v[0].try_unpack(&Steps::even(2, 3)).unwrap()
        }),
    ];
    for recurrence in [
        Recurrence::ElmanTanh,
        Recurrence::Lstm,
        Recurrence::Gru { reset_after: true },
        Recurrence::Gru { reset_after: false },
    ] {
        rows.push(scan("scan", recurrence, ragged(), 1));
        rows.push(scan("scan, even", recurrence, Steps::even(2, 3), 1));
        rows.push(scan("scan of steps twice", recurrence, ragged(), 2));
    }
    rows.push(scan(
        "scan, without a bias",
        Recurrence::Gru { reset_after: true },
        ragged(),
        0,
    ));
    // Away from the corner at 0: differences cannot see a derivative there.
    rows.push(row(
        "scan with a rectifier",
        [
            super::between("p", [6, 2], 0.5, 1.0),
            super::between("w", [2, 2], 0.1, 0.4),
            super::between("h", [2, 2], 0.1, 0.4),
        ],
        |v| {
            let steps = Steps::even(2, 3);
            let x = v[0].clone();
            let (outputs, last) = x.scan(Recurrence::ElmanRelu, &v[1], None, &[&v[2]], &steps);
            Var::concat(&[&outputs, &last[0]], 0)
        },
    ));
    rows.push(row("try_scan of constants", [normal("w", [2, 2])], |v| {
        let (x, h) = (normal("p", [6, 2]), normal("h", [2, 2]));
        let (x, h) = (Var::constant(x), Var::constant(h));
        let steps = Steps::even(2, 3);
        x.try_scan(Recurrence::ElmanTanh, &v[0], None, &[&h], &steps)
            .unwrap()
            .0
    }));
    let operands = || {
        [
            normal("input", [7, 2]),
            normal("decay", [7, 2]),
            normal("state", [3, 2]),
        ]
    };
    let both = |(states, last): (Var<f64>, Var<f64>)| Var::concat(&[&states, &last], 0);
    rows.push(row("linear_scan", operands(), move |v| {
        both(v[0].linear_scan(&v[1], &v[2], &ragged()))
    }));
    rows.push(row("try_linear_scan, reversed", operands(), move |v| {
        both(
            v[0].try_linear_scan(&v[1], &v[2], &ragged().reversed())
                .unwrap(),
        )
    }));
    rows
}

/// Three sequences, one of them without a step.
fn ragged() -> Steps {
    Steps::ragged(&[3, 0, 4], 4).unwrap()
}

/// All outputs and last states, after `times` scans of which each starts from where the one before ended.
fn scan(name: &'static str, recurrence: Recurrence, steps: Steps, times: usize) -> Row {
    let hidden = 3;
    let width = recurrence.gates() * hidden;
    let registers = recurrence.registers();
    let biased = recurrence.takes_bias() && times > 0;
    let mut inputs = vec![
        normal("projected", [steps.rows(), width]),
        normal("weight", [hidden, width]) * 0.5,
    ];
    for register in ["h", "c"].iter().take(registers) {
        inputs.push(normal(register, [steps.batch(), hidden]));
    }
    if biased {
        inputs.push(normal("bias", [hidden]));
    }
    row(name, inputs, move |v: &[Var<f64>]| {
        let mut state = v[2..2 + registers].to_vec();
        let bias = biased.then(|| &v[2 + registers]);
        let mut all = Vec::new();
        for _ in 0..times.max(1) {
            let start: Vec<&Var<f64>> = state.iter().collect();
            let (outputs, last) = v[0].clone().scan(recurrence, &v[1], bias, &start, &steps);
            all.push(outputs);
            state = last;
        }
        all.extend(state);
        let weights = Tensor::from_fn([hidden], |at| 1.0 + at[0] as f64);
        Var::concat(&all.iter().collect::<Vec<_>>(), 0) * &Var::constant(weights)
    })
}
