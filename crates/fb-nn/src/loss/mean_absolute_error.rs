//! The size of the error.

use super::{Loss, Target, check, mean::mean};
use crate::error::Result;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// `|x − t|`, averaged over the numbers of a sample and over samples: an outlier weighs no more than its distance.
///
/// The derivative where output and target are equal is taken as 0.
///
/// # Shapes
/// - output and target: `[batch, …]`, the same
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanAbsoluteError;

const KIND: &str = "MeanAbsoluteError";

impl<F: Float> Loss<F> for MeanAbsoluteError {
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
        mean(KIND, output.absolute_error(target), weights)
    }
}
