//! Recurrent cells along sequences.

use super::training::{labels, train};
use super::{Floor, Step, Workload, normal};
use fb::autograd::Var;
use fb::nn::cell::{Cell, CellState};
use fb::nn::layers::{Dense, Gru, Lstm, Recurrent};
use fb::nn::loss::{CrossEntropy, MeanSquaredError};
use fb::nn::module::{Scope, Spec};
use fb::nn::{Context, Sequential};
use fb::tensor::Tensor;
use fb::tensor::random::Key;
use fb::train::{Inputs, Samples};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload::new("lstm", floor(32, 100, [128, 256, 10], 4), || {
            classes(Lstm::new(256))
        }),
        Workload::new("lstm_small", floor(16, 50, [8, 32, 1], 4), lstm_small),
        Workload::new("gru", floor(32, 100, [128, 256, 10], 3), || {
            classes(Gru::new(256))
        }),
        Workload::new("lstm_infer_b1", infer_floor(), lstm_infer_b1),
    ]
}

/// A cell over `time` steps of `rows` sequences and a dense layer on its last output: forward, gradients of weights, and those
/// of what is not data.
fn floor(rows: u64, time: u64, [inputs, hidden, outputs]: [u64; 3], gates: u64) -> Floor {
    let given = Floor::product(rows * time, inputs, gates * hidden) * 2;
    let recurrent = Floor::product(rows * time, hidden, gates * hidden) * 3;
    let weights = (inputs + hidden + 1) * gates * hidden + (hidden + 1) * outputs;
    given + recurrent + Floor::product(rows, hidden, outputs) * 3 + Floor::adam(weights)
}

/// 128 → 256 over 100 steps, 256 → 10 on the last output, 32 samples.
fn classes(recurrent: Recurrent) -> fb::Result<Step> {
    let network = Sequential::input([100, 128])
        .layer("memory", recurrent.last())
        .layer("output", Dense::new(10));
    let samples = Samples {
        inputs: Inputs::Float(normal([32, 100, 128], 2)),
        targets: labels(32).into(),
    };
    train(network, CrossEntropy, samples)
}

/// 8 → 32 over 50 steps, 32 → 1 on the last output, 16 samples.
fn lstm_small() -> fb::Result<Step> {
    let network = Sequential::input([50, 8])
        .layer("memory", Lstm::new(32).last())
        .layer("output", Dense::new(1));
    let samples = Samples {
        inputs: Inputs::Float(normal([16, 50, 8], 2)),
        targets: normal([16, 1], 3).into(),
    };
    train(network, MeanSquaredError, samples)
}

/// One step of a cell 64 → 128 for one sample.
fn lstm_infer_b1() -> fb::Result<Step> {
    let mut scope = Scope::new(Key::new(1));
    scope.enter("memory");
    let module = Lstm::new(128).module::<f32>(&mut scope, &[Spec::float([1, 64])])?;
    let params = scope.into_params();
    let x = Var::constant(normal([1, 64], 2));
    let zeros = || Var::constant(Tensor::zeros([1, 128]));
    let state = CellState::new(vec![zeros(), zeros()]);
    Ok(Box::new(move || {
        let cell: &dyn Cell<f32> = module.cells().next().expect("one level");
        let mut cx = Context::eval(&params);
        let projected = cell.project(&mut cx, &x).expect("the input fits");
        let next = cell.step(&mut cx, projected, &state);
        std::hint::black_box(next.expect("the state fits"));
    }))
}

fn infer_floor() -> Floor {
    Floor::product(1, 64 + 128, 4 * 128)
}
