//! How far answers lie from numbers, large misses first.

use super::Metric;
use super::mean::Mean;
use super::values::add_differences;
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// The mean squared difference: `mean((output − target)²)` over all elements.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::{MeanSquaredError, Metric};
/// let mut error: Box<dyn Metric<f32>> = Box::new(MeanSquaredError);
/// error.update(&Tensor::from([[1.0], [2.0]]), &Target::Float(Tensor::from([[1.0], [4.0]])))?;
/// assert_eq!(error.value(), 2.0);
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanSquaredError {
    mean: Mean,
}

/// [`struct@MeanSquaredError`] before its first batch.
#[allow(
    non_upper_case_globals,
    reason = "the name of the metric is its default value"
)]
pub const MeanSquaredError: MeanSquaredError = MeanSquaredError { mean: Mean::ZERO };

const NAME: &str = "mean_squared_error";

impl<F: Float> Metric<F> for MeanSquaredError {
    fn name(&self) -> &str {
        NAME
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        add_differences(NAME, &mut self.mean, output, target, |difference| {
            difference * difference
        })
    }

    fn value(&self) -> f64 {
        self.mean.value()
    }

    fn reset(&mut self) {
        self.mean.reset();
    }

    fn boxed_clone(&self) -> Box<dyn Metric<F>> {
        Box::new(*self)
    }
}
