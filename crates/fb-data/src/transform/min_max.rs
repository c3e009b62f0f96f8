//! Scaling to a range.

use super::Transform;
use super::scaler::{Affine, FittedScaler};
use crate::error::{Error, Result};
use fb_tensor::Tensor;

/// Maps the minimum of each column to `low` and its maximum to `high`, 0 and 1 unless set.
///
/// `y = low + (x − min) / (max − min) · (high − low)`
///
/// A constant column is mapped to `low`.
///
/// # Shapes
/// - `x`: `[rows, .., columns]`, as is the output
///
/// # Errors
/// There are no values, one is NaN or infinite, or `low` is not below `high`.
///
/// # Examples
/// ```
/// use fb_data::transform::{Fitted, MinMaxScaler, Transform};
/// use fb_tensor::Tensor;
/// let x = Tensor::from([[1.0, 7.0], [3.0, 7.0], [2.0, 7.0]]);
/// let (_, y) = MinMaxScaler::new().range(-1.0, 1.0).fit_transform(&x)?;
/// assert_eq!(y.to_vec(), [-1.0, -1.0, 1.0, -1.0, 0.0, -1.0]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MinMaxScaler {
    low: f64,
    high: f64,
}

impl MinMaxScaler {
    /// Scales to 0 … 1.
    pub fn new() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
        }
    }

    /// Scales to `low` … `high`.
    #[must_use]
    pub fn range(self, low: f64, high: f64) -> Self {
        Self { low, high }
    }
}

impl Default for MinMaxScaler {
    fn default() -> Self {
        Self::new()
    }
}

impl Transform for MinMaxScaler {
    type Fitted = FittedScaler;

    fn fit(&self, x: &Tensor) -> Result<FittedScaler> {
        let Self { low, high } = *self;
        if !(low < high && (high - low).is_finite()) {
            return Err(Error::Argument {
                op: "MinMaxScaler",
                argument: "range",
                expected: "two finite numbers, the lower one first".to_string(),
                found: format!("{low} to {high}"),
                help: "common ranges are .range(0.0, 1.0) and .range(-1.0, 1.0)",
            });
        }
        FittedScaler::fit("MinMaxScaler", x, |column| Affine {
            offset: column.min,
            scale: match column.is_constant() {
                true => 1.0,
                false => (column.max - column.min) / (high - low),
            },
            base: low,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{Fitted, Invertible};

    #[test]
    fn the_ends_of_the_range_are_met_exactly() {
        let x = Tensor::from([[-3.7], [0.1], [12.9]]);
        let scaler = MinMaxScaler::new().range(-1.0, 1.0).fit(&x).unwrap();
        let y = scaler.transform(&x).unwrap().to_vec();
        assert_eq!((y[0], y[2]), (-1.0, 1.0));
    }

    #[test]
    fn a_constant_column_comes_back() {
        let x = Tensor::from([[0.1], [0.1], [0.1]]);
        let (scaler, y) = MinMaxScaler::new().fit_transform(&x).unwrap();
        assert_eq!(y.to_vec(), [0.0; 3]);
        assert_eq!(scaler.inverse(&y).unwrap().to_vec(), x.to_vec());
    }

    #[test]
    fn a_range_without_extent_is_told() {
        assert_eq!(
            MinMaxScaler::new()
                .range(1.0, 1.0)
                .fit(&Tensor::ones([1, 1]))
                .unwrap_err()
                .to_string(),
            "MinMaxScaler: bad range\n  expected two finite numbers, the lower one first, found 1 to 1\n  help: common ranges are .range(0.0, 1.0) and .range(-1.0, 1.0)"
        );
        assert!(
            MinMaxScaler::new()
                .range(f64::NAN, 1.0)
                .fit(&Tensor::ones([1, 1]))
                .is_err()
        );
    }
}
