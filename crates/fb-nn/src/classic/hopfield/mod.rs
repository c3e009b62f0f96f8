//! The associative memory of binary units.

#[cfg(test)]
mod tests;
mod threshold;

use super::rows::{batch, patterns, unbatch};
use crate::error::{Error, Result};
use crate::feedback::network::{RunOptions, Trajectory, Wanted};
use crate::feedback::schedule::{AnySchedule, Halt, Unroll};
use crate::feedback::{Graph, Network};
use crate::init::Initializer;
use crate::layers::Dense;
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use threshold::Threshold;

/// The least change of a state of ±1 is `2/√units` of itself; anything below says that nothing changed.
const UNCHANGED: f64 = 1e-7;
/// The most sweeps unless said otherwise.
const MOST: usize = 100;

/// A network of units that are −1 or 1 and complete what they are shown to the nearest of the patterns that they store.
///
/// `s ← sgn(W·s)` with `W = (1/N)·Σ ξ·ξᵀ` over the patterns `ξ`, without its diagonal: a feedback edge from the units to
/// themselves through Hebb's matrix. A unit whose field is 0 stays as it is.
///
/// Random patterns are recalled with few errors up to about 0.138·N of them; beyond, everything is forgotten at once.
///
/// ```
/// use fb_nn::classic::{Hopfield, overlap};
/// use fb_tensor::{Tensor, random::Key};
///
/// let patterns = Tensor::bernoulli([5, 200], 0.5, &mut Key::new(1).rng()) * 2.0 - 1.0;
/// let memory = Hopfield::store(&patterns)?;
/// let damaged = Tensor::from_fn([5, 200], |at| {
///     let value = patterns.at(&[at[0], at[1]]);
///     if at[1] < 30 { -value } else { value }
/// });
/// let recalled = memory.recall(&damaged)?;
/// assert_eq!(recalled.states, patterns);
/// assert!(recalled.settled.iter().all(|&settled| settled));
/// assert_eq!(overlap(&recalled.states, &patterns)?.to_vec(), [1.0; 5]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// J. J. Hopfield (1982), Neural networks and physical systems with emergent collective computational abilities, PNAS 79,
/// 2554–2558; D. J. Amit, H. Gutfreund, H. Sompolinsky (1985), Storing infinite numbers of patterns in a spin-glass model
/// of neural networks, Physical Review Letters 55, 1530–1533.
#[derive(Debug)]
pub struct Hopfield<F: Float = f32> {
    network: Network<F>,
    weights: Tensor<F>,
    most: usize,
}

/// Which units change at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Updates {
    /// All units at once, from the same state. It may end in a cycle of two states.
    Synchronous,
    /// One after the other, each from what the ones before it are now; in another random order in each sweep. The energy
    /// never rises, so it comes to rest.
    Asynchronous {
        /// The seed of the orders.
        seed: u64,
    },
}

/// What was recalled.
#[derive(Clone, Debug)]
pub struct Recall<F: Float = f32> {
    /// The final states, of the shape of the queries.
    pub states: Tensor<F>,
    /// How many sweeps each query took, the last of which changed nothing if it settled.
    pub sweeps: Vec<usize>,
    /// Whether another sweep would change nothing.
    pub settled: Vec<bool>,
}

impl<F: Float> Hopfield<F> {
    /// A memory of these patterns by Hebb's rule, with synchronous updates and at most 100 sweeps.
    ///
    /// # Shapes
    /// - `patterns`: `[count, units]`, of −1 and 1; or `[units]`, one
    ///
    /// # Errors
    /// Another shape, or other numbers.
    pub fn store(patterns: &Tensor<F>) -> Result<Self> {
        let stored = self::patterns("Hopfield::store", patterns)?;
        binary("Hopfield::store", &stored)?;
        let units = stored.dim(1);
        let scale = F::from_f64(1.0 / units as f64);
        let mut weights = stored.transpose().try_matmul(&stored)? * scale;
        let diagonal = weights.make_mut().iter_mut().step_by(units + 1);
        diagonal.for_each(|weight| *weight = F::ZERO);
        Self::with_weights(weights)
    }

