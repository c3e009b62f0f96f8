//! What training makes small.
//!
//! | loss | of each element or row | for |
//! |---|---|---|
//! | [`MeanSquaredError`] | `(x − t)²` | regression |
//! | [`MeanAbsoluteError`] | `abs(x − t)` | regression with outliers |
//! | [`Huber`] | the first near 0, the second beyond | regression with outliers |
//! | [`struct@BinaryCrossentropy`] | `−t ln p − (1 − t) ln(1 − p)` | yes or no, once or several times a sample |
//! | [`struct@CrossEntropy`] | `−Σ t ln p` | one class of several |

mod binary_crossentropy;
mod check;
mod cross_entropy;
mod huber;
mod mean;
mod mean_absolute_error;
mod mean_squared_error;
mod smoothing;
mod target;

pub use binary_crossentropy::BinaryCrossentropy;
pub use cross_entropy::CrossEntropy;
pub use huber::Huber;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use target::Target;

use crate::error::{Error, Result};
use crate::registry::Registry;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::Serialize;
use std::fmt::Debug;

/// A measure of how far outputs are from their targets.
///
/// ```
/// use fb_autograd::Tape;
/// use fb_nn::loss::{Loss, MeanSquaredError};
/// use fb_tensor::Tensor;
///
/// let tape = Tape::new();
/// let output = tape.leaf(Tensor::from([[1.0], [5.0]]));
/// let target = Tensor::from([[0.0], [2.0]]).into();
/// let loss = MeanSquaredError.forward(&output, &target, None)?;
/// assert_eq!(loss.item(), 5.0);
/// assert_eq!(loss.backward().get(&output).unwrap().to_vec(), [1.0, 3.0]);
///
/// let weights = Tensor::from([1.0, 0.0]);
/// assert_eq!(MeanSquaredError.forward(&output, &target, Some(&weights))?.item(), 0.5);
/// # Ok::<(), fb_nn::Error>(())
/// ```
pub trait Loss<F: Float>: Debug + Send + Sync {
    /// The name of the kind.
    fn kind(&self) -> &'static str;

    /// The settings as JSON, as model files keep them; null for a loss without settings.
    ///
    /// # Errors
    /// They do not serialise.
    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::Value::Null)
    }

    /// Checks the settings. Called before training.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The mean loss over the batch, or the mean weighted by `weights`, one per sample.
    ///
    /// A sample's loss is the mean over all its numbers, as in Keras. `Σ wᵢ·lossᵢ / batch`, as Keras does: weights
    /// scale, they do not normalise.
    ///
    /// # Errors
    /// The target does not belong to such an output.
    fn forward(
        &self,
        output: &Var<F>,
        target: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Var<F>>;
}

/// The settings of a loss as JSON.
fn to_json(kind: &str, settings: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(settings).map_err(|error| Error::Format {
        place: format!("the settings of {kind}"),
        reason: error.to_string(),
        help: String::new(),
    })
}

/// Makes every loss of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_loss::<BinaryCrossentropy>("BinaryCrossentropy")
        .register_loss::<CrossEntropy>("CrossEntropy")
        .register_loss::<Huber>("Huber")
        .register_loss::<MeanAbsoluteError>("MeanAbsoluteError")
        .register_loss::<MeanSquaredError>("MeanSquaredError");
}
