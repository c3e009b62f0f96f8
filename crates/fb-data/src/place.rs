//! Where in a file, table or tensor something stands.

use std::fmt;

/// A place in the data, as exact as it is known.
///
/// In files, lines and columns count from 1, as editors and spreadsheets do; in tables and tensors,
/// rows and columns count from 0, as indices do.
///
/// ```
/// use fb_data::Place;
/// assert_eq!(Place::line("iris.csv", 3).to_string(), "iris.csv, line 3");
/// assert_eq!(Place::row(3).column("width").to_string(), "row 3, column \"width\"");
/// assert_eq!(Place::element(&[3, 1]).to_string(), "row 3, column 1 (both from 0)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Box<Parts>);

// Boxed, so that an error that holds a place is as small as one that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    spot: Spot,
    line: Option<(String, u64)>,
    column: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Spot {
    Line,
    FileColumn(usize),
    Row(usize),
    Element(Vec<usize>),
}

impl Place {
    /// A line of a file, from 1.
    pub fn line(file: &str, line: u64) -> Self {
        Self::at(Spot::Line).from_line(file, line)
    }

    /// A row of a table or of a tensor, from 0.
    pub fn row(row: usize) -> Self {
        Self::at(Spot::Row(row))
    }

    /// An element of a tensor.
    pub fn element(index: &[usize]) -> Self {
        Self::at(Spot::Element(index.to_vec()))
    }

    /// The same place, narrowed to the column of this name.
    #[must_use]
    pub fn column(mut self, name: &str) -> Self {
        self.0.column = Some(name.to_string());
        self
    }

    /// The same line, narrowed to the `number`-th value from 1; its column may have no name yet.
    #[must_use]
    pub fn value(mut self, number: usize, name: Option<&str>) -> Self {
        self.0.spot = Spot::FileColumn(number);
        self.0.column = name.map(str::to_string);
        self
    }

    /// The same row, with the line of the file that it was read from.
    #[must_use]
    pub fn from_line(mut self, file: &str, line: u64) -> Self {
        self.0.line = Some((file.to_string(), line));
        self
    }

    fn at(spot: Spot) -> Self {
        Self(Box::new(Parts {
            spot,
            line: None,
            column: None,
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { spot, line, column } = &*self.0;
        match spot {
            Spot::Element(index) => match index[..] {
                [row] => write!(f, "row {row}")?,
                [row, column] => write!(f, "row {row}, column {column} (both from 0)")?,
                _ => write!(f, "index {index:?}")?,
            },
            Spot::Row(row) => match line {
                Some((file, line)) => write!(f, "row {row} ({file}, line {line})")?,
                None => write!(f, "row {row}")?,
            },
            Spot::Line | Spot::FileColumn(_) => {
                if let Some((file, line)) = line {
                    write!(f, "{file}, line {line}")?;
                }
            }
        }
        match (spot, column) {
            (Spot::FileColumn(number), Some(name)) => write!(f, ", column {number} \"{name}\""),
            (Spot::FileColumn(number), None) => write!(f, ", column {number}"),
            (_, Some(name)) => write!(f, ", column \"{name}\""),
            (_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_it_knows() {
        let line = || Place::line("a.csv", 7);
        let row = || Place::row(2);
        for (place, text) in [
            (line(), "a.csv, line 7"),
            (line().value(1, Some("x")), "a.csv, line 7, column 1 \"x\""),
            (line().value(3, None), "a.csv, line 7, column 3"),
            (row(), "row 2"),
            (row().column("b"), "row 2, column \"b\""),
            (
                row().from_line("a.csv", 4).column("b"),
                "row 2 (a.csv, line 4), column \"b\"",
            ),
            (Place::element(&[2]), "row 2"),
            (Place::element(&[2, 5]), "row 2, column 5 (both from 0)"),
            (Place::element(&[2, 5, 0]), "index [2, 5, 0]"),
        ] {
            assert_eq!(place.to_string(), text);
        }
    }
}
