//! How much of the targets' variation the answers explain.

use super::Metric;
use super::values::for_each_pair;
use crate::error::{Error, Result};
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// The coefficient of determination: `1 − Σ (target − output)² / Σ (target − mean(target))²`
///
/// 1 is perfect, 0 is as good as always answering the mean. An output with several columns gets the mean of its columns'
/// scores; a column whose target never varies scores 1 if it is always met and 0 otherwise, as in scikit-learn.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::{Metric, R2};
/// let mut r2: Box<dyn Metric<f32>> = Box::new(R2);
/// r2.update(&Tensor::from([[1.0], [2.0], [4.0]]), &Target::Float(Tensor::from([[1.0], [2.0], [3.0]])))?;
/// assert_eq!(r2.value(), 0.5);
/// # Ok::<(), fb_train::Error>(())
/// ```
///
/// # References
/// B. P. Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 1962: the
/// variation of the targets is summed in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct R2 {
    columns: Vec<Column>,
}

/// [`struct@R2`] before its first batch.
#[allow(
    non_upper_case_globals,
    reason = "the name of the metric is its default value"
)]
pub const R2: R2 = R2 {
    columns: Vec::new(),
};

/// Sums over one column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Column {
    rows: f64,
    mean: f64,
    variation: f64,
    unexplained: f64,
}

impl Column {
    fn add(&mut self, answer: f64, number: f64) {
        self.rows += 1.0;
        let before = number - self.mean;
        self.mean += before / self.rows;
        self.variation += before * (number - self.mean);
        self.unexplained += (number - answer) * (number - answer);
    }

    fn score(&self) -> f64 {
        match (self.unexplained, self.variation) {
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            (unexplained, variation) => 1.0 - unexplained / variation,
        }
    }
}

impl<F: Float> Metric<F> for R2 {
    fn name(&self) -> &str {
        "r2"
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        let columns = match output.dims() {
            [] | [_] => 1,
            [.., columns] => *columns,
        };
        if !self.columns.is_empty() && self.columns.len() != columns {
            return Err(Error::Metric {
                metric: "r2".to_string(),
                expected: format!("an output with {} columns as before", self.columns.len()),
                found: format!("an output of shape {}", output.shape()),
                help: "reset the metric between models",
            });
        }
        let mut sums = std::mem::take(&mut self.columns);
        sums.resize(columns, Column::default());
        let added = for_each_pair("r2", output, target, |position, answer, number| {
            sums[position % columns].add(answer, number);
        });
        self.columns = sums;
        added
    }

    fn value(&self) -> f64 {
        if self.columns.iter().all(|column| column.rows == 0.0) {
            return f64::NAN;
        }
        self.columns.iter().map(Column::score).sum::<f64>() / self.columns.len() as f64
    }

    fn reset(&mut self) {
        self.columns.clear();
    }

    fn boxed_clone(&self) -> Box<dyn Metric<F>> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(batches: &[(Tensor<f64>, Tensor<f64>)]) -> f64 {
        let mut metric: Box<dyn Metric<f64>> = Box::new(R2);
        for (output, target) in batches {
            metric
                .update(output, &Target::Float(target.clone()))
                .unwrap();
        }
        metric.value()
    }

    #[test]
    fn values_are_scikit_learns() {
        // r2_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])
        let output = Tensor::from([[2.5], [0.0], [2.0], [8.0]]);
        let target = Tensor::from([[3.0], [-0.5], [2.0], [7.0]]);
        let halves: Vec<_> = [0..2, 2..4]
            .map(|rows| (output.slice(0, rows.clone()), target.slice(0, rows)))
            .into();
        assert!((score(&[(output, target)]) - 0.948_608_137_044_967_9).abs() < 1e-12);
        assert!((score(&halves) - 0.948_608_137_044_967_9).abs() < 1e-12);
        // r2_score([[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]])
        let output = Tensor::from([[0.0, 2.0], [-1.0, 2.0], [8.0, -5.0]]);
        let target = Tensor::from([[0.5, 1.0], [-1.0, 1.0], [7.0, -6.0]]);
        assert!((score(&[(output, target)]) - 0.936_800_526_662_277_8).abs() < 1e-12);
    }

    #[test]
    fn targets_that_never_vary_score_one_or_zero() {
        let constant = Tensor::from([[2.0], [2.0]]);
        assert_eq!(score(&[(constant.clone(), constant.clone())]), 1.0);
        assert_eq!(score(&[(Tensor::from([[2.0], [3.0]]), constant)]), 0.0);
        assert!(score(&[]).is_nan());
    }

    #[test]
    fn large_offsets_do_not_drown_the_variation() {
        let target = Tensor::from([[1e9], [1e9 + 1.0], [1e9 + 2.0]]);
        let output = Tensor::from([[1e9], [1e9 + 1.0], [1e9 + 3.0]]);
        assert!((score(&[(output, target)]) - 0.5).abs() < 1e-9);
    }
}
