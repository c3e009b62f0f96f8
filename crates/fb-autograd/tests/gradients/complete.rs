//! No operation escapes the tables.

use super::all_rows;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What [`fb_autograd::Var`] has that is not an operation, in its own file.
const ACCESS: [&str; 10] = [
    "backward",
    "constant",
    "detach",
    "dims",
    "into_tensor",
    "item",
    "requires_grad",
    "shape",
    "tape",
    "tensor",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The names of the public functions of a file.
fn functions(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub fn "))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        // A macro's `$name` has none: those functions come from a list.
        .filter(|name| !name.is_empty())
        .collect()
}

fn checked() -> BTreeSet<String> {
    all_rows()
        .iter()
        .map(|row| row.op().trim_end_matches(',').to_string())
        .collect()
}

#[test]
fn every_operation_stands_in_a_table() {
    let checked = checked();
    let mut files = 0;
    let mut missing = Vec::new();
    for entry in fs::read_dir(source().join("ops")).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.extension().is_some_and(|e| e == "rs"),
            "this test does not look into {}",
            path.display()
        );
        files += 1;
        let operations = functions(&path).into_iter();
        missing.extend(
            operations
                .filter(|name| !checked.contains(name))
                .map(|name| format!("{name} ({})", path.display())),
        );
    }
    assert!(files > 10, "operations were not found");
    assert!(
        missing.is_empty(),
        "no row in tests/gradients checks the gradient of: {}",
        missing.join(", ")
    );
}

#[test]
fn operators_stand_in_a_table() {
    let checked = checked();
    for operator in ["add", "sub", "mul", "div", "neg"] {
        assert!(checked.contains(operator), "{operator}");
    }
}

#[test]
fn operations_are_not_hidden_among_the_accessors() {
    let found: Vec<String> = functions(&source().join("var.rs")).into_iter().collect();
    assert_eq!(
        found, ACCESS,
        "operations belong in src/ops; accessors in the list of this test"
    );
}
