//! Checks of parameters.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// The error of a parameter outside its domain.
pub(super) fn refuse(
    what: String,
    expected: impl Into<String>,
    found: impl Display,
    help: &str,
) -> Error {
    Error::Config {
        what,
        expected: expected.into(),
        found: found.to_string(),
        help: help.to_owned(),
    }
}

/// A share above 0 and up to 1.
pub(super) fn share(kind: &str, name: &str, value: f64, help: &str) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    let what = format!("{kind} {name}");
    Err(refuse(what, "a number above 0 and up to 1", value, help))
}

/// A count within its range.
pub(super) fn count(
    kind: &str,
    name: &str,
    value: usize,
    range: RangeInclusive<usize>,
    help: &str,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("{} to {}", range.start(), range.end());
    Err(refuse(format!("{kind} {name}"), expected, value, help))
}
