//! What a layer says of an input that it was not built for.

use crate::error::{Error, Result};
use crate::module::{Context, Spec};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};

/// Checks that an input has a batch and the features along its last axis that the layer was built for.
#[inline]
pub(super) fn features<F: Float>(cx: &Context<'_, F>, x: &Var<F>, input: &Shape) -> Result<()> {
    if x.shape().len() >= 2 && x.shape().last() == input.last() {
        return Ok(());
    }
    Err(error(
        cx,
        x,
        input,
        "the last axis holds the features, the first the batch",
    ))
}

/// Checks that an input is a batch of what the layer was built for.
#[inline]
pub(super) fn whole<F: Float>(cx: &Context<'_, F>, x: &Var<F>, input: &Shape) -> Result<()> {
    if x.shape().get(1..) == Some(&**input) {
        return Ok(());
    }
    Err(error(cx, x, input, "the first axis is the batch"))
}

#[cold]
pub(super) fn error<F: Float>(cx: &Context<'_, F>, x: &Var<F>, input: &Shape, help: &str) -> Error {
    Error::Data {
        place: cx.place(),
        expected: format!("numbers {}", Spec::float(*input)),
        found: x.shape().to_string(),
        help: help.to_owned(),
    }
}
