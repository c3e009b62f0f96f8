//! The largest number and the average of each window of channels-last tensors.
//!
//! Windows slide, or are as many as wanted and as even as they can be; [`windows`] makes one of the other. A maximum
//! remembers in one byte where in its window it was found.

mod average;
mod images;
mod max;
mod options;
mod windows;

pub use max::MaxOffsets;
pub use options::PoolOptions;
pub(crate) use windows::Axis;

use crate::element::Float;
use crate::tensor::Tensor;
use windows::Windows;

/// The loops, compiled once for each type.
pub(crate) struct PoolLoops<F: Float> {
    max: fn(&Windows, &Tensor<F>) -> Tensor<F>,
    max_with_offsets: fn(&Windows, &Tensor<F>) -> (Tensor<F>, MaxOffsets),
    max_back: fn(&Tensor<F>, &MaxOffsets) -> Tensor<F>,
    average: fn(&Windows, &Tensor<F>) -> Tensor<F>,
    average_back: fn(&Windows, &Tensor<F>) -> Tensor<F>,
}

impl<F: Float> PoolLoops<F> {
    pub(crate) const fn new() -> Self {
        Self {
            max: max::max,
            max_with_offsets: max::max_with_offsets,
            max_back: max::max_back,
            average: average::average,
            average_back: average::average_back,
        }
    }
}
