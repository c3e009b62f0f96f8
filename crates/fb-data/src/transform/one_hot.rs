//! Class indices to vectors with a single one.

use super::{Fitted, Invertible, Transform};
use crate::dataset::{check_finite, index};
use crate::error::{Error, Result};
use crate::place::Place;
use fb_tensor::{Shape, Tensor};

/// Turns a class index into a vector that is 1 at the class and 0 elsewhere.
///
/// # Shapes
/// - `y`: `[..]`, indices from 0
/// - returns `[.., classes]`
///
/// # Errors
/// An index is negative or beyond the last class; in [`OneHot::new`], also beyond
/// [`OneHot::MAX_LEARNED`].
///
/// # Examples
/// ```
/// use fb_data::transform::{Fitted, Invertible, OneHot, Transform};
/// use fb_tensor::Tensor;
/// let one_hot = OneHot::classes(3).fit(&Tensor::from([0_i64, 1]))?;
/// let y = one_hot.transform(&Tensor::from([2_i64, 0]))?;
/// assert_eq!(y.to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// // Back through the greatest value, so probabilities will do.
/// assert_eq!(one_hot.inverse(&Tensor::from([[0.1, 0.7, 0.2]]))?.to_vec(), [1]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OneHot {
    classes: Option<usize>,
}

/// A fitted [`OneHot`]: the number of classes.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FittedOneHot {
    classes: usize,
}

impl OneHot {
    /// The most classes that [`OneHot::new`] believes in: an index beyond is taken for a number that
    /// is no class, before it fills the memory.
    pub const MAX_LEARNED: usize = 65_536;

    /// As many classes as the greatest index seen in fitting asks for.
    pub fn new() -> Self {
        Self::default()
    }

    /// This many classes, seen in fitting or not.
    pub fn classes(classes: usize) -> Self {
        Self {
            classes: Some(classes),
        }
    }
}

impl Transform for OneHot {
    type Fitted = FittedOneHot;

    fn fit(&self, y: &Tensor<i64>) -> Result<FittedOneHot> {
        let classes = self.classes.unwrap_or(Self::MAX_LEARNED);
        check(
            classes,
            y,
            "encode the values with LabelEncoder, or set OneHot::classes(n)",
        )?;
        let greatest = y.iter().max().map_or(0, |label| label as usize + 1);
        match self.classes.unwrap_or(greatest) {
            0 => Err(Error::Empty {
                op: "OneHot",
                what: "classes".to_string(),
                help: "fit on labels, or set OneHot::classes(n)",
            }),
            classes => Ok(FittedOneHot { classes }),
        }
    }
}

impl FittedOneHot {
    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }
}

impl Fitted for FittedOneHot {
    type Input = Tensor<i64>;
    type Output = Tensor;

    fn transform(&self, y: &Tensor<i64>) -> Result<Tensor> {
        check(
            self.classes,
            y,
            "fit on labels of every class, or set OneHot::classes(n)",
        )?;
        let shape = Shape::try_new(&[y.dims(), &[self.classes]].concat())?;
        let mut values = vec![0.0; shape.elements()];
        for (row, label) in values.chunks_mut(self.classes.max(1)).zip(y.iter()) {
            row[label as usize] = 1.0;
        }
        Ok(Tensor::from_vec(values, shape))
    }
}

impl Invertible for FittedOneHot {
    /// The index of the greatest value of each vector, the first among equals.
    fn inverse(&self, data: &Tensor) -> Result<Tensor<i64>> {
        let Some((&classes, outer)) = data.dims().split_last() else {
            return Err(self.wrong_shape(data));
        };
        if classes != self.classes {
            return Err(self.wrong_shape(data));
        }
        check_finite(data)?;
        let labels = data.to_vec().chunks(classes.max(1)).map(greatest).collect();
        Ok(Tensor::from_vec(labels, outer))
    }
}