    /// A memory with weights of one's own.
    ///
    /// # Shapes
    /// - `weights`: `[units, units]`, finite, symmetric and with a diagonal of 0: only then is there an energy that falls
    ///
    /// # Errors
    /// The weights are not so.
    pub fn with_weights(weights: Tensor<F>) -> Result<Self> {
        symmetric(&weights)?;
        let network = build(&weights, Updates::Synchronous)?;
        Ok(Self {
            network,
            weights,
            most: MOST,
        })
    }

    /// The same memory with other updates.
    ///
    /// # Errors
    /// None that the memory itself would not have had.
    pub fn updates(self, updates: Updates) -> Result<Self> {
        Ok(Self {
            network: build(&self.weights, updates)?,
            ..self
        })
    }

    /// The most sweeps of a recall.
    #[must_use]
    pub fn most_sweeps(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// The loop that recalls: its state is what the edge `units -> state` carries.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// The weights, `[units, units]`.
    pub fn weights(&self) -> &Tensor<F> {
        &self.weights
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.weights.dim(0)
    }

    /// Lets each query run until nothing changes, or the most sweeps are made. Queries that have settled leave the batch.
    ///
    /// # Shapes
    /// - `queries`: `[units]` or `[batch, units]`, of −1 and 1
    ///
    /// # Errors
    /// Another shape, other numbers, or no sweep is allowed.
    pub fn recall(&self, queries: &Tensor<F>) -> Result<Recall<F>> {
        let (start, single) = self.queries(queries)?;
        let halt = Halt::residual(UNCHANGED, self.most);
        let run = self.run(&start, &halt, Wanted::Last)?;
        let sweeps = run.iterations_used();
        let states = numbers(run.into_last())?;
        let mut settled: Vec<bool> = sweeps.iter().map(|&sweeps| sweeps < self.most).collect();
        // The last sweep that was allowed may have changed something, or not.
        if settled.contains(&false) {
            let once = self.run(&states, &Unroll::iterations(1), Wanted::Last)?;
            let next = numbers(once.into_last())?;
            for (row, settled) in settled.iter_mut().enumerate() {
                *settled = next.index_axis(0, row) == states.index_axis(0, row);
            }
        }
        Ok(Recall {
            states: unbatch(states, single),
            sweeps,
            settled,
        })
    }

    /// The states after each of so many sweeps.
    ///
    /// # Errors
    /// As [`Hopfield::recall`].
    pub fn sweeps(&self, queries: &Tensor<F>, sweeps: usize) -> Result<Vec<Tensor<F>>> {
        let (start, single) = self.queries(queries)?;
        let run = self.run(&start, &Unroll::iterations(sweeps), Wanted::Every)?;
        let states = run.outputs().iter();
        states
            .map(|state| Ok(unbatch(numbers(state.clone())?, single)))
            .collect()
    }

    /// `E = −½·sᵀ·W·s` of each state, in `f64`.
    ///
    /// # Shapes
    /// - `states`: `[units]` or `[batch, units]`
    /// - returns `[batch]`
    ///
    /// # Errors
    /// Another shape.
    pub fn energy(&self, states: &Tensor<F>) -> Result<Tensor<f64>> {
        let (states, _) = batch("Hopfield::energy", states, self.units())?;
        let states = states.to_f64();
        let fields = states.try_matmul(&self.weights.to_f64())?;
        Ok((fields * states).sum_axes(&[1], false) * -0.5)
    }

    fn queries(&self, queries: &Tensor<F>) -> Result<(Tensor<F>, bool)> {
        let place = "a query of Hopfield";
        let (queries, single) = batch(place, queries, self.units())?;
        binary(place, &queries)?;
        Ok((queries, single))
    }

    fn run(
        &self,
        start: &Tensor<F>,
        schedule: &dyn AnySchedule,
        wanted: Wanted,
    ) -> Result<Trajectory<F>> {
        run_from(&self.network, start, schedule, wanted)
    }
}

/// Runs a loop whose one edge carries its state into its input, from this state.
pub(super) fn run_from<F: Float>(
    network: &Network<F>,
    start: &Tensor<F>,
    schedule: &dyn AnySchedule,
    wanted: Wanted,
) -> Result<Trajectory<F>> {
    let mut cx = Context::eval(network.params());
    let state = network.initial_state(&mut cx, start.dim(0));
    let state = state.with_values([Var::constant(start.clone())]);
    let options = RunOptions {
        schedule: Some(schedule),
        wanted,
        state: Some(state),
        ..RunOptions::default()
    };
    // What the edge brings is added to the input.
    let nothing = Var::constant(start.zeros_like());
    network.run(&mut cx, nothing, &options)
}

/// The numbers of an output.
pub(super) fn numbers<F: Float>(value: Value<F>) -> Result<Tensor<F>> {
    match value {
        Value::Float(value) => Ok(value.tensor().clone()),
        other => Err(Error::Data {
            place: "the output of a classic network".to_owned(),
            expected: "numbers".to_owned(),
            found: other.kind().to_string(),
            help: String::new(),
        }),
    }
}

/// How much states agree with patterns, row by row: `m = (1/N)·Σ sᵢ·ξᵢ`, 1 for the pattern itself and 0 for chance.
///
/// # Shapes
/// - `states`, `patterns`: both `[units]` or `[batch, units]`
/// - returns `[batch]`
///
/// # Errors
/// The shapes differ.
pub fn overlap<F: Float>(states: &Tensor<F>, patterns: &Tensor<F>) -> Result<Tensor<f64>> {
    let units = patterns.dims().last().copied().unwrap_or(0);
    let (patterns, _) = batch("the patterns of overlap", patterns, units)?;
    let (states, _) = batch("the states of overlap", states, units)?;
    if states.dim(0) != patterns.dim(0) {
        return Err(Error::Data {
            place: "the states of overlap".to_owned(),
            expected: patterns.shape().to_string(),
            found: states.shape().to_string(),
            help: "each state is compared with the pattern of its row".to_owned(),
        });
    }
    let products = states.to_f64() * patterns.to_f64();
    Ok(products.sum_axes(&[1], false) * (1.0 / units as f64))
}

fn build<F: Float>(weights: &Tensor<F>, updates: Updates) -> Result<Network<F>> {
    let units = weights.dim(0);
    let field = Dense::new(units)
        .bias(false)
        .weight_init(Initializer::Zeros);
    let mut network = Graph::new()
        .input("state", [units])
        .layer("field", field, "state")
        .layer(
            "units",
            Threshold::new(updates, least_field(weights)),
            ["field", "state"],
        )
        .feedback("units", "state")
        .identity()
        .schedule(Halt::residual(UNCHANGED, MOST))
        .build_as::<F>()?;
    let params = network.params_mut();
    let id = params.id("field/weight").expect("Dense has a weight");
    params.get_mut(id).value = weights.clone();
    Ok(network)
}

/// Below this size a field cannot be told from 0, for the rounding of its sum.
fn least_field<F: Float>(weights: &Tensor<F>) -> f64 {
    let sums = weights.to_f64().abs().sum_axes(&[1], false);
    4.0 * F::EPSILON.to_f64() * sums.iter().fold(0.0, f64::max)
}

fn binary<F: Float>(place: &str, states: &Tensor<F>) -> Result<()> {
    let other = |x: &F| *x != F::ONE && *x != -F::ONE;
    match states.iter().find(other) {
        None => Ok(()),
        Some(found) => Err(Error::Data {
            place: place.to_owned(),
            expected: "−1 and 1".to_owned(),
            found: found.to_string(),
            help: "pixels from 0 to 1 become so by a threshold".to_owned(),
        }),
    }
}

fn symmetric<F: Float>(weights: &Tensor<F>) -> Result<()> {
    let wrong = |expected: &str, found: String| {
        Err(Error::Data {
            place: "the weights of Hopfield".to_owned(),
            expected: expected.to_owned(),
            found,
            help: "Hopfield::store makes them from patterns".to_owned(),
        })
    };
    let units = match *weights.dims() {
        [rows, columns] if rows == columns && rows > 0 => rows,
        _ => return wrong("[units, units]", weights.shape().to_string()),
    };
    for row in 0..units {
        for column in 0..=row {
            let (here, there) = (weights.at(&[row, column]), weights.at(&[column, row]));
            if !here.is_finite() || here != there {
                let expected = "finite numbers, the same on both sides of the diagonal";
                return wrong(expected, format!("{here} and {there} at [{row}, {column}]"));
            }
            if row == column && here != F::ZERO {
                return wrong("a diagonal of 0", format!("{here} at [{row}, {row}]"));
            }
        }
    }
    Ok(())
}
