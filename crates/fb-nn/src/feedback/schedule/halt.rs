//! Iterations until each sample is done.

use super::{Rule, Schedule};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Runs the loop until each sample is done, as the network itself or a criterion says. In evaluation samples that are done
/// leave the batch, so that what is easy costs little.
///
/// Where a layer says it, that layer gives one number a sample, `[batch, 1]`, before any squashing: its sigmoid is the
/// probability to halt. Start its bias well below zero ([`Halt::START_BIAS`]): a layer that halts at once at first never
/// learns what more iterations are good for.
///
/// ```
/// use fb_nn::feedback::schedule::Halt;
/// use fb_nn::init::Initializer;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_nn::{Context, Graph};
/// use fb_tensor::Tensor;
/// let network = Graph::new()
///     .input("x", [4])
///     .layer("hidden", Dense::new(8).activation(Activation::Tanh), "x")
///     .layer("answer", Dense::new(2), "hidden")
///     .layer("halt", Dense::new(1).bias_init(Initializer::Constant(Halt::START_BIAS)), "hidden")
///     .feedback("hidden", "hidden")
///     .output("answer")
///     .schedule(Halt::adaptive("halt", 10).ponder_cost(0.01))
///     .build()?;
/// let mut cx = Context::eval(network.params());
/// let run = network.run(&mut cx, Tensor::ones([3, 4]), &Default::default())?;
/// assert!(run.iterations_used().iter().all(|&n| (1..=10).contains(&n)));
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    rule: HaltRule,
    most: usize,
}

/// When a sample is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HaltRule {
    /// Adaptive computation time: the halting probabilities add up, and the iteration at which they reach `1 − ε` gets what
    /// remains. The answer is the mean of the answers with these weights.
    Adaptive {
        /// The layer that says it.
        layer: String,
        /// `ε`.
        epsilon: f64,
        /// What an iteration costs in the loss: `cost · mean(iterations + remainder)`.
        cost: f64,
    },
    /// PonderNet: each iteration halts with its probability if none before did, and the loss is the expected one, with the
    /// divergence of the halting distribution from a geometric one besides.
    Ponder {
        /// The layer that says it.
        layer: String,
        /// The parameter of the geometric distribution: 0.2 means 5 iterations.
        prior: f64,
        /// The weight of the divergence.
        weight: f64,
    },
    /// A layer that learns whether the answer is right: samples halt where it says so. In training all iterations run, and
    /// each teaches it.
    Confidence {
        /// The layer that says it.
        layer: String,
        /// Its loss counts so much.
        weight: f64,
    },
    /// The fed-back values change by no more than this share of themselves.
    Residual {
        /// The share.
        tolerance: f64,
    },
    /// The largest output of each row has been the same for so many iterations.
    StableArgmax {
        /// So many.
        iterations: usize,
    },
}

impl Halt {
    /// A start for the bias of a halting layer: `σ(−3) = 0.05`.
    ///
    /// # References
    /// "Deep start", arXiv 2604.21999.
    pub const START_BIAS: f64 = -3.0;

    /// Adaptive computation time with `ε = 0.01`, at most so many iterations; `layer` gives the logits of halting.
    ///
    /// # References
    /// A. Graves, "Adaptive computation time for recurrent neural networks", 2016.
    pub fn adaptive(layer: impl Into<String>, most: usize) -> Self {
        Self {
            rule: HaltRule::Adaptive {
                layer: layer.into(),
                epsilon: 0.01,
                cost: 0.01,
            },
            most,
        }
    }

    /// PonderNet with a geometric prior of parameter 0.2 and weight 0.01, at most so many iterations; `layer` gives the
    /// logits of halting.
    ///
    /// In evaluation a sample halts where it has more likely halted than not.
    ///
    /// # References
    /// A. Banino, J. Balaguer, C. Blundell, "PonderNet: learning to ponder", 2021.
    pub fn ponder(layer: impl Into<String>, most: usize) -> Self {
        Self {
            rule: HaltRule::Ponder {
                layer: layer.into(),
                prior: 0.2,
                weight: 0.01,
            },
            most,
        }
    }

