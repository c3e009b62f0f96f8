//! Rows with a class each, and where they come from.

use super::tensors::{check_rows, paired_rows};
use super::{Dataset, check_finite};
use crate::error::{Error, Result};
use crate::place::Place;
use fb_tensor::Tensor;
use std::fmt;

/// Inputs with a class per row, the names of both, and what the set is.
///
/// Printed, it is a paragraph with source and licence.
///
/// # Examples
/// ```
/// use fb_data::embedded;
/// let iris = embedded::iris();
/// assert_eq!(iris.x().dims(), [150, 4]);
/// assert_eq!(iris.feature_names()[3], "petal_width");
/// assert_eq!(iris.class_names(), ["setosa", "versicolor", "virginica"]);
/// println!("{iris}");
/// ```
#[derive(Clone, Debug)]
pub struct Labelled {
    x: Tensor,
    y: Tensor<i64>,
    feature_names: Vec<String>,
    class_names: Vec<String>,
    image: Option<[usize; 3]>,
    about: About,
}

/// What a set is and who may use it how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// A short name.
    pub name: String,
    /// A sentence or two on what the rows are.
    pub description: String,
    /// Where they come from.
    pub source: String,
    /// Under which terms they may be used.
    pub licence: String,
}

impl Labelled {
    /// Rows with their classes.
    ///
    /// # Shapes
    /// - `x`: `[rows, features]`
    /// - `y`: `[rows]`, indices into `class_names`
    ///
    /// # Errors
    /// The shapes or the number of names do not fit together, a label is not the index of a class,
    /// or a number is NaN or infinite.
    pub fn new(
        x: Tensor,
        y: Tensor<i64>,
        feature_names: Vec<String>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        paired_rows("Labelled", &x, &y)?;
        if x.rank() != 2 || y.rank() != 1 {
            return Err(Error::Shape {
                op: "Labelled",
                expected: "x [rows, features] and y [rows]".to_string(),
                found: format!("x {} and y {}", x.shape(), y.shape()),
                help: "reshape to one row of numbers and one class per row",
            });
        }
        if x.dim(1) != feature_names.len() {
            return Err(Error::Length {
                op: "Labelled",
                expected: format!("{} feature names as x has columns", x.dim(1)),
                found: feature_names.len().to_string(),
                help: "name every column of x",
            });
        }
        check_finite(&x)?;
        check_labels("Labelled", &y, class_names.len())?;
        Ok(Self {
            x,
            y,
            feature_names,
            class_names,
            image: None,
            about: About::default(),
        })
    }

    /// The same rows with what they are.
    #[must_use]
    pub fn with_about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// The same rows, each of which is a picture of this height, width and number of channels.
    ///
    /// # Errors
    /// The product is not the number of features.
    pub fn with_image_shape(mut self, [height, width, channels]: [usize; 3]) -> Result<Self> {
        if height * width * channels != self.x.dim(1) {
            return Err(Error::Shape {
                op: "with_image_shape",
                expected: format!("a product of {} as x has columns", self.x.dim(1)),
                found: format!("[{height}, {width}, {channels}]"),
                help: "give height, width and channels of one picture",
            });
        }
        self.image = Some([height, width, channels]);
        Ok(self)
    }

    /// The inputs, `[rows, features]`.
    pub fn x(&self) -> &Tensor {
        &self.x
    }

    /// The classes, `[rows]`.
    pub fn y(&self) -> &Tensor<i64> {
        &self.y
    }

    /// The inputs as pictures, a view without a copy.
    ///
    /// # Shapes
    /// - returns `[rows, height, width, channels]`
    ///
    /// # Errors
    /// The rows are not pictures.
    pub fn images(&self) -> Result<Tensor> {
        match self.image {
            Some([height, width, channels]) => {
                Ok(self.x.reshape([self.len(), height, width, channels]))
            }
            None => Err(Error::Shape {
                op: "images",
                expected: "rows that are pictures".to_string(),
                found: format!("{} features of \"{}\"", self.x.dim(1), self.about.name),
                help: "say what a picture is with .with_image_shape([height, width, channels])",
            }),
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.x.dim(0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the columns of [`Labelled::x`].
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The names of the classes; a label is an index into them.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// How many rows each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_names.len()];
        for label in self.y.iter() {
            counts[label as usize] += 1;
        }
        counts
    }

    /// The set's short name.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// What the rows are.
    pub fn description(&self) -> &str {
        &self.about.description
    }

    /// Where the rows come from.
    pub fn source(&self) -> &str {
        &self.about.source
    }

    /// Under which terms the rows may be used.
    pub fn licence(&self) -> &str {
        &self.about.licence
    }

    /// The rows in the given order, with the same names.
    ///
    /// # Errors
    /// A row number is beyond the end.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        check_rows("select_rows", rows, self.len())?;
        Ok(self.take(rows))
    }

    /// Rows known to exist.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        let (x, y) = (self.x.select_rows(rows), self.y.select_rows(rows));
        Self {
            x,
            y,
            ..self.clone()
        }
    }
}

