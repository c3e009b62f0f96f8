//! Results in rows and columns.

use std::fmt;

/// A table in Markdown whose columns line up on a terminal, too: the first is words, the others are numbers.
///
/// ```
/// use fb_examples::{Spread, Table};
/// let mut table = Table::new(["network", "parameters", "accuracy"]);
/// table.row(["feedback", "8906", &Spread::of([0.97, 0.98]).to_string()]);
/// table.row(["feed-forward", "8906", "0.9600"]);
/// println!("{table}");
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<'a>(heads: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            rows: vec![heads.into_iter().map(str::to_owned).collect()],
        }
    }

    /// Adds a row below.
    ///
    /// # Panics
    /// If it has not as many cells as there are heads.
    #[track_caller]
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<String> = cells.into_iter().map(str::to_owned).collect();
        assert_eq!(cells.len(), self.rows[0].len(), "cells of a row and heads");
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            if at == 0 {
                f.write_str("\n|")?;
                for (column, &width) in widths.iter().enumerate() {
                    let end = if column == 0 { '-' } else { ':' };
                    write!(f, "{}{end}|", "-".repeat(width + 1))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["network", "±"]);
        table.row(["a", "0.1 ± 0.2"]);
        table.row(["feed-forward", "7"]);
        assert_eq!(
            table.to_string(),
            "| network      |         ± |\n\
             |--------------|----------:|\n\
             | a            | 0.1 ± 0.2 |\n\
             | feed-forward |         7 |"
        );
    }

    #[test]
    #[should_panic(expected = "cells of a row and heads")]
    fn short_rows_are_refused() {
        Table::new(["a", "b"]).row(["1"]);
    }
}
