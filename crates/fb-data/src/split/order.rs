//! The order of rows before they are divided, and the classes they are divided by.

use super::Rows;
use crate::error::{Error, Result};
use fb_tensor::random::{Key, permutation};
use std::collections::BTreeMap;

/// By which classes a division is balanced.
#[derive(Clone, Debug)]
pub(super) enum Strata {
    /// By none: all rows are alike.
    None,
    /// By the classes that the rows come with.
    Own,
    /// By these.
    Given(Vec<i64>),
}

/// The order in which rows are divided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    AsIs,
    Shuffled(u64),
}

impl Order {
    pub(super) fn of(self, rows: usize) -> Vec<usize> {
        match self {
            Self::AsIs => (0..rows).collect(),
            Self::Shuffled(seed) => permutation(rows, &mut Key::new(seed).fold("split").rng()),
        }
    }
}

impl Strata {
    /// The class of each row, numbered from 0 without gaps.
    pub(super) fn classes(&self, rows: &impl Rows) -> Result<Vec<usize>> {
        let total = rows.rows()?;
        let labels = match self {
            Self::None => return Ok(vec![0; total]),
            Self::Given(labels) => labels.clone(),
            Self::Own => rows.classes().ok_or(Error::Empty {
                op: "stratified",
                what: "classes".to_string(),
                help: "give a vector of class indices with .stratified_by(&labels)",
            })?,
        };
        if labels.len() != total {
            return Err(Error::Length {
                op: "stratified_by",
                expected: format!("{total} labels, one per row"),
                found: labels.len().to_string(),
                help: "pass the labels of the very rows that are divided",
            });
        }
        let mut numbers: BTreeMap<i64, usize> = labels.iter().map(|&label| (label, 0)).collect();
        for (number, known) in numbers.values_mut().enumerate() {
            *known = number;
        }
        Ok(labels.iter().map(|label| numbers[label]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::Tensor;

    #[test]
    fn classes_are_numbered_without_gaps() {
        let given = Strata::Given(vec![7, -3, 7, 100]);
        assert_eq!(given.classes(&4_usize).unwrap(), [1, 0, 1, 2]);
        assert_eq!(Strata::None.classes(&2_usize).unwrap(), [0, 0]);
    }

    #[test]
    fn rows_without_classes_are_told() {
        assert_eq!(
            Strata::Own
                .classes(&(&Tensor::zeros([2, 1]), &Tensor::zeros([2])))
                .unwrap_err()
                .to_string(),
            "stratified: no classes\n  expected at least one, found none\n  help: give a vector of class indices with .stratified_by(&labels)"
        );
        assert_eq!(
            Strata::Given(vec![1])
                .classes(&2_usize)
                .unwrap_err()
                .to_string(),
            "stratified_by: lengths differ\n  expected 2 labels, one per row, found 1\n  help: pass the labels of the very rows that are divided"
        );
        let (x, y) = (Tensor::zeros([2, 1]), Tensor::from([4_i64, 2]));
        assert_eq!(Strata::Own.classes(&(&x, &y)).unwrap(), [1, 0]);
    }

    #[test]
    fn a_shuffled_order_depends_on_its_seed_alone() {
        assert_eq!(Order::Shuffled(1).of(50), Order::Shuffled(1).of(50));
        assert_ne!(Order::Shuffled(1).of(50), Order::Shuffled(2).of(50));
        assert_eq!(Order::AsIs.of(3), [0, 1, 2]);
    }
}
