//! A history as an aligned table.

use super::{EpochRecord, History};
use crate::text::{Table, number};
use std::fmt;

/// How many epochs a table shows; of longer histories as many, evenly spread, with the first and the last.
const SHOWN: usize = 20;

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let mut header = vec!["epoch".to_string()];
        header.extend(names.iter().map(|name| name.to_string()));
        let per_iteration = self
            .records()
            .iter()
            .any(|record| record.iteration_accuracy().is_some());
        if per_iteration {
            header.push("accuracy by iteration".to_string());
        }
        let mut table = Table::new(header);
        for index in sample(self.len(), SHOWN) {
            table.row(row(&self.records()[index], &names, per_iteration));
        }
        write!(f, "{table}")?;
        if self.len() > SHOWN {
            write!(f, "\n{SHOWN} of {} epochs", self.len())?;
        }
        Ok(())
    }
}

fn row(record: &EpochRecord, names: &[&str], per_iteration: bool) -> Vec<String> {
    let mut cells = vec![record.epoch().to_string()];
    cells.extend(names.iter().map(|name| {
        record
            .get(name)
            .map_or_else(String::new, |value| number(name, value))
    }));
    if per_iteration {
        let accuracy = record.iteration_accuracy().unwrap_or_default();
        let texts: Vec<String> = accuracy
            .iter()
            .map(|&value| number("accuracy", value))
            .collect();
        cells.push(texts.join(" "));
    }
    cells
}

/// At most `shown` of the positions `0..count`, evenly spread, with the first and the last.
pub(super) fn sample(count: usize, shown: usize) -> Vec<usize> {
    if count <= shown {
        return (0..count).collect();
    }
    (0..shown)
        .map(|i| (i * (count - 1) + (shown - 1) / 2) / (shown - 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut history = History::new();
        history.push(
            EpochRecord::new(9)
                .with("loss", 0.69311)
                .with("accuracy", 0.5)
                .with("seconds", 0.25),
        );
        history.push(
            EpochRecord::new(10)
                .with("loss", 0.00003)
                .with("accuracy", 1.0)
                .with_iteration_accuracy(vec![0.75, 1.0]),
        );
        assert_eq!(
            history.to_string(),
            "epoch     loss  accuracy  seconds  accuracy by iteration\n\
             \u{20}   9   0.6931     0.500     0.25\n\
             \u{20}  10  3.00e-5     1.000                     0.750 1.000"
        );
    }

    #[test]
    fn long_histories_are_sampled() {
        let history: History = (1..=1000).map(EpochRecord::new).collect();
        let text = history.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 22);
        assert_eq!(
            (lines[1], lines[20], lines[21]),
            ("1", "1000", "20 of 1000 epochs")
        );
        assert_eq!(sample(3, 20), [0, 1, 2]);
        assert_eq!(sample(21, 20).len(), 20);
    }
}
