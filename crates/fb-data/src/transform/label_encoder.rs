//! Words to class indices.

use super::{Fitted, Invertible, Transform};
use crate::error::{Error, Result};
use crate::place::Place;
use crate::table::{Column, Table};
use fb_tensor::Tensor;
use std::collections::HashMap;

/// Gives every different value of a column an index: words in alphabetical order, numbers by size.
///
/// # Errors
/// There are no values, or one is missing.
///
/// # Examples
/// ```
/// use fb_data::transform::{Fitted, LabelEncoder, Transform};
/// use fb_data::Column;
/// let classes = LabelEncoder::new().fit(&Column::text(["dog", "cat", "dog"]))?;
/// assert_eq!(classes.names(), ["cat", "dog"]);
/// assert_eq!(classes.transform(&Column::text(["dog"]))?.to_vec(), [1]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LabelEncoder {}

impl LabelEncoder {
    /// Classes are the values seen in fitting.
    pub fn new() -> Self {
        Self {}
    }
}

impl Transform for LabelEncoder {
    type Fitted = Classes;

    fn fit(&self, column: &Column) -> Result<Classes> {
        let mut rows: Vec<usize> = (0..column.len())
            .filter(|&row| !column.is_missing(row))
            .collect();
        match column {
            Column::Numbers(values) => rows.sort_by(|&a, &b| {
                f64::total_cmp(
                    &values[a].unwrap_or_default(),
                    &values[b].unwrap_or_default(),
                )
            }),
            Column::Text(values) => rows.sort_by(|&a, &b| values[a].cmp(&values[b])),
        }
        let mut names: Vec<String> = rows.iter().filter_map(|&row| column.word(row)).collect();
        names.dedup();
        Classes::new(names)
    }
}

/// Names of classes; a class index is a position in them. The fitted [`LabelEncoder`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Classes {
    names: Vec<String>,
}

impl Classes {
    /// Classes in an order of your own.
    ///
    /// # Errors
    /// There are no names, or one is given twice.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return Err(Error::Empty {
                op: "Classes",
                what: "labels".to_string(),
                help: "fit on a column that holds labels",
            });
        }
        for (second, name) in names.iter().enumerate() {
            if names[..second].contains(name) {
                return Err(Error::Argument {
                    op: "Classes",
                    argument: "names",
                    expected: "different names".to_string(),
                    found: format!("\"{name}\" twice"),
                    help: "name every class once",
                });
            }
        }
        Ok(Self { names })
    }

    /// The names, in the order of their indices.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no classes; there always are.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn encode(&self, column: &Column, place: impl Fn(usize) -> Place) -> Result<Tensor<i64>> {
        let names = self.names.iter().enumerate();
        let known: HashMap<&str, i64> = names
            .map(|(index, name)| (name.as_str(), index as i64))
            .collect();
        let mut labels = Vec::with_capacity(column.len());
        for row in 0..column.len() {
            let Some(word) = column.word(row) else {
                return Err(Error::MissingValue {
                    op: "labels",
                    place: place(row),
                    expected: "a label",
                });
            };
            match known.get(word.as_str()) {
                Some(&label) => labels.push(label),
                None => {
                    return Err(Error::UnknownLabel {
                        place: place(row),
                        found: word,
                        classes: self.names.clone(),
                    });
                }
            }
        }
        let rows = labels.len();
        Ok(Tensor::from_vec(labels, [rows]))
    }
}

impl Fitted for Classes {
    type Input = Column;
    type Output = Tensor<i64>;

    fn transform(&self, column: &Column) -> Result<Tensor<i64>> {
        self.encode(column, Place::row)
    }
}

impl Invertible for Classes {
    /// The names of the classes, as words.
    fn inverse(&self, labels: &Tensor<i64>) -> Result<Column> {
        let name = |(row, label): (usize, i64)| {
            let name = usize::try_from(label)
                .ok()
                .and_then(|index| self.names.get(index));
            name.cloned().map(Some).ok_or_else(|| Error::LabelRange {
                op: "inverse",
                place: Place::row(row),
                expected: format!("0 to {}", self.names.len() as i64 - 1),
                found: label,
                help: "labels are indices into the names of the classes",
            })
        };
        labels
            .iter()
            .enumerate()
            .map(name)
            .collect::<Result<Vec<_>>>()
            .map(Column::Text)
    }
}

impl Table {
    /// Class indices of a column, with the classes found in it.
    ///
    /// # Shapes
    /// - returns `[rows]`
    ///
    /// # Errors
    /// There is no such column, it has no rows, or a value is missing.
    pub fn labels(&self, name: &str) -> Result<(Tensor<i64>, Classes)> {
        let classes = LabelEncoder::new().fit(self.column(name)?)?;
        Ok((self.labels_with(name, &classes)?, classes))
    }

    /// Class indices of a column, by classes that are already known, such as those of the training
    /// table.
    ///
    /// # Shapes
    /// - returns `[rows]`
    ///
    /// # Errors
    /// There is no such column, or a value is missing or not among the classes.
    pub fn labels_with(&self, name: &str, classes: &Classes) -> Result<Tensor<i64>> {
        classes.encode(self.column(name)?, |row| self.place(row, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::Csv;

    #[test]
    fn numbers_are_classes_by_size() {
        let column = Column::numbers([10.0, 2.0, -1.0, 2.0]);
        let (classes, y) = LabelEncoder::new().fit_transform(&column).unwrap();
        assert_eq!(classes.names(), ["-1", "2", "10"]);
        assert_eq!(y.to_vec(), [2, 1, 0, 1]);
        assert_eq!(
            classes.inverse(&y).unwrap(),
            Column::text(["10", "2", "-1", "2"])
        );
    }

    #[test]
    fn a_test_table_uses_the_classes_of_the_training_table() {
        let train = Csv::from_text("k\na\nb\n").read().unwrap();
        let test = Csv::from_text("k\nb\n\nc\n").read().unwrap();
        let (_, classes) = train.labels("k").unwrap();
        assert_eq!(
            test.labels_with("k", &classes).unwrap_err().to_string(),
            "unknown label \"c\"\n  row 1 (text, line 4), column \"k\": expected one of \"a\", \"b\", found \"c\"\n  help: correct the label, or fit the classes on rows that hold every label"
        );
    }

    #[test]
    fn a_missing_label_is_told() {
        let table = Csv::from_text("k,n\na,1\n,2\n").read().unwrap();
        assert_eq!(
            table.labels("k").unwrap_err().to_string(),
            "labels: missing value\n  row 1 (text, line 3), column \"k\": expected a label, found a missing value\n  help: fill it with .fill_missing(..), or drop such rows with .drop_missing()"
        );
    }

    #[test]
    fn classes_are_different_and_some() {
        assert_eq!(
            Classes::new(["a", "a"]).unwrap_err().to_string(),
            "Classes: bad names\n  expected different names, found \"a\" twice\n  help: name every class once"
        );
        assert!(LabelEncoder::new().fit(&Column::Text(vec![None])).is_err());
        let classes = Classes::new(["b", "a"]).unwrap();
        assert_eq!(
            classes.transform(&Column::text(["a"])).unwrap().to_vec(),
            [1]
        );
        assert_eq!(
            classes
                .inverse(&Tensor::from([0_i64, -1]))
                .unwrap_err()
                .to_string(),
            "inverse: label out of range\n  row 1: expected 0 to 1, found -1\n  help: labels are indices into the names of the classes"
        );
    }
}
