//! Cells of one column to numbers or words.

use super::Kind;
use super::records::Records;
use crate::error::{Error, Result};
use crate::table::Column;

/// The column at `index`, of the given kind or of the kind that its cells have.
pub(super) fn column(
    records: &Records,
    index: usize,
    kind: Option<Kind>,
    missing: &[String],
) -> Result<Column> {
    let cells = records.rows.iter().map(|(_, cells)| &cells[index]);
    let cells: Vec<Option<&str>> = cells
        .map(|cell| Some(cell).filter(|cell| !missing.iter().any(|marker| marker == cell)))
        .collect();
    match kind.unwrap_or_else(|| infer(&cells)) {
        Kind::Number => numbers(records, index, &cells),
        Kind::Text => Ok(Column::Text(
            cells.iter().map(|cell| cell.map(str::to_string)).collect(),
        )),
    }
}

/// Numbers, if no cell is a word. A column without any value counts as numbers, like one whose
/// values are all lost.
fn infer(cells: &[Option<&str>]) -> Kind {
    let mut cells = cells.iter().flatten();
    match cells.all(|cell| cell.parse::<f64>().is_ok()) {
        true => Kind::Number,
        false => Kind::Text,
    }
}

fn numbers(records: &Records, column: usize, cells: &[Option<&str>]) -> Result<Column> {
    let mut values = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        let Some(cell) = cell else {
            values.push(None);
            continue;
        };
        let place = || records.place(row, column);
        match cell.parse::<f64>() {
            Ok(number) if number.is_finite() => values.push(Some(number)),
            Ok(_) => {
                return Err(Error::NotFinite {
                    place: place(),
                    expected: "a finite number",
                    found: (*cell).to_string(),
                    help: "correct the cell, or add it to the markers of .missing([..])",
                });
            }
            Err(_) => {
                return Err(Error::NotANumber {
                    place: place(),
                    found: (*cell).to_string(),
                });
            }
        }
    }
    Ok(Column::Numbers(values))
}
