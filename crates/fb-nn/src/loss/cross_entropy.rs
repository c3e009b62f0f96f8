//! One class of several.

use super::{Loss, Target, check, mean::mean, smoothing, to_json};
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// `−Σ tⱼ ln pⱼ` over the classes, for outputs that are scores (logits) whose softmax is `p`, averaged over samples.
///
/// Targets are class indices (Keras's `SparseCategoricalCrossentropy`) or distributions (`CategoricalCrossentropy`).
/// Like PyTorch's and unlike Keras's, it takes logits unless told otherwise: the last layer has **no** softmax. A
/// network that ends in one takes [`from_probabilities`](Self::from_probabilities), which is less exact.
///
/// # Shapes
/// - output: `[batch, …, classes]`
/// - target: indices `[batch, …]`, or distributions in the shape of the output
///
/// # Examples
/// ```
/// use fb_autograd::Tape;
/// use fb_nn::loss::{CrossEntropy, Loss};
/// use fb_tensor::Tensor;
/// let tape = Tape::new();
/// let scores = tape.leaf(Tensor::from([[0.0, 0.0], [0.0, 0.0]]));
/// let loss = CrossEntropy.forward(&scores, &Tensor::from([0_i64, 1]).into(), None)?;
/// assert!((loss.item() - 2.0_f32.ln()).abs() < 1e-6);
/// assert_eq!(loss.backward().get(&scores).unwrap().to_vec(), [-0.25, 0.25, 0.25, -0.25]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    from_probabilities: bool,
    label_smoothing: f64,
    /// Empty for none.
    class_weights: Vec<f64>,
}

const KIND: &str = "CrossEntropy";
const LABEL_HELP: &str =
    "labels count from 0; give the last layer as many units as there are classes";
/// Logarithms of probabilities are held above this, as in [`struct@super::BinaryCrossentropy`].
const LOWEST_LOGARITHM: f64 = -100.0;
/// Probabilities in the derivative are held above this.
const SMALLEST_DIVISOR: f64 = 1e-12;

/// [`struct@CrossEntropy`] of logits.
#[allow(
    non_upper_case_globals,
    reason = "the name of the loss is its default value"
)]
pub const CrossEntropy: CrossEntropy = CrossEntropy::new();

impl CrossEntropy {
    /// The loss of logits, without label smoothing or class weights.
    pub const fn new() -> Self {
        Self {
            from_probabilities: false,
            label_smoothing: 0.0,
            class_weights: Vec::new(),
        }
    }

    /// Takes probabilities as outputs, as a softmax gives them. Their logarithms are held above −100.
    #[must_use]
    #[allow(clippy::wrong_self_convention)] // A builder that says where the outputs are from.
    pub fn from_probabilities(self) -> Self {
        Self {
            from_probabilities: true,
            ..self
        }
    }

    /// Replaces targets `t` by `t · (1 − share) + share / classes`, so that no output has to be certain.
    ///
    /// # References
    /// C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.
    #[must_use]
    pub fn label_smoothing(self, share: f64) -> Self {
        Self {
            label_smoothing: share,
            ..self
        }
    }

