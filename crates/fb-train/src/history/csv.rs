//! A history as a CSV file.

use super::{EpochRecord, History};
use crate::error::Result;
use crate::file::write_atomic;
use std::io::{self, Write};
use std::path::Path;

impl History {
    /// Writes one row an epoch: `epoch`, every named value, and `iteration_1_accuracy`, `iteration_2_accuracy`, … where
    /// they were recorded. A value that an epoch does not have is an empty cell. The file is written whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomic(path, |writer| self.write_rows(writer))?)
    }

    fn write_rows(&self, writer: &mut dyn Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(writer);
        let names = self.names();
        let accuracies = self
            .records()
            .iter()
            .filter_map(EpochRecord::iteration_accuracy);
        let iterations = accuracies.map(<[f64]>::len).max().unwrap_or(0);
        rows.write_field("epoch")?;
        for name in &names {
            rows.write_field(name)?;
        }
        for iteration in 1..=iterations {
            rows.write_field(format!("iteration_{iteration}_accuracy"))?;
        }
        rows.write_record(None::<&[u8]>)?;
        for record in self {
            rows.write_field(record.epoch().to_string())?;
            for name in &names {
                rows.write_field(cell(record.get(name)))?;
            }
            let accuracy = record.iteration_accuracy().unwrap_or_default();
            for iteration in 0..iterations {
                rows.write_field(cell(accuracy.get(iteration).copied()))?;
            }
            rows.write_record(None::<&[u8]>)?;
        }
        rows.flush()
    }
}

/// The shortest text that reads back as the same number.
fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_every_value_in_full() {
        let mut history = History::new();
        history.push(
            EpochRecord::new(1)
                .with("loss", 0.1 + 0.2)
                .with_iteration_accuracy(vec![0.5, 1.0]),
        );
        history.push(EpochRecord::new(2).with("loss", 1e-9).with("a, b", 2.0));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        history.write_csv(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "epoch,loss,\"a, b\",iteration_1_accuracy,iteration_2_accuracy\n\
             1,0.30000000000000004,,0.5,1\n\
             2,0.000000001,2,,\n"
        );
    }
}
