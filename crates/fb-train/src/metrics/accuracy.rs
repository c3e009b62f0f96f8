//! The share of right answers.

use super::{Metric, classes};
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// The share of rows whose predicted class is the target's.
///
/// An output with one column predicts class 1 above the threshold, one half unless set otherwise; one with several
/// columns predicts the column with the largest value. Targets are class indices, 0 and 1, or distributions. A NaN is
/// never right.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::{Accuracy, Metric};
/// // Logits, whose threshold is at 0.
/// let mut accuracy = Accuracy.threshold(0.0);
/// let target = Target::Float(Tensor::from([[0.0], [1.0]]));
/// accuracy.update(&Tensor::from([[-1.5], [0.3]]), &target)?;
/// assert_eq!(Metric::<f32>::value(&accuracy), 1.0);
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    threshold: f64,
    right: u64,
    rows: u64,
}

/// [`struct@Accuracy`] with its threshold at one half.
#[allow(
    non_upper_case_globals,
    reason = "the name of the metric is its default value"
)]
pub const Accuracy: Accuracy = Accuracy {
    threshold: 0.5,
    right: 0,
    rows: 0,
};

impl Accuracy {
    /// Outputs with one column predict class 1 above this value: 0.5 for probabilities, 0 for logits.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }
}

impl<F: Float> Metric<F> for Accuracy {
    fn name(&self) -> &str {
        "accuracy"
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        let (mut right, mut rows) = (0, 0);
        classes::for_each_row(
            "accuracy",
            output,
            target,
            self.threshold,
            |predicted, actual| {
                right += u64::from(predicted == Some(actual));
                rows += 1;
            },
        )?;
        self.right += right;
        self.rows += rows;
        Ok(())
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.rows as f64
    }

    fn reset(&mut self) {
        (self.right, self.rows) = (0, 0);
    }

    fn boxed_clone(&self) -> Box<dyn Metric<F>> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up() {
        let mut accuracy: Box<dyn Metric<f64>> = Box::new(Accuracy);
        assert!(accuracy.value().is_nan());
        let label = |label: i64| Target::<f64>::Index(Tensor::from([label]));
        for (output, target) in [(0.9, 1), (0.9, 0), (0.1, 0), (f64::NAN, 0)] {
            accuracy
                .update(&Tensor::from([[output]]), &label(target))
                .unwrap();
        }
        assert_eq!(accuracy.value(), 0.5);
        let copy = accuracy.clone();
        accuracy.reset();
        assert!(accuracy.value().is_nan());
        assert_eq!(copy.value(), 0.5);
    }

    #[test]
    fn a_batch_that_fails_counts_for_nothing() {
        let mut accuracy = Accuracy;
        let target = Target::Index(Tensor::from([1_i64, 5]));
        assert!(
            accuracy
                .update(&Tensor::from([[0.9], [0.9]]), &target)
                .is_err()
        );
        assert_eq!(accuracy, Accuracy);
    }
}
