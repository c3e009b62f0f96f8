use crate::support::{assert_close, cases};
use fb_tensor::random::Key;
use fb_tensor::recurrent::{Recurrence, ScanGradients, Scanned, Steps, scan};
use fb_tensor::{Float, Tensor, sum_of_products, threads};
use proptest::collection::vec;
use proptest::prelude::*;

const ALL: [Recurrence; 5] = [
    Recurrence::ElmanTanh,
    Recurrence::ElmanRelu,
    Recurrence::Lstm,
    Recurrence::Gru { reset_after: true },
    Recurrence::Gru { reset_after: false },
];

fn normal(name: &str, shape: &[usize], scale: f64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, scale, &mut Key::new(5).fold(name).rng())
}

/// Operands of a scan: `[batch, time, gates · hidden]`, weight, bias, states.
struct Operands<F: Float> {
    x: Tensor<F>,
    weight: Tensor<F>,
    bias: Tensor<F>,
    state: Vec<Tensor<F>>,
}

impl Operands<f64> {
    fn new(recurrence: Recurrence, [batch, time, hidden]: [usize; 3]) -> Self {
        let width = recurrence.gates() * hidden;
        Self {
            x: normal("x", &[batch, time, width], 1.0),
            weight: normal("weight", &[hidden, width], 1.0 / (hidden as f64).sqrt()),
            bias: normal("bias", &[hidden], 1.0),
            state: (0..recurrence.registers())
                .map(|i| normal(&format!("state{i}"), &[batch, hidden], 1.0))
                .collect(),
        }
    }

    fn narrow(&self) -> Operands<f32> {
        Operands {
            x: self.x.to_f32(),
            weight: self.weight.to_f32(),
            bias: self.bias.to_f32(),
            state: self.state.iter().map(|state| state.to_f32()).collect(),
        }
    }
}

impl<F: Float> Operands<F> {
    fn scan(&self, recurrence: Recurrence, steps: &Steps) -> Scanned<F> {
        let bias = recurrence.takes_bias().then_some(&self.bias);
        let state: Vec<_> = self.state.iter().collect();
        let packed = steps.pack(&self.x).unwrap();
        scan(recurrence, packed, &self.weight, bias, &state, steps, true).unwrap()
    }
}

/// One sequence by the formulas, a number at a time: its outputs and last states.
fn by_formula(
    recurrence: Recurrence,
    x: &[Vec<f64>],
    weight: &Tensor<f64>,
    bias: &[f64],
    mut state: Vec<Vec<f64>>,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let n = weight.dim(0);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut outputs = Vec::new();
    for x in x {
        let h = state[0].clone();
        let sum = |gate: usize, j: usize, h: &[f64]| -> f64 {
            (0..n).map(|k| h[k] * weight.at(&[k, gate * n + j])).sum()
        };
        let gate = |gate: usize, j: usize| x[gate * n + j] + sum(gate, j, &h);
        for j in 0..n {
            state[0][j] = match recurrence {
                Recurrence::ElmanTanh => gate(0, j).tanh(),
                Recurrence::ElmanRelu => gate(0, j).max(0.0),
                Recurrence::Lstm => {
                    let kept = sigmoid(gate(1, j)) * state[1][j];
                    state[1][j] = kept + sigmoid(gate(0, j)) * gate(2, j).tanh();
                    sigmoid(gate(3, j)) * state[1][j].tanh()
                }
                Recurrence::Gru { reset_after } => {
                    let z = sigmoid(gate(1, j));
                    let inner = if reset_after {
                        sigmoid(gate(0, j)) * (sum(2, j, &h) + bias[j])
                    } else {
                        let reset: Vec<f64> = (0..n).map(|k| sigmoid(gate(0, k)) * h[k]).collect();
                        sum(2, j, &reset)
                    };
                    (1.0 - z) * (x[2 * n + j] + inner).tanh() + z * h[j]
                }
                other => panic!("no formula for {other:?}"),
            };
        }
        outputs.push(state[0].clone());
    }
    (outputs, state)
}

