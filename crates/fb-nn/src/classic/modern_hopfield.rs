//! The associative memory whose update is attention.

use super::hopfield::{Recall, numbers, run_from};
use super::rows::{batch, patterns, unbatch};
use crate::error::{Error, Result};
use crate::feedback::network::Wanted;
use crate::feedback::schedule::{Halt, Unroll};
use crate::feedback::{Network, Sequential};
use crate::init::Initializer;
use crate::layers::{Activation, Dense};
use fb_tensor::{Float, Tensor};

/// When a recall has come to rest, and how many steps it may take, unless said otherwise.
const TOLERANCE: f64 = 1e-6;
const MOST: usize = 100;

/// A memory of patterns of real numbers that is asked with a state and answers with the stored pattern nearest to it.
///
/// `ξ ← X·softmax(β·Xᵀ·ξ)` with the patterns as the columns of `X`: two dense layers in a loop, whose weights are the
/// patterns. With a large `β` one step is enough, and there is room for exponentially many random patterns; with a small one
/// the answer is a mean of patterns that are alike.
///
/// ```
/// use fb_nn::classic::ModernHopfield;
/// use fb_tensor::{Tensor, random::Key};
///
/// let patterns = Tensor::bernoulli([1000, 64], 0.5, &mut Key::new(1).rng()) * 2.0 - 1.0;
/// let memory = ModernHopfield::store(&patterns, 1.0)?;
/// let noise = Tensor::normal([1000, 64], 0.0, 0.3, &mut Key::new(2).rng());
/// let recalled = memory.retrieve(&(&patterns + &noise))?;
/// assert!((recalled - patterns).abs().max() < 1e-3);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// H. Ramsauer et al., "Hopfield networks is all you need", ICLR 2021, equation 3; the energy is its equation 2.
#[derive(Debug)]
pub struct ModernHopfield<F: Float = f32> {
    network: Network<F>,
    patterns: Tensor<F>,
    beta: f64,
    tolerance: f64,
    most: usize,
}

impl<F: Float> ModernHopfield<F> {
    /// A memory of these patterns with this inverse temperature.
    ///
    /// # Shapes
    /// - `patterns`: `[count, features]`; or `[features]`, one
    ///
    /// # Errors
    /// Another shape, numbers that are not finite, or a `beta` that is not above 0.
    pub fn store(patterns: &Tensor<F>, beta: f64) -> Result<Self> {
        let patterns = self::patterns("ModernHopfield::store", patterns)?;
        if !patterns.is_all_finite() {
            return Err(Error::Data {
                place: "ModernHopfield::store".to_owned(),
                expected: "finite numbers".to_owned(),
                found: "NaN or an infinity".to_owned(),
                help: String::new(),
            });
        }
        if !(beta > 0.0 && beta.is_finite()) {
            return Err(Error::Config {
                what: "beta of ModernHopfield".to_owned(),
                expected: "a number above 0".to_owned(),
                found: beta.to_string(),
                help: "1/√features is attention's, larger ones tell patterns apart".to_owned(),
            });
        }
        let (count, features) = (patterns.dim(0), patterns.dim(1));
        let dense = |units| {
            Dense::new(units)
                .bias(false)
                .weight_init(Initializer::Zeros)
        };
        let mut network = Sequential::input([features])
            .layer("similarities", dense(count).activation(Activation::Softmax))
            .layer("recalled", dense(features))
            .feedback("recalled", "input")
            .identity()
            .schedule(Halt::residual(TOLERANCE, MOST))
            .build_as::<F>()?;
        let params = network.params_mut();
        let mut set = |name: &str, value: Tensor<F>| {
            let id = params.id(name).expect("Dense has a weight");
            params.get_mut(id).value = value;
        };
        let keys = (&patterns * F::from_f64(beta)).transpose().contiguous();
        set("similarities/weight", keys);
        set("recalled/weight", patterns.clone());
        Ok(Self {
            network,
            patterns,
            beta,
            tolerance: TOLERANCE,
            most: MOST,
        })
    }

