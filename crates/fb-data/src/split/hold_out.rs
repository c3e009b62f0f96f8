//! Setting rows aside once.

use super::order::{Order, Strata};
use super::share::{shares, sizes};
use super::{Rows, Size};
use crate::error::{Error, Result};
use fb_tensor::Tensor;

/// Sets rows aside for testing: a fraction or a number of them.
///
/// The work is done by [`Split::seed`] or [`Split::in_order`], which give the parts.
pub fn split<S: Rows>(rows: S, test: impl Into<Size>) -> Split<S> {
    Split {
        rows,
        test: test.into(),
        strata: Strata::None,
    }
}

/// A division into training and test rows, to be ended by [`Split::seed`] or [`Split::in_order`].
#[derive(Clone, Debug)]
#[must_use = "a split gives its parts when it is told the order: .seed(n) or .in_order()"]
pub struct Split<S> {
    rows: S,
    test: Size,
    strata: Strata,
}

/// A division into training, validation and test rows, made by [`Split::validation`].
#[derive(Clone, Debug)]
#[must_use = "a split gives its parts when it is told the order: .seed(n) or .in_order()"]
pub struct ThreeWaySplit<S> {
    split: Split<S>,
    validation: Size,
}

impl<S: Rows> Split<S> {
    /// Gives every class the same share of each part, to the row: what a class has in the test part
    /// is the floor or the ceiling of its proportional count.
    pub fn stratified(self) -> Self {
        Self {
            strata: Strata::Own,
            ..self
        }
    }

    /// As [`Split::stratified`], by classes that are not part of the rows.
    pub fn stratified_by(self, labels: &Tensor<i64>) -> Self {
        Self {
            strata: Strata::Given(labels.to_vec()),
            ..self
        }
    }

    /// Sets a third part aside for validation; a fraction is one of all rows.
    pub fn validation(self, validation: impl Into<Size>) -> ThreeWaySplit<S> {
        ThreeWaySplit {
            split: self,
            validation: validation.into(),
        }
    }

    /// Shuffles by the seed and divides into training and test rows.
    ///
    /// # Errors
    /// A part would be empty, or there is not one class per row.
    pub fn seed(self, seed: u64) -> Result<(S::Part, S::Part)> {
        self.divide(Order::Shuffled(seed))
    }

    /// Divides into training rows and, at the end, test rows, without shuffling.
    ///
    /// # Errors
    /// As [`Split::seed`].
    pub fn in_order(self) -> Result<(S::Part, S::Part)> {
        self.divide(Order::AsIs)
    }

    fn divide(self, order: Order) -> Result<(S::Part, S::Part)> {
        let total = self.rows.rows()?;
        let test = self.test.of(total, "test size")?;
        let [train, _, test] = parts(order.of(total), &self.strata.classes(&self.rows)?, 0, test);
        Ok((self.rows.part(&train), self.rows.part(&test)))
    }
}

impl<S: Rows> ThreeWaySplit<S> {
    /// As [`Split::stratified`], for all three parts: what a class has in the validation part is the
    /// floor or the ceiling of its proportional count among the rows that are not for testing.
    pub fn stratified(self) -> Self {
        Self {
            split: self.split.stratified(),
            ..self
        }
    }

    /// As [`Split::stratified_by`].
    pub fn stratified_by(self, labels: &Tensor<i64>) -> Self {
        Self {
            split: self.split.stratified_by(labels),
            ..self
        }
    }

    /// Shuffles by the seed and divides into training, validation and test rows.
    ///
    /// # Errors
    /// A part would be empty, or there is not one class per row.
    pub fn seed(self, seed: u64) -> Result<(S::Part, S::Part, S::Part)> {
        self.divide(Order::Shuffled(seed))
    }

    /// Divides into training, validation and, at the end, test rows, without shuffling.
    ///
    /// # Errors
    /// As [`ThreeWaySplit::seed`].
    pub fn in_order(self) -> Result<(S::Part, S::Part, S::Part)> {
        self.divide(Order::AsIs)
    }

