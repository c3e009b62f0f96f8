//! Training steps of networks.

use super::{Floor, Step, Workload, normal};
use fb::nn::feedback::gradient::Implicit;
use fb::nn::feedback::schedule::{Converge, Unroll};
use fb::nn::feedback::solver::{Anderson, Neumann};
use fb::nn::init::Initializer;
use fb::nn::layers::{
    Activation, Conv2d, Dense, Embedding, Flatten, LayerNorm, LearnedPositions, MaxPool2d,
    TransformerBlock,
};
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
        Workload::new("deq", deq_floor(), deq),
        Workload::new("conv", conv_floor(), conv),
        Workload::new("gpt", gpt_floor(), gpt),
    ]
}

/// Class labels 0 … 9.
pub(super) fn labels(rows: usize) -> Tensor<i64> {
    indices([rows], 10.0, 7)
}

/// Whole numbers from 0 to below `end`.
fn indices<const N: usize>(shape: [usize; N], end: f32, seed: u64) -> Tensor<i64> {
    Tensor::<f32>::uniform(shape, 0.0, f64::from(end), &mut Key::new(seed).rng()).cast()
}

pub(super) fn train(
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

/// 256 → 256 → 10, the first an equilibrium layer `z = tanh(z · W + x · U + b)`, 64 samples: Anderson's method with a memory
/// of 5 to a residual of 1e-3, the implicit gradient to the same.
fn deq() -> fb::Result<Step> {
    let mut network = Sequential::input([256])
        .layer("z", Dense::new(256).activation(Activation::Tanh))
        .layer("output", Dense::new(10))
        .feedback("z", "z")
        .delay(0)
        .schedule(
            Converge::to(1e-3)
                .max_iterations(40)
                .solver(Anderson::default().memory(5)),
        )
        .build()?;
    let weights = [
        ("edge/z->z/weight", Initializer::Orthogonal { gain: 0.7 }),
        (
            "z/weight",
            Initializer::Normal {
                mean: 0.0,
                std: 1.0 / 16.0,
            },
        ),
    ];
    for (name, initializer) in weights {
        let id = network.params().id(name).expect("a name of the network");
        let value = &mut network.params_mut().get_mut(id).value;
        *value = initializer.sample(*value.shape(), &mut Key::new(5).fold(name).rng())?;
    }
    let mut model: Model = network
        .compile(Adam::new(1e-3), CrossEntropy, ())?
        .gradient(
            Implicit::with(Neumann::default())
                .tolerance(1e-3)
                .max_iterations(40),
        );
    let samples = Samples {
        inputs: Inputs::Float(normal([64, 256], 3)),
        targets: labels(64).into(),
    };
    Ok(Box::new(move || {
        model
            .train_batch(&samples)
            .expect("the workload's data fit its network");
    }))
}

/// The input's part once and its weights' gradient; the loop's product 11 times each way and for its weights' gradient; the
/// output.
fn deq_floor() -> Floor {
    let input = Floor::product(64, 256, 256) * 2;
    let turns = Floor::product(64, 256, 256) * (11 + 11 + 1);
    let output = Floor::product(64, 256, 10) * 3;
    input + turns + output + Floor::adam(2 * 256 * 256 + 256 + 256 * 10 + 10)
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

/// 28×28×1, two of (3×3 convolution to 32 and 64 channels, rectifier, 2×2 maxima), 3136 → 128 → 10, 64 samples.
fn conv() -> fb::Result<Step> {
    let convolution = |filters| {
        Conv2d::new(filters, [3, 3])
            .same()
            .activation(Activation::Relu)
    };
    let network = Sequential::input([28, 28, 1])
        .layer("conv1", convolution(32))
        .layer("pool1", MaxPool2d::new([2, 2]))
        .layer("conv2", convolution(64))
        .layer("pool2", MaxPool2d::new([2, 2]))
        .layer("flatten", Flatten)
        .layer("hidden", Dense::new(128).activation(Activation::Relu))
        .layer("output", Dense::new(10));
    let samples = Samples {
        inputs: Inputs::Float(normal([64, 28, 28, 1], 2)),
        targets: labels(64).into(),
    };
    train(network, CrossEntropy, samples)
}

/// A convolution is a product with a row for each position; the first needs no gradient of its input.
fn conv_floor() -> Floor {
    let first = Floor::product(64 * 28 * 28, 9, 32) * 2;
    let second = Floor::product(64 * 14 * 14, 9 * 32, 64) * 3;
    let dense = Floor::product(64, 3136, 128) * 3 + Floor::product(64, 128, 10) * 3;
    let convolved = (9 * 32 + 32) + (9 * 32 * 64 + 64);
    let parameters = convolved + (3136 * 128 + 128) + (128 * 10 + 10);
    first + second + dense + Floor::adam(parameters)
}

/// 4 pre-norm blocks of width 256 with 8 heads, 16 rows of 128 tokens of 256 kinds.
fn gpt() -> fb::Result<Step> {
    let block = || {
        TransformerBlock::decoder(8)
            .activation(Activation::GeluTanh)
            .epsilon(1e-5)
    };
    let network = (1..=4)
        .fold(
            Sequential::indices([128])
                .layer("tokens", Embedding::new(256, 256))
                .layer("positions", LearnedPositions::new()),
            |network, at| network.layer(format!("block{at}"), block()),
        )
        .layer("norm", LayerNorm::new())
        .layer("scores", Dense::new(256).bias(false));
    let samples = Samples {
        inputs: Inputs::Index(indices([16, 128], 256.0, 8)),
        targets: indices([16, 128], 256.0, 9).into(),
    };
    train(network, CrossEntropy, samples)
}

/// Attention counts the pairs of a position with itself and those before it: two products forward, four back.
fn gpt_floor() -> Floor {
    let (rows, time, width, vocabulary) = (16, 128, 256, 256);
    let tokens = rows * time;
    let dense = Floor::product(tokens, width, 4 * width)
        + Floor::product(tokens, width, 4 * width)
        + Floor::product(tokens, 4 * width, width);
    let attention = Floor::product(rows * time * (time + 1) / 2, width, 1) * 6;
    let block = 12 * width * width + (4 + 4 + 1) * width + 4 * width;
    let parameters = 4 * block + (vocabulary + time) * width + 2 * width + vocabulary * width;
    (dense * 3 + attention) * 4
        + Floor::product(tokens, width, vocabulary) * 3
        + Floor::adam(parameters)
}
