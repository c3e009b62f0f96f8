//! Bytes to rows of cells, each with its line.

use crate::error::{Error, Result, only_column};
use crate::place::Place;
use csv::{ByteRecord, StringRecord, Trim};

/// The header and the rows, all of the header's length.
pub(super) struct Records {
    pub(super) file: String,
    pub(super) names: Vec<String>,
    /// Line of the file and cells of each row.
    pub(super) rows: Vec<(u64, StringRecord)>,
}

impl Records {
    /// Splits text into records and checks the shape: a header without repeated names, UTF-8, and
    /// rows of equal length. `names` stand in for a header line.
    pub(super) fn parse(
        file: &str,
        bytes: &[u8],
        delimiter: u8,
        names: Option<&[String]>,
    ) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(bytes);
        let mut lines = Lines::new(bytes);
        let mut rows = Vec::new();
        let mut record = ByteRecord::new();
        let mut last = 0;
        while reader
            .read_byte_record(&mut record)
            .expect("reading from memory cannot fail")
        {
            last = record.position().map_or(0, |position| position.byte());
            let line = lines.of(last);
            let cells = text(std::mem::take(&mut record)).map_err(|(column, byte)| {
                let header = rows.first().map(|(_, cells): &(u64, StringRecord)| cells);
                let name = match names {
                    Some(names) => names.get(column).map(String::as_str),
                    None => header.and_then(|header| header.get(column)),
                };
                Error::NotUtf8 {
                    place: Place::line(file, line).value(column + 1, name),
                    byte,
                }
            })?;
            rows.push((line, cells));
        }
        // What follows such a quote is one value to the parser, so only the last record can have it.
        if let Some(quote) = unclosed_quote(bytes, last as usize, delimiter) {
            return Err(Error::UnclosedQuote {
                place: Place::line(file, lines.of(quote as u64)),
            });
        }
        let (header_line, names) = match names {
            Some(names) => (None, names.to_vec()),
            None if rows.is_empty() => {
                return Err(Error::EmptyFile {
                    file: file.to_string(),
                });
            }
            None => {
                let (line, header) = rows.remove(0);
                (Some(line), column_names(&header))
            }
        };
        check_names(file, header_line, &names)?;
        let records = Self {
            file: file.to_string(),
            names,
            rows,
        };
        records.check_lengths(delimiter)?;
        Ok(records)
    }

    /// The place of a cell.
    pub(super) fn place(&self, row: usize, column: usize) -> Place {
        Place::line(&self.file, self.rows[row].0).value(column + 1, Some(&self.names[column]))
    }

    fn check_lengths(&self, delimiter: u8) -> Result<()> {
        let expected = self.names.len();
        let odd = self.rows.iter().find(|(_, cells)| cells.len() != expected);
        let Some((line, cells)) = odd else {
            return Ok(());
        };
        let delimiter = char::from(delimiter).escape_default();
        let other = only_column(self.names.iter().map(String::as_str));
        let (detail, help) = if cells.len() < expected {
            let column = cells.len();
            (
                format!("column {} \"{}\" has none", column + 1, self.names[column]),
                format!(
                    "add the missing values, an empty one between '{delimiter}' counts; if values are separated by something else, set .delimiter(..)"
                ),
            )
        } else {
            (
                format!("the first too many is \"{}\"", &cells[expected]),
                format!(
                    "remove the extra values, or put a value that holds '{delimiter}' in double quotes"
                ),
            )
        };
        Err(Error::RowLength {
            place: Place::line(&self.file, *line),
            expected,
            found: cells.len(),
            detail,
            help: other.map_or(help, str::to_string),
        })
    }
}

