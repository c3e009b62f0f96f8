//! The elements of outputs and targets side by side.

use super::{Mean, errors};
use crate::error::Result;
use fb_nn::Target;
use fb_tensor::{Element, Float, Tensor};

/// The elements in row-major order; copied into `copy` only if they do not lie like that.
pub(super) fn elements<'a, T: Element>(
    tensor: &'a Tensor<T>,
    copy: &'a mut Option<Tensor<T>>,
) -> &'a [T] {
    if tensor.as_slice().is_none() {
        *copy = Some(tensor.contiguous());
    }
    let readable = copy.as_ref().unwrap_or(tensor);
    readable.as_slice().expect("a contiguous tensor is a slice")
}

/// Whether two shapes are equal but for one trailing axis of extent 1, as `[4]` and `[4, 1]` are.
pub(super) fn same_rows(a: &[usize], b: &[usize]) -> bool {
    a == b || a.strip_suffix(&[1]) == Some(b) || b.strip_suffix(&[1]) == Some(a)
}

const NUMBERS: &str =
    "give targets as numbers in the output's shape; a last axis of extent 1 may be left out";

/// Calls `each` with every pair of answer and target, and its position.
///
/// # Errors
/// The target is not numbers in the output's shape.
#[inline]
pub(super) fn for_each_pair<F: Float>(
    metric: &str,
    output: &Tensor<F>,
    target: &Target<F>,
    mut each: impl FnMut(usize, f64, f64),
) -> Result<()> {
    let Target::Float(numbers) = target else {
        return Err(errors::kind(metric, "numbers", target, NUMBERS));
    };
    if !same_rows(output.dims(), numbers.dims()) {
        return Err(errors::shapes(metric, output.shape(), target, NUMBERS));
    }
    let (mut output_copy, mut target_copy) = (None, None);
    let targets = elements(numbers, &mut target_copy);
    for (position, (answer, number)) in elements(output, &mut output_copy)
        .iter()
        .zip(targets)
        .enumerate()
    {
        each(position, answer.to_f64(), number.to_f64());
    }
    Ok(())
}

/// Adds what `of` makes of each difference between output and target to a mean.
pub(super) fn add_differences<F: Float>(
    metric: &str,
    mean: &mut Mean,
    output: &Tensor<F>,
    target: &Target<F>,
    of: impl Fn(f64) -> f64,
) -> Result<()> {
    for_each_pair(metric, output, target, |_, answer, number| {
        mean.add(of(answer - number), 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_axis_may_be_missing() {
        assert!(same_rows(&[4], &[4, 1]) && same_rows(&[4, 1], &[4]) && same_rows(&[], &[1]));
        assert!(
            !same_rows(&[4, 2], &[4])
                && !same_rows(&[2, 4], &[4, 2])
                && !same_rows(&[4, 1, 1], &[4])
        );
    }

    #[test]
    fn other_targets_are_refused() {
        let output = Tensor::from([[1.0], [2.0]]);
        let pairs = |target| for_each_pair("mean_squared_error", &output, &target, |_, _, _| ());
        assert!(pairs(Target::Float(Tensor::from(vec![1.0, 2.0]))).is_ok());
        for (target, text) in [
            (
                Target::Float(Tensor::from([[1.0, 2.0]])),
                "output of shape [2, 1], found numbers of shape [1, 2]",
            ),
            (
                Target::Index(Tensor::from([[1_i64], [2]])),
                "expected numbers, found class indices of shape [2, 1]",
            ),
        ] {
            let error = pairs(target).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn views_are_read_in_row_major_order() {
        let tensor = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(elements(&tensor, &mut None), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(
            elements(&tensor.transpose(), &mut None),
            [1.0, 3.0, 2.0, 4.0]
        );
    }
}
