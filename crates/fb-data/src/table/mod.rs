//! Named, typed columns with missing values: from a file to tensors.
//!
//! [`Table`] is the main type. It comes from a [`Csv`](crate::csv::Csv) source or from
//! [`Table::from_columns`], is described, selected and cleaned here, and leaves as tensors through
//! [`Table::features`], [`Table::numbers`] and [`Table::labels`].
//!
//! Every operation gives a new table. What is learned from rows (fill values, classes) is a
//! [`Transform`](crate::transform::Transform): fit it on the training table, apply it to both.

mod column;
mod describe;
mod rows;
mod tensors;

pub use column::{Column, Value};
pub use describe::{ColumnDescription, ColumnStatistics, Description};
pub use rows::Row;

pub(crate) use column::number_word;
pub(crate) use describe::{mean, most_frequent};

use crate::error::{Error, Result};
use crate::place::Place;

/// Columns of equal length, each with a name of its own.
///
/// # Examples
/// ```
/// use fb_data::table::{Column, Table};
///
/// let table = Table::from_columns([
///     ("length", Column::Numbers(vec![Some(5.1), None, Some(6.3)])),
///     ("species", Column::text(["setosa", "setosa", "virginica"])),
/// ])?;
/// assert_eq!((table.len(), table.width(), table.missing()), (3, 2, 1));
///
/// let clean = table.drop_missing();
/// let x = clean.features(&["length"])?;
/// let (y, classes) = clean.labels("species")?;
/// assert_eq!(x.dims(), [2, 1]);
/// assert_eq!(y.to_vec(), [0, 1]);
/// assert_eq!(classes.names(), ["setosa", "virginica"]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<(String, Column)>,
    rows: usize,
    origin: Option<Origin>,
}

/// The file that the rows were read from, with the line of each row, for error texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) lines: Vec<u64>,
}

impl Table {
    /// A table of the given columns.
    ///
    /// # Errors
    /// Two columns of the same name or of different lengths, or a number that is not finite.
    pub fn from_columns<N: Into<String>>(
        columns: impl IntoIterator<Item = (N, Column)>,
    ) -> Result<Self> {
        let mut columns = columns.into_iter();
        columns.try_fold(Self::empty(), |table, (name, column)| {
            table.with_column(name, column)
        })
    }

    fn empty() -> Self {
        Self {
            columns: Vec::new(),
            rows: 0,
            origin: None,
        }
    }

    /// The table with one more column at the end.
    ///
    /// # Errors
    /// The name is taken, the length differs from the other columns', or a number is not finite.
    pub fn with_column(mut self, name: impl Into<String>, column: Column) -> Result<Self> {
        let name = name.into();
        if let Some(first) = self.index_of(&name) {
            return Err(Error::DuplicateColumn {
                file: "table".to_string(),
                name,
                first: first + 1,
                second: self.width() + 1,
                help: "choose another name, or drop the first with .drop_columns(&[..])",
            });
        }
        let is_first = self.columns.is_empty() && self.rows == 0;
        if !is_first && column.len() != self.rows {
            return Err(Error::Length {
                op: "with_column",
                expected: format!("{} values as in the other columns", self.rows),
                found: format!("{} in \"{name}\"", column.len()),
                help: "mark missing values with None instead of leaving them out",
            });
        }
        check_finite(&name, &column)?;
        if is_first {
            self.rows = column.len();
            self.origin = None;
        }
        self.columns.push((name, column));
        Ok(self)
    }

    /// The table with the lines of the file that its rows were read from.
    #[must_use]
    pub(crate) fn with_origin(mut self, origin: Origin) -> Self {
        debug_assert!(origin.lines.len() == self.rows);
        self.origin = Some(origin);
        self
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The columns with their names, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, &Column)> {
        self.columns
            .iter()
            .map(|(name, column)| (name.as_str(), column))
    }

    /// The column of this name.
    ///
    /// # Errors
    /// There is no such column.
    pub fn column(&self, name: &str) -> Result<&Column> {
        match self.index_of(name) {
            Some(index) => Ok(&self.columns[index].1),
            None => Err(Error::UnknownColumn {
                name: name.to_string(),
                available: self.names().map(str::to_string).collect(),
            }),
        }
    }

