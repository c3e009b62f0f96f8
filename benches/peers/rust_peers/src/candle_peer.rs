//! Candle's layers and AdamW without decay, which is its Adam.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{layer_norm, layer_norm_slow, sigmoid, softmax, softmax_last_dim};
use candle_nn::{
    AdamW, Conv2dConfig, Embedding, GRUConfig, Init, LSTMConfig, Linear, Module, Optimizer,
    ParamsAdamW, RNN, VarBuilder, VarMap, conv2d, embedding, gru as gru_layer, linear,
    linear_no_bias, loss, lstm as lstm_layer,
};
use std::hint::black_box;

use crate::products::{self, Product};
use crate::timing::Session;

const CPU: &Device = &Device::Cpu;

fn normal(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1f32, shape, CPU)
}

fn classes(count: usize) -> Result<Tensor> {
    let labels: Vec<u32> = (0..count).map(|i| (i * 7 % 10) as u32).collect();
    Tensor::from_vec(labels, count, CPU)
}

/// Times forward, backward and the optimizer step; `build` makes the layers and returns the loss to evaluate.
fn train<L: Fn() -> Result<Tensor>>(
    session: &Session,
    work: &str,
    build: impl FnOnce(VarBuilder<'_>) -> Result<L>,
) -> Result<()> {
    let variables = VarMap::new();
    let loss = build(VarBuilder::from_varmap(&variables, DType::F32, CPU))?;
    let parameters = ParamsAdamW {
        lr: 1e-3,
        weight_decay: 0.0,
        ..Default::default()
    };
    let mut optimizer = AdamW::new(variables.all_vars(), parameters)?;
    session.time(work, || {
        loss()
            .and_then(|loss| optimizer.backward_step(&loss))
            .expect("the step has run before");
    });
    Ok(())
}

pub(crate) fn run(session: &Session) {
    let works: [(&str, fn(&Session, &str) -> Result<()>); 14] = [
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
        ("softmax_4m", |s, work| one_pass(s, work, softmax_last_dim)),
        ("tanh_4m", |s, work| one_pass(s, work, Tensor::tanh)),
        ("layernorm_4m", layernorm_4m),
    ];
    for (work, sizes) in products::training() {
        if session.wants(&work, Some(products::GROUP))
            && let Err(error) = product(session, &work, sizes)
        {
            eprintln!("{work}: {error}");
        }
    }
    for (work, body) in works {
        if session.wants(work, None)
            && let Err(error) = body(session, work)
        {
            eprintln!("{work}: {error}");
        }
    }
}

fn product(session: &Session, work: &str, sizes: Product) -> Result<()> {
    let (a, b) = (normal(&sizes.a)?, normal(&sizes.b)?);
    let a = if sizes.a_across { a.t()? } else { a };
    let b = if sizes.b_across { b.t()? } else { b };
    session.time(work, || {
        black_box(a.matmul(&b).expect("matrices that fit"));
    });
    Ok(())
}

/// Squared error stands in for binary cross-entropy, as in the Burn peer.
fn xor_step(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[1, 2])?, normal(&[1, 1])?);
    train(session, work, |v| {
        let layers = [
            linear(2, 2, v.pp("0"))?,
            linear(2, 2, v.pp("1"))?,
            linear(2, 1, v.pp("2"))?,
        ];
        Ok(move || {
            let output = layers
                .iter()
                .try_fold(x.clone(), |h, layer| sigmoid(&layer.forward(&h)?))?;
            loss::mse(&output, &y)
        })
    })
}

fn mlp(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[128, 784])?, classes(128)?);
    train(session, work, |v| {
        let first = linear(784, 512, v.pp("first"))?;
        let second = linear(512, 512, v.pp("second"))?;
        let third = linear(512, 10, v.pp("third"))?;
        Ok(move || {
            let h = second.forward(&first.forward(&x)?.relu()?)?.relu()?;
            loss::cross_entropy(&third.forward(&h)?, &y)
        })
    })
}