    fn divide(self, order: Order) -> Result<(S::Part, S::Part, S::Part)> {
        let Split { rows, test, strata } = self.split;
        let total = rows.rows()?;
        let test = test.of(total, "test size")?;
        let validation = self.validation.of(total, "validation size")?;
        if test + validation >= total {
            return Err(Error::Argument {
                op: "split",
                argument: "validation size",
                expected: format!("at least one of {total} rows left for training"),
                found: format!("{test} for testing and {validation} for validation"),
                help: "set smaller parts aside",
            });
        }
        let classes = strata.classes(&rows)?;
        let parts = parts(order.of(total), &classes, validation, test);
        let [train, validation, test] = parts.map(|part| rows.part(&part));
        Ok((train, validation, test))
    }
}

/// Training, validation and test rows, each in the given order.
///
/// Walking backwards, the first rows of each class fill its share of the test part, the next its
/// share of the validation part: without classes these are the last rows.
fn parts(order: Vec<usize>, classes: &[usize], validation: usize, test: usize) -> [Vec<usize>; 3] {
    let mut sizes = sizes(classes);
    let mut test_left = shares(&sizes, test);
    for (size, share) in sizes.iter_mut().zip(&test_left) {
        *size -= share;
    }
    let mut validation_left = shares(&sizes, validation);
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for row in order.into_iter().rev() {
        let class = classes[row];
        let part = if test_left[class] > 0 {
            test_left[class] -= 1;
            2
        } else if validation_left[class] > 0 {
            validation_left[class] -= 1;
            1
        } else {
            0
        };
        parts[part].push(row);
    }
    for part in &mut parts {
        part.reverse();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_the_last_rows_are_the_test() {
        let (train, validation, test) = split(10, Size::Count(2))
            .validation(Size::Count(3))
            .in_order()
            .unwrap();
        assert_eq!(train, [0, 1, 2, 3, 4]);
        assert_eq!(validation, [5, 6, 7]);
        assert_eq!(test, [8, 9]);
    }

    #[test]
    fn stratified_in_order_takes_the_last_rows_of_each_class() {
        let y = Tensor::from([0_i64, 0, 0, 0, 1, 1]);
        let (train, test) = split(6, 0.5).stratified_by(&y).in_order().unwrap();
        assert_eq!((train, test), (vec![0, 1, 4], vec![2, 3, 5]));
    }

    #[test]
    fn shuffled_parts_mix_the_classes() {
        let y: Vec<i64> = (0..100).map(|row| row / 50).collect();
        let y = Tensor::from(y);
        let (train, test) = split(100, 0.2).stratified_by(&y).seed(3).unwrap();
        assert_eq!(test.iter().filter(|&&row| row < 50).count(), 10);
        let first_half = train[..40].iter().filter(|&&row| row < 50).count();
        assert!(
            (10..=30).contains(&first_half),
            "{first_half} of 40 from the first class"
        );
    }

    #[test]
    fn a_seed_gives_the_same_parts_again() {
        let parts = |seed| split(30, 0.3).seed(seed).unwrap();
        assert_eq!(parts(5), parts(5));
        assert_ne!(parts(5), parts(6));
        let (_, test) = split(10, 0.3).seed(42).unwrap();
        assert_eq!(
            test,
            [0, 7, 5],
            "published results rely on the rows of a seed"
        );
    }

    #[test]
    fn nothing_left_to_train_on_is_told() {
        assert_eq!(
            split(10, 0.5)
                .validation(0.5)
                .seed(1)
                .unwrap_err()
                .to_string(),
            "split: bad validation size\n  expected at least one of 10 rows left for training, found 5 for testing and 5 for validation\n  help: set smaller parts aside"
        );
    }

    #[test]
    fn pairs_must_have_as_many_targets_as_rows() {
        let (x, y) = (Tensor::zeros([4, 1]), Tensor::zeros([5]));
        assert_eq!(
            split((&x, &y), 0.5).seed(1).unwrap_err().to_string(),
            "split: shape does not fit\n  expected one target per row of x [4, 1], found y [5]\n  help: the first axes of x and y count the rows and must agree"
        );
    }
}