/// The position of a quote at or after `start`, where a record starts, that opens a value and is never
/// closed. It follows the parser's rules: a quote opens only at the start of a value, and a doubled one
/// inside is a part of it.
fn unclosed_quote(bytes: &[u8], start: usize, delimiter: u8) -> Option<usize> {
    enum At {
        Start,
        Plain,
        Quoted(usize),
        /// After a quote inside a quoted value: its end, unless another follows.
        Quote(usize),
    }
    // The parser skips a byte order mark.
    let mark = usize::from(start == 0 && bytes.starts_with(b"\xef\xbb\xbf")) * 3;
    let mut at = At::Start;
    for (position, &byte) in bytes.iter().enumerate().skip(start + mark) {
        let ends_value = byte == delimiter || matches!(byte, b'\r' | b'\n');
        at = match at {
            At::Start if byte == b'"' => At::Quoted(position),
            At::Quoted(opened) if byte == b'"' => At::Quote(opened),
            At::Quoted(opened) => At::Quoted(opened),
            At::Quote(opened) if byte == b'"' => At::Quoted(opened),
            At::Start | At::Plain | At::Quote(_) if ends_value => At::Start,
            At::Start | At::Plain | At::Quote(_) => At::Plain,
        };
    }
    match at {
        At::Quoted(opened) => Some(opened),
        At::Start | At::Plain | At::Quote(_) => None,
    }
}

/// The cells as text, or the column and value of the first byte that is none.
fn text(record: ByteRecord) -> Result<StringRecord, (usize, u8)> {
    StringRecord::from_byte_record(record).map_err(|error| {
        let (field, at) = (error.utf8_error().field(), error.utf8_error().valid_up_to());
        (field, error.into_byte_record()[field][at])
    })
}

fn column_names(header: &StringRecord) -> Vec<String> {
    let name = |(index, name): (usize, &str)| match name {
        "" => format!("column {}", index + 1),
        name => name.to_string(),
    };
    header.iter().enumerate().map(name).collect()
}

fn check_names(file: &str, line: Option<u64>, names: &[String]) -> Result<()> {
    for (second, name) in names.iter().enumerate() {
        if let Some(first) = names[..second].iter().position(|known| known == name) {
            let (file, help) = match line {
                Some(line) => (
                    Place::line(file, line).to_string(),
                    "rename one in the file; if it has no header line, give .names([..])",
                ),
                None => (format!("names given for {file}"), "rename one of them"),
            };
            return Err(Error::DuplicateColumn {
                file,
                name: name.clone(),
                first: first + 1,
                second: second + 1,
                help,
            });
        }
    }
    Ok(())
}

/// Line numbers of byte positions that only grow. The parser's own count is that of the end of the
/// record before, which blank lines and `\r\n` move away from the line where a record starts.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// The line of the first byte at or after `position` that does not end a line.
    fn of(&mut self, position: u64) -> u64 {
        while let Some(&byte) = self.bytes.get(self.at) {
            if self.at as u64 >= position && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            let ends_line = match byte {
                b'\n' => true,
                b'\r' => self.bytes.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += u64::from(ends_line);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<u64> {
        let records = Records::parse("f", text.as_bytes(), b',', None).unwrap();
        records.rows.iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        assert_eq!(lines("a\n1\n2\n"), [2, 3]);
        assert_eq!(lines("a\r\n1\r\n2\r\n3"), [2, 3, 4]);
        assert_eq!(lines("a\r1\r2"), [2, 3]);
        assert_eq!(lines("\n\na\n\n\n1\r\n\r\n2\n"), [6, 8]);
        assert_eq!(lines("a\n\"1\n2\n3\"\n4\n"), [2, 5]);
    }

    #[test]
    fn quotes_are_followed_as_the_parser_does() {
        for (text, unclosed) in [
            ("", None),
            ("\"a\"", None),
            ("\"a", Some(0)),
            ("x,\"a\"\"", Some(2)),
            ("x,\"a\"\"\"", None),
            ("5\" pipe,\"a\"b\"", None),
            ("\r\n\n\"", Some(3)),
            ("\u{feff}\"a", Some(3)),
        ] {
            assert_eq!(
                unclosed_quote(text.as_bytes(), 0, b','),
                unclosed,
                "{text:?}"
            );
        }
        assert_eq!(unclosed_quote(b"\"a\n1;\"b", 3, b';'), Some(5));
    }
}
