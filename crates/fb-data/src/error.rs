//! What can go wrong between a file and a batch, with the place and a way out.

use crate::place::Place;
use std::path::PathBuf;

/// Data that cannot be used as asked.
///
/// Every text names the place, what was expected, what was found, and ends in a `help` line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("cannot {action} {}\n  {source}\n  help: {help}", path.display())]
    File {
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
        /// A way out.
        help: &'static str,
    },
    /// A file without so much as a header line.
    #[error(
        "{file} is empty\n  expected a header line with the column names, found no line\n  help: check the path; a table without rows still needs its header"
    )]
    EmptyFile {
        /// The file.
        file: String,
    },
    /// Bytes that are not UTF-8 text.
    #[error(
        "text is not UTF-8\n  {place}: expected UTF-8, found the byte 0x{byte:02x}\n  help: convert the file first, such as with iconv -f latin1 -t utf-8"
    )]
    NotUtf8 {
        /// Where the byte stands.
        place: Place,
        /// The first byte that cannot be read.
        byte: u8,
    },
    /// A file that is not an array in the IDX format.
    #[error(
        "not an IDX array of bytes\n  {place}: expected {expected}, found {found}\n  help: check that it is the file that it should be, and get it again if it is damaged"
    )]
    Idx {
        /// The file.
        place: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A quote that opens a value and is never closed.
    #[error(
        "a quote is never closed\n  {place}: expected a closing quote for the one that opens a value here, found the end of the text\n  help: add it; a quote inside a value is doubled, and the value stands in quotes: \"say \"\"hi\"\"\""
    )]
    UnclosedQuote {
        /// Where the quote opens.
        place: Place,
    },
    /// The same column name twice.
    #[error(
        "column name \"{name}\" is used twice\n  {file}: expected different names, found \"{name}\" as column {first} and column {second}\n  help: {help}"
    )]
    DuplicateColumn {
        /// The file or table.
        file: String,
        /// The name.
        name: String,
        /// Position of its first use, from 1.
        first: usize,
        /// Position of its second use, from 1.
        second: usize,
        /// A way out.
        help: &'static str,
    },
    /// A row with fewer or more values than the header has names.
    #[error(
        "row is too {}\n  {place}: expected {expected} values as in the header, found {found}; {detail}\n  help: {help}",
        if found < expected { "short" } else { "long" }
    )]
    RowLength {
        /// Where the row stands.
        place: Place,
        /// Values expected.
        expected: usize,
        /// Values found.
        found: usize,
        /// Which value is missing or too many.
        detail: String,
        /// A way out.
        help: String,
    },
    /// A number of names, values or rows that does not match its partner.
    #[error("{op}: lengths differ\n  expected {expected}, found {found}\n  help: {help}")]
    Length {
        /// The operation.
        op: &'static str,
        /// The length asked for, with its reason.
        expected: String,
        /// The length found.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A word where a number belongs.
    #[error(
        "\"{found}\" is not a number\n  {place}: expected a number or a missing marker, found \"{found}\"\n  help: correct the cell, add \"{found}\" to .missing([..]), or read the column as words with .text(name){}",
        delimiter_in(found).map(|hint| format!("; {hint}")).unwrap_or_default()
    )]
    NotANumber {
        /// Where the word stands.
        place: Place,
        /// The word.
        found: String,
    },
    /// A number that is NaN or infinite, or too large for 32 bits.
    #[error(
        "{found} is not {expected}\n  {place}: expected {expected}, found {found}\n  help: {help}"
    )]
    NotFinite {
        /// Where the number stands.
        place: Place,
        /// What should stand there: a finite number, of 32 bits if it goes into a tensor.
        expected: &'static str,
        /// The number.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A column name that the table does not have.
    #[error(
        "no column \"{name}\"\n  expected one of {}, found \"{name}\"\n  help: {}",
        list(available),
        only_column(available.iter().map(String::as_str)).unwrap_or("names must match exactly; see .names()")
    )]
    UnknownColumn {
        /// The name asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// Words in a column used as numbers, or numbers in one used as words.
    #[error(
        "{op}: column \"{column}\" holds {found}\n  expected {expected}, found {found}; {detail}\n  help: {help}"
    )]
    ColumnType {
        /// The operation.
        op: &'static str,
        /// The column.
        column: String,
        /// The type asked for.
        expected: &'static str,
        /// The type found.
        found: &'static str,
        /// An example from the column.
        detail: String,
        /// A way out.
        help: &'static str,
    },
    /// A missing value where every value is needed.
    #[error(
        "{op}: missing value\n  {place}: expected {expected}, found a missing value\n  help: fill it with .fill_missing(..), or drop such rows with .drop_missing()"
    )]
    MissingValue {
        /// The operation.
        op: &'static str,
        /// Where the value is missing.
        place: Place,
        /// What should stand there.
        expected: &'static str,
    },
    /// Nothing to work with: no rows, no columns or no values.
    #[error("{op}: no {what}\n  expected at least one, found none\n  help: {help}")]
    Empty {
        /// The operation.
        op: &'static str,
        /// What there is none of.
        what: String,
        /// A way out.
        help: &'static str,
    },
    /// A tensor whose shape does not fit.
    #[error("{op}: shape does not fit\n  expected {expected}, found {found}\n  help: {help}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        expected: String,
        /// The shape found.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A label that was not seen when the classes were fitted.
    #[error(
        "unknown label \"{found}\"\n  {place}: expected one of {}, found \"{found}\"\n  help: correct the label, or fit the classes on rows that hold every label",
        list(classes)
    )]
    UnknownLabel {
        /// Where the label stands.
        place: Place,
        /// The label.
        found: String,
        /// The known classes.
        classes: Vec<String>,
    },
    /// A class index outside the classes.
    #[error(
        "{op}: label out of range\n  {place}: expected {expected}, found {found}\n  help: {help}"
    )]
    LabelRange {
        /// The operation.
        op: &'static str,
        /// Where the label stands.
        place: Place,
        /// The range that it should lie in.
        expected: String,
        /// The label.
        found: i64,
        /// A way out.
        help: &'static str,
    },
    /// A row number beyond the end.
    #[error("{op}: row {row} does not exist\n  expected rows 0 to {}, found {row}\n  help: row numbers start at 0 and end before .len()", rows.saturating_sub(1))]
    RowRange {
        /// The operation.
        op: &'static str,
        /// The row asked for.
        row: usize,
        /// How many rows there are.
        rows: usize,
    },
    /// A tensor operation that is not possible, such as one of more than six axes.
    #[error(transparent)]
    Tensor(#[from] fb_tensor::Error),
    /// An argument outside its domain.
    #[error("{op}: bad {argument}\n  expected {expected}, found {found}\n  help: {help}")]
    Argument {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
        /// A way out.
        help: &'static str,
    },
}

/// Shorthand for results with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What to do about a lone column whose name holds what separates columns in other files.
pub(crate) fn only_column<'a>(
    mut names: impl ExactSizeIterator<Item = &'a str>,
) -> Option<&'static str> {
    if names.len() != 1 {
        return None;
    }
    names.next().and_then(delimiter_in)
}

/// What to do about a text that holds what separates values in other files.
fn delimiter_in(text: &str) -> Option<&'static str> {
    if text.contains(';') {
        Some("if ';' separates the values, read them with .delimiter(b';')")
    } else if text.contains('\t') {
        Some("if tabs separate the values, read them with .delimiter(b'\\t')")
    } else {
        None
    }
}

/// Names in quotes, at most a dozen of them.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    if names.is_empty() {
        return "(none)".to_string();
    }
    let mut text: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("\"{name}\""))
        .collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..14).map(|i| format!("c{i}")).collect();
        assert!(list(&names).ends_with("\"c11\", and 2 more"));
        assert_eq!(list(&names[..2]), "\"c0\", \"c1\"");
        assert_eq!(list(&[]), "(none)");
    }

    #[test]
    fn errors_travel_between_threads() {
        fn check<T: Send + Sync + std::error::Error>() {}
        check::<Error>();
    }
}
