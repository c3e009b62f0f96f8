//! Recurrent layers that are random, with a readout that is solved for.

mod reservoir;
mod stream;
#[cfg(test)]
mod tests;

pub use reservoir::Reservoir;
pub use stream::EchoStream;

use super::hopfield::numbers;
use crate::error::{Error, Result};
use crate::feedback::Network;
use crate::feedback::State;
use crate::feedback::network::RunOptions;
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::Tensor;

/// An echo-state network: a random recurrent layer, the reservoir, that echoes its input, and a linear readout that is
/// fitted by ridge regression. Everything is in `f64`.
///
/// ```text
/// xₜ = (1 − leak)·xₜ₋₁ + leak·tanh(W·xₜ₋₁ + W_in·uₜ + W_fb·yₜ₋₁ + b)
/// yₜ = W_out·[xₜ, uₜ, 1]
/// ```
///
/// The reservoir is a [`Network`] with edges over steps; `W_fb` is there with
/// [`output_feedback`](Reservoir::output_feedback).
///
/// ```
/// use fb_nn::classic::Reservoir;
/// use fb_tensor::Tensor;
///
/// // A sine wave: each value is to give the next.
/// let wave = Tensor::<f64>::from_fn([600, 1], |at| (at[0] as f64 * 0.2).sin());
/// let (inputs, targets) = (wave.slice(0, 0..499), wave.slice(0, 1..500));
/// let model = Reservoir::new(50).spectral_radius(0.8).seed(1).fit(&inputs, &targets)?;
///
/// let mut stream = model.stream();
/// stream.follow(&inputs)?; // Its last output is the value at 499.
/// let forecast = stream.forecast(100)?;
/// assert!((forecast - wave.slice(0, 500..600)).abs().max() < 0.05);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// H. Jaeger, H. Haas (2004), Harnessing nonlinearity: predicting chaotic systems and saving energy in wireless
/// communication, Science 304, 78–80; H. Jaeger et al. (2007), Optimization and applications of echo state networks with
/// leaky-integrator neurons, Neural Networks 20, 335–352.
#[derive(Debug)]
pub struct EchoState {
    reservoir: Reservoir,
    network: Network<f64>,
    readout: Tensor<f64>,
    inputs: usize,
    outputs: usize,
}

impl EchoState {
    fn fit(reservoir: &Reservoir, inputs: &Tensor<f64>, targets: &Tensor<f64>) -> Result<Self> {
        let (inputs, _) = sequences("the inputs of Reservoir::fit", inputs, None)?;
        let (targets, _) = sequences("the targets of Reservoir::fit", targets, None)?;
        let &[batch, time, features] = inputs.dims() else {
            unreachable!("sequences have three axes")
        };
        if targets.dims()[..2] != [batch, time] {
            let expected = format!("[{batch}, {time}, outputs]");
            return Err(data("the targets of Reservoir::fit", expected, &targets));
        }
        if time <= reservoir.washout {
            let expected = format!("more steps than the washout of {}", reservoir.washout);
            return Err(data("the inputs of Reservoir::fit", expected, &inputs));
        }
        let mut model = Self {
            reservoir: reservoir.clone(),
            network: reservoir.build(features, targets.dim(2))?,
            readout: Tensor::zeros_of([1, 1]),
            inputs: features,
            outputs: targets.dim(2),
        };
        let (states, _) = model.states(&inputs, &before(&targets, None), None)?;
        let kept = |x: &Tensor<f64>| {
            let late = x.slice(1, reservoir.washout..time);
            late.reshape([late.dim(0) * late.dim(1), late.dim(2)])
        };
        let rows = design(&kept(&states), &kept(&inputs));
        model.readout = rows.try_solve_ridge(&kept(&targets), reservoir.ridge)?;
        Ok(model)
    }

    /// The settings.
    pub fn reservoir(&self) -> &Reservoir {
        &self.reservoir
    }

    /// The reservoir as a network: its output is the state `xₜ`.
    pub fn network(&self) -> &Network<f64> {
        &self.network
    }

