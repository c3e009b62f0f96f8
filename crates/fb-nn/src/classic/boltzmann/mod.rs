//! Restricted Boltzmann machines.

mod draw;
mod field;
#[cfg(test)]
mod tests;
mod training;

pub use training::{BoltzmannGradient, ContrastiveDivergence};

use super::hopfield::numbers;
use super::rows::{batch, unbatch};
use crate::error::{Error, Result};
use crate::feedback::network::RunOptions;
use crate::feedback::schedule::Unroll;
use crate::feedback::{Graph, Network};
use crate::init::Initializer;
use crate::layers::{Activation, Dense};
use crate::module::Context;
use draw::Draw;
use fb_autograd::Var;
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};
use field::Field;

/// Units on one side for which all states are counted.
const MOST_COUNTED: usize = 20;
/// States that are looked at together when all are counted.
const TOGETHER: usize = 4096;

/// A restricted Boltzmann machine: visible and hidden units that are 0 or 1, with weights between the two sides alone.
///
/// `p(v, h) ∝ exp(vᵀ·W·h + bᵀ·v + cᵀ·h)`, so that `p(h = 1 | v) = σ(c + Wᵀ·v)` and `p(v = 1 | h) = σ(b + W·h)`. Its network
/// is the Gibbs chain: the hidden units are drawn given the visible ones, the visible ones given them, and a feedback edge
/// carries these back.
///
/// ```
/// use fb_nn::classic::{Boltzmann, ContrastiveDivergence};
/// use fb_tensor::{Tensor, random::Key};
///
/// // Two patterns, each the opposite of the other.
/// let data = Tensor::from([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]);
/// let mut machine: Boltzmann = Boltzmann::new(4, 3, Key::new(1))?;
/// let before = machine.log_likelihood(&data)?.mean();
/// machine.fit(&data, &ContrastiveDivergence::new(1).rate(0.5).epochs(300))?;
/// let after = machine.log_likelihood(&data)?.mean();
/// assert!(before < -2.5 && after > -2.0); // ln 1/2 = −0.69 is the best.
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// P. Smolensky (1986), Information processing in dynamical systems: foundations of harmony theory, in Parallel
/// Distributed Processing 1; G. E. Hinton (2002), Training products of experts by minimizing contrastive divergence,
/// Neural Computation 14, 1771–1800.
#[derive(Debug)]
pub struct Boltzmann<F: Float = f32> {
    network: Network<F>,
}

impl<F: Float> Boltzmann<F> {
    /// A machine with small random weights, of deviation 0.01, and biases of 0.
    ///
    /// # Errors
    /// A side has no units.
    pub fn new(visible: usize, hidden: usize, key: Key) -> Result<Self> {
        let small = Initializer::Normal {
            mean: 0.0,
            std: 0.01,
        };
        let given_visible = Dense::new(hidden)
            .activation(Activation::Sigmoid)
            .weight_init(Initializer::Zeros);
        let network = Graph::new()
            .input("visible", [visible])
            .layer("hidden", given_visible, "visible")
            .layer("hidden units", Draw {}, "hidden")
            .layer("field", Field {}, "hidden units")
            .layer("given hidden", Activation::Sigmoid, "field")
            .layer("visible units", Draw {}, "given hidden")
            .feedback("visible units", "visible")
            .identity()
            .schedule(Unroll::iterations(2))
            .build_as::<F>()?;
        let mut machine = Self { network };
        let shape = [visible, hidden].into();
        *machine.value_mut(WEIGHTS) = small.sample(shape, &mut key.fold("boltzmann").rng())?;
        Ok(machine)
    }

