//! How many iterations a run makes.

use crate::error::{Error, Result};
use fb_tensor::random::Rng;
use rand::RngExt as _;
use rand_distr::{Distribution as _, LogNormal, Poisson};
use serde::{Deserialize, Serialize};

/// A number of iterations, the same in each run or drawn anew in each step of training.
///
/// A loop that is trained with one number of iterations may learn a path with so many stations instead of a map that leads to
/// its answer from anywhere; a drawn number keeps it from that. Evaluation uses the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Count {
    /// Always so many.
    Fixed(usize),
    /// Each number from `low` to `high` equally often.
    Uniform {
        /// The least.
        low: usize,
        /// The most.
        high: usize,
    },
    /// `1 + Poisson(exp(N))` where `N` is normal with the given `sigma` and such a mean that the numbers have the given
    /// `mean`, cut off at `most`: mostly few, now and then many.
    ///
    /// # References
    /// J. Geiping et al., "Scaling up test-time compute with latent reasoning: a recurrent depth approach", 2025,
    /// section 3.3.
    LogNormalPoisson {
        /// The mean, at least 1.
        mean: f64,
        /// The spread of the logarithm.
        sigma: f64,
        /// The most.
        most: usize,
    },
}

impl Count {
    /// The most iterations.
    pub fn most(&self) -> usize {
        match *self {
            Self::Fixed(n) => n,
            Self::Uniform { high, .. } => high,
            Self::LogNormalPoisson { most, .. } => most,
        }
    }

    /// The number that evaluation uses.
    pub fn typical(&self) -> usize {
        match *self {
            Self::Fixed(n) => n,
            Self::Uniform { low, high } => low.midpoint(high),
            Self::LogNormalPoisson { mean, most, .. } => (mean.round() as usize).clamp(1, most),
        }
    }

    /// Whether it is the same in each run.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// A number for one step of training.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match *self {
            Self::Fixed(n) => n,
            Self::Uniform { low, high } => rng.random_range(low..=high),
            Self::LogNormalPoisson { mean, sigma, most } => {
                // E[exp(N)] = exp(μ + σ²/2), and one iteration is always made.
                let rate = (mean - 1.0).max(f64::MIN_POSITIVE);
                let drawn = LogNormal::new(rate.ln() - sigma * sigma / 2.0, sigma)
                    .ok()
                    .and_then(|log_normal| Poisson::new(log_normal.sample(rng)).ok())
                    .map_or(0.0, |poisson| poisson.sample(rng));
                (1 + drawn as usize).min(most)
            }
        }
    }

    /// Checks the numbers; `what` names the schedule.
    ///
    /// # Errors
    /// No iterations, bounds in the wrong order, or a mean or spread that is not one.
    pub fn validate(&self, what: &str) -> Result<()> {
        let wrong = |expected: &str, found: String, help: &str| {
            Err(Error::Config {
                what: what.to_owned(),
                expected: expected.to_owned(),
                found,
                help: help.to_owned(),
            })
        };
        match *self {
            Self::Fixed(0) => wrong(
                "at least 1 iteration",
                "0".to_owned(),
                "one iteration is a plain feed-forward pass",
            ),
            Self::Uniform { low, high } if low == 0 || low > high => wrong(
                "1 ≤ low ≤ high iterations",
                format!("low {low}, high {high}"),
                "Unroll::uniform(2, 8) draws from 2 to 8",
            ),
            Self::LogNormalPoisson { mean, sigma, most }
                if !(mean >= 1.0 && mean <= most as f64 && (0.0..=10.0).contains(&sigma)) =>
            {
                wrong(
                    "a mean of at least 1 and at most the most iterations, and a sigma from 0 to 10",
                    format!("mean {mean}, sigma {sigma}, at most {most}"),
                    "Unroll::log_normal_poisson(8.0, 0.5, 32)",
                )
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;

    #[test]
    fn drawn_numbers_have_their_mean_and_stay_within_their_bounds() {
        for (count, mean) in [
            (Count::Uniform { low: 2, high: 8 }, 5.0),
            (
                Count::LogNormalPoisson {
                    mean: 8.0,
                    sigma: 0.5,
                    most: 1000,
                },
                8.0,
            ),
        ] {
            let mut rng = Key::new(1).rng();
            let drawn: Vec<usize> = (0..20_000).map(|_| count.draw(&mut rng)).collect();
            let found = drawn.iter().sum::<usize>() as f64 / drawn.len() as f64;
            assert!((found - mean).abs() < 0.1, "{count:?}: {found}");
            assert!(drawn.iter().all(|&n| (1..=count.most()).contains(&n)));
            assert!(drawn.iter().any(|&n| n != drawn[0]));
        }
        let short = Count::LogNormalPoisson {
            mean: 5.0,
            sigma: 1.0,
            most: 6,
        };
        let mut rng = Key::new(2).rng();
        assert!((0..1000).all(|_| short.draw(&mut rng) <= 6));
    }

    #[test]
    fn counts_read_as_numbers_or_by_their_fields() {
        let read = |text: &str| serde_json::from_str::<Count>(text).unwrap();
        assert_eq!(read("4"), Count::Fixed(4));
        assert_eq!(
            read(r#"{"low":1,"high":3}"#),
            Count::Uniform { low: 1, high: 3 }
        );
        let text = serde_json::to_string(&Count::Fixed(4)).unwrap();
        assert_eq!(text, "4");
    }
}
