//! The square of the error.

use super::{Loss, Target, check, mean::mean};
use crate::error::Result;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// `(x − t)²`, averaged over the numbers of a sample and over samples.
///
/// # Shapes
/// - output and target: `[batch, …]`, the same
///
/// # Examples
/// See [`Loss`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanSquaredError;

const KIND: &str = "MeanSquaredError";

impl<F: Float> Loss<F> for MeanSquaredError {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn forward(
        &self,
        output: &Var<F>,
        target: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Var<F>> {
        let target = check::numbers(KIND, output, target)?;
        mean(KIND, output.squared_error(target), weights)
    }
}
