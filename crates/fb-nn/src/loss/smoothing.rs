//! Label smoothing: targets that ask for less than certainty.

use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};

/// `t · (1 − share) + share / classes`
pub(super) fn smoothed<F: Float>(targets: &Tensor<F>, share: f64, classes: usize) -> Tensor<F> {
    targets * F::from_f64(1.0 - share) + F::from_f64(share / classes as f64)
}

/// Refuses shares outside 0 to 1.
pub(super) fn validate(kind: &str, share: f64) -> Result<()> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("{kind} label smoothing"),
        expected: "a share from 0 to 1".to_owned(),
        found: share.to_string(),
        help: "0.1 is usual; 0 switches it off".to_owned(),
    })
}
