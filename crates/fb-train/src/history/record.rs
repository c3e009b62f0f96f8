//! What one epoch came to.

use std::borrow::Cow;

/// The numbers of one epoch: named values in the order they were given, such as `loss`, `accuracy`, `val_loss`,
/// `val_accuracy`, `iterations`, `residual`, `seconds`, `rows_per_second`.
///
/// ```
/// use fb_train::history::EpochRecord;
/// let record = EpochRecord::new(3).with("loss", 0.25).with("accuracy", 0.9);
/// assert_eq!(record.get("loss"), Some(0.25));
/// assert_eq!(record.get("val_loss"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochRecord {
    epoch: usize,
    values: Vec<(Cow<'static, str>, f64)>,
    iteration_accuracy: Option<Vec<f64>>,
}

impl EpochRecord {
    /// The record of an epoch, counted from 1, without any value yet.
    pub fn new(epoch: usize) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// The same record with one more value; a value of the same name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        self.set(name, value);
        self
    }

    /// The same record with the accuracy after each refinement iteration, first to last.
    #[must_use]
    pub fn with_iteration_accuracy(mut self, accuracy: Vec<f64>) -> Self {
        self.iteration_accuracy = Some(accuracy);
        self
    }

    /// Adds a value, or replaces the value of the same name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        let name = name.into();
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// The epoch, counted from 1.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values
            .iter()
            .find(|(known, _)| known == name)
            .map(|&(_, value)| value)
    }

    /// Names and values in the order they were given.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_ref(), *value))
    }

    /// The accuracy after each refinement iteration, first to last.
    pub fn iteration_accuracy(&self) -> Option<&[f64]> {
        self.iteration_accuracy.as_deref()
    }
}