impl Dataset for Labelled {
    type Batch = (Tensor, Tensor<i64>);

    fn len(&self) -> usize {
        self.len()
    }

    fn batch(&self, rows: &[usize]) -> Result<Self::Batch> {
        check_rows("batch", rows, self.len())?;
        Ok((self.x.select_rows(rows), self.y.select_rows(rows)))
    }
}

impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.class_names.iter().zip(self.class_counts());
        let counts: Vec<String> = counts
            .map(|(name, count)| format!("{name}: {count}"))
            .collect();
        let [rows, features] = [self.len(), self.feature_names.len()];
        let About {
            name,
            description,
            source,
            licence,
        } = &self.about;
        let name = if name.is_empty() { "rows" } else { name };
        write!(
            f,
            "{name}: {rows} rows of {features} features in {} classes ({}).",
            counts.len(),
            counts.join(", ")
        )?;
        for (title, text) in [
            ("", description),
            (" Source:", source),
            (" Licence:", licence),
        ] {
            if !text.is_empty() {
                write!(f, "{title} {text}")?;
            }
        }
        Ok(())
    }
}

/// Checks that every label is the index of a class.
fn check_labels(op: &'static str, y: &Tensor<i64>, classes: usize) -> Result<()> {
    let known = 0..classes as i64;
    match y
        .iter()
        .enumerate()
        .find(|(_, label)| !known.contains(label))
    {
        None => Ok(()),
        Some((row, found)) => Err(Error::LabelRange {
            op,
            place: Place::row(row),
            expected: format!("0 to {} for {classes} classes", classes as i64 - 1),
            found,
            help: "labels are indices into the class names; LabelEncoder makes them from any values",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn small() -> Labelled {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let y = Tensor::from([1_i64, 0, 1]);
        Labelled::new(x, y, names(&["a", "b"]), names(&["no", "yes"])).unwrap()
    }

    #[test]
    fn a_set_prints_what_it_is() {
        assert_eq!(
            small().to_string(),
            "rows: 3 rows of 2 features in 2 classes (no: 1, yes: 2)."
        );
        let about = About {
            name: "toy".into(),
            description: "Three points.".into(),
            source: "nowhere.".into(),
            licence: "none.".into(),
        };
        assert_eq!(
            small().with_about(about).to_string(),
            "toy: 3 rows of 2 features in 2 classes (no: 1, yes: 2). Three points. Source: nowhere. Licence: none."
        );
    }

    #[test]
    fn selected_rows_keep_their_names() {
        let part = small().select_rows(&[2, 1]).unwrap();
        assert_eq!(part.x().to_vec(), [5.0, 6.0, 3.0, 4.0]);
        assert_eq!(part.y().to_vec(), [1, 0]);
        assert_eq!(part.class_names(), small().class_names());
        assert!(small().select_rows(&[3]).is_err());
        assert_eq!(small().batch(&[0]).unwrap().1.to_vec(), [1]);
    }

    #[test]
    fn labels_outside_the_classes_are_told() {
        let x = Tensor::zeros([2, 1]);
        let error = Labelled::new(
            x,
            Tensor::from([0_i64, 2]),
            names(&["a"]),
            names(&["n", "y"]),
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "Labelled: label out of range\n  row 1: expected 0 to 1 for 2 classes, found 2\n  help: labels are indices into the class names; LabelEncoder makes them from any values"
        );
    }

    #[test]
    fn pictures_need_a_shape_of_the_right_size() {
        assert!(
            small()
                .images()
                .unwrap_err()
                .to_string()
                .starts_with("images: shape does not fit")
        );
        assert!(small().with_image_shape([2, 2, 1]).is_err());
        let pictures = small().with_image_shape([1, 2, 1]).unwrap();
        assert_eq!(pictures.images().unwrap().dims(), [3, 1, 2, 1]);
    }

    #[test]
    fn shapes_and_names_must_agree() {
        let y = || Tensor::from([0_i64, 0]);
        let class = || names(&["only"]);
        assert!(Labelled::new(Tensor::zeros([2]), y(), vec![], class()).is_err());
        assert_eq!(
            Labelled::new(Tensor::zeros([2, 3]), y(), names(&["a"]), class())
                .unwrap_err()
                .to_string(),
            "Labelled: lengths differ\n  expected 3 feature names as x has columns, found 1\n  help: name every column of x"
        );
    }
}
