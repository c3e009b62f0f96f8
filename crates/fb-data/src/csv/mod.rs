//! Comma-separated text in and out.
//!
//! [`Csv`] is the main type: say where the text is, how it is written, and [`Csv::read`] a
//! [`Table`]. Tables go back with [`Table::write_csv`] and [`Table::to_csv`].

mod cells;
mod records;
mod write;

use crate::error::{Error, Result};
use crate::file::read;
use crate::table::{Column, Origin, Table};
use records::Records;
use std::borrow::Cow;
use std::path::PathBuf;

/// The markers that stand for a missing value unless [`Csv::missing`] names others.
pub const MISSING: [&str; 8] = ["", "NA", "N/A", "?", "nan", "NaN", "null", "NULL"];

/// A source of comma-separated text, described step by step and then read.
///
/// The first line names the columns; a name left empty becomes `column N`. A column is numbers if
/// every value in it is one, else text; [`Csv::number`] and [`Csv::text`] decide it by hand. White
/// space around values does not count, blank lines are skipped, and every value must stand on a row
/// as long as the header.
///
/// # Examples
/// ```
/// use fb_data::Csv;
///
/// let text = "width;zip;kind\n1.5;01234;a\n;98765;b\n";
/// let table = Csv::from_text(text).delimiter(b';').text("zip").read()?;
/// assert_eq!(table.names().collect::<Vec<_>>(), ["width", "zip", "kind"]);
/// assert_eq!(table.missing(), 1);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Csv {
    source: Source,
    delimiter: u8,
    missing: Vec<String>,
    names: Option<Vec<String>>,
    types: Vec<(String, Kind)>,
}

#[derive(Clone, Debug)]
enum Source {
    Path(PathBuf),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
}

impl Csv {
    /// Text in a file. The file is opened by [`Csv::read`].
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::Path(path.into()))
    }

    /// Text in memory; errors call it `text`.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self::new(Source::Text(text.into()))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            delimiter: b',',
            missing: MISSING.map(str::to_string).to_vec(),
            names: None,
            types: Vec::new(),
        }
    }

    /// What stands between two values; a comma unless set. A quote or the end of a line cannot.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// The markers that stand for a missing value, in place of [`MISSING`].
    #[must_use]
    pub fn missing<S: Into<String>>(mut self, markers: impl IntoIterator<Item = S>) -> Self {
        self.missing = markers.into_iter().map(Into::into).collect();
        self
    }

    /// Names of the columns of a text that has no header line.
    #[must_use]
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Reads a column as numbers: a word in it is an error.
    #[must_use]
    pub fn number(mut self, name: impl Into<String>) -> Self {
        self.types.push((name.into(), Kind::Number));
        self
    }

    /// Reads a column as words, even if they look like numbers.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>) -> Self {
        self.types.push((name.into(), Kind::Text));
        self
    }

    /// Reads the text into a table.
    ///
    /// # Errors
    /// The delimiter is a quote or a line end; the file cannot be read or is not UTF-8; a quote is
    /// never closed; the header is missing or names a column twice; a
    /// row is shorter or longer than the header; a number column holds a word or a number that is
    /// not finite; a column given a type does not exist. The text names file, line and column.
    pub fn read(&self) -> Result<Table> {
        self.check_delimiter()?;
        let (file, bytes) = self.bytes()?;
        let records = Records::parse(&file, &bytes, self.delimiter, self.names.as_deref())?;
        self.check_types(&records.names)?;
        let mut columns: Vec<(String, Column)> = Vec::with_capacity(records.names.len());
        for (index, name) in records.names.iter().enumerate() {
            let kind = self.types.iter().rev().find(|(typed, _)| typed == name);
            let column =
                cells::column(&records, index, kind.map(|&(_, kind)| kind), &self.missing)?;
            columns.push((name.clone(), column));
        }
        let lines = records.rows.iter().map(|&(line, _)| line).collect();
        Ok(Table::from_columns(columns)?.with_origin(Origin { file, lines }))
    }

    /// The name used in error texts, and the raw text.
    fn bytes(&self) -> Result<(String, Cow<'_, [u8]>)> {
        match &self.source {
            Source::Text(text) => Ok(("text".to_string(), Cow::Borrowed(text.as_bytes()))),
            Source::Path(path) => Ok((path.display().to_string(), Cow::Owned(read(path)?))),
        }
    }

    fn check_delimiter(&self) -> Result<()> {
        if !matches!(self.delimiter, b'"' | b'\n' | b'\r') {
            return Ok(());
        }
        Err(Error::Argument {
            op: "Csv::read",
            argument: "delimiter",
            expected: "a byte that is neither a quote nor ends a line".to_string(),
            found: format!("b'{}'", char::from(self.delimiter).escape_default()),
            help: "b',', b';' and b'\\t' are common; without .delimiter(..) it is the comma",
        })
    }

    fn check_types(&self, names: &[String]) -> Result<()> {
        match self.types.iter().find(|(typed, _)| !names.contains(typed)) {
            None => Ok(()),
            Some((typed, _)) => Err(Error::UnknownColumn {
                name: typed.clone(),
                available: names.to_vec(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_inferred_per_column() {
        let table = Csv::from_text("n,t,m,mixed\n1,a,,1\n-2.5e1, b ,NA,x\n")
            .read()
            .unwrap();
        let column = |name| table.column(name).unwrap().clone();
        assert_eq!(column("n"), Column::numbers([1.0, -25.0]));
        assert_eq!(column("t"), Column::text(["a", "b"]));
        assert_eq!(column("m"), Column::Numbers(vec![None, None]));
        assert_eq!(column("mixed"), Column::text(["1", "x"]));
    }

    #[test]
    fn markers_and_types_can_be_chosen() {
        let table = Csv::from_text("a,b\n-,007\n3,NA\n")
            .missing(["-"])
            .text("b")
            .read()
            .unwrap();
        assert_eq!(
            table.column("a").unwrap(),
            &Column::Numbers(vec![None, Some(3.0)])
        );
        assert_eq!(table.column("b").unwrap(), &Column::text(["007", "NA"]));
    }

    #[test]
    fn a_text_without_header_takes_the_given_names() {
        let table = Csv::from_text("1,2\n3,4\n")
            .names(["a", "b"])
            .read()
            .unwrap();
        assert_eq!((table.len(), table.width()), (2, 2));
        let empty = Csv::from_text("").names(["a"]).read().unwrap();
        assert_eq!((empty.len(), empty.width()), (0, 1));
    }

    #[test]
    fn quotes_marks_and_line_ends_of_all_systems_are_read() {
        let text = "\u{feff}a,\"b\"\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n2,w";
        let table = Csv::from_text(text).read().unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            table.column("b").unwrap(),
            &Column::text(["x, \"y\"\nz", "w"])
        );
    }

    #[test]
    fn unnamed_columns_get_their_number() {
        let table = Csv::from_text(",a\n1,2\n").read().unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["column 1", "a"]);
    }
}