fn deep_small(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[8, 16])?, normal(&[8, 16])?);
    train(session, work, |v| {
        let hidden = (1..32)
            .map(|at| linear(16, 16, v.pp(at)))
            .collect::<Result<Vec<_>>>()?;
        let last = linear(16, 16, v.pp("last"))?;
        Ok(move || {
            let hidden = hidden
                .iter()
                .try_fold(x.clone(), |h, layer| layer.forward(&h)?.tanh())?;
            loss::mse(&last.forward(&hidden)?, &y)
        })
    })
}

fn feedback(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[32, 64])?, classes(32)?);
    train(session, work, |v| {
        let first = linear(64, 128, v.pp("hidden1"))?;
        let second = linear(128, 128, v.pp("hidden2"))?;
        let last = linear(128, 10, v.pp("output"))?;
        let output_to_hidden1 = linear_no_bias(10, 128, v.pp("output_to_hidden1"))?;
        let hidden2_to_hidden1 = linear_no_bias(128, 128, v.pp("hidden2_to_hidden1"))?;
        Ok(move || {
            let projected = first.forward(&x)?;
            let mut output = Tensor::zeros((32, 10), DType::F32, CPU)?;
            let mut hidden2 = Tensor::zeros((32, 128), DType::F32, CPU)?;
            for _ in 0..20 {
                let sum = ((&projected + output_to_hidden1.forward(&output)?)?
                    + hidden2_to_hidden1.forward(&hidden2)?)?;
                hidden2 = second.forward(&sum.tanh()?)?.tanh()?;
                output = last.forward(&hidden2)?;
            }
            loss::cross_entropy(&output, &y)
        })
    })
}

fn lstm(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[32, 100, 128])?, classes(32)?);
    train(session, work, |v| {
        let recurrent = lstm_layer(128, 256, LSTMConfig::default(), v.pp("recurrent"))?;
        let head = linear(256, 10, v.pp("head"))?;
        Ok(move || {
            let states = recurrent.seq(&x)?;
            loss::cross_entropy(&head.forward(states[states.len() - 1].h())?, &y)
        })
    })
}

fn lstm_small(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[16, 50, 8])?, normal(&[16, 1])?);
    train(session, work, |v| {
        let recurrent = lstm_layer(8, 32, LSTMConfig::default(), v.pp("recurrent"))?;
        let head = linear(32, 1, v.pp("head"))?;
        Ok(move || {
            let states = recurrent.seq(&x)?;
            loss::mse(&head.forward(states[states.len() - 1].h())?, &y)
        })
    })
}

fn gru(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[32, 100, 128])?, classes(32)?);
    train(session, work, |v| {
        let recurrent = gru_layer(128, 256, GRUConfig::default(), v.pp("recurrent"))?;
        let head = linear(256, 10, v.pp("head"))?;
        Ok(move || {
            let states = recurrent.seq(&x)?;
            loss::cross_entropy(&head.forward(&states[states.len() - 1].h)?, &y)
        })
    })
}

fn conv(session: &Session, work: &str) -> Result<()> {
    let (x, y) = (normal(&[64, 1, 28, 28])?, classes(64)?);
    let same = Conv2dConfig {
        padding: 1,
        ..Default::default()
    };
    train(session, work, |v| {
        let (first, second) = (
            conv2d(1, 32, 3, same, v.pp("first"))?,
            conv2d(32, 64, 3, same, v.pp("second"))?,
        );
        let (hidden, head) = (
            linear(64 * 49, 128, v.pp("hidden"))?,
            linear(128, 10, v.pp("head"))?,
        );
        Ok(move || {
            let h = first.forward(&x)?.relu()?.max_pool2d(2)?;
            let h = second.forward(&h)?.relu()?.max_pool2d(2)?;
            let h = hidden.forward(&h.flatten_from(1)?)?.relu()?;
            loss::cross_entropy(&head.forward(&h)?, &y)
        })
    })
}

const TIME: usize = 128;
const BATCH: usize = 16;
const WIDTH: usize = 256;
const HEADS: usize = 8;

