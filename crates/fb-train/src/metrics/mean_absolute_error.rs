//! How far answers lie from numbers.

use super::Metric;
use super::mean::Mean;
use super::values::add_differences;
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// The mean absolute difference: `mean(|output − target|)` over all elements.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::{MeanAbsoluteError, Metric};
/// let mut error: Box<dyn Metric<f32>> = Box::new(MeanAbsoluteError);
/// error.update(&Tensor::from([[1.0], [2.0]]), &Target::Float(Tensor::from([[1.0], [4.0]])))?;
/// assert_eq!(error.value(), 1.0);
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAbsoluteError {
    mean: Mean,
}

/// [`struct@MeanAbsoluteError`] before its first batch.
#[allow(
    non_upper_case_globals,
    reason = "the name of the metric is its default value"
)]
pub const MeanAbsoluteError: MeanAbsoluteError = MeanAbsoluteError { mean: Mean::ZERO };

const NAME: &str = "mean_absolute_error";

impl<F: Float> Metric<F> for MeanAbsoluteError {
    fn name(&self) -> &str {
        NAME
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        add_differences(NAME, &mut self.mean, output, target, f64::abs)
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
