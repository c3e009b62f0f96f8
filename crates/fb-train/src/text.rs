//! How numbers and tables are written for people.

use std::fmt;

/// A named value, as short as its kind allows: scores with 3 decimals, rates as `12.3k`, seconds with 2 decimals,
/// everything else with 4, and with an exponent where that would hide it.
pub(crate) fn number(name: &str, value: f64) -> String {
    match name {
        "rows_per_second" => rate(value),
        "seconds" if value.is_finite() => format!("{value:.2}"),
        _ if is_score(name) => score(value),
        _ => plain(value),
    }
}

/// Whether a value of this name lies between 0 and 1 by its nature.
pub(crate) fn is_score(name: &str) -> bool {
    name.split('_')
        .any(|word| matches!(word, "accuracy" | "precision" | "recall" | "f1"))
}

/// 3 decimals, of which `1.000` is kept for what is really 1: nobody should stop looking for the last wrong row.
fn score(value: f64) -> String {
    if (0.9995..1.0).contains(&value) {
        "0.999".to_string()
    } else {
        format!("{value:.3}")
    }
}

fn plain(value: f64) -> String {
    let size = value.abs();
    if value.is_finite() && size != 0.0 && !(1e-3..1e5).contains(&size) {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}")
    }
}

/// `950`, `12.3k`, `4.5M`, `6.7G`
fn rate(value: f64) -> String {
    if !value.is_finite() || value < 999.5 {
        return format!("{value:.0}");
    }
    // Each bound is where one decimal would round up to the next unit.
    for (unit, suffix) in [(1e3, "k"), (1e6, "M")] {
        if value < 999.95 * unit {
            return format!("{:.1}{suffix}", value / unit);
        }
    }
    format!("{:.1}G", value / 1e9)
}

/// Rows of texts in right-aligned columns, two spaces between them.
pub(crate) struct Table {
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: Vec<String>) -> Self {
        let mut table = Self {
            widths: vec![0; header.len()],
            rows: Vec::new(),
        };
        table.row(header);
        table
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&self.widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                line.push_str(&format!("{gap}{cell:>width$}"));
            }
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_their_kind_allows() {
        for (name, value, text) in [
            ("loss", 0.03124, "0.0312"),
            ("loss", 0.0, "0.0000"),
            ("loss", 3.1e-5, "3.10e-5"),
            ("loss", -250_000.0, "-2.50e5"),
            ("loss", f64::NAN, "NaN"),
            ("loss", f64::INFINITY, "inf"),
            ("val_accuracy", 0.98701, "0.987"),
            ("accuracy", 0.99999, "0.999"),
            ("accuracy", 1.0, "1.000"),
            ("macro_f1", 0.5, "0.500"),
            ("seconds", 12.345, "12.35"),
            ("rows_per_second", 999.4, "999"),
            ("rows_per_second", 999.6, "1.0k"),
            ("rows_per_second", 12_345.0, "12.3k"),
            ("rows_per_second", 999_960.0, "1.0M"),
            ("rows_per_second", 2.5e9, "2.5G"),
        ] {
            assert_eq!(number(name, value), text, "{name} {value}");
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(vec!["a".into(), "bc".into(), String::new()]);
        table.row(vec!["100".into(), "é".into(), "x".into()]);
        assert_eq!(table.to_string(), "  a  bc\n100   é  x");
    }
}
