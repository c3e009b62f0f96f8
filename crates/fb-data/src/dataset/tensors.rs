//! Inputs and targets in memory.

use super::{Dataset, check_finite};
use crate::error::{Error, Result};
use fb_tensor::{Element, Tensor};
use std::any::Any;

/// Inputs with a target per row: numbers (`Tensor`) or class indices (`Tensor<i64>`).
///
/// # Examples
/// ```
/// use fb_data::{Dataset, TensorDataset};
/// use fb_tensor::Tensor;
/// let x = Tensor::from([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
/// let data = TensorDataset::new(x, Tensor::from([7_i64, 8, 9]))?;
/// let (x, y) = data.batch(&[2, 0])?;
/// assert_eq!(x.to_vec(), [4.0, 5.0, 0.0, 1.0]);
/// assert_eq!(y.to_vec(), [9, 7]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorDataset<L: Element = f32> {
    x: Tensor,
    y: Tensor<L>,
}

impl<L: Element> TensorDataset<L> {
    /// A set of rows that belong together.
    ///
    /// # Shapes
    /// - `x`: `[rows, ..]`
    /// - `y`: `[rows, ..]`
    ///
    /// # Errors
    /// The row counts differ, there are no rows, or a number is NaN or infinite.
    pub fn new(x: Tensor, y: Tensor<L>) -> Result<Self> {
        let rows = paired_rows("TensorDataset", &x, &y)?;
        if rows == 0 {
            return Err(Error::Empty {
                op: "TensorDataset",
                what: "rows".to_string(),
                help: "check what was filtered out before",
            });
        }
        check_finite(&x)?;
        if let Some(y) = (&y as &dyn Any).downcast_ref::<Tensor>() {
            check_finite(y)?;
        }
        Ok(Self { x, y })
    }

    /// The inputs, `[rows, ..]`.
    pub fn x(&self) -> &Tensor {
        &self.x
    }

    /// The targets, `[rows, ..]`.
    pub fn y(&self) -> &Tensor<L> {
        &self.y
    }
}

impl<L: Element> Dataset for TensorDataset<L> {
    type Batch = (Tensor, Tensor<L>);

    fn len(&self) -> usize {
        self.x.dim(0)
    }

    fn batch(&self, rows: &[usize]) -> Result<Self::Batch> {
        check_rows("batch", rows, self.len())?;
        Ok((self.x.select_rows(rows), self.y.select_rows(rows)))
    }
}

/// The number of rows that inputs and targets share.
pub(crate) fn paired_rows<L: Element>(
    op: &'static str,
    x: &Tensor,
    y: &Tensor<L>,
) -> Result<usize> {
    match (x.dims().first(), y.dims().first()) {
        (Some(rows), Some(targets)) if rows == targets => Ok(*rows),
        _ => Err(Error::Shape {
            op,
            expected: format!("one target per row of x {}", x.shape()),
            found: format!("y {}", y.shape()),
            help: "the first axes of x and y count the rows and must agree",
        }),
    }
}

/// Checks that every row number exists.
pub(crate) fn check_rows(op: &'static str, rows: &[usize], len: usize) -> Result<()> {
    match rows.iter().find(|&&row| row >= len) {
        Some(&row) => Err(Error::RowRange { op, row, rows: len }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_pair_up() {
        let error = TensorDataset::new(Tensor::zeros([3, 2]), Tensor::from([1_i64, 2]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "TensorDataset: shape does not fit\n  expected one target per row of x [3, 2], found y [2]\n  help: the first axes of x and y count the rows and must agree"
        );
        assert!(TensorDataset::new(Tensor::scalar(1.0), Tensor::scalar(1.0)).is_err());
        assert_eq!(
            TensorDataset::new(Tensor::zeros([0, 2]), Tensor::zeros([0]))
                .unwrap_err()
                .to_string(),
            "TensorDataset: no rows\n  expected at least one, found none\n  help: check what was filtered out before"
        );
    }

    #[test]
    fn odd_numbers_are_found_on_both_sides() {
        let odd = Tensor::from([[1.0], [f32::NAN]]);
        let even = Tensor::from([[1.0], [2.0]]);
        assert!(TensorDataset::new(odd.clone(), even.clone()).is_err());
        assert!(TensorDataset::new(even.clone(), odd).is_err());
        assert!(TensorDataset::new(even.clone(), even).is_ok());
    }

    #[test]
    fn a_row_beyond_the_end_is_an_error() {
        let data = TensorDataset::new(Tensor::zeros([3, 2]), Tensor::zeros([3])).unwrap();
        assert!(
            data.batch(&[])
                .is_ok_and(|(x, y)| x.dims() == [0, 2] && y.is_empty())
        );
        assert_eq!(
            data.batch(&[0, 3]).unwrap_err().to_string(),
            "batch: row 3 does not exist\n  expected rows 0 to 2, found 3\n  help: row numbers start at 0 and end before .len()"
        );
    }
}