/// All gradients of ⟨outputs, weights⟩, the one by the recurrent weight multiplied out.
fn gradients<F: Float>(scanned: &Scanned<F>) -> Vec<Tensor<F>> {
    let shape = *scanned.outputs().shape();
    let by_outputs = Tensor::from_fn(shape, |at| {
        F::from_f64((at[0] * 7 + at[1] * 3) as f64 % 5.0 - 2.0)
    });
    let ScanGradients {
        projected,
        products,
        weight,
        bias,
        state,
    } = scanned.backward(&by_outputs, true);
    let weight = weight.or_else(|| (!products.is_empty()).then(|| sum_of_products(&products)));
    let mut all = vec![projected];
    all.extend(weight);
    all.extend(bias);
    all.extend(state);
    all
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn scans_are_what_the_formulas_say(
        lengths in vec(0_usize..7, 0..9), hidden in prop_oneof![1_usize..6, Just(16), Just(35)],
        which in 0_usize..5, reversed in any::<bool>(),
    ) {
        let (recurrence, time, batch) = (ALL[which], 6, lengths.len());
        let wide = Operands::new(recurrence, [batch, time, hidden]);
        let steps = Steps::ragged(&lengths, time).unwrap();
        let steps = if reversed { steps.reversed() } else { steps };
        let scanned = wide.narrow().scan(recurrence, &steps);
        let rows = steps.rows();
        let outputs = steps.unpack(&scanned.outputs().slice(0, 0..rows)).unwrap();
        for (i, &length) in lengths.iter().enumerate() {
            let line = |t: usize| wide.x.index_axis(0, i).index_axis(0, t).to_vec();
            let time_of = |step: usize| if reversed { length - 1 - step } else { step };
            let x: Vec<_> = (0..length).map(|step| line(time_of(step))).collect();
            let state = wide.state.iter().map(|state| state.index_axis(0, i).to_vec()).collect();
            let (want, last) = by_formula(recurrence, &x, &wide.weight, &wide.bias.to_vec(), state);
            for t in 0..time {
                for j in 0..hidden {
                    let got = f64::from(outputs.at(&[i, t, j]));
                    let want = if t < length { want[time_of(t)][j] } else { 0.0 };
                    assert_close(got, want, 1e-4);
                }
            }
            for (register, last) in last.iter().enumerate() {
                for (j, &want) in last.iter().enumerate() {
                    let got = scanned.outputs().at(&[rows + register * batch + i, j]);
                    assert_close(f64::from(got), want, 1e-4);
                }
            }
        }
        // The gradients of f64 are held against differences in fb-autograd.
        let wide = gradients(&wide.scan(recurrence, &steps));
        for (got, want) in gradients(&scanned).iter().zip(&wide) {
            prop_assert_eq!(got.shape(), want.shape());
            for (got, want) in got.iter().zip(want.iter()) {
                assert_close(f64::from(got), want, 1e-3);
            }
        }
    }

    #[test]
    fn packing_and_back_keeps_what_is_not_padding(
        lengths in vec(0_usize..5, 0..6), inner in vec(0_usize..4, 0..3), reversed in any::<bool>(),
    ) {
        let shape = [&[lengths.len(), 4], &inner[..]].concat();
        let x = Tensor::<f32>::from_fn(&*shape, |at| {
            at.iter().fold(1, |sum, &i| sum * 7 + i) as f32
        });
        let steps = Steps::ragged(&lengths, 4).unwrap();
        let steps = if reversed { steps.reversed() } else { steps };
        let packed = steps.pack(&x).unwrap();
        prop_assert_eq!(packed.dim(0), lengths.iter().sum::<usize>());
        let real = Tensor::from_fn(&*shape, |at| f32::from(at[1] < lengths[at[0]]));
        prop_assert_eq!(steps.unpack(&packed).unwrap(), &x * &real);
    }
}

