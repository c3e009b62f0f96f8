//! Burn's modules and Adam on its flex backend.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{
    Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm, LstmConfig,
    PaddingConfig2d, Relu,
};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{gelu_approximate, sigmoid, softmax};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use std::hint::black_box;

use crate::products::{self, Product};
use crate::timing::Session;

#[derive(Module, Debug)]
struct ThreeLinears {
    first: Linear,
    second: Linear,
    third: Linear,
}

#[derive(Module, Debug)]
struct Chain {
    layers: Vec<Linear>,
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    norm2: LayerNorm,
    queries_keys_values: Linear,
    mix: Linear,
    up: Linear,
    down: Linear,
}

#[derive(Module, Debug)]
struct Gpt {
    tokens: Embedding,
    positions: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

#[derive(Module, Debug)]
struct LstmNet {
    recurrent: Lstm,
    head: Linear,
}

#[derive(Module, Debug)]
struct GruNet {
    recurrent: Gru,
    head: Linear,
}

#[derive(Module, Debug)]
struct ConvNet {
    first: Conv2d,
    second: Conv2d,
    hidden: Linear,
    head: Linear,
}

#[derive(Module, Debug)]
struct Feedback {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
    output_to_hidden1: Linear,
    hidden2_to_hidden1: Linear,
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

fn classes(count: usize) -> Tensor<1, Int> {
    let labels: Vec<i64> = (0..count).map(|i| (i * 7 % 10) as i64).collect();
    Tensor::from_ints(TensorData::from(labels.as_slice()), &device())
}

fn linear(inputs: usize, outputs: usize) -> Linear {
    LinearConfig::new(inputs, outputs).init(&device())
}

fn edge(inputs: usize, outputs: usize) -> Linear {
    LinearConfig::new(inputs, outputs)
        .with_bias(false)
        .init(&device())
}

fn cross_entropy(logits: Tensor<2>, target: &Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new()
        .init(&logits.device())
        .forward(logits, target.clone())
}

fn squared_error(output: Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
    (output - target.clone()).powi_scalar(2).mean()
}

/// Times forward, backward and the Adam step of `module` under `loss`.
fn train<M: Module>(session: &Session, work: &str, module: M, loss: impl Fn(&M) -> Tensor<1>) {
    let mut module = Some(module);
    let mut optimizer = AdamConfig::new().init();
    session.time(work, || {
        let current = module.take().expect("put back after every step");
        let gradients = GradientsParams::from_grads(loss(&current).backward(), &current);
        module = Some(optimizer.step(1e-3, current, gradients));
    });
}

pub(crate) fn run(session: &Session) {
    let works: [(&str, fn(&Session, &str)); 14] = [
        ("gemm_256", |s, work| product(s, work, Product::square(256))),
        ("gemm_1024", |s, work| {
            product(s, work, Product::square(1024))
        }),
        ("xor_step", xor_step),
        ("mlp", mlp),
        ("deep_small", deep_small),
        ("feedback", feedback),
        ("lstm", lstm),
        ("lstm_small", lstm_small),
        ("gru", gru),
        ("conv", conv),
        ("gpt", gpt),
        ("softmax_4m", |s, work| one_pass(s, work, |x| softmax(x, 1))),
        ("tanh_4m", |s, work| one_pass(s, work, Tensor::tanh)),
        ("layernorm_4m", layernorm_4m),
    ];
    for (work, body) in works {
        if session.wants(work, None) {
            body(session, work);
        }
    }
    for (work, sizes) in products::training() {
        if session.wants(&work, Some(products::GROUP)) {
            product(session, &work, sizes);
        }
    }
}

fn product(session: &Session, work: &str, sizes: Product) {
    let (a, b) = (normal(sizes.a), normal(sizes.b));
    let a = if sizes.a_across { a.transpose() } else { a };
    let b = if sizes.b_across { b.transpose() } else { b };
    session.time(work, || {
        black_box(a.clone().matmul(b.clone()).into_data());
    });
}

/// Squared error stands in for binary cross-entropy, which Burn offers for integer targets only.
fn xor_step(session: &Session, work: &str) {
    let (x, y) = (normal([1, 2]), normal([1, 1]));
    let net = ThreeLinears {
        first: linear(2, 2),
        second: linear(2, 2),
        third: linear(2, 1),
    };
    train(session, work, net, |net| {
        let hidden = sigmoid(net.second.forward(sigmoid(net.first.forward(x.clone()))));
        squared_error(sigmoid(net.third.forward(hidden)), &y)
    });
}

fn mlp(session: &Session, work: &str) {
    let (x, y) = (normal([128, 784]), classes(128));
    let net = ThreeLinears {
        first: linear(784, 512),
        second: linear(512, 512),
        third: linear(512, 10),
    };
    let relu = Relu::new();
    train(session, work, net, |net| {
        let hidden = relu.forward(
            net.second
                .forward(relu.forward(net.first.forward(x.clone()))),
        );
        cross_entropy(net.third.forward(hidden), &y)
    });
}

fn deep_small(session: &Session, work: &str) {
    let (x, y) = (normal([8, 16]), normal([8, 16]));
    let layers = (0..32).map(|_| linear(16, 16)).collect();
    train(session, work, Chain { layers }, |net| {
        let (last, hidden) = net.layers.split_last().expect("there are 32");
        let hidden = hidden
            .iter()
            .fold(x.clone(), |x, layer| layer.forward(x).tanh());
        squared_error(last.forward(hidden), &y)
    });
}

fn feedback(session: &Session, work: &str) {
    let (x, y) = (normal([32, 64]), classes(32));
    let net = Feedback {
        hidden1: linear(64, 128),
        hidden2: linear(128, 128),
        output: linear(128, 10),
        output_to_hidden1: edge(10, 128),
        hidden2_to_hidden1: edge(128, 128),
    };
    train(session, work, net, |net| {
        let projected = net.hidden1.forward(x.clone());
        let mut output = Tensor::<2>::zeros([32, 10], &projected.device());
        let mut hidden2 = Tensor::<2>::zeros([32, 128], &projected.device());
        for _ in 0..20 {
            let fed =
                net.output_to_hidden1.forward(output) + net.hidden2_to_hidden1.forward(hidden2);
            let hidden1 = (projected.clone() + fed).tanh();
            hidden2 = net.hidden2.forward(hidden1).tanh();
            output = net.output.forward(hidden2.clone());
        }
        cross_entropy(output, &y)
    });
}

fn lstm(session: &Session, work: &str) {
    let (x, y) = (normal([32, 100, 128]), classes(32));
    let net = LstmNet {
        recurrent: LstmConfig::new(128, 256, true).init(&device()),
        head: linear(256, 10),
    };
    train(session, work, net, |net| {
        let (_, state) = net.recurrent.forward(x.clone(), None);
        cross_entropy(net.head.forward(state.hidden), &y)
    });
}

fn lstm_small(session: &Session, work: &str) {
    let (x, y) = (normal([16, 50, 8]), normal([16, 1]));
    let net = LstmNet {
        recurrent: LstmConfig::new(8, 32, true).init(&device()),
        head: linear(32, 1),
    };
    train(session, work, net, |net| {
        let (_, state) = net.recurrent.forward(x.clone(), None);
        squared_error(net.head.forward(state.hidden), &y)
    });
}

fn gru(session: &Session, work: &str) {
    let (x, y) = (normal([32, 100, 128]), classes(32));
    let net = GruNet {
        recurrent: GruConfig::new(128, 256, true).init(&device()),
        head: linear(256, 10),
    };
    train(session, work, net, |net| {
        let states = net.recurrent.forward(x.clone(), None);
        cross_entropy(
            net.head
                .forward(states.narrow(1, 99, 1).squeeze_dim::<2>(1)),
            &y,
        )
    });
}

fn conv(session: &Session, work: &str) {
    let (x, y) = (normal([64, 1, 28, 28]), classes(64));
    let kernel = |inputs, outputs| {
        Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Same)
            .init(&device())
    };
    let net = ConvNet {
        first: kernel(1, 32),
        second: kernel(32, 64),
        hidden: linear(64 * 49, 128),
        head: linear(128, 10),
    };
    let (relu, pool) = (
        Relu::new(),
        MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
    );
    train(session, work, net, |net| {
        let h = pool.forward(relu.forward(net.first.forward(x.clone())));
        let h = pool.forward(relu.forward(net.second.forward(h)));
        cross_entropy(
            net.head
                .forward(relu.forward(net.hidden.forward(h.reshape([64, 64 * 49])))),
            &y,
        )
    });
}

const TIME: usize = 128;
const BATCH: usize = 16;
const WIDTH: usize = 256;
const HEADS: usize = 8;

impl Block {
    fn new() -> Self {
        let norm = || LayerNormConfig::new(WIDTH).init(&device());
        Self {
            norm1: norm(),
            norm2: norm(),
            queries_keys_values: linear(WIDTH, 3 * WIDTH),
            mix: linear(WIDTH, WIDTH),
            up: linear(WIDTH, 4 * WIDTH),
            down: linear(4 * WIDTH, WIDTH),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let parts = self
            .queries_keys_values
            .forward(self.norm1.forward(x.clone()));
        let part = |at: usize| {
            let part = parts.clone().narrow(2, at * WIDTH, WIDTH);
            part.reshape([BATCH, TIME, HEADS, WIDTH / HEADS])
                .swap_dims(1, 2)
        };
        let options = AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        let attended = attention(part(0), part(1), part(2), None, None, options);
        let attended = attended.swap_dims(1, 2).reshape([BATCH, TIME, WIDTH]);
        let x = x + self.mix.forward(attended);
        let hidden = gelu_approximate(self.up.forward(self.norm2.forward(x.clone())));
        x + self.down.forward(hidden)
    }
}

fn gpt(session: &Session, work: &str) {
    let kinds = 256;
    let tokens = |step: usize| -> Tensor<1, Int> {
        let values: Vec<i64> = (0..BATCH * TIME)
            .map(|i| (i * step % kinds) as i64)
            .collect();
        Tensor::from_ints(TensorData::from(values.as_slice()), &device())
    };
    let (x, y) = (tokens(37).reshape([BATCH, TIME]), tokens(91));
    let places = Tensor::<1, Int>::arange(0..TIME as i64, &device()).reshape([1, TIME]);
    let net = Gpt {
        tokens: EmbeddingConfig::new(kinds, WIDTH).init(&device()),
        positions: EmbeddingConfig::new(TIME, WIDTH).init(&device()),
        blocks: (0..4).map(|_| Block::new()).collect(),
        norm: LayerNormConfig::new(WIDTH).init(&device()),
        head: edge(WIDTH, kinds),
    };
    train(session, work, net, |net| {
        let x = net.tokens.forward(x.clone()) + net.positions.forward(places.clone());
        let x = net.blocks.iter().fold(x, |x, block| block.forward(x));
        let logits = net.head.forward(net.norm.forward(x));
        cross_entropy(logits.reshape([BATCH * TIME, kinds]), &y)
    });
}

/// A pass without gradient: on the plain backend, which computes at once.
fn one_pass(session: &Session, work: &str, function: impl Fn(Tensor<2>) -> Tensor<2>) {
    let x = Tensor::random(
        [4096, 1024],
        Distribution::Normal(0.0, 1.0),
        &Device::flex(),
    );
    session.time(work, || {
        black_box(function(x.clone()));
    });
}

fn layernorm_4m(session: &Session, work: &str) {
    let norm = LayerNormConfig::new(1024).init(&Device::flex());
    one_pass(session, work, |x| norm.forward(x));
}