    /// A machine with these parameters.
    ///
    /// # Shapes
    /// - `weights`: `[visible, hidden]`; `visible_bias`: `[visible]`; `hidden_bias`: `[hidden]`
    ///
    /// # Errors
    /// The shapes do not fit, or a number is not finite.
    pub fn with_parameters(
        weights: &Tensor<F>,
        visible_bias: &Tensor<F>,
        hidden_bias: &Tensor<F>,
    ) -> Result<Self> {
        let fits = match *weights.dims() {
            [visible, hidden] => visible_bias.dims() == [visible] && hidden_bias.dims() == [hidden],
            _ => false,
        };
        let all = [weights, visible_bias, hidden_bias];
        if !fits || !all.iter().all(|x| x.is_all_finite()) {
            let found = all.map(|x| x.shape().to_string()).join(", ");
            return Err(Error::Data {
                place: "the parameters of Boltzmann".to_owned(),
                expected: "finite numbers [visible, hidden], [visible], [hidden]".to_owned(),
                found,
                help: String::new(),
            });
        }
        let mut machine = Self::new(weights.dim(0), weights.dim(1), Key::new(0))?;
        *machine.value_mut(WEIGHTS) = weights.clone();
        *machine.value_mut(VISIBLE_BIAS) = visible_bias.clone();
        *machine.value_mut(HIDDEN_BIAS) = hidden_bias.clone();
        Ok(machine)
    }

    /// The Gibbs chain: its state is what the edge `visible units -> visible` carries.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// `W`, `[visible, hidden]`.
    pub fn weights(&self) -> &Tensor<F> {
        self.value(WEIGHTS)
    }

    /// `b`, `[visible]`.
    pub fn visible_bias(&self) -> &Tensor<F> {
        self.value(VISIBLE_BIAS)
    }

    /// `c`, `[hidden]`.
    pub fn hidden_bias(&self) -> &Tensor<F> {
        self.value(HIDDEN_BIAS)
    }

    /// `p(h = 1 | v)`.
    ///
    /// # Shapes
    /// - `visible`: `[visible]` or `[batch, visible]`
    /// - returns the same of hidden units
    ///
    /// # Errors
    /// Another shape.
    pub fn hidden(&self, visible: &Tensor<F>) -> Result<Tensor<F>> {
        let (visible, single) = self.visible_rows(visible)?;
        let sums = visible.try_matmul(self.weights())? + self.hidden_bias();
        Ok(unbatch(sums.sigmoid(), single))
    }

    /// `p(v = 1 | h)`.
    ///
    /// # Shapes
    /// - `hidden`: `[hidden]` or `[batch, hidden]`
    /// - returns the same of visible units
    ///
    /// # Errors
    /// Another shape.
    pub fn visible(&self, hidden: &Tensor<F>) -> Result<Tensor<F>> {
        let (hidden, single) = batch(
            "the hidden units of Boltzmann",
            hidden,
            self.weights().dim(1),
        )?;
        let sums = hidden.try_matmul(&self.weights().transpose())? + self.visible_bias();
        Ok(unbatch(sums.sigmoid(), single))
    }

    /// The visible units as the hidden ones see them, without chance: `σ(b + W·σ(c + Wᵀ·v))`.
    ///
    /// # Errors
    /// Another shape than that of [`Boltzmann::hidden`].
    pub fn reconstruct(&self, visible: &Tensor<F>) -> Result<Tensor<F>> {
        self.visible(&self.hidden(visible)?)
    }

    /// The visible units after so many steps of a Gibbs chain from these, each row a chain of its own.
    ///
    /// # Shapes
    /// - `start`: `[visible]` or `[batch, visible]`
    /// - returns the same, of 0 and 1
    ///
    /// # Errors
    /// Another shape, or no step is wanted.
    pub fn sample(&self, start: &Tensor<F>, steps: usize, key: Key) -> Result<Tensor<F>> {
        let (start, single) = self.visible_rows(start)?;
        let mut cx = Context::eval(self.network.params()).with_key(key);
        let state = self.network.initial_state(&mut cx, start.dim(0));
        let state = state.with_values([Var::constant(start.clone())]);
        let options = RunOptions {
            schedule: Some(&Unroll::iterations(steps)),
            state: Some(state),
            ..RunOptions::default()
        };
        // What the edge brings is added to the input.
        let nothing = Var::constant(start.zeros_like());
        let run = self.network.run(&mut cx, nothing, &options)?;
        Ok(unbatch(numbers(run.into_last())?, single))
    }

