//! Scaling to mean 0 and deviation 1.

use super::Transform;
use super::scaler::{Affine, FittedScaler};
use crate::error::Result;
use fb_tensor::Tensor;

/// Takes off the mean of each column and divides by its standard deviation.
///
/// `y = (x − mean) / std` with `std = √(Σ(x − mean)² / rows)`, the population form that scikit-learn
/// uses too.
///
/// A constant column is mapped to 0.
///
/// # Shapes
/// - `x`: `[rows, .., columns]`, as is the output
///
/// # Errors
/// There are no values, or one is NaN or infinite.
///
/// # Examples
/// ```
/// use fb_data::transform::{StandardScaler, Transform};
/// use fb_tensor::Tensor;
/// let (scaler, y) = StandardScaler::new().fit_transform(&Tensor::from([[1.0, 5.0], [3.0, 5.0]]))?;
/// assert_eq!(y.to_vec(), [-1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(scaler.columns()[0].offset, 2.0);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StandardScaler {}

impl StandardScaler {
    /// Scales to mean 0 and deviation 1.
    pub fn new() -> Self {
        Self {}
    }
}

impl Transform for StandardScaler {
    type Fitted = FittedScaler;

    fn fit(&self, x: &Tensor) -> Result<FittedScaler> {
        FittedScaler::fit("StandardScaler", x, |column| match column.is_constant() {
            true => Affine {
                offset: column.min,
                scale: 1.0,
                base: 0.0,
            },
            false => Affine {
                offset: column.mean,
                scale: column.std,
                base: 0.0,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::Fitted;

    #[test]
    fn a_constant_column_that_rounding_would_move_is_zero() {
        let x = Tensor::full([1000, 1], 0.1);
        let (_, y) = StandardScaler::new().fit_transform(&x).unwrap();
        assert!(y.iter().all(|value| value == 0.0));
    }

    #[test]
    fn the_output_has_mean_zero_and_deviation_one() {
        let x = Tensor::from([[1.0], [2.0], [4.0], [9.0]]);
        let y = StandardScaler::new()
            .fit(&x)
            .unwrap()
            .transform(&x)
            .unwrap()
            .to_vec();
        let mean: f32 = y.iter().sum::<f32>() / 4.0;
        let square: f32 = y.iter().map(|value| value * value).sum::<f32>() / 4.0;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6);
    }
}
