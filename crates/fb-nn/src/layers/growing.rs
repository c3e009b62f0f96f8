//! Tables over positions that are made as far as somebody has come.

use std::sync::{PoisonError, RwLock};

/// A table with a row for each position, made when it is needed and as far as it is needed: what a file says about the
/// length of sequences is not enough to ask for memory.
///
/// A row depends on its position alone, so how far the table goes shows nowhere.
#[derive(Debug)]
pub(super) struct Growing<T> {
    /// How many rows there are, and the table.
    made: RwLock<Option<(usize, T)>>,
}

impl<T> Default for Growing<T> {
    fn default() -> Self {
        Self {
            made: RwLock::new(None),
        }
    }
}

impl<T: Clone> Growing<T> {
    /// The table of the first `end` of `all` positions, or of more; `make` computes that of the first so many.
    pub(super) fn up_to(&self, end: usize, all: usize, make: impl FnOnce(usize) -> T) -> T {
        let reaches = |made: &Option<(usize, T)>| match made {
            Some((rows, table)) if *rows >= end => Some(table.clone()),
            _ => None,
        };
        let found = reaches(&self.made.read().unwrap_or_else(PoisonError::into_inner));
        found.unwrap_or_else(|| {
            let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
            reaches(&made).unwrap_or_else(|| {
                // Twice as far each time, so that step-by-step decoding makes it seldom.
                let rows = end
                    .checked_next_power_of_two()
                    .unwrap_or(end)
                    .min(all)
                    .max(end);
                let table = make(rows);
                *made = Some((rows, table.clone()));
                table
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_seldom_and_never_further_than_twice() {
        let table = Growing::default();
        let mut made = Vec::new();
        for end in (1..=100).chain([3]) {
            let rows = table.up_to(end, 70.max(end), |rows| {
                made.push(rows);
                rows
            });
            assert!(rows >= end && rows < 2 * end.max(70));
        }
        assert_eq!(made[..8], [1, 2, 4, 8, 16, 32, 64, 70]);
        assert_eq!(table.up_to(0, 5, |_| unreachable!()), *made.last().unwrap());
    }
}
