//! `fb-nn` used alone, with a training loop of one's own.
//!
//! You will see a feedback network that learns whether a point lies inside a ring: the loss every 100 steps, made by a
//! tape, a loss and an optimizer that are put together by hand; then the accuracy after each iteration of its loop.
//!
//! ```text
//! cargo run --release --example nn_alone
//! ```

use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense};
use fb_nn::loss::{BinaryCrossentropy, Loss, Target};
use fb_nn::optim::{self, Adam, OptimizerState};
use fb_nn::{Context, Optimizer, ParamId, Sequential};
use fb_tensor::{Tensor, random::Key};

/// Points in a square, and whether each is inside the ring.
fn ring(points: usize, key: Key) -> (Tensor, Tensor) {
    let x = Tensor::uniform([points, 2], -1.5, 1.5, &mut key.rng());
    let radius = x.square().sum_axes(&[1], true).sqrt();
    let inside = radius
        .gt(&Tensor::scalar(0.5))
        .and(&radius.lt(&Tensor::scalar(1.1)));
    (x, inside.to_f32())
}

fn main() -> fb_nn::Result<()> {
    let steps = if std::env::args().any(|argument| argument == "--quick") {
        200
    } else {
        1000
    };
    let mut network = Sequential::input([2])
        .layer("hidden1", Dense::new(16).activation(Activation::Tanh))
        .layer("hidden2", Dense::new(16).activation(Activation::Tanh))
        .layer("output", Dense::new(1).activation(Activation::Sigmoid))
        .feedback("hidden2", "hidden1")
        .schedule(Unroll::iterations(3))
        .seed(1)
        .build()?;
    let (x, y) = ring(512, Key::new(1));
    let target = Target::Float(y);
    let (loss, adam, mut memory) = (BinaryCrossentropy, Adam::new(0.01), OptimizerState::new());
    let rate = Optimizer::<f32>::learning_rate(&adam);
    let tape = Tape::new();
    for step in 0..steps {
        tape.clear();
        let mut cx = Context::train(network.params(), tape.clone(), Key::new(2), step);
        let output = network.forward(&mut cx, Var::constant(x.clone()))?;
        let value = loss.forward(
            output.as_float().expect("the output is numbers"),
            &target,
            None,
        )?;
        if step % 100 == 0 {
            println!("step {step:>4}  loss {:.4}", value.item());
        }
        let mut found = value.backward();
        let gradients: Vec<(ParamId, Tensor)> = cx
            .leaves()
            .filter_map(|(id, leaf)| Some((id, found.take(leaf)?)))
            .collect();
        drop((cx, output, value));
        // With the tape empty nobody else holds the parameters, and the optimizer writes them in place.
        tape.clear();
        optim::apply(&adam, &mut memory, network.params_mut(), &gradients, rate)?;
    }

    let (x, y) = ring(2000, Key::new(3));
    let options = RunOptions {
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let run = network.run(
        &mut Context::eval(network.params()),
        Var::constant(x),
        &options,
    )?;
    for (iteration, output) in run.outputs().iter().enumerate() {
        let inside = output
            .as_float()
            .expect("the output is numbers")
            .tensor()
            .gt(&Tensor::scalar(0.5));
        let right = inside.to_f32().eq(&y).count();
        println!(
            "iteration {}: {:.3} of 2000 new points right",
            iteration + 1,
            right as f64 / 2000.0
        );
    }
    Ok(())
}
