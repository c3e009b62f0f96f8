//! The workloads that are compared with other libraries: names, shapes and losses are those of the programs in
//! `benches/peers`, where each is defined for PyTorch, JAX and others.
//!
//! A training step is forward, loss, backward and Adam with learning rate 0.001.

use fb::nn::feedback::schedule::Unroll;
use fb::nn::layers::{Activation, Dense};
use fb::nn::loss::{BinaryCrossentropy, CrossEntropy};
use fb::nn::optim::Adam;
use fb::nn::{Loss, Sequential};
use fb::tensor::Tensor;
use fb::tensor::random::Key;
use fb::train::{Compile, Inputs, Model, Samples};

/// A named piece of work: making it gives the step to be timed.
pub struct Workload {
    /// The name, as on the command line and in the peers' programs.
    pub name: &'static str,
    make: fn() -> fb::Result<Step>,
}

/// One repetition of a workload.
pub type Step = Box<dyn FnMut() + Send>;

impl Workload {
    /// Sets the workload up.
    ///
    /// # Errors
    /// A network of the workload cannot be built.
    pub fn prepare(&self) -> fb::Result<Step> {
        (self.make)()
    }
}

/// All workloads.
pub const ALL: [Workload; 5] = [
    Workload {
        name: "xor_step",
        make: xor_step,
    },
    Workload {
        name: "mlp",
        make: mlp,
    },
    Workload {
        name: "feedback",
        make: feedback,
    },
    Workload {
        name: "gemm_256",
        make: || Ok(gemm(256)),
    },
    Workload {
        name: "gemm_1024",
        make: || Ok(gemm(1024)),
    },
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.iter().find(|workload| workload.name == name)
}

fn normal<const N: usize>(shape: [usize; N], seed: u64) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
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

/// 64 → 128 → 128 → 10 with output → hidden1 and hidden2 → hidden1, 20 iterations, 32 samples.
fn feedback() -> fb::Result<Step> {
    let network = Sequential::input([64])
        .layer("hidden1", Dense::new(128).activation(Activation::Tanh))
        .layer("hidden2", Dense::new(128).activation(Activation::Tanh))
        .layer("output", Dense::new(10))
        .feedback("output", "hidden1")
        .feedback("hidden2", "hidden1")
        .schedule(Unroll::iterations(20));
    let samples = Samples {
        inputs: Inputs::Float(normal([32, 64], 2)),
        targets: labels(32).into(),
    };
    train(network, CrossEntropy, samples)
}

fn gemm(n: usize) -> Step {
    let (a, b) = (normal([n, n], 3), normal([n, n], 4));
    Box::new(move || {
        std::hint::black_box(a.matmul(&b));
    })
}
