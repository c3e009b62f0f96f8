//! What all scalers share: one affine map per column.

use super::{Fitted, Invertible};
use crate::dataset::{check_finite, index};
use crate::error::{Error, Result};
use crate::place::Place;
use fb_tensor::Tensor;

/// A fitted scaler: `y = base + (x − offset) / scale` for each column.
///
/// Columns are the last axis; all axes before it count rows. Nothing is clipped: a value outside the
/// range fitted on is mapped outside the target range, and comes back.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FittedScaler {
    columns: Vec<Affine>,
}

/// The map of one column, `y = base + (x − offset) / scale`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Affine {
    /// Taken off first: the mean, the minimum or 0.
    pub offset: f64,
    /// Divided by: the deviation, the range or the maximum; 1 for a constant column.
    pub scale: f64,
    /// Added last.
    pub base: f64,
}

/// Statistics of one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnStatistics {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    /// Population standard deviation.
    pub(super) std: f64,
}

impl ColumnStatistics {
    /// Whether all values are the same. Exact, unlike a deviation of 0, which rounding hides.
    pub(super) fn is_constant(&self) -> bool {
        self.min == self.max
    }
}

impl FittedScaler {
    /// Fits one affine map to the statistics of each column.
    pub(super) fn fit(
        op: &'static str,
        x: &Tensor,
        map: impl Fn(&ColumnStatistics) -> Affine,
    ) -> Result<Self> {
        let columns = columns(op, x)?;
        check_finite(x)?;
        if x.is_empty() {
            return Err(Error::Empty {
                op,
                what: format!("values in x {}", x.shape()),
                help: "fit on rows; check what was filtered out before",
            });
        }
        let statistics = statistics(&x.to_vec(), columns);
        Ok(Self {
            columns: statistics.iter().map(map).collect(),
        })
    }

    /// The map of each column.
    pub fn columns(&self) -> &[Affine] {
        &self.columns
    }

    fn apply(
        &self,
        op: &'static str,
        x: &Tensor,
        map: impl Fn(&Affine, f64) -> f64,
    ) -> Result<Tensor> {
        if columns(op, x)? != self.columns.len() {
            return Err(Error::Shape {
                op,
                expected: format!("[.., {}] as fitted on", self.columns.len()),
                found: x.shape().to_string(),
                help: "pass the columns in the order and number used in fit",
            });
        }
        check_finite(x)?;
        let mut values = x.to_vec();
        for (value, column) in values.iter_mut().zip(self.columns.iter().cycle()) {
            *value = map(column, f64::from(*value)) as f32;
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(Tensor::from_vec(values, *x.shape())),
            Some(flat) => Err(Error::NotFinite {
                place: Place::element(&index(flat, x.dims())),
                expected: "a finite 32-bit number",
                found: values[flat].to_string(),
                help: "the value lies too far outside the range fitted on: correct it or leave it out",
            }),
        }
    }
}

impl Fitted for FittedScaler {
    type Input = Tensor;
    type Output = Tensor;

    fn transform(&self, x: &Tensor) -> Result<Tensor> {
        self.apply("transform", x, |map, x| {
            map.base + (x - map.offset) / map.scale
        })
    }
}

impl Invertible for FittedScaler {
    fn inverse(&self, y: &Tensor) -> Result<Tensor> {
        self.apply("inverse", y, |map, y| {
            map.offset + (y - map.base) * map.scale
        })
    }
}

/// The number of columns, the last axis of at least two.
fn columns(op: &'static str, x: &Tensor) -> Result<usize> {
    match x.dims() {
        [_, .., columns] => Ok(*columns),
        _ => Err(Error::Shape {
            op,
            expected: "[rows, columns]".to_string(),
            found: x.shape().to_string(),
            help: "make one column of a vector with .reshape([rows, 1])",
        }),
    }
}

/// Two passes, the mean first: one pass over squares loses the digits of a small spread.
fn statistics(values: &[f32], columns: usize) -> Vec<ColumnStatistics> {
    let empty = ColumnStatistics {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        mean: 0.0,
        std: 0.0,
    };
    let mut statistics = vec![empty; columns];
    let rows = (values.len() / columns) as f64;
    for row in values.chunks(columns) {
        for (column, &value) in statistics.iter_mut().zip(row) {
            let value = f64::from(value);
            column.min = column.min.min(value);
            column.max = column.max.max(value);
            column.mean += value / rows;
        }
    }
    for row in values.chunks(columns) {
        for (column, &value) in statistics.iter_mut().zip(row) {
            column.std += (f64::from(value) - column.mean).powi(2) / rows;
        }
    }
    for column in &mut statistics {
        column.std = column.std.sqrt();
    }
    statistics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> FittedScaler {
        let map = |_: &ColumnStatistics| Affine {
            offset: 0.0,
            scale: 1.0,
            base: 0.0,
        };
        FittedScaler::fit("unit", &Tensor::zeros([1, 2]), map).unwrap()
    }

    #[test]
    fn statistics_are_those_of_the_column() {
        let found = statistics(&[1.0, 5.0, 3.0, 5.0], 2);
        assert_eq!(
            (found[0].min, found[0].max, found[0].mean, found[0].std),
            (1.0, 3.0, 2.0, 1.0)
        );
        assert!(found[1].is_constant() && found[1].std == 0.0);
    }

    #[test]
    fn a_small_spread_on_a_large_mean_is_seen() {
        let values: Vec<f32> = (0..1000).map(|i| 1e6 + (i % 2) as f32).collect();
        assert!((statistics(&values, 1)[0].std - 0.5).abs() < 1e-9);
    }

    #[test]
    fn another_number_of_columns_is_told() {
        assert_eq!(
            unit()
                .transform(&Tensor::zeros([4, 3]))
                .unwrap_err()
                .to_string(),
            "transform: shape does not fit\n  expected [.., 2] as fitted on, found [4, 3]\n  help: pass the columns in the order and number used in fit"
        );
        assert_eq!(
            unit().inverse(&Tensor::zeros([2])).unwrap_err().to_string(),
            "inverse: shape does not fit\n  expected [rows, columns], found [2]\n  help: make one column of a vector with .reshape([rows, 1])"
        );
    }

    #[test]
    fn values_that_cannot_be_used_are_told() {
        let x = Tensor::from([[0.0, 1.0], [f32::NAN, 1.0]]);
        assert!(
            unit()
                .transform(&x)
                .unwrap_err()
                .to_string()
                .contains("row 1, column 0")
        );
        let tiny = FittedScaler {
            columns: vec![Affine {
                offset: 0.0,
                scale: 1e-30,
                base: 0.0,
            }],
        };
        assert_eq!(
            tiny.transform(&Tensor::from([[1e20]]))
                .unwrap_err()
                .to_string(),
            "inf is not a finite 32-bit number\n  row 0, column 0 (both from 0): expected a finite 32-bit number, found inf\n  help: the value lies too far outside the range fitted on: correct it or leave it out"
        );
    }

    #[test]
    fn any_axes_before_the_last_count_rows() {
        let x = Tensor::arange(12).reshape([2, 3, 2]);
        assert_eq!(unit().transform(&x).unwrap().dims(), [2, 3, 2]);
        let turned = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).transpose();
        assert_eq!(
            unit().transform(&turned).unwrap().to_vec(),
            [1.0, 3.0, 2.0, 4.0]
        );
        assert_eq!(
            unit().transform(&Tensor::zeros([0, 2])).unwrap().dims(),
            [0, 2]
        );
    }
}
