//! The domains of settings, with what is usual in them.

use crate::error::{Error, Result};

/// The help of settings that add something only above 0.
pub(super) const OFF: &str = "0 switches it off";

/// A learning rate.
pub(super) fn learning_rate(kind: &str, value: f64) -> Result<()> {
    not_negative(
        &format!("{kind} learning rate"),
        value,
        "0.0001 to 0.1 are usual",
    )
}

/// A finite number from 0 on.
pub(super) fn not_negative(what: &str, value: f64, help: &str) -> Result<()> {
    require(
        value >= 0.0 && value.is_finite(),
        what,
        "a finite number from 0 on",
        value,
        help,
    )
}

/// A finite number above 0.
pub(super) fn positive(what: &str, value: f64, help: &str) -> Result<()> {
    require(
        value > 0.0 && value.is_finite(),
        what,
        "a finite number above 0",
        value,
        help,
    )
}

/// A number from 0 to below 1, as factors that forget must be.
pub(super) fn below_one(what: &str, value: f64, help: &str) -> Result<()> {
    require(
        (0.0..1.0).contains(&value),
        what,
        "a number from 0 to below 1",
        value,
        help,
    )
}

fn require(valid: bool, what: &str, expected: &str, found: f64, help: &str) -> Result<()> {
    if valid {
        return Ok(());
    }
    Err(Error::Config {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
        help: help.to_owned(),
    })
}