    /// `F(v) = −bᵀ·v − Σ ln(1 + exp(c + Wᵀ·v))`, in `f64`: `p(v) ∝ exp(−F(v))`.
    ///
    /// # Shapes
    /// - `visible`: `[visible]` or `[batch, visible]`
    /// - returns `[batch]`
    ///
    /// # Errors
    /// Another shape.
    pub fn free_energy(&self, visible: &Tensor<F>) -> Result<Tensor<f64>> {
        let (visible, _) = self.visible_rows(visible)?;
        let [weights, b, c] = self.in_f64();
        Ok(-logarithms(&visible.to_f64(), &weights, &b, &c)?)
    }

    /// `ln p(v)`, exactly, by counting all states of the side with fewer units.
    ///
    /// # Shapes
    /// - `visible`: `[visible]` or `[batch, visible]`, of 0 and 1
    /// - returns `[batch]`
    ///
    /// # Errors
    /// Another shape, or both sides have more than 20 units.
    pub fn log_likelihood(&self, visible: &Tensor<F>) -> Result<Tensor<f64>> {
        let energies = self.free_energy(visible)?;
        Ok(-energies - self.log_partition()?)
    }

    /// The logarithm of the sum over all states.
    fn log_partition(&self) -> Result<f64> {
        let [weights, b, c] = self.in_f64();
        let (counted, own, other) = match weights.dim(0) <= weights.dim(1) {
            true => (weights, b, c),
            false => (weights.transpose().contiguous(), c, b),
        };
        let units = counted.dim(0);
        if units > MOST_COUNTED {
            return Err(Error::Data {
                place: "Boltzmann::log_likelihood".to_owned(),
                expected: format!("at most {MOST_COUNTED} units on one side"),
                found: format!("{units} and {}", counted.dim(1)),
                help: "larger machines are compared by Boltzmann::free_energy".to_owned(),
            });
        }
        let states = 1_usize << units;
        let parts: Result<Vec<Tensor<f64>>> = (0..states)
            .step_by(TOGETHER)
            .map(|first| {
                let rows = TOGETHER.min(states - first);
                let bits =
                    Tensor::from_fn([rows, units], |at| (((first + at[0]) >> at[1]) & 1) as f64);
                logarithms(&bits, &counted, &own, &other)
            })
            .collect();
        let all = Tensor::concat(&parts?.iter().collect::<Vec<_>>(), 0);
        Ok(all.logsumexp(&[0], false).item())
    }

    fn in_f64(&self) -> [Tensor<f64>; 3] {
        [WEIGHTS, VISIBLE_BIAS, HIDDEN_BIAS].map(|name| self.value(name).to_f64())
    }

    fn visible_rows(&self, visible: &Tensor<F>) -> Result<(Tensor<F>, bool)> {
        let place = "the visible units of Boltzmann";
        batch(place, visible, self.weights().dim(0))
    }

    fn value(&self, name: &str) -> &Tensor<F> {
        let param = self.network.params().by_name(name);
        &param.expect("made with the network").value
    }

    fn value_mut(&mut self, name: &str) -> &mut Tensor<F> {
        let params = self.network.params_mut();
        let id = params.id(name).expect("made with the network");
        &mut params.get_mut(id).value
    }
}

const WEIGHTS: &str = "hidden/weight";
const HIDDEN_BIAS: &str = "hidden/bias";
const VISIBLE_BIAS: &str = "field/bias";

/// For states of one side, the logarithm of the sum over all states of the other: `own·x + Σ ln(1 + exp(other + x·W))`.
fn logarithms(
    states: &Tensor<f64>,
    weights: &Tensor<f64>,
    own: &Tensor<f64>,
    other: &Tensor<f64>,
) -> Result<Tensor<f64>> {
    let across = (states.try_matmul(weights)? + other).softplus();
    let linear = states.try_matmul(&own.unsqueeze(1))?.squeeze(1);
    Ok(linear + across.sum_axes(&[1], false))
}
