//! Which classes are taken for which.

use super::{Metric, classes, errors};
use crate::error::{Error, Result};
use crate::plot::Heatmap;
use crate::text::Table;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};
use std::fmt;
use std::path::Path;

/// How often each class was predicted as each: rows are the actual classes, columns the predicted ones.
///
/// `Display` shows an aligned table, [`plot`](Self::plot) a picture. As a metric its value is the accuracy.
///
/// ```
/// use fb_nn::Target;
/// use fb_tensor::Tensor;
/// use fb_train::metrics::ConfusionMatrix;
/// let mut matrix = ConfusionMatrix::new(["cat", "dog"]);
/// let output = Tensor::from([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]);
/// matrix.add(&output, &Target::Index(Tensor::from([0_i64, 1, 1])))?;
/// assert_eq!(matrix.count(1, 0), 1);
/// assert_eq!(
///     matrix.to_string(),
///     "actual \\ predicted  cat  dog  recall\n\
///      \u{20}              cat    1    0   1.000\n\
///      \u{20}              dog    1    1   0.500"
/// );
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    threshold: f64,
    counts: Vec<u64>,
}

const NAME: &str = "confusion_matrix";

impl ConfusionMatrix {
    /// An empty matrix for classes of these names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let counts = vec![0; names.len() * names.len()];
        Self {
            names,
            threshold: 0.5,
            counts,
        }
    }

    /// An empty matrix for classes that are called `0`, `1`, ….
    pub fn numbered(classes: usize) -> Self {
        Self::new((0..classes).map(|class| class.to_string()))
    }

    /// Outputs with one column predict class 1 above this value: 0.5 for probabilities, 0 for logits.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Counts a batch. One that fails is not counted.
    ///
    /// # Errors
    /// Output and target do not fit each other or the classes, or an output is NaN.
    pub fn add<F: Float>(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        let mut pairs = Vec::with_capacity(output.dims().first().copied().unwrap_or(1));
        let classes =
            classes::for_each_row(NAME, output, target, self.threshold, |predicted, actual| {
                pairs.push((actual, predicted))
            })?;
        if classes != self.names.len() {
            return Err(Error::Metric {
                metric: NAME.to_string(),
                expected: format!("an output for {} classes", self.names.len()),
                found: format!("an output for {classes} classes"),
                help: "give the matrix one name a class; an output with one column has two classes",
            });
        }
        if let Some(row) = pairs.iter().position(|(_, predicted)| predicted.is_none()) {
            return Err(errors::not_a_number(NAME, row));
        }
        for (actual, predicted) in pairs {
            self.counts[actual * classes + predicted.unwrap_or(actual)] += 1;
        }
        Ok(())
    }

    /// How often a class was predicted as another.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        assert!(
            actual.max(predicted) < self.names.len(),
            "classes are 0 to {}",
            self.names.len().saturating_sub(1)
        );
        self.counts[actual * self.names.len() + predicted]
    }

    /// The names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows of counts, one an actual class.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.names.len().max(1))
    }

    /// The number of rows counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of rows on the diagonal; NaN if there are no rows.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.rows().enumerate().map(|(class, row)| row[class]).sum();
        right as f64 / self.total() as f64
    }

    /// The pairs of classes that are confused most, as (actual, predicted, count), the most frequent first.
    pub fn most_confused(&self, pairs: usize) -> Vec<(usize, usize, u64)> {
        let cells = self.rows().enumerate().flat_map(|(actual, row)| {
            row.iter()
                .enumerate()
                .map(move |(predicted, &count)| (actual, predicted, count))
        });
        let mut wrong: Vec<_> = cells
            .filter(|&(actual, predicted, count)| actual != predicted && count > 0)
            .collect();
        wrong.sort_by_key(|&(_, _, count)| std::cmp::Reverse(count));
        wrong.truncate(pairs);
        wrong
    }

    /// The matrix as a picture: colours show shares of the actual class, so that rare classes are seen as well.
    pub fn heatmap(&self) -> Heatmap {
        let rows = self.rows().map(|row| {
            let total = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(|&count| count as f64 / total).collect()
        });
        Heatmap::new("confusion matrix", rows.collect())
            .row_names(self.names.iter().cloned())
            .column_names(self.names.iter().cloned())
            .x_label("predicted")
            .y_label("actual")
            .cell_texts(|row, column| match self.count(row, column) {
                0 => "·".to_string(),
                count => count.to_string(),
            })
    }

    /// Writes the picture as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        self.heatmap().save(path)
    }
}

