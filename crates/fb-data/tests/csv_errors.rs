//! Text that cannot be read is told by file, line and column, with a way out.

use fb_data::{Csv, Error};
use std::fs;

fn error(text: &str) -> String {
    Csv::from_text(text).read().unwrap_err().to_string()
}

#[test]
fn a_short_row() {
    assert_eq!(
        error("a,b,c\n1,2,3\n4,5\n"),
        "row is too short\n  text, line 3: expected 3 values as in the header, found 2; column 3 \"c\" has none\n  help: add the missing values, an empty one between ',' counts; if values are separated by something else, set .delimiter(..)"
    );
}

#[test]
fn a_long_row() {
    assert_eq!(
        error("a,b\n1,2\n\n3,4,5,6\n"),
        "row is too long\n  text, line 4: expected 2 values as in the header, found 4; the first too many is \"5\"\n  help: remove the extra values, or put a value that holds ',' in double quotes"
    );
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_eq!(
        error("a,b\n\"1,2\n3,4\n"),
        "a quote is never closed\n  text, line 2: expected a closing quote for the one that opens a value here, found the end of the text\n  help: add it; a quote inside a value is doubled, and the value stands in quotes: \"say \"\"hi\"\"\""
    );
    assert!(error("a,\"b\n1,2\n").contains("text, line 1: "));
    // The quote opens in a later line than its row.
    assert!(error("a,b\n\"1\n2\",\"3\n4").contains("text, line 3: "));
}

#[test]
fn another_delimiter_than_the_comma() {
    let help = "help: if ';' separates the values, read them with .delimiter(b';')";
    let table = Csv::from_text("a;b\n1;2\n").read().unwrap();
    for text in [
        table.features(&["a"]).unwrap_err().to_string(),
        table.features(&["a;b"]).unwrap_err().to_string(),
        Csv::from_text("a;b\n1;2\n")
            .number("a")
            .read()
            .unwrap_err()
            .to_string(),
        error("a;b\n1,5;2,5\n"),
    ] {
        assert!(text.ends_with(help), "{text}");
    }
    let text = Csv::from_text("a;b\n1;2\n")
        .number("a;b")
        .read()
        .unwrap_err();
    assert!(
        text.to_string()
            .ends_with("; if ';' separates the values, read them with .delimiter(b';')")
    );
    let tabs = Csv::from_text("a\tb\n1\t2\n").read().unwrap();
    let text = tabs.numbers("b").unwrap_err().to_string();
    assert!(
        text.ends_with("help: if tabs separate the values, read them with .delimiter(b'\\t')"),
        "{text}"
    );
}

#[test]
fn a_delimiter_that_cannot_be() {
    for (delimiter, found) in [(b'"', "b'\\\"'"), (b'\n', "b'\\n'"), (b'\r', "b'\\r'")] {
        let csv = Csv::from_text("a,b\n1,2\n").delimiter(delimiter);
        assert_eq!(
            csv.read().unwrap_err().to_string(),
            format!(
                "Csv::read: bad delimiter\n  expected a byte that is neither a quote nor ends a line, found {found}\n  help: b',', b';' and b'\\t' are common; without .delimiter(..) it is the comma"
            )
        );
    }
}

#[test]
fn a_word_where_a_number_belongs() {
    let csv = Csv::from_text("name,width\nx,1.5\ny,wide\n").number("width");
    assert_eq!(
        csv.read().unwrap_err().to_string(),
        "\"wide\" is not a number\n  text, line 3, column 2 \"width\": expected a number or a missing marker, found \"wide\"\n  help: correct the cell, add \"wide\" to .missing([..]), or read the column as words with .text(name)"
    );
}

#[test]
fn a_word_found_only_when_numbers_are_asked_for() {
    let table = Csv::from_text("name,width\nx,1.5\n\ny,wide\n")
        .read()
        .unwrap();
    assert_eq!(
        table.features(&["width"]).unwrap_err().to_string(),
        "features: column \"width\" holds text\n  expected numbers, found text; the first word is \"wide\" at row 1 (text, line 4), column \"width\"\n  help: choose number columns, correct or mark such cells as missing with Csv::missing([..]), or turn words into numbers with labels(name) or LabelEncoder"
    );
}

