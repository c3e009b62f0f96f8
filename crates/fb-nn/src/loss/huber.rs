//! The square of small errors, the size of large ones.

use super::{Loss, Target, check, mean::mean, to_json};
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// `(x − t)² / 2` up to an error of `delta`, `delta · (|x − t| − delta / 2)` beyond, averaged over the numbers of a
/// sample and over samples. The usual delta is 1.
///
/// # Shapes
/// - output and target: `[batch, …]`, the same
///
/// # Examples
/// ```
/// use fb_autograd::Var;
/// use fb_nn::loss::{Huber, Loss};
/// use fb_tensor::Tensor;
/// let output = Var::constant(Tensor::from([[0.5], [3.0]]));
/// let loss = Huber { delta: 1.0 }.forward(&output, &Tensor::zeros([2, 1]).into(), None)?;
/// assert_eq!(loss.item(), (0.125 + 2.5) / 2.0);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Huber {
    /// The error from which on the loss grows linearly, above 0.
    pub delta: f64,
}

const KIND: &str = "Huber";

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Huber {
    /// Checks the settings.
    ///
    /// # Errors
    /// `delta` is not a finite number above 0.
    pub fn validate(&self) -> Result<()> {
        if self.delta > 0.0 && self.delta.is_finite() {
            return Ok(());
        }
        Err(Error::Config {
            what: "Huber delta".to_owned(),
            expected: "a finite number above 0".to_owned(),
            found: self.delta.to_string(),
            help: "errors beyond delta count linearly; the usual value is 1".to_owned(),
        })
    }
}

impl<F: Float> Loss<F> for Huber {
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
        self.validate()?;
        let target = check::numbers(KIND, output, target)?;
        mean(KIND, output.huber(target, self.delta), weights)
    }
}
