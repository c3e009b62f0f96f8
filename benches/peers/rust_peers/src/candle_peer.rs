//! Candle's layers and AdamW without decay, which is its Adam.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::sigmoid;
use candle_nn::{
    AdamW, Conv2dConfig, GRUConfig, LSTMConfig, Module, Optimizer, ParamsAdamW, RNN, VarBuilder,
    VarMap, conv2d, gru as gru_layer, linear, linear_no_bias, loss, lstm as lstm_layer,
};
use std::hint::black_box;

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
    let works: [(&str, fn(&Session, &str) -> Result<()>); 9] = [
        ("gemm_256", |s, work| product(s, work, 256)),
        ("gemm_1024", |s, work| product(s, work, 1024)),
        ("xor_step", xor_step),
        ("mlp", mlp),
        ("feedback", feedback),
        ("lstm", lstm),
        ("lstm_small", lstm_small),
        ("gru", gru),
        ("conv", conv),
    ];
    for (work, body) in works {
        if session.wants(work)
            && let Err(error) = body(session, work)
        {
            eprintln!("{work}: {error}");
        }
    }
}

fn product(session: &Session, work: &str, n: usize) -> Result<()> {
    let (a, b) = (normal(&[n, n])?, normal(&[n, n])?);
    session.time(work, || {
        black_box(a.matmul(&b).expect("square matrices"));
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
