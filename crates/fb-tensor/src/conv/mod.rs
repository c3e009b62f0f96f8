//! Convolutions over one and two axes of channels-last tensors, transposed ones, and their gradients.
//!
//! Two routines do all of it. [`gather`](gather::gather) makes each output from the inputs that a kernel meets: the forward pass,
//! and, with the kernel turned around, the gradient of the input, which is also what a transposed convolution computes.
//! [`weight_gradient`](weight::weight_gradient) sums patches times gradients. A convolution over one axis is one over two, the first
//! of which has one position.

mod axis;
mod gather;
mod geometry;
mod one_axis;
mod options;
mod patches;
mod sizes;
mod transpose;
mod two_axes;
mod weight;
pub(crate) mod window;

pub use options::{ConvOptions, ConvTransposeOptions, Padding};

use crate::element::Float;
pub(crate) use gather::Finish;
use geometry::Geometry;
use weight::Before;

/// The two routines, compiled once for each type.
#[allow(clippy::type_complexity, reason = "a table of signatures")]
pub(crate) struct ConvLoops<F: Float> {
    gather: fn(&Geometry, &[F], &[F], Option<&[F]>, Option<Finish<'_, F>>, &mut [F]),
    weight_gradient: fn(&Geometry, &[F], &[F], &mut [F]),
    weight_gradient_through: fn(&Geometry, &[F], &[F], Before<'_, F>, &mut [F], &mut [F]),
}

impl<F: Float> ConvLoops<F> {
    pub(crate) const fn new() -> Self {
        Self {
            gather: gather::gather,
            weight_gradient: weight::weight_gradient,
            weight_gradient_through: weight::weight_gradient_through,
        }
    }
}
