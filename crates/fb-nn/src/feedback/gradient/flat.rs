//! States as rows of numbers `[batch, n]`, for solvers and Jacobians.

use crate::feedback::State;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};

/// The values of a state side by side: `[batch, n]`.
pub(in crate::feedback) fn flatten<F: Float>(state: &State<F>) -> Tensor<F> {
    let parts: Vec<Tensor<F>> = state.values().map(|value| rows(value.tensor())).collect();
    match parts.as_slice() {
        [only] => only.clone(),
        several => Tensor::concat(&several.iter().collect::<Vec<_>>(), 1),
    }
}

/// The same, recorded.
pub(in crate::feedback) fn flatten_var<F: Float>(state: &State<F>) -> Var<F> {
    let parts: Vec<Var<F>> = state
        .values()
        .map(|value| {
            let batch = value.shape()[0];
            value.reshape([batch, per_row(value.tensor())])
        })
        .collect();
    match parts.as_slice() {
        [only] => only.clone(),
        several => Var::concat(&several.iter().collect::<Vec<_>>(), 1),
    }
}

/// `[batch, n]` as values of a state of so many samples, with the shapes of `like`.
pub(in crate::feedback) fn unflatten<F: Float>(like: &State<F>, flat: &Var<F>) -> State<F> {
    let batch = flat.shape()[0];
    let mut start = 0;
    let values = like.values().map(|value| {
        let n = per_row(value.tensor());
        let mut extents = value.shape().to_vec();
        extents[0] = batch;
        let part = flat.narrow(1, start, n).reshape(extents);
        start += n;
        part
    });
    like.with_values(values.collect::<Vec<_>>())
}

/// Numbers a row.
fn per_row<F: Float>(tensor: &Tensor<F>) -> usize {
    tensor.dims()[1..].iter().product()
}

fn rows<F: Float>(tensor: &Tensor<F>) -> Tensor<F> {
    tensor.reshape([tensor.dim(0), per_row(tensor)])
}