/// One row an actual class, with the share of it that was found.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header = vec!["actual \\ predicted".to_string()];
        header.extend(self.names.iter().cloned());
        header.push("recall".to_string());
        let mut table = Table::new(header);
        for (class, counts) in self.rows().take(self.names.len()).enumerate() {
            let mut row = vec![self.names[class].clone()];
            row.extend(counts.iter().map(u64::to_string));
            let total: u64 = counts.iter().sum();
            row.push(if total == 0 {
                String::new()
            } else {
                format!("{:.3}", counts[class] as f64 / total as f64)
            });
            table.row(row);
        }
        write!(f, "{table}")
    }
}

impl<F: Float> Metric<F> for ConfusionMatrix {
    fn name(&self) -> &str {
        NAME
    }

    fn update(&mut self, output: &Tensor<F>, target: &Target<F>) -> Result<()> {
        self.add(output, target)
    }

    fn value(&self) -> f64 {
        self.accuracy()
    }

    fn reset(&mut self) {
        self.counts.fill(0);
    }

    fn boxed_clone(&self) -> Box<dyn Metric<F>> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(["a", "b", "c"]);
        let answers = [0, 2, 1, 2, 2, 0, 1, 1, 2, 0];
        let output = Tensor::from_fn([10, 3], |i| f32::from(u8::from(answers[i[0]] == i[1])));
        let labels = Tensor::from([0_i64, 2, 1, 1, 2, 0, 2, 1, 2, 0]);
        matrix.add(&output, &Target::Index(labels)).unwrap();
        matrix
    }

    #[test]
    fn counts_are_scikit_learns() {
        // sklearn.metrics.confusion_matrix([0, 2, 1, 1, 2, 0, 2, 1, 2, 0], [0, 2, 1, 2, 2, 0, 1, 1, 2, 0])
        assert_eq!(
            matrix().rows().collect::<Vec<_>>(),
            [[3, 0, 0], [0, 2, 1], [0, 1, 3]]
        );
        assert_eq!(matrix().accuracy(), 0.8);
        assert_eq!(matrix().most_confused(5), [(1, 2, 1), (2, 1, 1)]);
    }

    #[test]
    fn one_column_has_two_classes() {
        let mut matrix = ConfusionMatrix::numbered(2).threshold(0.0);
        matrix
            .add(
                &Tensor::from([[-1.0], [2.0], [3.0]]),
                &Target::Index(Tensor::from([0_i64, 1, 0])),
            )
            .unwrap();
        assert_eq!(matrix.rows().collect::<Vec<_>>(), [[1, 1], [0, 1]]);
    }

    #[test]
    fn a_batch_that_fails_counts_for_nothing() {
        let mut matrix = matrix();
        let before = matrix.clone();
        let two = matrix
            .add(
                &Tensor::from([[0.5, 0.5]]),
                &Target::Index(Tensor::from([0_i64])),
            )
            .unwrap_err();
        assert!(
            two.to_string()
                .contains("expected an output for 3 classes, found an output for 2 classes"),
            "{two}"
        );
        let nan = matrix
            .add(
                &Tensor::from([[0.5, 0.1, f32::NAN]]),
                &Target::Index(Tensor::from([0_i64])),
            )
            .unwrap_err();
        assert!(
            nan.to_string().contains("found NaN in row 0 of the batch"),
            "{nan}"
        );
        assert_eq!(matrix, before);
    }

    #[test]
    fn no_rows_and_no_classes_are_shown_as_none() {
        assert_eq!(
            ConfusionMatrix::numbered(1).to_string(),
            "actual \\ predicted  0  recall\n                 0  0"
        );
        assert_eq!(
            ConfusionMatrix::numbered(0).to_string(),
            "actual \\ predicted  recall"
        );
        assert!(ConfusionMatrix::numbered(0).accuracy().is_nan());
    }

    #[test]
    fn the_picture_names_the_classes() {
        let svg = matrix().heatmap().to_svg().unwrap();
        assert!(
            ["predicted", "actual", "·"]
                .iter()
                .all(|text| svg.contains(text))
        );
    }
}
