//! Yes or no.

use super::{Loss, Target, check, mean::mean, smoothing, to_json};
use crate::error::Result;
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// `−t ln p − (1 − t) ln(1 − p)` for outputs `p` that are probabilities, averaged over the numbers of a sample and over
/// samples.
///
/// Logarithms are held above −100, as PyTorch does (Keras holds `p` between 1e-7 and 1 − 1e-7 instead, so that a wrong
/// certainty costs 16 and moves nothing). A network that gives logits, without a sigmoid at its end, takes
/// [`from_logits`](Self::from_logits), which is exact for outputs of any size.
///
/// # Shapes
/// - output and target: `[batch, …]`, the same; class indices (0 or 1) may leave out a last axis of 1
///
/// # Examples
/// ```
/// use fb_autograd::Var;
/// use fb_nn::loss::{BinaryCrossentropy, Loss};
/// use fb_tensor::Tensor;
/// let probabilities = Var::constant(Tensor::from([[0.5], [0.25]]));
/// let loss = BinaryCrossentropy.forward(&probabilities, &Tensor::from([[1.0], [0.0]]).into(), None)?;
/// assert!((loss.item() - (2.0_f32.ln() - 0.75_f32.ln()) / 2.0).abs() < 1e-6);
///
/// let logits = Var::constant(Tensor::from([[0.0]]));
/// let loss = BinaryCrossentropy.from_logits().forward(&logits, &Tensor::from([1_i64]).into(), None)?;
/// assert!((loss.item() - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
}

const KIND: &str = "BinaryCrossentropy";

/// [`struct@BinaryCrossentropy`] of probabilities.
#[allow(
    non_upper_case_globals,
    reason = "the name of the loss is its default value"
)]
pub const BinaryCrossentropy: BinaryCrossentropy = BinaryCrossentropy::new();

impl BinaryCrossentropy {
    /// The loss of probabilities, without label smoothing.
    pub const fn new() -> Self {
        Self {
            from_logits: false,
            label_smoothing: 0.0,
        }
    }

    /// Takes logits `x` as outputs: the loss of the probabilities `σ(x)`.
    #[must_use]
    #[allow(clippy::wrong_self_convention)] // A builder that says where the outputs are from, under its name in Keras.
    pub fn from_logits(self) -> Self {
        Self {
            from_logits: true,
            ..self
        }
    }

    /// Replaces targets `t` by `t · (1 − share) + share / 2`, so that no output has to be certain.
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

    /// Checks the settings.
    ///
    /// # Errors
    /// The label smoothing is not between 0 and 1.
    pub fn validate(&self) -> Result<()> {
        smoothing::validate(KIND, self.label_smoothing)
    }

    fn targets<'a, F: Float>(
        &self,
        shape: &Shape,
        target: &'a Target<F>,
    ) -> Result<Cow<'a, Tensor<F>>> {
        let targets = match target {
            Target::Index(labels) if fits(shape, labels.shape()) => {
                check::labels(
                    KIND,
                    labels,
                    2,
                    "1 stands for yes, 0 for no; several classes take CrossEntropy",
                )?;
                Cow::Owned(labels.cast::<F>().reshape(*shape))
            }
            Target::Index(labels) => {
                let help = "class indices are [batch] for an output [batch, 1]";
                return Err(check::error(
                    KIND,
                    format!("class indices for {shape}"),
                    labels.shape().to_string(),
                    help,
                ));
            }
            Target::Float(_) => Cow::Borrowed(check::probabilities(KIND, shape, target)?),
        };
        if self.label_smoothing == 0.0 {
            return Ok(targets);
        }
        Ok(Cow::Owned(smoothing::smoothed(
            &targets,
            self.label_smoothing,
            2,
        )))
    }
}

/// Whether labels of this shape belong to such an output: one per number, a last axis of 1 left out or not.
fn fits(output: &[usize], labels: &[usize]) -> bool {
    labels == output || output.last() == Some(&1) && labels == &output[..output.len() - 1]
}

impl<F: Float> Loss<F> for BinaryCrossentropy {
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
        let targets = self.targets(output.shape(), target)?;
        let losses = if self.from_logits {
            output.binary_cross_entropy_with_logits(&targets)
        } else {
            check::output_is_probable(
                KIND,
                output,
                "give the last layer .activation(Sigmoid), or use .from_logits()",
            )?;
            output.binary_cross_entropy(&targets)
        };
        mean(KIND, losses, weights)
    }
}
