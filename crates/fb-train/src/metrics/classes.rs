//! Which class each row of an output says, and which one the target says.

use super::errors;
use super::values::{elements, same_rows};
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

const ONE_COLUMN: &str = "an output with one column takes 0 and 1, as numbers or as class indices";
const COLUMNS: &str = "an output with one column a class takes class indices (i64, one a row) or a distribution in the output's own shape";

/// Calls `each` with the predicted and the actual class of every row, and returns how many classes there are.
///
/// The rule is Keras's for `"accuracy"`: an output with one column says class 1 above the threshold and class 0 up to
/// it; one with several columns says the column with the largest value, the first of equals. A target is the index of
/// the class, or numbers that are read in the same way (with a threshold of one half). An output that is NaN predicts
/// no class.
///
/// # Shapes
/// - `output`: `[…, columns]`, or `[…]` for one column
/// - `target`: `[…]` or `[…, 1]` for indices and for one column, `[…, columns]` for distributions
///
/// # Errors
/// The shapes do not fit, or a target names no class.
#[inline]
pub(crate) fn for_each_row<F: Float>(
    metric: &str,
    output: &Tensor<F>,
    target: &Target<F>,
    threshold: f64,
    each: impl FnMut(Option<usize>, usize),
) -> Result<usize> {
    match *output.dims() {
        [] | [_] | [.., 1] => {
            one_column(metric, output, target, F::from_f64(threshold), each).map(|()| 2)
        }
        [.., columns] => several_columns(metric, output, target, columns, each).map(|()| columns),
    }
}

fn one_column<F: Float>(
    metric: &str,
    output: &Tensor<F>,
    target: &Target<F>,
    threshold: F,
    mut each: impl FnMut(Option<usize>, usize),
) -> Result<()> {
    if !same_rows(output.dims(), target.shape()) {
        return Err(errors::shapes(metric, output.shape(), target, ONE_COLUMN));
    }
    let (mut output_copy, mut float_copy, mut index_copy) = (None, None, None);
    let answers = elements(output, &mut output_copy);
    let predicted = |answer: F| (!answer.is_nan()).then_some(usize::from(answer > threshold));
    match target {
        Target::Float(numbers) => {
            let half = F::from_f64(0.5);
            for (row, (&answer, &number)) in answers
                .iter()
                .zip(elements(numbers, &mut float_copy))
                .enumerate()
            {
                if !(number >= F::ZERO && number <= F::ONE) {
                    let expected = "a number from 0 to 1".to_string();
                    return Err(errors::label(
                        metric,
                        row,
                        expected,
                        number.to_string(),
                        ONE_COLUMN,
                    ));
                }
                each(predicted(answer), usize::from(number > half));
            }
        }
        Target::Index(labels) => {
            for (row, (&answer, &label)) in answers
                .iter()
                .zip(elements(labels, &mut index_copy))
                .enumerate()
            {
                each(predicted(answer), class(metric, row, label, 2, ONE_COLUMN)?);
            }
        }
        other => {
            return Err(errors::kind(
                metric,
                "numbers or class indices",
                other,
                ONE_COLUMN,
            ));
        }
    }
    Ok(())
}

fn several_columns<F: Float>(
    metric: &str,
    output: &Tensor<F>,
    target: &Target<F>,
    columns: usize,
    mut each: impl FnMut(Option<usize>, usize),
) -> Result<()> {
    let (mut output_copy, mut float_copy, mut index_copy) = (None, None, None);
    let rows = &output.dims()[..output.rank() - 1];
    let fits = match target {
        Target::Index(labels) => same_rows(labels.dims(), rows),
        other => *other.shape() == *output.shape(),
    };
    if !fits || columns == 0 {
        return Err(errors::shapes(metric, output.shape(), target, COLUMNS));
    }
    let answers = elements(output, &mut output_copy).chunks_exact(columns);
    match target {
        Target::Float(numbers) => {
            let targets = elements(numbers, &mut float_copy).chunks_exact(columns);
            for (row, (answer, target)) in answers.zip(targets).enumerate() {
                let Some(actual) = largest(target) else {
                    let expected = "numbers".to_string();
                    return Err(errors::label(
                        metric,
                        row,
                        expected,
                        "NaN".to_string(),
                        COLUMNS,
                    ));
                };
                each(largest(answer), actual);
            }
        }
        Target::Index(labels) => {
            for (row, (answer, &label)) in
                answers.zip(elements(labels, &mut index_copy)).enumerate()
            {
                each(
                    largest(answer),
                    class(metric, row, label, columns, COLUMNS)?,
                );
            }
        }
        other => {
            return Err(errors::kind(
                metric,
                "numbers or class indices",
                other,
                COLUMNS,
            ));
        }
    }
    Ok(())
}

/// The class that an index names.
#[inline]
fn class(
    metric: &str,
    row: usize,
    label: i64,
    classes: usize,
    help: &'static str,
) -> Result<usize> {
    match usize::try_from(label) {
        Ok(class) if class < classes => Ok(class),
        _ => Err(errors::label(
            metric,
            row,
            format!("0 to {}", classes - 1),
            label.to_string(),
            help,
        )),
    }
}

