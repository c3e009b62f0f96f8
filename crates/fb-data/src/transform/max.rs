//! Scaling by the maximum.

use super::Transform;
use super::scaler::{Affine, FittedScaler};
use crate::error::Result;
use fb_tensor::Tensor;

/// Divides each column by its maximum, as `X / X.max(axis=0)` does.
///
/// `y = x / max`
///
/// A column whose maximum is 0 is left as it is. For columns of positive numbers the result lies
/// between 0 and 1; for others [`MinMaxScaler`](super::MinMaxScaler) is the better choice.
///
/// # Shapes
/// - `x`: `[rows, .., columns]`, as is the output
///
/// # Errors
/// There are no values, or one is NaN or infinite.
///
/// # Examples
/// ```
/// use fb_data::transform::{MaxScaler, Transform};
/// use fb_tensor::Tensor;
/// let (_, y) = MaxScaler::new().fit_transform(&Tensor::from([[1.0, 0.0], [4.0, 0.0]]))?;
/// assert_eq!(y.to_vec(), [0.25, 0.0, 1.0, 0.0]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MaxScaler {}

impl MaxScaler {
    /// Scales by the maximum of each column.
    pub fn new() -> Self {
        Self {}
    }
}

impl Transform for MaxScaler {
    type Fitted = FittedScaler;

    fn fit(&self, x: &Tensor) -> Result<FittedScaler> {
        FittedScaler::fit("MaxScaler", x, |column| Affine {
            offset: 0.0,
            scale: if column.max == 0.0 { 1.0 } else { column.max },
            base: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::Invertible;

    #[test]
    fn columns_without_positive_numbers_come_back() {
        let x = Tensor::from([[-2.0, 0.0, 3.0], [-4.0, -1.0, 3.0]]);
        let (scaler, y) = MaxScaler::new().fit_transform(&x).unwrap();
        assert_eq!(y.to_vec(), [1.0, 0.0, 1.0, 2.0, -1.0, 1.0]);
        assert_eq!(scaler.inverse(&y).unwrap().to_vec(), x.to_vec());
    }

    #[test]
    fn nothing_cannot_be_fitted() {
        assert_eq!(
            MaxScaler::new()
                .fit(&Tensor::zeros([0, 3]))
                .unwrap_err()
                .to_string(),
            "MaxScaler: no values in x [0, 3]\n  expected at least one, found none\n  help: fit on rows; check what was filtered out before"
        );
    }
}
