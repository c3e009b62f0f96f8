//! `fb-tensor` and `fb-autograd` used alone: a curve is fitted by hand, with an operation of our own.
//!
//! You will see the report of a gradient check of that operation (four estimates of one number in each row: by the
//! tape, by a central difference, and by differences to either side), the text with which the check refuses a version
//! whose author forgot a factor, and the error of the fit falling from 0.87 to below 0.01. The last lines show the
//! fitted curve beside the true one.
//!
//! ```text
//! cargo run --release --example autograd_alone
//! ```

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};
use std::error::Error;

const UNITS: usize = 12;
const STEPS: usize = 3000;
const RATE: f32 = 0.2;

/// A bell curve `e^(−x²)` of each element. Its derivative is `−2 x e^(−x²)`: argument and result are both at hand.
fn bell<F: Float>(x: &Var<F>) -> Var<F> {
    let argument = x.tensor().clone();
    let result = argument.square().negate().exp();
    let y = result.clone();
    Var::custom("bell", &[x], result, move |g| {
        vec![Some(g * &argument * &y * F::from_f64(-2.0))]
    })
}

/// The same with a slip in the derivative.
fn bell_with_a_slip(x: &Var<f64>) -> Var<f64> {
    let argument = x.tensor().clone();
    let result = argument.square().negate().exp();
    let y = result.clone();
    Var::custom("bell", &[x], result, move |g| {
        vec![Some(g * &argument * &y * -1.0)]
    })
}

/// The true curve.
fn curve(x: &Tensor) -> Tensor {
    (x * 4.0).sin() * 0.8 + x * 0.5
}

/// One hidden layer of bells: `bell(x·w₁ + b₁)·w₂ + b₂`.
fn network(x: &Var, parameters: &[Var]) -> Var {
    let [w1, b1, w2, b2] = parameters else {
        unreachable!("the network has four parameters");
    };
    bell(&x.linear(w1, Some(b1))).linear(w2, Some(b2))
}

fn main() -> Result<(), Box<dyn Error>> {
    let key = Key::new(42);
    let points = Tensor::<f64>::normal([2, 3], 0.0, 1.0, &mut key.fold("points").rng());
    println!(
        "{}\n",
        gradcheck(|v| bell(&v[0]), std::slice::from_ref(&points))?
    );
    if let Err(error) = gradcheck(|v| bell_with_a_slip(&v[0]), &[points]) {
        println!("error: {error}\n");
    }

    let x = Tensor::linspace(-1.5, 1.5, 40).reshape([40, 1]);
    let noise = Tensor::normal([40, 1], 0.0, 0.05, &mut key.fold("noise").rng());
    let y = curve(&x) + noise;

    let normal =
        |name: &str, shape: [usize; 2]| Tensor::normal(shape, 0.0, 1.0, &mut key.fold(name).rng());
    let mut parameters = [
        normal("w1", [1, UNITS]) * 2.0,
        normal("b1", [1, UNITS]).flatten(),
        normal("w2", [UNITS, 1]) * 0.3,
        Tensor::zeros([1]),
    ];
    let tape = Tape::new();
    for step in 0..=STEPS {
        let leaves: Vec<Var> = parameters.iter().map(|p| tape.leaf(p.clone())).collect();
        let loss = network(&Var::constant(x.clone()), &leaves)
            .squared_error(&y)
            .mean();
        if step % 500 == 0 {
            println!("step {step:>4}  mean squared error {:.5}", loss.item());
        }
        let mut gradients = loss.backward();
        let updates: Vec<Option<Tensor>> = leaves.iter().map(|leaf| gradients.take(leaf)).collect();
        // What was recorded shares the parameters' memory: only after it is gone are they written in place.
        drop((leaves, loss));
        tape.clear();
        for (parameter, gradient) in parameters.iter_mut().zip(updates) {
            if let Some(gradient) = gradient {
                parameter.add_scaled(&gradient, -RATE);
            }
        }
    }

    let fixed: Vec<Var> = parameters.into_iter().map(Var::constant).collect();
    let fitted = network(&Var::constant(x.clone()), &fixed);
    println!("\n     x   true  fitted");
    for i in (0..40).step_by(6) {
        let at = |t: &Tensor| t.at(&[i, 0]);
        println!(
            "{:>6.2} {:>6.2} {:>7.2}",
            at(&x),
            at(&curve(&x)),
            at(fitted.tensor())
        );
    }
    Ok(())
}
