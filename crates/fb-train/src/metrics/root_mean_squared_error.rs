//! How far answers lie from numbers, in their own unit, large misses first.

use super::Metric;
use super::mean::Mean;
use super::values::add_differences;
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// The root of the mean squared difference: `√ mean((output − target)²)` over all elements of all batches.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::{Metric, RootMeanSquaredError};
/// let mut error: Box<dyn Metric<f32>> = Box::new(RootMeanSquaredError);
/// error.update(&Tensor::from([[1.0], [2.0]]), &Target::Float(Tensor::from([[1.0], [4.0]])))?;
/// assert_eq!(error.value(), 2.0_f64.sqrt());
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RootMeanSquaredError {
    mean: Mean,
}

/// [`struct@RootMeanSquaredError`] before its first batch.
#[allow(
    non_upper_case_globals,
    reason = "the name of the metric is its default value"
)]
pub const RootMeanSquaredError: RootMeanSquaredError = RootMeanSquaredError { mean: Mean::ZERO };

const NAME: &str = "root_mean_squared_error";

impl<F: Float> Metric<F> for RootMeanSquaredError {
    fn name(&self) -> &str {
        NAME
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        add_differences(NAME, &mut self.mean, output, target, |difference| {
            difference * difference
        })
    }

    fn value(&self) -> f64 {
        self.mean.value().sqrt()
    }

    fn reset(&mut self) {
        self.mean.reset();
    }

    fn boxed_clone(&self) -> Box<dyn Metric<F>> {
        Box::new(*self)
    }
}
