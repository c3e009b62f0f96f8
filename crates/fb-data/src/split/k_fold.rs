//! Every row in the test part once.

use super::Rows;
use super::order::{Order, Strata};
use crate::error::{Error, Result};
use fb_tensor::Tensor;

/// Divides rows into `folds` parts of equal size, to the row, each of which is the test part once.
///
/// The work is done by [`KFold::seed`] or [`KFold::in_order`], which give the pairs of parts.
///
/// # Examples
/// ```
/// use fb_data::{embedded, k_fold};
/// let mut tested = 0;
/// for (train, test) in k_fold(embedded::iris(), 5).stratified().seed(42)? {
///     assert_eq!((train.len(), test.class_counts()), (120, vec![10, 10, 10]));
///     tested += test.len();
/// }
/// assert_eq!(tested, 150);
/// # Ok::<(), fb_data::Error>(())
/// ```
pub fn k_fold<S: Rows>(rows: S, folds: usize) -> KFold<S> {
    KFold {
        rows,
        folds,
        strata: Strata::None,
    }
}

/// A division into folds, to be ended by [`KFold::seed`] or [`KFold::in_order`].
#[derive(Clone, Debug)]
#[must_use = "folds are given when they are told the order: .seed(n) or .in_order()"]
pub struct KFold<S> {
    rows: S,
    folds: usize,
    strata: Strata,
}

impl<S: Rows> KFold<S> {
    /// Gives every class the same share of each fold, to the row.
    pub fn stratified(self) -> Self {
        Self {
            strata: Strata::Own,
            ..self
        }
    }

    /// As [`KFold::stratified`], by classes that are not part of the rows.
    pub fn stratified_by(self, labels: &Tensor<i64>) -> Self {
        Self {
            strata: Strata::Given(labels.to_vec()),
            ..self
        }
    }

    /// Shuffles by the seed and divides.
    ///
    /// # Errors
    /// There are fewer than 2 folds or fewer rows than folds, or there is not one class per row.
    pub fn seed(self, seed: u64) -> Result<Folds<S>> {
        self.divide(Order::Shuffled(seed))
    }

    /// Divides without shuffling: each fold is a run of neighbours, or, if stratified, takes rows of
    /// each class in turn.
    ///
    /// # Errors
    /// As [`KFold::seed`].
    pub fn in_order(self) -> Result<Folds<S>> {
        self.divide(Order::AsIs)
    }

    fn divide(self, order: Order) -> Result<Folds<S>> {
        let total = self.rows.rows()?;
        if self.folds < 2 || self.folds > total {
            return Err(Error::Argument {
                op: "k_fold",
                argument: "number of folds",
                expected: match total {
                    0 | 1 => "at least 2 rows to divide".to_string(),
                    _ => format!("2 to {total}, as there are rows"),
                },
                found: format!("{} folds of {total} rows", self.folds),
                help: "common numbers of folds are 5 and 10",
            });
        }
        let order = order.of(total);
        let fold_of = assign(&order, &self.strata.classes(&self.rows)?, self.folds);
        Ok(Folds {
            rows: self.rows,
            order,
            fold_of,
            folds: self.folds,
            next: 0,
        })
    }
}

/// The pairs of training and test rows, one per fold; each is made when it is asked for.
#[derive(Clone, Debug)]
pub struct Folds<S> {
    rows: S,
    order: Vec<usize>,
    fold_of: Vec<usize>,
    folds: usize,
    next: usize,
}

impl<S: Rows> Iterator for Folds<S> {
    type Item = (S::Part, S::Part);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.folds {
            return None;
        }
        let is_test = |row: &usize| self.fold_of[*row] == self.next;
        let (test, train): (Vec<usize>, Vec<usize>) =
            self.order.iter().partition(|row| is_test(row));
        self.next += 1;
        Some((self.rows.part(&train), self.rows.part(&test)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.folds - self.next;
        (left, Some(left))
    }
}

impl<S: Rows> ExactSizeIterator for Folds<S> {}

/// The fold of each row. Rows are lined up class by class and dealt out in turn, which gives every
/// fold its share of each class. A single class is cut into runs of neighbours instead.
fn assign(order: &[usize], classes: &[usize], folds: usize) -> Vec<usize> {
    let mut line = order.to_vec();
    line.sort_by_key(|&row| classes[row]);
    let one_class = classes.iter().all(|class| *class == classes[0]);
    let mut fold_of = vec![0; line.len()];
    for (position, &row) in line.iter().enumerate() {
        fold_of[row] = match one_class {
            true => position * folds / line.len(),
            false => position % folds,
        };
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_in_order_are_runs_of_neighbours() {
        let folds: Vec<_> = k_fold(7, 3)
            .in_order()
            .unwrap()
            .map(|(_, test)| test)
            .collect();
        assert_eq!(folds, [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
    }

    #[test]
    fn every_fold_gets_its_share_of_a_rare_class() {
        let y: Vec<i64> = (0..50).map(|row| i64::from(row % 10 == 0)).collect();
        let folds = k_fold(50, 5)
            .stratified_by(&Tensor::from(y))
            .seed(1)
            .unwrap();
        assert_eq!(folds.len(), 5);
        for (train, test) in folds {
            assert_eq!((train.len(), test.len()), (40, 10));
            assert_eq!(test.iter().filter(|&&row| row % 10 == 0).count(), 1);
        }
    }

    #[test]
    fn too_few_or_too_many_folds_are_told() {
        assert_eq!(
            k_fold(4, 1).seed(1).unwrap_err().to_string(),
            "k_fold: bad number of folds\n  expected 2 to 4, as there are rows, found 1 folds of 4 rows\n  help: common numbers of folds are 5 and 10"
        );
        assert!(k_fold(4, 5).seed(1).is_err());
        assert!(k_fold(0, 2).seed(1).is_err());
    }
}