/// A batch that is split between threads, with rows that end early.
fn large(recurrence: Recurrence) -> (Operands<f32>, Vec<usize>) {
    let lengths: Vec<usize> = (0..37).map(|i| 1 + (i * 11) % 13).collect();
    let wide = Operands::new(recurrence, [lengths.len(), 13, 64]);
    (wide.narrow(), lengths)
}

#[test]
fn threads_change_no_bit() {
    for recurrence in ALL {
        let (operands, lengths) = large(recurrence);
        let steps = Steps::ragged(&lengths, 13).unwrap();
        let run = |count| {
            threads::scope_with(count, || {
                let scanned = operands.scan(recurrence, &steps);
                let mut all = gradients(&scanned);
                all.push(scanned.outputs().clone());
                all
            })
        };
        let (one, three) = (run(1), run(3));
        for (one, three) in one.iter().zip(&three) {
            assert_eq!(one.to_vec(), three.to_vec(), "{recurrence:?}");
        }
    }
}

#[test]
fn pieces_and_single_rows_give_the_bits_of_the_whole() {
    for recurrence in ALL {
        let (operands, lengths) = large(recurrence);
        let (time, batch) = (13, lengths.len());
        let steps = Steps::even(batch, time);
        let whole = operands.scan(recurrence, &steps);
        let whole = steps
            .unpack(&whole.outputs().slice(0, 0..steps.rows()))
            .unwrap();
        for row in [0, 5, batch - 1] {
            let one = |t: &Tensor| t.slice(0, row..row + 1);
            let mut state: Vec<_> = operands.state.iter().map(one).collect();
            for (from, to) in [(0, 1), (1, 2), (2, 9), (9, 13)] {
                let steps = Steps::even(1, to - from);
                let piece = Operands {
                    x: one(&operands.x).slice(1, from..to),
                    weight: operands.weight.clone(),
                    bias: operands.bias.clone(),
                    state,
                };
                let scanned = piece.scan(recurrence, &steps);
                let got = scanned.outputs().slice(0, 0..to - from);
                let want = one(&whole).slice(1, from..to);
                assert_eq!(got.to_vec(), want.to_vec(), "{recurrence:?}");
                state = (0..recurrence.registers())
                    .map(|i| scanned.outputs().slice(0, to - from + i..to - from + i + 1))
                    .collect();
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let operands = Operands::new(Recurrence::Lstm, [2, 3, 4]).narrow();
    let steps = Steps::even(2, 3);
    let packed = || steps.pack(&operands.x).unwrap();
    let error = |recurrence, x: Tensor, weight: &Tensor, bias, state: &[&Tensor]| {
        scan(recurrence, x, weight, bias, state, &steps, false)
            .unwrap_err()
            .to_string()
    };
    let (weight, lstm) = (&operands.weight, Recurrence::Lstm);
    let (h, c) = (&operands.state[0], &operands.state[1]);
    assert_eq!(
        error(lstm, packed(), weight, None, &[h]),
        "scan: 1 states and 2 do not fit\n  help: an LSTM has two states, other cells have one"
    );
    assert!(error(lstm, packed(), &weight.transpose(), None, &[h, c]).contains("a weight [16, 4]"));
    assert!(
        error(lstm, packed().slice(0, 0..5), weight, None, &[h, c])
            .contains("[5, 16] and [6, 16] do not fit")
    );
    assert!(
        error(lstm, packed(), weight, None, &[h, &c.slice(0, 0..1)]).contains("a state [1, 4]")
    );
    assert!(error(lstm, packed(), weight, Some(&operands.bias), &[h, c]).contains("no bias"));
    assert_eq!(
        Steps::ragged(&[2, 4], 3).unwrap_err().to_string(),
        "steps: sequence 1 has 4 steps, but there is room for 3"
    );
    assert!(steps.pack(&operands.x.slice(0, 0..1)).is_err());
    assert!(steps.unpack(&operands.x).is_err());
    assert!(steps.pack(&Tensor::<f32>::zeros([6])).is_err());
}