    /// Multiplies the part of each class in the sum by its weight, against classes that are rare.
    ///
    /// The mean is still over samples, as in Keras: weights scale, they do not normalise. (PyTorch divides by the sum of
    /// the weights of the targets.) Weights of samples, which a trainer may give besides, multiply as well.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        Self {
            class_weights: weights.into(),
            ..self
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The label smoothing is not between 0 and 1, or a class weight is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        smoothing::validate(KIND, self.label_smoothing)?;
        match self
            .class_weights
            .iter()
            .position(|w| !(*w >= 0.0 && w.is_finite()))
        {
            None => Ok(()),
            Some(class) => Err(Error::Config {
                what: format!("{KIND} class weights"),
                expected: "finite numbers from 0 on".to_owned(),
                found: format!("{} for class {class}", self.class_weights[class]),
                help: "a weight of 1 leaves a class as it is".to_owned(),
            }),
        }
    }

    /// The loss of each row `[n]` of scores `[n, classes]` against as many labels, of any shape.
    fn of_labels<F: Float>(&self, scores: &Var<F>, labels: &Tensor<i64>) -> Result<Var<F>> {
        let classes = scores.shape()[1];
        let row_labels = labels.flatten();
        if self.from_probabilities || self.label_smoothing != 0.0 {
            check::labels(KIND, labels, classes, LABEL_HELP)?;
            return Ok(self.of_distributions(scores, &Tensor::one_hot_of(&row_labels, classes)));
        }
        let losses = match scores.try_softmax_cross_entropy(&row_labels) {
            Ok(losses) => losses,
            Err(error) => {
                check::labels(KIND, labels, classes, LABEL_HELP)?;
                return Err(error.into());
            }
        };
        if self.class_weights.is_empty() {
            return Ok(losses);
        }
        Ok(losses * Var::constant(self.weights().gather(0, &row_labels)))
    }

    /// The loss of each row `[n]` of scores `[n, classes]` against distributions of that shape.
    fn of_distributions<F: Float>(&self, scores: &Var<F>, targets: &Tensor<F>) -> Var<F> {
        let mut targets = targets.clone();
        if self.label_smoothing != 0.0 {
            targets = smoothing::smoothed(&targets, self.label_smoothing, scores.shape()[1]);
        }
        if !self.class_weights.is_empty() {
            targets = targets * &self.weights();
        }
        if self.from_probabilities {
            of_probabilities(scores, targets)
        } else {
            scores.softmax_cross_entropy_with(&targets)
        }
    }

    fn weights<F: Float>(&self) -> Tensor<F> {
        Tensor::from_fn([self.class_weights.len()], |class| {
            F::from_f64(self.class_weights[class[0]])
        })
    }
}

/// `−Σ t · max(ln p, −100)` of each row, as one node.
fn of_probabilities<F: Float>(p: &Var<F>, targets: Tensor<F>) -> Var<F> {
    let logarithms = p.tensor().ln().clamp(LOWEST_LOGARITHM, f64::INFINITY);
    let losses = -(logarithms * &targets).sum_axes(&[1], false);
    let divisors = p.tensor().clone();
    Var::custom("cross_entropy", &[p], losses, move |g| {
        let slopes = &targets / &divisors.clamp(SMALLEST_DIVISOR, f64::INFINITY);
        vec![Some(-(slopes * &g.unsqueeze(1)))]
    })
}

impl<F: Float> Loss<F> for CrossEntropy {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn config(&self) -> Result<serde_json::Value> {
        to_json(KIND, self)
    }

    fn validate(&self) -> Result<()> {
        Self::validate(self)
    }

    fn forward(
        &self,
        output: &Var<F>,
        target: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Var<F>> {
        check::not_empty(KIND, output)?;
        let shape = *output.shape();
        let last = shape.len() - 1;
        let classes = shape[last];
        if last == 0 || classes < 2 {
            let help = "one number per sample cannot tell classes apart: use BinaryCrossentropy";
            return Err(check::error(
                KIND,
                "an output [batch, ..., classes]",
                shape.to_string(),
                help,
            ));
        }
        if !self.class_weights.is_empty() && self.class_weights.len() != classes {
            let found = format!("{} weights", self.class_weights.len());
            return Err(check::error(
                KIND,
                format!("one class weight for each of {classes} classes"),
                found,
                "",
            ));
        }
        if self.from_probabilities {
            let help = "give the last layer .activation(Softmax), or drop .from_probabilities()";
            check::output_is_probable(KIND, output, help)?;
        }
        let samples = shape.without(last);
        let rows = [samples.elements(), classes];
        let flat = |output: &Var<F>| {
            if last == 1 {
                output.clone()
            } else {
                output.reshape(rows)
            }
        };
        let losses = match target {
            Target::Index(labels) if *labels.shape() == samples => {
                self.of_labels(&flat(output), labels)?
            }
            Target::Index(labels) => {
                let expected = format!("class indices {samples} for the output {shape}");
                let help = "indices have the shape of the output without its last axis";
                return Err(check::error(
                    KIND,
                    expected,
                    labels.shape().to_string(),
                    help,
                ));
            }
            Target::Float(given) if given.shape() == &samples => {
                let help = "give class indices as Tensor<i64>, or distributions over the classes";
                return Err(check::error(
                    KIND,
                    format!("distributions {shape}"),
                    format!("numbers {samples}"),
                    help,
                ));
            }
            Target::Float(_) => {
                let targets = check::probabilities(KIND, &shape, target)?;
                self.of_distributions(&flat(output), &targets.reshape(rows))
            }
        };
        mean(
            KIND,
            if last == 1 {
                losses
            } else {
                losses.reshape(samples)
            },
            weights,
        )
    }
}
