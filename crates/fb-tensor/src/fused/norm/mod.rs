//! Normalisation with the statistics of a row (layer, root-mean-square) or of a channel (batch, group), and what their
//! gradients are computed from.

mod channels;
mod rows;

pub use channels::{ChannelNorm, ChannelNormed, Over};
pub use rows::{RowNorm, RowNormed};

pub(crate) use channels::{backward as channels_backward, forward as channels_forward};
pub(crate) use rows::{backward as rows_backward, forward as rows_forward};

use crate::element::Float;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Gradients of a normalisation.
#[derive(Clone, Debug)]
pub struct NormGradients<F: Float> {
    /// By the input, added to what had arrived there.
    pub input: Tensor<F>,
    /// By the weight.
    pub weight: Tensor<F>,
    /// By the bias.
    pub bias: Tensor<F>,
}

/// Rough cost of a pass per element on one core.
const PICOSECONDS: usize = 500;

/// How many rows go into one sum before sums are joined: enough for the sums to be few beside the rows, few enough for
/// the rows to stay in cache.
fn rows_per_part(width: usize) -> usize {
    (16 * 1024 / width.max(1)).clamp(64, 512)
}

/// A weight or bias of `width` numbers, without gaps; `missing` throughout if there is none.
fn factors<F: Float>(
    op: &'static str,
    input: &Tensor<F>,
    given: Option<&Tensor<F>>,
    width: usize,
    missing: F,
) -> Result<Tensor<F>> {
    match given {
        None => Ok(Tensor::full_of([width], missing)),
        Some(given) if *given.shape() == [width] => Ok(given.contiguous()),
        Some(given) => Err(Error::Shapes {
            op,
            left: input.shape().to_string(),
            right: given.shape().to_string(),
            help: "statistics, weight and bias have one number for each position of the last axis",
        }),
    }
}

/// The extent of the last axis.
fn last_extent<F: Float>(op: &'static str, input: &Tensor<F>) -> Result<usize> {
    input.dims().last().copied().ok_or_else(|| Error::Axis {
        op,
        axis: 0,
        shape: input.shape().to_string(),
    })
}

/// Runs `add` over what has arrived at the input, or over memory of its shape that holds nothing yet, as it is told.
fn added_to<F: Float>(
    arrived: Option<Tensor<F>>,
    input: &Tensor<F>,
    add: impl FnOnce(&mut [F], bool),
) -> Tensor<F> {
    match arrived {
        Some(mut sum) => {
            add(sum.make_mut(), false);
            sum
        }
        None => Tensor::filled_by(*input.shape(), |out| add(out, true)),
    }
}
