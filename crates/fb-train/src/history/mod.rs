//! What training came to, epoch by epoch: [`History`].

mod csv;
mod direction;
mod plot;
mod record;
mod table;
mod wire;

pub use direction::Direction;
pub use record::EpochRecord;
pub(crate) use wire::HistoryWire;

use serde::{Deserialize, Serialize};

/// The records of all epochs trained so far.
///
/// Shown as an aligned table by `Display`, written as CSV by [`write_csv`](Self::write_csv), drawn by
/// [`plot`](Self::plot), and continued by [`extend`](Self::extend).
///
/// ```
/// use fb_train::history::{EpochRecord, History};
/// let mut history = History::new();
/// history.push(EpochRecord::new(1).with("loss", 0.7).with("val_accuracy", 0.6));
/// history.push(EpochRecord::new(2).with("loss", 0.4).with("val_accuracy", 0.9));
/// history.push(EpochRecord::new(3).with("loss", 0.3).with("val_accuracy", 0.8));
/// assert_eq!(history.last("loss"), Some(0.3));
/// assert_eq!(history.best("val_accuracy").map(|best| best.epoch), Some(2));
/// assert_eq!(history.series("loss"), [(1, 0.7), (2, 0.4), (3, 0.3)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "HistoryWire", into = "HistoryWire")]
pub struct History {
    records: Vec<EpochRecord>,
}

/// The best value of a series and when it was reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The value.
    pub value: f64,
}

impl History {
    /// A history without epochs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the record of one more epoch.
    pub fn push(&mut self, record: EpochRecord) {
        self.records.push(record);
    }

    /// Continues this history with what a resumed run recorded. Epochs that both have are taken from the later run.
    ///
    /// ```
    /// use fb_train::history::{EpochRecord, History};
    /// let mut history = History::from_iter([EpochRecord::new(1), EpochRecord::new(2)]);
    /// history.extend([EpochRecord::new(2).with("loss", 0.5), EpochRecord::new(3)]);
    /// assert_eq!(history.series("loss"), [(2, 0.5)]);
    /// assert_eq!(history.len(), 3);
    /// ```
    pub fn extend(&mut self, later: impl IntoIterator<Item = EpochRecord>) {
        let mut later = later.into_iter().peekable();
        if let Some(first) = later.peek() {
            let resumed_at = first.epoch();
            self.records.retain(|record| record.epoch() < resumed_at);
        }
        self.records.extend(later);
    }

    /// The number of epochs recorded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no epoch was recorded.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records, first epoch first.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// The names of all values, in the order in which they first appeared.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.records.iter().flat_map(EpochRecord::values) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The most recent value of this name.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.records
            .iter()
            .rev()
            .find_map(|record| record.get(name))
    }

    /// Epochs and values of this name; empty if there is none.
    pub fn series(&self, name: &str) -> Vec<(usize, f64)> {
        let values = self
            .records
            .iter()
            .map(|record| (record.epoch(), record.get(name)));
        values
            .filter_map(|(epoch, value)| Some((epoch, value?)))
            .collect()
    }

    /// The best value of this name and its (first) epoch. Which way is better is told by the name, see
    /// [`Direction::of`]; NaN is never the best.
    pub fn best(&self, name: &str) -> Option<Best> {
        self.best_in(name, Direction::of(name))
    }

    /// [`History::best`] with the direction said instead of told by the name.
    pub fn best_in(&self, name: &str, direction: Direction) -> Option<Best> {
        let mut best: Option<Best> = None;
        for (epoch, value) in self.series(name) {
            let than = best.map_or(f64::NAN, |best| best.value);
            if direction.is_better(value, than) {
                best = Some(Best { epoch, value });
            }
        }
        best
    }
}

impl FromIterator<EpochRecord> for History {
    fn from_iter<I: IntoIterator<Item = EpochRecord>>(records: I) -> Self {
        Self {
            records: records.into_iter().collect(),
        }
    }
}

impl IntoIterator for History {
    type Item = EpochRecord;
    type IntoIter = std::vec::IntoIter<EpochRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a> IntoIterator for &'a History {
    type Item = &'a EpochRecord;
    type IntoIter = std::slice::Iter<'a, EpochRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(values: &[f64]) -> History {
        let record = |(index, &loss)| EpochRecord::new(index + 1).with("loss", loss);
        values.iter().enumerate().map(record).collect()
    }

    #[test]
    fn best_takes_the_first_of_equals_and_skips_nan() {
        let history = losses(&[f64::NAN, 0.5, 0.2, 0.2, f64::NAN]);
        assert_eq!(
            history.best("loss"),
            Some(Best {
                epoch: 3,
                value: 0.2
            })
        );
        assert_eq!(
            history.best_in("loss", Direction::Maximize),
            Some(Best {
                epoch: 2,
                value: 0.5
            })
        );
        assert_eq!(losses(&[f64::NAN]).best("loss"), None);
        assert_eq!(history.best("accuracy"), None);
    }

    #[test]
    fn values_may_be_missing_in_some_epochs() {
        let mut history = losses(&[0.5, 0.4]);
        history.push(EpochRecord::new(3).with("val_loss", 0.6));
        assert_eq!(history.names(), ["loss", "val_loss"]);
        assert_eq!(history.last("loss"), Some(0.4));
        assert_eq!(history.series("val_loss"), [(3, 0.6)]);
        assert!(history.series("accuracy").is_empty());
    }

    #[test]
    fn extending_with_nothing_changes_nothing() {
        let mut history = losses(&[0.5, 0.4]);
        history.extend(History::new());
        assert_eq!(history, losses(&[0.5, 0.4]));
    }
}