    /// The readout, `[units + inputs + 1, outputs]`: weights of the state, of the input, and a constant.
    pub fn readout(&self) -> &Tensor<f64> {
        &self.readout
    }

    /// The outputs for inputs from the start of a sequence.
    ///
    /// # Shapes
    /// - `inputs`: `[time, features]` or `[batch, time, features]`
    /// - returns the same with the features of the targets
    ///
    /// # Errors
    /// Another shape, or numbers that are not finite.
    pub fn predict(&self, inputs: &Tensor<f64>) -> Result<Tensor<f64>> {
        self.stream().follow(inputs)
    }

    /// The start of a sequence that comes step by step.
    pub fn stream(&self) -> EchoStream<'_> {
        EchoStream::new(self)
    }

    /// The states along whole sequences, and the loop's state behind them. `fed_back` are the outputs of the steps before.
    fn states(
        &self,
        inputs: &Tensor<f64>,
        fed_back: &Tensor<f64>,
        state: Option<State<f64>>,
    ) -> Result<(Tensor<f64>, State<f64>)> {
        let options = RunOptions {
            state,
            ..RunOptions::default()
        };
        let mut cx = Context::eval(self.network.params());
        let values = self.values(inputs, fed_back);
        let run = self.network.run_all(&mut cx, &values, &options)?;
        let state = run.state().detached();
        Ok((numbers(run.into_last())?, state))
    }

    fn values(&self, inputs: &Tensor<f64>, fed_back: &Tensor<f64>) -> Vec<Value<f64>> {
        let mut values = vec![Value::Float(Var::constant(inputs.clone()))];
        if self.feeds_back() {
            values.push(Value::Float(Var::constant(fed_back.clone())));
        }
        values
    }

    fn feeds_back(&self) -> bool {
        self.reservoir.output_feedback.is_some()
    }

    /// The outputs at rows of states and inputs.
    fn read(&self, states: &Tensor<f64>, inputs: &Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(design(states, inputs).try_matmul(&self.readout)?)
    }
}

/// What the readout sees: `[x, u, 1]`.
fn design(states: &Tensor<f64>, inputs: &Tensor<f64>) -> Tensor<f64> {
    let ones = Tensor::ones_of([states.dim(0), 1]);
    Tensor::concat(&[states, inputs, &ones], 1)
}

/// The outputs of the steps before; `first` is that of the step before the first, 0 without it.
fn before(outputs: &Tensor<f64>, first: Option<&Tensor<f64>>) -> Tensor<f64> {
    let &[batch, time, features] = outputs.dims() else {
        unreachable!("sequences have three axes")
    };
    let first = match first {
        Some(first) => first.reshape([batch, 1, features]),
        None => Tensor::zeros_of([batch, 1, features]),
    };
    Tensor::concat(&[&first, &outputs.slice(1, 0..time - 1)], 1)
}

/// `[time, features]` or `[batch, time, features]` as the latter; and whether it was one sequence.
fn sequences(place: &str, x: &Tensor<f64>, features: Option<usize>) -> Result<(Tensor<f64>, bool)> {
    let fits = |found: usize| found > 0 && features.is_none_or(|features| features == found);
    let (x, single) = match *x.dims() {
        [time, n] if time > 0 && fits(n) => (x.unsqueeze(0), true),
        [batch, time, n] if batch > 0 && time > 0 && fits(n) => (x.clone(), false),
        _ => {
            let n = features.map_or("features".to_owned(), |n| n.to_string());
            let expected = format!("[time, {n}] or [batch, time, {n}]");
            return Err(data(place, expected, x));
        }
    };
    if x.is_all_finite() {
        return Ok((x, single));
    }
    Err(Error::Data {
        place: place.to_owned(),
        expected: "finite numbers".to_owned(),
        found: "NaN or an infinity".to_owned(),
        help: "fill gaps before".to_owned(),
    })
}

fn data(place: &str, expected: String, found: &Tensor<f64>) -> Error {
    Error::Data {
        place: place.to_owned(),
        expected,
        found: found.shape().to_string(),
        help: "a series of single numbers is [time, 1]".to_owned(),
    }
}
