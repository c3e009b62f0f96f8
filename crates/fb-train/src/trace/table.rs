//! A trace as a table.

use super::{Trace, TraceIteration};
use std::fmt;

/// ```text
/// iteration   residual   largest   output   accuracy
///         1    5.2e-01   9.1e-01                0.61
///         2    1.1e-01   4.0e-01  3.3e-01       0.84
/// halted after 1 to 4 iterations, 2.3 on average
/// ```
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judged = self.iterations.iter().any(|i| i.accuracy.is_some());
        write!(f, "iteration  residual   largest    output")?;
        writeln!(f, "{}", if judged { "  accuracy" } else { "" })?;
        for (number, iteration) in self.iterations.iter().enumerate() {
            let TraceIteration {
                residuals,
                output_changes,
                accuracy,
                ..
            } = iteration;
            write!(
                f,
                "{:>9}  {:>8}  {:>8}  {:>8}",
                number + 1,
                short(middle(residuals)),
                short(residuals.iter().copied().reduce(f64::max)),
                short(middle(output_changes)),
            )?;
            match accuracy {
                Some(accuracy) => writeln!(f, "  {accuracy:>8.3}")?,
                None => writeln!(f)?,
            }
        }
        if let (Some(least), Some(most)) = (self.used.iter().min(), self.used.iter().max()) {
            let mean = self.used.iter().sum::<usize>() as f64 / self.used.len() as f64;
            writeln!(
                f,
                "{} took {least} to {most} iterations, {mean:.1} on average",
                self.schedule
            )?;
        }
        for report in &self.reports {
            writeln!(f, "{report}")?;
        }
        write!(
            f,
            "residual and output: median change over {} samples",
            self.rows
        )
    }
}

fn short(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.1e}"))
}

/// The middle one by size; NaN counts as larger than everything.
fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
