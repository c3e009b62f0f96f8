//! From many losses to one.

use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// The mean of `losses` `[batch, …]`, each sample's times its weight.
///
/// All samples have equally many losses, so the mean over samples of their means is the mean of all.
pub(super) fn mean<F: Float>(
    kind: &str,
    losses: Var<F>,
    weights: Option<&Tensor<F>>,
) -> Result<Var<F>> {
    let Some(weights) = weights else {
        return Ok(losses.mean());
    };
    let batch = losses.shape()[0];
    let error = |expected: String, found: String| Error::Data {
        place: format!("the sample weights of {kind}"),
        expected,
        found,
        help: "a weight of 1 leaves a sample as it is, 0 leaves it out".to_owned(),
    };
    if *weights.shape() != [batch] {
        return Err(error(
            format!("one weight per sample [{batch}]"),
            weights.shape().to_string(),
        ));
    }
    if let Some(row) = weights
        .iter()
        .position(|w| !(w >= F::ZERO && w.is_finite()))
    {
        return Err(error(
            "finite numbers from 0 on".to_owned(),
            format!("{} in row {row}", weights.at(&[row])),
        ));
    }
    let column = (1..losses.shape().len()).fold(Shape::from([batch]), |shape, axis| {
        shape.with_inserted(axis, 1)
    });
    Ok((losses * Var::constant(weights.reshape(column))).mean())
}