/// Layer normalisation that has a gradient: Candle's fused one has none.
struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(v: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: v.get_with_hints(WIDTH, "weight", Init::Const(1.0))?,
            bias: v.get_with_hints(WIDTH, "bias", Init::Const(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm_slow(x, &self.weight, &self.bias, 1e-5)
    }
}

struct Block {
    norm1: Norm,
    norm2: Norm,
    queries_keys_values: Linear,
    mix: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(v: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            norm1: Norm::new(v.pp("norm1"))?,
            norm2: Norm::new(v.pp("norm2"))?,
            queries_keys_values: linear(WIDTH, 3 * WIDTH, v.pp("queries_keys_values"))?,
            mix: linear(WIDTH, WIDTH, v.pp("mix"))?,
            up: linear(WIDTH, 4 * WIDTH, v.pp("up"))?,
            down: linear(4 * WIDTH, WIDTH, v.pp("down"))?,
        })
    }

    /// `mask` is 0 where a place may be looked at and −∞ elsewhere.
    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let parts = self.queries_keys_values.forward(&self.norm1.forward(x)?)?;
        let part = |at: usize| {
            let part = parts.narrow(2, at * WIDTH, WIDTH)?;
            let heads = part.reshape((BATCH, TIME, HEADS, WIDTH / HEADS))?;
            heads.transpose(1, 2)?.contiguous()
        };
        let scale = 1.0 / ((WIDTH / HEADS) as f64).sqrt();
        let scores = (part(0)?.matmul(&part(1)?.t()?)? * scale)?.broadcast_add(mask)?;
        let attended = softmax(&scores, D::Minus1)?.matmul(&part(2)?)?;
        let attended = attended.transpose(1, 2)?.reshape((BATCH, TIME, WIDTH))?;
        let x = (x + self.mix.forward(&attended)?)?;
        let hidden = self.up.forward(&self.norm2.forward(&x)?)?.gelu()?;
        x + self.down.forward(&hidden)?
    }
}

fn gpt(session: &Session, work: &str) -> Result<()> {
    let kinds = 256;
    let tokens = |step: usize| -> Vec<u32> {
        (0..BATCH * TIME)
            .map(|i| (i * step % kinds) as u32)
            .collect()
    };
    let x = Tensor::from_vec(tokens(37), (BATCH, TIME), CPU)?;
    let y = Tensor::from_vec(tokens(91), BATCH * TIME, CPU)?;
    let places = Tensor::arange(0_u32, TIME as u32, CPU)?;
    let later = |at: usize| at % TIME > at / TIME;
    let mask: Vec<f32> = (0..TIME * TIME)
        .map(|at| if later(at) { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    let mask = Tensor::from_vec(mask, (TIME, TIME), CPU)?;
    train(session, work, |v| {
        let table: Embedding = embedding(kinds, WIDTH, v.pp("tokens"))?;
        let positions = embedding(TIME, WIDTH, v.pp("positions"))?;
        let blocks = (0..4)
            .map(|at| Block::new(v.pp(at)))
            .collect::<Result<Vec<_>>>()?;
        let norm = Norm::new(v.pp("norm"))?;
        let head = linear_no_bias(WIDTH, kinds, v.pp("head"))?;
        Ok(move || {
            let start = table
                .forward(&x)?
                .broadcast_add(&positions.forward(&places)?)?;
            let x = blocks
                .iter()
                .try_fold(start, |x, block| block.forward(&x, &mask))?;
            let logits = head.forward(&norm.forward(&x)?)?;
            loss::cross_entropy(&logits.reshape((BATCH * TIME, kinds))?, &y)
        })
    })
}

fn one_pass(
    session: &Session,
    work: &str,
    function: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    let x = normal(&[4096, 1024])?;
    session.time(work, || {
        black_box(function(&x).expect("the pass has run before"));
    });
    Ok(())
}

fn layernorm_4m(session: &Session, work: &str) -> Result<()> {
    let (gain, bias) = (
        Tensor::ones(1024, DType::F32, CPU)?,
        Tensor::zeros(1024, DType::F32, CPU)?,
    );
    one_pass(session, work, |x| layer_norm(x, &gain, &bias, 1e-5))
}
