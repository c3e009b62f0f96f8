//! From columns to tensors.

use super::{Column, Table, number_word};
use crate::error::{Error, Result, only_column};
use fb_tensor::Tensor;

impl Table {
    /// Number columns side by side, in the order given.
    ///
    /// # Shapes
    /// - returns `[rows, names]`
    ///
    /// # Errors
    /// No name is given, a column is unknown or holds text, a value is missing, or a number is too
    /// large for 32 bits; the text names column and row.
    pub fn features(&self, names: &[&str]) -> Result<Tensor> {
        if names.is_empty() {
            return Err(Error::Empty {
                op: "features",
                what: "column is named".to_string(),
                help: "name the columns to learn from, such as &[\"width\", \"height\"]",
            });
        }
        let mut data = vec![0.0; self.rows * names.len()];
        for (offset, name) in names.iter().enumerate() {
            let cells = data.iter_mut().skip(offset).step_by(names.len());
            self.copy_numbers("features", name, cells)?;
        }
        Ok(Tensor::from_vec(data, [self.rows, names.len()]))
    }

    /// One number column.
    ///
    /// # Shapes
    /// - returns `[rows]`
    ///
    /// # Errors
    /// As [`Table::features`].
    pub fn numbers(&self, name: &str) -> Result<Tensor> {
        let mut data = vec![0.0; self.rows];
        self.copy_numbers("numbers", name, data.iter_mut())?;
        Ok(Tensor::from_vec(data, [self.rows]))
    }

    /// The numbers of a column, with its gaps.
    pub(crate) fn number_values(&self, op: &'static str, name: &str) -> Result<&[Option<f64>]> {
        match self.column(name)? {
            Column::Numbers(values) => Ok(values),
            Column::Text(values) => Err(self.not_numbers(op, name, values)),
        }
    }

    fn copy_numbers<'a>(
        &self,
        op: &'static str,
        name: &str,
        cells: impl Iterator<Item = &'a mut f32>,
    ) -> Result<()> {
        let values = self.number_values(op, name)?;
        for (row, (cell, value)) in cells.zip(values).enumerate() {
            let number = value.ok_or_else(|| Error::MissingValue {
                op,
                place: self.place(row, name),
                expected: "a number",
            })?;
            *cell = number as f32;
            if !cell.is_finite() {
                return Err(Error::NotFinite {
                    place: self.place(row, name),
                    expected: "a finite 32-bit number",
                    found: number_word(number),
                    help: "tensors hold numbers up to 3.4e38: correct the value or drop the row",
                });
            }
        }
        Ok(())
    }

    fn not_numbers(&self, op: &'static str, name: &str, values: &[Option<String>]) -> Error {
        let is_word = |word: &&str| word.parse::<f64>().is_err();
        let words = values.iter().enumerate();
        let first = words
            .filter_map(|(row, value)| Some((row, value.as_deref().filter(|w| is_word(w))?)))
            .next();
        Error::ColumnType {
            op,
            column: name.to_string(),
            expected: "numbers",
            found: "text",
            detail: match first {
                Some((row, word)) => {
                    format!("the first word is \"{word}\" at {}", self.place(row, name))
                }
                None => "it was read as words".to_string(),
            },
            help: only_column(self.names()).unwrap_or("choose number columns, correct or mark such cells as missing with Csv::missing([..]), or turn words into numbers with labels(name) or LabelEncoder"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::from_columns([
            ("a", Column::numbers([1.0, 2.0, 3.0])),
            ("b", Column::Numbers(vec![Some(4.0), None, Some(1e200)])),
        ])
        .unwrap()
    }

    #[test]
    fn features_stand_in_the_order_of_their_names() {
        let x = table()
            .select_rows(&[0])
            .unwrap()
            .features(&["b", "a"])
            .unwrap();
        assert_eq!((x.dims(), x.to_vec()), (&[1, 2][..], vec![4.0, 1.0]));
        assert_eq!(table().numbers("a").unwrap().to_vec(), [1.0, 2.0, 3.0]);
        let none = table().select_rows(&[]).unwrap();
        assert_eq!(none.features(&["a", "b"]).unwrap().dims(), [0, 2]);
    }

    #[test]
    fn gaps_and_huge_numbers_are_told() {
        assert_eq!(
            table().features(&["a", "b"]).unwrap_err().to_string(),
            "features: missing value\n  row 1, column \"b\": expected a number, found a missing value\n  help: fill it with .fill_missing(..), or drop such rows with .drop_missing()"
        );
        assert_eq!(
            table().drop_missing().numbers("b").unwrap_err().to_string(),
            "1e200 is not a finite 32-bit number\n  row 1, column \"b\": expected a finite 32-bit number, found 1e200\n  help: tensors hold numbers up to 3.4e38: correct the value or drop the row"
        );
        assert_eq!(
            table().features(&[]).unwrap_err().to_string(),
            "features: no column is named\n  expected at least one, found none\n  help: name the columns to learn from, such as &[\"width\", \"height\"]"
        );
    }
}
