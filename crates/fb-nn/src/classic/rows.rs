//! One sample or a batch of them.

use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};

/// `[features]` or `[batch, features]` with at least one row, as a batch; and whether it was one sample.
pub(super) fn batch<F: Float>(
    what: &str,
    x: &Tensor<F>,
    features: usize,
) -> Result<(Tensor<F>, bool)> {
    match *x.dims() {
        [n] if n == features => Ok((x.unsqueeze(0), true)),
        [rows, n] if n == features && rows > 0 => Ok((x.clone(), false)),
        _ => Err(Error::Data {
            place: what.to_owned(),
            expected: format!("[{features}] or [batch, {features}]"),
            found: x.shape().to_string(),
            help: "a batch has at least one row".to_owned(),
        }),
    }
}

/// The batch as it came.
pub(super) fn unbatch<F: Float>(x: Tensor<F>, single: bool) -> Tensor<F> {
    if single { x.squeeze(0) } else { x }
}

/// Patterns to be stored, `[count, units]`; one `[units]` counts as one row.
pub(super) fn patterns<F: Float>(what: &str, x: &Tensor<F>) -> Result<Tensor<F>> {
    match *x.dims() {
        [units] if units > 0 => Ok(x.unsqueeze(0)),
        [count, units] if count > 0 && units > 0 => Ok(x.clone()),
        _ => Err(Error::Data {
            place: what.to_owned(),
            expected: "patterns [count, units]".to_owned(),
            found: x.shape().to_string(),
            help: "pictures are flattened first: reshape([count, units])".to_owned(),
        }),
    }
}
