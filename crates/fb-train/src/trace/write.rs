//! Traces as files.

use super::Trace;
use crate::error::Result;
use crate::file::write_atomic;
use std::io::{self, Write};
use std::path::Path;

impl Trace {
    /// Writes one line for each iteration and sample: `iteration,sample,residual,change,output_change` and the norm of each
    /// edge. The file is written whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomic(path, |writer| self.write_rows(writer))?)
    }

    /// Writes everything as JSON, whole or not at all. What is not finite is `null`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomic(path, |writer| {
            serde_json::to_writer_pretty(&mut *writer, self).map_err(io::Error::from)?;
            writer.write_all(b"\n")
        })?)
    }

    fn write_rows(&self, writer: &mut dyn Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(writer);
        let heads = ["iteration", "sample", "residual", "change", "output_change"];
        for head in heads {
            rows.write_field(head)?;
        }
        for (edge, _) in self.iterations.first().iter().flat_map(|i| &i.norms) {
            rows.write_field(format!("norm {edge}"))?;
        }
        rows.write_record(None::<&[u8]>)?;
        let cell = |values: &[f64], sample: usize| {
            let value = values.get(sample);
            value.map(f64::to_string).unwrap_or_default()
        };
        for (number, iteration) in self.iterations.iter().enumerate() {
            for sample in 0..self.rows {
                rows.write_field((number + 1).to_string())?;
                rows.write_field(sample.to_string())?;
                rows.write_field(cell(&iteration.residuals, sample))?;
                rows.write_field(cell(&iteration.changes, sample))?;
                rows.write_field(cell(&iteration.output_changes, sample))?;
                for (_, norms) in &iteration.norms {
                    rows.write_field(cell(norms, sample))?;
                }
                rows.write_record(None::<&[u8]>)?;
            }
        }
        rows.flush()
    }
}
