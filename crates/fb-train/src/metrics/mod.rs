//! How good answers are, added up batch by batch: the trait [`Metric`] and the metrics that come with it.
//!
//! The name of each metric is also a value, the metric with its defaults, so that a list reads as it is meant:
//!
//! ```
//! use fb_nn::Target;
//! use fb_tensor::Tensor;
//! use fb_train::metrics::{Accuracy, F1, Metric};
//!
//! let mut metrics: Vec<Box<dyn Metric<f32>>> = vec![Box::new(Accuracy), Box::new(F1::macro_average())];
//! let output = Tensor::from([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]);
//! let target = Target::Index(Tensor::from([1_i64, 0, 0]));
//! for metric in &mut metrics {
//!     metric.update(&output, &target)?;
//! }
//! assert_eq!((metrics[0].name(), metrics[0].value()), ("accuracy", 2.0 / 3.0));
//! assert_eq!((metrics[1].name(), metrics[1].value()), ("macro_f1", 2.0 / 3.0));
//! # Ok::<(), fb_train::Error>(())
//! ```

mod accuracy;
mod average;
mod class_counts;
pub(crate) mod classes;
mod confusion_matrix;
mod errors;
mod f1;
mod mean;
mod mean_absolute_error;
mod mean_squared_error;
mod precision;
mod r2;
mod recall;
mod root_mean_squared_error;
mod values;

pub use accuracy::Accuracy;
pub use average::Average;
pub use confusion_matrix::ConfusionMatrix;
pub use f1::F1;
pub use mean::Mean;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use precision::Precision;
pub use r2::R2;
pub use recall::Recall;
pub use root_mean_squared_error::RootMeanSquaredError;

use crate::error::Result;
use crate::history::Direction;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};
use std::fmt::Debug;

/// A number that says how good answers are, added up batch by batch.
pub trait Metric<F: Float>: Debug + Send + Sync {
    /// The name in histories and reports, in lower case with underscores, such as `accuracy`.
    fn name(&self) -> &str;

    /// Takes a batch of answers into account.
    ///
    /// # Errors
    /// Output and target do not fit each other or this metric.
    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()>;

    /// The value over all batches since the last [`reset`](Self::reset); NaN if there were no rows.
    fn value(&self) -> f64;

    /// Forgets all batches.
    fn reset(&mut self);

    /// A copy with the batches so far.
    fn boxed_clone(&self) -> Box<dyn Metric<F>>;

    /// Whether a smaller or a larger value is the better one.
    fn direction(&self) -> Direction {
        Direction::of(self.name())
    }
}

impl<F: Float> Clone for Box<dyn Metric<F>> {
    fn clone(&self) -> Self {
        self.boxed_clone()
    }
}