impl FittedOneHot {
    fn wrong_shape(&self, data: &Tensor) -> Error {
        Error::Shape {
            op: "inverse",
            expected: format!("[.., {}] for {} classes", self.classes, self.classes),
            found: data.shape().to_string(),
            help: "the last axis must hold one value per class",
        }
    }
}

fn greatest(values: &[f32]) -> i64 {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best as i64
}

fn check(classes: usize, y: &Tensor<i64>, help: &'static str) -> Result<()> {
    let last = i64::try_from(classes).unwrap_or(i64::MAX) - 1;
    match y.iter().position(|label| !(0..=last).contains(&label)) {
        None => Ok(()),
        Some(flat) => {
            let index = index(flat, y.dims());
            Err(Error::LabelRange {
                op: "OneHot",
                expected: format!("0 to {last}"),
                found: y.at(&index),
                place: Place::element(&index),
                help,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_tensors_of_any_rank_gain_an_axis() {
        let y = Tensor::from([[0_i64, 2], [1, 1]]);
        let (one_hot, x) = OneHot::new().fit_transform(&y).unwrap();
        assert_eq!((one_hot.classes(), x.dims()), (3, &[2, 2, 3][..]));
        assert_eq!(x.sum(), 4.0);
        assert_eq!(one_hot.inverse(&x).unwrap().to_vec(), y.to_vec());
        let label = one_hot.transform(&Tensor::from_scalar(1_i64)).unwrap();
        assert_eq!(label.to_vec(), [0.0, 1.0, 0.0]);
        assert_eq!(one_hot.inverse(&label).unwrap().rank(), 0);
    }

    #[test]
    fn labels_without_a_class_are_told() {
        let one_hot = OneHot::classes(3).fit(&Tensor::from([0_i64])).unwrap();
        assert_eq!(
            one_hot
                .transform(&Tensor::from([0_i64, 3]))
                .unwrap_err()
                .to_string(),
            "OneHot: label out of range\n  row 1: expected 0 to 2, found 3\n  help: fit on labels of every class, or set OneHot::classes(n)"
        );
        assert_eq!(
            OneHot::new()
                .fit(&Tensor::from([[1_i64, -1]]))
                .unwrap_err()
                .to_string(),
            "OneHot: label out of range\n  row 0, column 1 (both from 0): expected 0 to 65535, found -1\n  help: encode the values with LabelEncoder, or set OneHot::classes(n)"
        );
        assert!(OneHot::new().fit(&Tensor::from([i64::MAX])).is_err());
        assert!(OneHot::classes(0).fit(&Tensor::from([0_i64])).is_err());
        assert!(OneHot::new().fit(&Tensor::<i64>::zeros_of([0])).is_err());
    }

    #[test]
    fn vectors_of_another_length_are_told() {
        let one_hot = OneHot::classes(2).fit(&Tensor::from([0_i64])).unwrap();
        assert_eq!(
            one_hot
                .inverse(&Tensor::zeros([1, 3]))
                .unwrap_err()
                .to_string(),
            "inverse: shape does not fit\n  expected [.., 2] for 2 classes, found [1, 3]\n  help: the last axis must hold one value per class"
        );
        assert!(one_hot.inverse(&Tensor::from([[f32::NAN, 0.0]])).is_err());
        assert!(one_hot.inverse(&Tensor::scalar(1.0)).is_err());
    }

    #[test]
    fn a_number_of_classes_that_cannot_be_held_is_an_error() {
        let huge: FittedOneHot =
            serde_json::from_str(r#"{"classes":18446744073709551615}"#).unwrap();
        assert!(huge.transform(&Tensor::from([0_i64])).is_err());
        let none: FittedOneHot = serde_json::from_str(r#"{"classes":0}"#).unwrap();
        assert!(none.transform(&Tensor::from([0_i64])).is_err());
        assert_eq!(none.inverse(&Tensor::zeros([0, 0])).unwrap().len(), 0);
    }
}