/// The position of the largest number, the first of equals; none if any is NaN.
#[inline]
fn largest<F: Float>(row: &[F]) -> Option<usize> {
    let (mut best, mut position) = (*row.first()?, 0);
    for (index, &value) in row.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if value > best {
            (best, position) = (value, index);
        }
    }
    Some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::Tensor;

    type Rows = Vec<(Option<usize>, usize)>;

    fn rows(output: &Tensor<f32>, target: &Target<f32>, threshold: f64) -> Result<(usize, Rows)> {
        let mut rows = Vec::new();
        let classes = for_each_row("accuracy", output, target, threshold, |p, a| {
            rows.push((p, a))
        })?;
        Ok((classes, rows))
    }

    #[test]
    fn one_column_says_two_classes() {
        let output = Tensor::from([[0.2], [0.5], [0.7], [f32::NAN]]);
        let expected = (2, vec![(Some(0), 0), (Some(0), 1), (Some(1), 1), (None, 0)]);
        let numbers = Tensor::from([[0.0], [1.0], [0.9], [0.0]]);
        let labels = Tensor::from([0_i64, 1, 1, 0]);
        assert_eq!(
            rows(&output, &Target::Float(numbers.clone()), 0.5).unwrap(),
            expected
        );
        assert_eq!(
            rows(&output, &Target::Float(numbers.reshape([4])), 0.5).unwrap(),
            expected
        );
        assert_eq!(
            rows(&output, &Target::Index(labels.clone()), 0.5).unwrap(),
            expected
        );
        assert_eq!(
            rows(
                &output.reshape([4]),
                &Target::Index(labels.reshape([4, 1])),
                0.5
            )
            .unwrap(),
            expected
        );
    }

    #[test]
    fn logits_have_their_threshold_at_zero() {
        let output = Tensor::from([[-0.1], [0.1]]);
        let target = Target::Index(Tensor::from([0_i64, 1]));
        assert_eq!(
            rows(&output, &target, 0.0).unwrap().1,
            [(Some(0), 0), (Some(1), 1)]
        );
    }

    #[test]
    fn several_columns_say_the_largest() {
        let output = Tensor::from([
            [0.1, 0.7, 0.2],
            [0.4, 0.2, 0.4],
            [f32::NAN, 9.0, 0.0],
            [0.0, f32::NAN, 0.0],
        ]);
        let expected = (3, vec![(Some(1), 1), (Some(0), 2), (None, 1), (None, 0)]);
        let labels = Target::Index(Tensor::from([1_i64, 2, 1, 0]));
        let distribution = Tensor::from([
            [0.0, 1.0, 0.0],
            [0.1, 0.1, 0.8],
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0],
        ]);
        assert_eq!(rows(&output, &labels, 0.5).unwrap(), expected);
        assert_eq!(
            rows(&output, &Target::Float(distribution), 0.5).unwrap(),
            expected
        );
    }

    #[test]
    fn sequences_have_a_class_a_step() {
        let output = Tensor::from([[[0.9, 0.1], [0.2, 0.8]]]);
        let target = Target::Index(Tensor::from([[0_i64, 0]]));
        assert_eq!(
            rows(&output, &target, 0.5).unwrap().1,
            [(Some(0), 0), (Some(1), 0)]
        );
    }

    #[test]
    fn views_are_read_as_they_look() {
        let output = Tensor::from([[0.9, 0.2, 0.3], [0.1, 0.8, 0.7]]).transpose();
        let target = Target::Index(Tensor::from([0_i64, 1, 1]).flip(0));
        assert_eq!(
            rows(&output, &target, 0.5).unwrap().1,
            [(Some(0), 1), (Some(1), 1), (Some(1), 0)]
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let three = Tensor::from([[0.1, 0.7, 0.2]]);
        let one = Tensor::from([[0.5], [0.5]]);
        for (output, target, texts) in [
            (
                &three,
                Target::Index(Tensor::from([3_i64])),
                [
                    "row 0 of the batch (from 0): expected 0 to 2, found 3",
                    "help: an output with one",
                ],
            ),
            (
                &three,
                Target::Index(Tensor::from([-1_i64])),
                ["expected 0 to 2, found -1", "label out of range"],
            ),
            (
                &three,
                Target::Index(Tensor::from([1_i64, 1])),
                ["[1, 3]", "found class indices of shape [2]"],
            ),
            (
                &three,
                Target::Float(Tensor::from([[1.0]])),
                ["[1, 3]", "found numbers of shape [1, 1]"],
            ),
            (
                &one,
                Target::Float(Tensor::from([[0.0], [7.0]])),
                [
                    "row 1 of the batch (from 0): expected a number from 0 to 1, found 7",
                    "accuracy",
                ],
            ),
            (
                &one,
                Target::Index(Tensor::from([0_i64, 2])),
                [
                    "row 1 of the batch (from 0): expected 0 to 1, found 2",
                    "accuracy",
                ],
            ),
            (
                &one,
                Target::Float(Tensor::from([[0.0, 1.0]])),
                ["[2, 1]", "found numbers of shape [1, 2]"],
            ),
        ] {
            let text = rows(output, &target, 0.5).unwrap_err().to_string();
            assert!(
                texts.iter().all(|part| text.contains(part)),
                "{texts:?} in {text}"
            );
        }
        assert!(
            rows(
                &Tensor::zeros([2, 0]),
                &Target::Index(Tensor::from([0_i64, 0])),
                0.5
            )
            .is_err()
        );
    }
}