    /// How many values are missing, over all columns.
    pub fn missing(&self) -> usize {
        self.columns
            .iter()
            .map(|(_, column)| column.missing())
            .sum()
    }

    /// The table with these columns only, in the order given.
    ///
    /// # Errors
    /// There is no such column, or a name is given twice.
    pub fn select(&self, names: &[&str]) -> Result<Self> {
        let mut table = Self {
            rows: self.rows,
            origin: self.origin.clone(),
            ..Self::empty()
        };
        for &name in names {
            table = table.with_column(name, self.column(name)?.clone())?;
        }
        Ok(table)
    }

    /// The table without these columns.
    ///
    /// # Errors
    /// There is no such column.
    pub fn drop_columns(&self, names: &[&str]) -> Result<Self> {
        for name in names {
            self.column(name)?;
        }
        let kept: Vec<&str> = self.names().filter(|name| !names.contains(name)).collect();
        self.select(&kept)
    }

    /// The same rows with the column of this name replaced.
    pub(crate) fn replace(&mut self, name: &str, column: Column) {
        debug_assert!(column.len() == self.rows);
        if let Some(index) = self.index_of(name) {
            self.columns[index].1 = column;
        }
    }

    /// Where a value stands, for error texts.
    pub(crate) fn place(&self, row: usize, column: &str) -> Place {
        let place = match &self.origin {
            Some(origin) => Place::row(row).from_line(&origin.file, origin.lines[row]),
            None => Place::row(row),
        };
        place.column(column)
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.names().position(|known| known == name)
    }
}

/// A missing value is `None`: a NaN would be carried silently into every sum.
fn check_finite(name: &str, column: &Column) -> Result<()> {
    let Column::Numbers(values) = column else {
        return Ok(());
    };
    let odd = |value: &Option<f64>| value.is_some_and(|number| !number.is_finite());
    match values.iter().position(odd) {
        None => Ok(()),
        Some(row) => Err(Error::NotFinite {
            place: Place::row(row).column(name),
            expected: "a finite number",
            found: values[row]
                .map(|number| number.to_string())
                .unwrap_or_default(),
            help: "use None for a missing value",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::from_columns([
            ("a", Column::numbers([1.0, 2.0])),
            ("b", Column::text(["x", "y"])),
            ("c", Column::Numbers(vec![None, Some(4.0)])),
        ])
        .unwrap()
    }

    #[test]
    fn columns_are_selected_and_dropped_by_name() {
        let names = |table: &Table| table.names().map(str::to_string).collect::<Vec<_>>();
        assert_eq!(names(&table().select(&["c", "a"]).unwrap()), ["c", "a"]);
        assert_eq!(names(&table().drop_columns(&["a"]).unwrap()), ["b", "c"]);
        let bare = table().select(&[]).unwrap();
        assert_eq!((bare.len(), bare.width()), (2, 0));
        assert!(!bare.to_csv().is_empty());
        assert!(bare.with_column("d", Column::numbers([1.0])).is_err());
        let none = table().select_rows(&[]).unwrap().select(&[]).unwrap();
        assert!(none.with_column("d", Column::text(["x"])).is_ok());
        assert_eq!(table().missing(), 1);
    }

    #[test]
    fn wrong_names_and_lengths_are_told() {
        assert_eq!(
            table().select(&["d"]).unwrap_err().to_string(),
            "no column \"d\"\n  expected one of \"a\", \"b\", \"c\", found \"d\"\n  help: names must match exactly; see .names()"
        );
        assert_eq!(
            table()
                .with_column("d", Column::numbers([1.0]))
                .unwrap_err()
                .to_string(),
            "with_column: lengths differ\n  expected 2 values as in the other columns, found 1 in \"d\"\n  help: mark missing values with None instead of leaving them out"
        );
        assert_eq!(
            table()
                .with_column("b", Column::numbers([1.0, 2.0]))
                .unwrap_err()
                .to_string(),
            "column name \"b\" is used twice\n  table: expected different names, found \"b\" as column 2 and column 4\n  help: choose another name, or drop the first with .drop_columns(&[..])"
        );
        assert_eq!(
            table()
                .with_column("d", Column::numbers([1.0, f64::NAN]))
                .unwrap_err()
                .to_string(),
            "NaN is not a finite number\n  row 1, column \"d\": expected a finite number, found NaN\n  help: use None for a missing value"
        );
    }
}
