//! Choosing rows of a table.

use super::{Column, Origin, Table};
use crate::error::{Error, Result};

/// One row of a table, lent to the predicate of [`Table::filter`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl<'a> Row<'a> {
    /// The row's number in its table, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The number in a column, `None` where it is missing.
    ///
    /// # Errors
    /// There is no such column, or it holds text.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        Ok(self.table.number_values("filter", name)?[self.index])
    }

    /// The words in a column, `None` where they are missing.
    ///
    /// # Errors
    /// There is no such column, or it holds numbers.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.table.column(name)? {
            Column::Text(values) => Ok(values[self.index].as_deref()),
            Column::Numbers(_) => Err(Error::ColumnType {
                op: "filter",
                column: name.to_string(),
                expected: "text",
                found: "numbers",
                detail: "every value reads as a number".to_string(),
                help: "use .number(name), or read the column as words with Csv::text(name)",
            }),
        }
    }

    /// Whether any column of the row is missing.
    pub fn has_missing(&self) -> bool {
        self.table
            .columns()
            .any(|(_, column)| column.is_missing(self.index))
    }
}

impl Table {
    /// The rows in the given order; a row may be taken more than once.
    ///
    /// # Errors
    /// A row number is beyond the end.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        match rows.iter().find(|&&row| row >= self.rows) {
            Some(&row) => Err(Error::RowRange {
                op: "select_rows",
                row,
                rows: self.rows,
            }),
            None => Ok(self.take(rows)),
        }
    }

    /// The rows for which `keep` says true.
    ///
    /// # Errors
    /// The first error of `keep`, such as an unknown column.
    ///
    /// # Examples
    /// ```
    /// use fb_data::table::{Column, Table};
    /// let table = Table::from_columns([("age", Column::Numbers(vec![Some(17.0), None, Some(40.0)]))])?;
    /// let adults = table.filter(|row| Ok(row.number("age")?.is_some_and(|age| age >= 18.0)))?;
    /// assert_eq!(adults.len(), 1);
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn filter(&self, mut keep: impl FnMut(Row<'_>) -> Result<bool>) -> Result<Self> {
        let mut rows = Vec::new();
        for index in 0..self.rows {
            if keep(Row { table: self, index })? {
                rows.push(index);
            }
        }
        Ok(self.take(&rows))
    }

    /// The rows in which no value is missing.
    #[must_use]
    pub fn drop_missing(&self) -> Self {
        let complete = |&index: &usize| !Row { table: self, index }.has_missing();
        self.take(&(0..self.rows).filter(complete).collect::<Vec<_>>())
    }

    /// The rows in which no value of these columns is missing.
    ///
    /// # Errors
    /// There is no such column.
    pub fn drop_missing_in(&self, names: &[&str]) -> Result<Self> {
        let columns = names.iter().map(|name| self.column(name));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let complete = |row: &usize| !columns.iter().any(|column| column.is_missing(*row));
        Ok(self.take(&(0..self.rows).filter(complete).collect::<Vec<_>>()))
    }

    /// Rows known to exist.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter();
        Self {
            columns: columns
                .map(|(name, column)| (name.clone(), column.select(rows)))
                .collect(),
            rows: rows.len(),
            origin: self.origin.as_ref().map(|origin| Origin {
                file: origin.file.clone(),
                lines: rows.iter().map(|&row| origin.lines[row]).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::from_columns([
            ("a", Column::Numbers(vec![Some(1.0), None, Some(3.0)])),
            (
                "b",
                Column::Text(vec![Some("x".into()), Some("y".into()), None]),
            ),
        ])
        .unwrap()
    }

    #[test]
    fn rows_with_gaps_are_dropped() {
        assert_eq!(table().drop_missing().len(), 1);
        assert_eq!(table().drop_missing_in(&["b"]).unwrap().len(), 2);
        assert_eq!(table().drop_missing_in(&[]).unwrap().len(), 3);
        assert!(table().drop_missing_in(&["z"]).is_err());
    }

    #[test]
    fn predicates_see_both_types() {
        let kept = table()
            .filter(|row| Ok(row.text("b")? == Some("y")))
            .unwrap();
        assert_eq!(kept.column("a").unwrap(), &Column::Numbers(vec![None]));
        let error = table()
            .filter(|row| Ok(row.number("b")?.is_some()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "filter: column \"b\" holds text\n  expected numbers, found text; the first word is \"x\" at row 0, column \"b\"\n  help: choose number columns, correct or mark such cells as missing with Csv::missing([..]), or turn words into numbers with labels(name) or LabelEncoder"
        );
        let error = table()
            .filter(|row| Ok(row.text("a")?.is_some()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "filter: column \"a\" holds numbers\n  expected text, found numbers; every value reads as a number\n  help: use .number(name), or read the column as words with Csv::text(name)"
        );
    }

    #[test]
    fn selected_rows_must_exist() {
        assert_eq!(table().select_rows(&[2, 0, 2]).unwrap().len(), 3);
        assert_eq!(
            table().select_rows(&[0, 3]).unwrap_err().to_string(),
            "select_rows: row 3 does not exist\n  expected rows 0 to 2, found 3\n  help: row numbers start at 0 and end before .len()"
        );
    }
}
