//! The domains of settings.

use crate::error::{Error, Result};

/// A finite number from 0 on.
pub(super) fn not_negative(what: &str, value: f64) -> Result<()> {
    require(
        value >= 0.0 && value.is_finite(),
        what,
        "a finite number from 0 on",
        value,
    )
}

/// A finite number above 0.
pub(super) fn positive(what: &str, value: f64) -> Result<()> {
    require(
        value > 0.0 && value.is_finite(),
        what,
        "a finite number above 0",
        value,
    )
}

/// A number from 0 to below 1, as factors that forget must be.
pub(super) fn below_one(what: &str, value: f64) -> Result<()> {
    require(
        (0.0..1.0).contains(&value),
        what,
        "a number from 0 to below 1",
        value,
    )
}

fn require(valid: bool, what: &str, expected: &str, found: f64) -> Result<()> {
    if valid {
        return Ok(());
    }
    Err(Error::Config {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
        help: String::new(),
    })
}
