//! Tables to comma-separated text.

use crate::error::Result;
use crate::file::write_atomic;
use crate::table::Table;
use std::path::Path;

impl Table {
    /// The table as comma-separated text with a header line; a missing value is an empty cell.
    ///
    /// Reading it back gives the same table, provided that text columns of digits are read with
    /// [`Csv::text`](crate::csv::Csv::text) and no word is a missing marker or has white space at
    /// its ends.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |cells: Vec<String>| {
            writer
                .write_record(cells)
                .expect("rows of equal length fit into memory");
        };
        write(self.names().map(str::to_string).collect());
        for row in 0..self.len() {
            let cells = self
                .columns()
                .map(|(_, column)| column.word(row).unwrap_or_default());
            write(cells.collect());
        }
        let bytes = writer.into_inner().expect("writing to memory cannot fail");
        String::from_utf8(bytes).expect("names and words are UTF-8")
    }

    /// Writes the table as [`Table::to_csv`] to a file, which appears whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomic(path, |writer| writer.write_all(self.to_csv().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use crate::csv::Csv;
    use crate::table::{Column, Table};

    #[test]
    fn gaps_and_quotes_survive_the_way_out_and_in() {
        let table = Table::from_columns([
            ("n", Column::Numbers(vec![Some(0.1), None, Some(-3e-7)])),
            (
                "a, b",
                Column::Text(vec![Some("x,\"y\"".into()), Some("z".into()), None]),
            ),
        ])
        .unwrap();
        assert_eq!(
            table.to_csv(),
            "n,\"a, b\"\n0.1,\"x,\"\"y\"\"\"\n,z\n-3e-7,\n"
        );
        let back = Csv::from_text(table.to_csv()).read().unwrap();
        assert_eq!(
            back.columns().collect::<Vec<_>>(),
            table.columns().collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_lone_gap_is_not_a_blank_line() {
        let table = Table::from_columns([("n", Column::Numbers(vec![Some(1.0), None]))]).unwrap();
        assert_eq!(Csv::from_text(table.to_csv()).read().unwrap().len(), 2);
    }
}