    /// A layer that learns whether the answer is right, with half the weight of the loss; at most so many iterations.
    ///
    /// # References
    /// G. Wang et al., "Hierarchical reasoning model", 2025; A. Jolicoeur-Martineau, "Less is more: recursive reasoning with
    /// tiny networks", 2025 (the halting head without Q-learning).
    pub fn confidence(layer: impl Into<String>, most: usize) -> Self {
        Self {
            rule: HaltRule::Confidence {
                layer: layer.into(),
                weight: 0.5,
            },
            most,
        }
    }

    /// Until the fed-back values change by no more than `tolerance` of themselves, at most so many iterations.
    pub fn residual(tolerance: f64, most: usize) -> Self {
        Self {
            rule: HaltRule::Residual { tolerance },
            most,
        }
    }

    /// Until the largest output of each row has been the same for `iterations`, at most `most` of them.
    pub fn stable_argmax(iterations: usize, most: usize) -> Self {
        Self {
            rule: HaltRule::StableArgmax { iterations },
            most,
        }
    }

    /// What an iteration costs in the loss, of [`Halt::adaptive`]; or the weight of the divergence, of [`Halt::ponder`]; or
    /// that of the halting layer's own loss, of [`Halt::confidence`].
    #[must_use]
    pub fn ponder_cost(mut self, value: f64) -> Self {
        match &mut self.rule {
            HaltRule::Adaptive { cost, .. } => *cost = value,
            HaltRule::Ponder { weight, .. } | HaltRule::Confidence { weight, .. } => {
                *weight = value
            }
            HaltRule::Residual { .. } | HaltRule::StableArgmax { .. } => {}
        }
        self
    }

    /// The parameter of the geometric prior of [`Halt::ponder`].
    #[must_use]
    pub fn prior(mut self, value: f64) -> Self {
        if let HaltRule::Ponder { prior, .. } = &mut self.rule {
            *prior = value;
        }
        self
    }

    /// When a sample is done.
    pub fn when(&self) -> &HaltRule {
        &self.rule
    }

    /// The most iterations.
    pub fn most(&self) -> usize {
        self.most
    }
}

impl HaltRule {
    /// The layer that says when to halt, if one does.
    pub fn layer(&self) -> Option<&str> {
        match self {
            Self::Adaptive { layer, .. }
            | Self::Ponder { layer, .. }
            | Self::Confidence { layer, .. } => Some(layer),
            Self::Residual { .. } | Self::StableArgmax { .. } => None,
        }
    }
}

impl Schedule for Halt {
    const KIND: &'static str = "Halt";

    fn iterations(&self) -> usize {
        self.most
    }

    fn rule(&self) -> Rule {
        Rule::Halt(self.clone())
    }

    fn validate(&self) -> Result<()> {
        let wrong = |expected: &str, found: String| {
            Err(Error::Config {
                what: "Halt".to_owned(),
                expected: expected.to_owned(),
                found,
                help: String::new(),
            })
        };
        if self.most == 0 {
            return wrong("at least 1 iteration", "0".to_owned());
        }
        let inside = |value: f64, low: f64, high: f64| value > low && value < high;
        match self.rule {
            HaltRule::Adaptive { epsilon, .. } if !inside(epsilon, 0.0, 1.0) => {
                wrong("an epsilon between 0 and 1", epsilon.to_string())
            }
            HaltRule::Adaptive { cost, .. } if !(cost >= 0.0 && cost.is_finite()) => {
                wrong("a ponder cost of at least 0", cost.to_string())
            }
            HaltRule::Ponder { prior, .. } if !inside(prior, 0.0, 1.0) => {
                wrong("a prior between 0 and 1", prior.to_string())
            }
            HaltRule::Ponder { weight, .. } | HaltRule::Confidence { weight, .. }
                if !(weight >= 0.0 && weight.is_finite()) =>
            {
                wrong("a weight of at least 0", weight.to_string())
            }
            HaltRule::Residual { tolerance } if !(tolerance > 0.0 && tolerance.is_finite()) => {
                wrong("a tolerance above 0", tolerance.to_string())
            }
            HaltRule::StableArgmax { iterations: 0 } => {
                wrong("at least 1 iteration without change", "0".to_owned())
            }
            _ => Ok(()),
        }
    }
}
