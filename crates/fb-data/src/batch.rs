//! The rows of an epoch, batch by batch.

use crate::error::{Error, Result};
use fb_tensor::random::{Key, permutation};
use std::slice::Chunks;

/// Cuts the rows of each epoch into batches of row numbers.
///
/// Shuffled, the order of an epoch depends on the seed and the number of the epoch alone, so that
/// an interrupted run continues with the batches it would have seen: `.epoch(7).skip(120)`.
///
/// # Examples
/// ```
/// use fb_data::Batches;
/// let mut batches = Batches::new(10, 4)?.shuffle(42);
/// let sizes: Vec<usize> = batches.epoch(0).map(<[usize]>::len).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    rows: usize,
    size: usize,
    seed: Option<u64>,
    drop_last: bool,
    order: Vec<usize>,
}

impl Batches {
    /// Batches of `size` rows, in order; the last one holds what is left over.
    ///
    /// # Errors
    /// There are no rows, or `size` is 0.
    pub fn new(rows: usize, size: usize) -> Result<Self> {
        if rows == 0 {
            return Err(Error::Empty {
                op: "Batches",
                what: "rows".to_string(),
                help: "check what was filtered out before",
            });
        }
        if size == 0 {
            return Err(Error::Argument {
                op: "Batches",
                argument: "batch size",
                expected: "at least 1".to_string(),
                found: "0".to_string(),
                help: "common sizes are 1 to 256; the number of rows gives one batch an epoch",
            });
        }
        Ok(Self {
            rows,
            size,
            seed: None,
            drop_last: false,
            order: (0..rows).collect(),
        })
    }

    /// Shuffles every epoch anew, keyed by this seed and the number of the epoch.
    #[must_use]
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Leaves out a last batch that is not full.
    ///
    /// # Errors
    /// There are fewer rows than a batch has, so that no batch would be left.
    pub fn drop_last(mut self) -> Result<Self> {
        if self.rows < self.size {
            return Err(Error::Argument {
                op: "drop_last",
                argument: "batch size",
                expected: format!("at most {} as there are rows", self.rows),
                found: self.size.to_string(),
                help: "take smaller batches, or keep the last one",
            });
        }
        self.drop_last = true;
        Ok(self)
    }

    /// How many batches an epoch has.
    pub fn count(&self) -> usize {
        match self.drop_last {
            true => self.rows / self.size,
            false => self.rows.div_ceil(self.size),
        }
    }

    /// How many rows a full batch has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many rows there are to draw from.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The batches of an epoch: slices of row numbers, lent until the next epoch is asked for.
    pub fn epoch(&mut self, epoch: u64) -> Chunks<'_, usize> {
        if let Some(seed) = self.seed {
            let mut rng = Key::new(seed).fold("batches").fold_index(epoch).rng();
            self.order = permutation(self.rows, &mut rng);
        }
        let used = self.rows.min(self.count() * self.size);
        self.order[..used].chunks(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(batches: &mut Batches, epoch: u64) -> Vec<usize> {
        batches.epoch(epoch).flatten().copied().collect()
    }

    #[test]
    fn without_a_seed_rows_come_in_order() {
        let mut batches = Batches::new(5, 2).unwrap();
        assert_eq!(
            batches.epoch(3).collect::<Vec<_>>(),
            [&[0, 1][..], &[2, 3], &[4]]
        );
        assert_eq!(batches.count(), 3);
    }

    #[test]
    fn every_epoch_holds_every_row_once_in_an_order_of_its_own() {
        let mut batches = Batches::new(100, 7).unwrap().shuffle(1);
        let [first, second] = [0, 1].map(|epoch| rows(&mut batches, epoch));
        assert_ne!(first, second);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(
            rows(&mut Batches::new(100, 7).unwrap().shuffle(2), 0),
            first
        );
    }

    #[test]
    fn an_epoch_can_be_recomputed_and_entered_midway() {
        let mut whole = Batches::new(50, 8).unwrap().shuffle(9);
        let expected: Vec<Vec<usize>> = whole.epoch(4).skip(3).map(<[usize]>::to_vec).collect();
        let mut resumed = Batches::new(50, 8).unwrap().shuffle(9);
        assert_eq!(resumed.epoch(4).skip(3).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_order_of_a_seed_is_fixed_because_interrupted_runs_rely_on_it() {
        let mut batches = Batches::new(10, 10).unwrap().shuffle(42);
        assert_eq!(rows(&mut batches, 0), [4, 9, 0, 3, 1, 5, 6, 7, 2, 8]);
        assert_eq!(rows(&mut batches, 1), [2, 8, 5, 7, 3, 6, 0, 1, 4, 9]);
    }

    #[test]
    fn a_last_batch_that_is_not_full_can_be_dropped() {
        let mut batches = Batches::new(10, 4).unwrap().drop_last().unwrap();
        assert_eq!((batches.count(), batches.epoch(0).len()), (2, 2));
        assert_eq!(rows(&mut batches, 0).len(), 8);
        assert_eq!(Batches::new(8, 4).unwrap().drop_last().unwrap().count(), 2);
    }

    #[test]
    fn impossible_batches_are_told() {
        assert_eq!(
            Batches::new(10, 0).unwrap_err().to_string(),
            "Batches: bad batch size\n  expected at least 1, found 0\n  help: common sizes are 1 to 256; the number of rows gives one batch an epoch"
        );
        assert_eq!(
            Batches::new(0, 4).unwrap_err().to_string(),
            "Batches: no rows\n  expected at least one, found none\n  help: check what was filtered out before"
        );
        assert_eq!(
            Batches::new(3, 4)
                .unwrap()
                .drop_last()
                .unwrap_err()
                .to_string(),
            "drop_last: bad batch size\n  expected at most 3 as there are rows, found 4\n  help: take smaller batches, or keep the last one"
        );
    }
}
