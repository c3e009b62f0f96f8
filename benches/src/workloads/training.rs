//! Training steps of networks.

use super::{Floor, Step, Workload, normal};
use fb::nn::feedback::schedule::Unroll;
use fb::nn::layers::{Activation, Dense};
use fb::nn::loss::{BinaryCrossentropy, CrossEntropy, MeanSquaredError};
use fb::nn::optim::Adam;
use fb::nn::{Loss, Sequential};
use fb::tensor::Tensor;
use fb::tensor::random::Key;
use fb::train::{Compile, Inputs, Model, Samples};

pub(super) fn all() -> Vec<Workload> {
    vec![
        Workload::new("xor_step", Floor::dense_chain(1, &[2, 2, 2, 1]), xor_step),
        Workload::new("mlp", Floor::dense_chain(128, &[784, 512, 512, 10]), mlp),
        Workload::new("deep_small", Floor::dense_chain(8, &[16; 33]), deep_small),
        Workload::new("feedback", feedback_floor(), feedback),
    ]
}

/// Class labels 0 … 9.
fn labels(rows: usize) -> Tensor<i64> {
    Tensor::<f32>::uniform([rows], 0.0, 10.0, &mut Key::new(7).rng()).cast()
}

fn train(
    network: Sequential,
    loss: impl Loss<f32> + 'static,
    samples: Samples,
) -> fb::Result<Step> {
    let mut model: Model = network.build()?.compile(Adam::new(1e-3), loss, ())?;
    Ok(Box::new(move || {
        model
            .train_batch(&samples)
            .expect("the workload's data fit its network");
    }))
}

/// 2 → 2 → 2 → 1 with sigmoids, one sample: what a step costs beside its arithmetic.
fn xor_step() -> fb::Result<Step> {
    let network = Sequential::input([2])
        .layer("hidden1", Dense::new(2).activation(Activation::Sigmoid))
        .layer("hidden2", Dense::new(2).activation(Activation::Sigmoid))
        .layer("output", Dense::new(1).activation(Activation::Sigmoid));
    let samples = Samples {
        inputs: Inputs::Float(Tensor::from([[0.0, 1.0]])),
        targets: Tensor::from([[1.0]]).into(),
    };
    train(network, BinaryCrossentropy, samples)
}

/// 784 → 512 → 512 → 10 with rectifiers, 128 samples.
fn mlp() -> fb::Result<Step> {
    let network = Sequential::input([784])
        .layer("hidden1", Dense::new(512).activation(Activation::Relu))
        .layer("hidden2", Dense::new(512).activation(Activation::Relu))
        .layer("output", Dense::new(10));
    let samples = Samples {
        inputs: Inputs::Float(normal([128, 784], 1)),
        targets: labels(128).into(),
    };
    train(network, CrossEntropy, samples)
}

/// 32 layers of 16 units, tanh after each but the last, 8 samples: what a layer costs beside its arithmetic.
fn deep_small() -> fb::Result<Step> {
    let hidden = |at| {
        (
            format!("hidden{at}"),
            Dense::new(16).activation(Activation::Tanh),
        )
    };
    let network = (1..32)
        .map(hidden)
        .fold(Sequential::input([16]), |network, (name, layer)| {
            network.layer(&name, layer)
        })
        .layer("output", Dense::new(16));
    let samples = Samples {
        inputs: Inputs::Float(normal([8, 16], 1)),
        targets: normal([8, 16], 2).into(),
    };
    train(network, MeanSquaredError, samples)
}

/// The iterations of `feedback`.
const ITERATIONS: u64 = 20;

/// 64 → 128 → 128 → 10 with output → hidden1 and hidden2 → hidden1, 20 iterations, 32 samples.
fn feedback() -> fb::Result<Step> {
    let network = Sequential::input([64])
        .layer("hidden1", Dense::new(128).activation(Activation::Tanh))
        .layer("hidden2", Dense::new(128).activation(Activation::Tanh))
        .layer("output", Dense::new(10))
        .feedback("output", "hidden1")
        .feedback("hidden2", "hidden1")
        .schedule(Unroll::iterations(ITERATIONS as usize));
    let samples = Samples {
        inputs: Inputs::Float(normal([32, 64], 2)),
        targets: labels(32).into(),
    };
    train(network, CrossEntropy, samples)
}

/// The input's part once, hidden2 and the output in each iteration, what is fed back in each but the first, where it is 0.
fn feedback_floor() -> Floor {
    let once = Floor::product(32, 64, 128) * 2;
    let forward = Floor::product(32, 128, 128) + Floor::product(32, 128, 10);
    let back = Floor::product(32, 10, 128) + Floor::product(32, 128, 128);
    let weights = 64 * 128 + 2 * 128 * 128 + 2 * 128 * 10;
    once + forward * 3 * ITERATIONS
        + back * 3 * (ITERATIONS - 1)
        + Floor::adam(weights + 128 + 128 + 10)
}
