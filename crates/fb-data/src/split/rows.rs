//! What can be divided by rows.

use crate::dataset::{Labelled, paired_rows};
use crate::error::Result;
use crate::table::Table;
use fb_tensor::{Element, Tensor};
use std::any::Any;

/// Something with rows, of which some can be taken.
///
/// Implemented for [`Labelled`], [`Table`], a pair of tensors, and a number of rows, whose parts are
/// row numbers.
pub trait Rows {
    /// What some of the rows make.
    type Part;

    /// How many rows.
    ///
    /// # Errors
    /// The parts that should agree on it do not.
    fn rows(&self) -> Result<usize>;

    /// The class of each row, if the rows come with classes.
    fn classes(&self) -> Option<Vec<i64>>;

    /// The given rows, all of which exist, in the given order.
    fn part(&self, rows: &[usize]) -> Self::Part;
}

impl Rows for usize {
    type Part = Vec<usize>;

    fn rows(&self) -> Result<usize> {
        Ok(*self)
    }

    fn classes(&self) -> Option<Vec<i64>> {
        None
    }

    fn part(&self, rows: &[usize]) -> Vec<usize> {
        rows.to_vec()
    }
}

impl Rows for &Labelled {
    type Part = Labelled;

    fn rows(&self) -> Result<usize> {
        Ok(self.len())
    }

    fn classes(&self) -> Option<Vec<i64>> {
        Some(self.y().to_vec())
    }

    fn part(&self, rows: &[usize]) -> Labelled {
        self.take(rows)
    }
}

impl Rows for &Table {
    type Part = Table;

    fn rows(&self) -> Result<usize> {
        Ok(self.len())
    }

    fn classes(&self) -> Option<Vec<i64>> {
        None
    }

    fn part(&self, rows: &[usize]) -> Table {
        self.take(rows)
    }
}

impl<L: Element> Rows for (&Tensor, &Tensor<L>) {
    type Part = (Tensor, Tensor<L>);

    fn rows(&self) -> Result<usize> {
        paired_rows("split", self.0, self.1)
    }

    /// The targets, if they are a vector of class indices.
    fn classes(&self) -> Option<Vec<i64>> {
        let labels = (self.1 as &dyn Any).downcast_ref::<Tensor<i64>>()?;
        (labels.rank() == 1).then(|| labels.to_vec())
    }

    fn part(&self, rows: &[usize]) -> Self::Part {
        (self.0.select_rows(rows), self.1.select_rows(rows))
    }
}