    /// When a recall has come to rest: a step changes the state by no more than this share of itself. 1e-6 at first.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The most steps of a recall; 100 at first.
    #[must_use]
    pub fn most_steps(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// The loop that recalls: its state is what the edge `recalled -> input` carries.
    pub fn network(&self) -> &Network<F> {
        &self.network
    }

    /// What is stored, `[count, features]`.
    pub fn patterns(&self) -> &Tensor<F> {
        &self.patterns
    }

    /// The states one step later.
    ///
    /// # Shapes
    /// - `queries`: `[features]` or `[batch, features]`
    /// - returns the same
    ///
    /// # Errors
    /// Another shape.
    pub fn retrieve(&self, queries: &Tensor<F>) -> Result<Tensor<F>> {
        let (start, single) = self.batch(queries)?;
        let run = run_from(&self.network, &start, &Unroll::iterations(1), Wanted::Last)?;
        Ok(unbatch(numbers(run.into_last())?, single))
    }

    /// Lets each query run until it comes to rest, or the most steps are made. Queries at rest leave the batch.
    ///
    /// # Errors
    /// Another shape than that of [`ModernHopfield::retrieve`], or a tolerance or most steps of 0.
    pub fn recall(&self, queries: &Tensor<F>) -> Result<Recall<F>> {
        let (start, single) = self.batch(queries)?;
        let halt = Halt::residual(self.tolerance, self.most);
        let run = run_from(&self.network, &start, &halt, Wanted::Last)?;
        let sweeps = run.iterations_used();
        let states = numbers(run.into_last())?;
        let next = self.retrieve(&states)?;
        let at_rest = |row| {
            let (now, then) = (states.index_axis(0, row), next.index_axis(0, row));
            let change = (then - &now).squared_norm().sqrt();
            change <= self.tolerance * now.squared_norm().sqrt()
        };
        Ok(Recall {
            settled: (0..sweeps.len()).map(at_rest).collect(),
            states: unbatch(states, single),
            sweeps,
        })
    }

    /// `E = −ln(Σ exp(β·xᵢᵀ·ξ))/β + ½·ξᵀ·ξ + ln(count)/β + ½·M²` of each state, in `f64`, with the length `M` of the
    /// longest pattern. No step raises it, and it is at least 0.
    ///
    /// # Shapes
    /// - `states`: `[features]` or `[batch, features]`
    /// - returns `[batch]`
    ///
    /// # Errors
    /// Another shape.
    pub fn energy(&self, states: &Tensor<F>) -> Result<Tensor<f64>> {
        let (states, _) = self.batch(states)?;
        let (states, patterns) = (states.to_f64(), self.patterns.to_f64());
        let similarities = states.try_matmul(&patterns.transpose())? * self.beta;
        let squares = patterns.square().sum_axes(&[1], false);
        let longest = squares.iter().fold(0.0, f64::max);
        let constant = (patterns.dim(0) as f64).ln() / self.beta + 0.5 * longest;
        let own = states.square().sum_axes(&[1], false) * 0.5;
        Ok(similarities.logsumexp(&[1], false) * (-1.0 / self.beta) + own + constant)
    }

    fn batch(&self, queries: &Tensor<F>) -> Result<(Tensor<F>, bool)> {
        batch("a query of ModernHopfield", queries, self.patterns.dim(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;

    fn patterns(count: usize, features: usize) -> Tensor<f64> {
        Tensor::bernoulli([count, features], 0.5, &mut Key::new(3).rng()) * 2.0 - 1.0
    }

    #[test]
    fn ten_thousand_patterns_of_64_features_are_retrieved_in_one_step() {
        let stored = patterns(10_000, 64).to_f32();
        let memory = ModernHopfield::store(&stored, 1.0).unwrap();
        let some = stored.slice(0, 0..500);
        // Six of 64 signs are turned.
        let damaged = Tensor::from_fn([500, 64], |at| {
            let value = some.at(at);
            if (at[0] + 11 * at[1]) % 64 < 6 {
                -value
            } else {
                value
            }
        });
        let answers = memory.retrieve(&damaged).unwrap();
        let right = (0..500).filter(|&row| {
            let (answer, wanted) = (answers.index_axis(0, row), some.index_axis(0, row));
            (answer - wanted).abs().max() < 0.01
        });
        assert!(right.count() >= 495);
        let one = memory.retrieve(&damaged.index_axis(0, 7)).unwrap();
        assert_eq!(one, answers.index_axis(0, 7), "alone as in the batch");
    }

    #[test]
    fn the_energy_falls_to_a_rest() {
        let memory = ModernHopfield::store(&patterns(20, 16), 0.2).unwrap();
        let mut state = Tensor::<f64>::normal([6, 16], 0.0, 1.0, &mut Key::new(5).rng());
        let mut energy = memory.energy(&state).unwrap();
        for _ in 0..30 {
            state = memory.retrieve(&state).unwrap();
            let next = memory.energy(&state).unwrap();
            let falls = |(a, b): (f64, f64)| b <= a + 1e-12 && b >= 0.0;
            assert!(energy.iter().zip(next.iter()).all(falls));
            energy = next;
        }
        let recalled = memory.recall(&state).unwrap();
        assert!(recalled.settled.iter().all(|&s| s));
        assert!((recalled.states - state).abs().max() < 1e-3);
    }

    #[test]
    fn a_step_is_the_formula() {
        let (stored, beta) = (patterns(7, 5), 0.7);
        let memory = ModernHopfield::store(&stored, beta).unwrap();
        let query = Tensor::<f64>::normal([5], 0.0, 1.0, &mut Key::new(9).rng());
        let weights: Vec<f64> = (0..7)
            .map(|i| (beta * stored.index_axis(0, i).dot(&query)).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        let expected = Tensor::from_fn([5], |at| {
            let parts = (0..7).map(|i| weights[i] * stored.at(&[i, at[0]]));
            parts.sum::<f64>() / sum
        });
        let found = memory.retrieve(&query).unwrap();
        assert!((found - expected).abs().max() < 1e-14);
    }

    #[test]
    fn what_cannot_be_stored_says_why() {
        let error = ModernHopfield::store(&patterns(2, 3), 0.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "beta of ModernHopfield: expected a number above 0, found 0\n  \
             help: 1/√features is attention's, larger ones tell patterns apart"
        );
        let nan = Tensor::from([[f64::NAN, 1.0]]);
        assert!(ModernHopfield::store(&nan, 1.0).is_err());
        let memory = ModernHopfield::store(&patterns(2, 3), 1.0).unwrap();
        assert!(memory.retrieve(&patterns(2, 4)).is_err());
        assert!(memory.recall(&Tensor::zeros_of([0, 3])).is_err());
    }
}