#[test]
fn a_number_that_is_not_finite() {
    assert_eq!(
        error("a\n1\n-inf\n"),
        "-inf is not a finite number\n  text, line 3, column 1 \"a\": expected a finite number, found -inf\n  help: correct the cell, or add it to the markers of .missing([..])"
    );
    assert!(error("a\n1e999\n").starts_with("1e999 is not a finite number"));
    // Among words, "inf" is a word.
    assert!(Csv::from_text("a\ninf\nsup\n").read().is_ok());
}

#[test]
fn a_repeated_name() {
    assert_eq!(
        error("a,b,a\n1,2,3\n"),
        "column name \"a\" is used twice\n  text, line 1: expected different names, found \"a\" as column 1 and column 3\n  help: rename one in the file; if it has no header line, give .names([..])"
    );
    let csv = Csv::from_text("1,2\n").names(["a", "a"]);
    assert_eq!(
        csv.read().unwrap_err().to_string(),
        "column name \"a\" is used twice\n  names given for text: expected different names, found \"a\" as column 1 and column 2\n  help: rename one of them"
    );
}

#[test]
fn nothing_at_all() {
    let expected = "text is empty\n  expected a header line with the column names, found no line\n  help: check the path; a table without rows still needs its header";
    assert_eq!(error(""), expected);
    assert_eq!(error("\n\r\n\n"), expected);
}

#[test]
fn a_type_for_a_column_that_does_not_exist() {
    assert_eq!(
        Csv::from_text("a,b\n1,2\n")
            .number("c")
            .read()
            .unwrap_err()
            .to_string(),
        "no column \"c\"\n  expected one of \"a\", \"b\", found \"c\"\n  help: names must match exactly; see .names()"
    );
}

#[test]
fn a_file_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.csv");
    let error = Csv::open(&path).read().unwrap_err();
    assert!(
        matches!(&error, Error::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    let text = error
        .to_string()
        .replace(&path.display().to_string(), "none.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "cannot read none.csv");
    assert_eq!(
        lines[2],
        "  help: check the path; relative paths start in the current folder"
    );
}

#[test]
fn bytes_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin.csv");
    let text = |path: &std::path::Path| {
        let error = Csv::open(path).read().unwrap_err().to_string();
        error.replace(&path.display().to_string(), "latin.csv")
    };
    fs::write(&path, b"n,name\n1,Zoe\n2,Zo\xeb\n").unwrap();
    assert_eq!(
        text(&path),
        "text is not UTF-8\n  latin.csv, line 3, column 2 \"name\": expected UTF-8, found the byte 0xeb\n  help: convert the file first, such as with iconv -f latin1 -t utf-8"
    );
    fs::write(&path, b"n,na\xefve\n1,2\n").unwrap();
    assert!(text(&path).contains("latin.csv, line 1, column 2: expected UTF-8"));
}

#[test]
fn a_folder_that_does_not_exist_cannot_be_written_to() {
    let table = Csv::from_text("a\n1\n").read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").join("out.csv");
    let text = table.write_csv(&path).unwrap_err().to_string();
    assert!(text.starts_with("cannot write "), "{text}");
    assert!(
        text.ends_with("help: create the folder first; only the file itself is made"),
        "{text}"
    );
    // The temporary file beside it is nobody's business.
    let named = path.display().to_string();
    assert!(!text.replace(&named, "").contains("none"), "{text}");
}

#[test]
fn a_written_file_reads_back_and_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    fs::write(&path, "old").unwrap();
    let table = Csv::from_text("a,b\n1,x\n,y\n").read().unwrap();
    table.write_csv(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,x\n,y\n");
    assert_eq!(Csv::open(&path).read().unwrap().missing(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn no_bytes_make_the_reader_panic() {
    // Every truncation of a text with quotes, breaks and gaps is read or refused, never more.
    let text = "a,\"b \"\"c\"\" d\",e\r\n1,\"x\ny\",\n\n2,,\"z";
    for end in 0..=text.len() {
        for delimiter in [b',', b';', b'"', b'\n', 0xff] {
            let _ = Csv::from_text(&text[..end]).delimiter(delimiter).read();
        }
    }
}
