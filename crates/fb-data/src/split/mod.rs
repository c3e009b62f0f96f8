//! Rows to train on and rows to test on.
//!
//! [`split`] sets a part aside once, [`k_fold`] every row in turn. Both take a [`Labelled`] set, a
//! [`Table`], a pair of tensors or a number of rows, and end with the choice of an order: `.seed(n)`
//! shuffles, `.in_order()` does not (the last rows are the test, as series need it).
//!
//! ```
//! use fb_data::{embedded, split};
//! use fb_tensor::Tensor;
//!
//! let (train, test) = embedded::wine().split(0.25).stratified().seed(1)?;
//! assert_eq!((train.len(), test.len()), (133, 45));
//!
//! let (x, y) = (Tensor::zeros([10, 3]), Tensor::zeros([10, 1]));
//! let ((x_train, _), (x_test, _)) = split((&x, &y), 0.2).seed(1)?;
//! assert_eq!((x_train.dim(0), x_test.dim(0)), (8, 2));
//!
//! let (train, validation, test) = split(100, 0.2).validation(0.1).in_order()?;
//! assert_eq!((train.len(), validation[0], test[0]), (70, 70, 80));
//! # Ok::<(), fb_data::Error>(())
//! ```

mod hold_out;
mod k_fold;
mod order;
mod rows;
mod share;
mod size;

pub use hold_out::{Split, ThreeWaySplit, split};
pub use k_fold::{Folds, KFold, k_fold};
pub use rows::Rows;
pub use size::Size;

use crate::dataset::Labelled;
use crate::table::Table;

impl Labelled {
    /// Sets rows aside for testing: a fraction or a number of them.
    ///
    /// # Examples
    /// ```
    /// let digits = fb_data::embedded::digits();
    /// let (train, test) = digits.split(0.2).stratified().seed(42)?;
    /// assert_eq!((train.len(), test.len()), (1438, 359));
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn split(&self, test: impl Into<Size>) -> Split<&Self> {
        split(self, test)
    }

    /// Divides the rows into `folds` parts, each of which is the test part once.
    pub fn k_fold(&self, folds: usize) -> KFold<&Self> {
        k_fold(self, folds)
    }
}

impl Table {
    /// Sets rows aside for testing: a fraction or a number of them. Doing so before cleaning keeps
    /// the test rows out of all statistics.
    ///
    /// # Examples
    /// ```
    /// let table = fb_data::Csv::from_text("kind\na\nb\na\nb\n").read()?;
    /// let (y, _) = table.labels("kind")?;
    /// let (train, test) = table.split(0.5).stratified_by(&y).seed(7)?;
    /// assert_eq!(test.labels("kind")?.1.names(), ["a", "b"]);
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn split(&self, test: impl Into<Size>) -> Split<&Self> {
        split(self, test)
    }

    /// Divides the rows into `folds` parts, each of which is the test part once.
    pub fn k_fold(&self, folds: usize) -> KFold<&Self> {
        k_fold(self, folds)
    }
}
