//! Operations of sequences and of images under one name, by the number of axes that a window moves over.

use crate::error::{Error, Result};
use crate::module::{Scope, Spec};
use fb_autograd::Var;
use fb_tensor::{ConvOptions, ConvTransposeOptions, Float, PoolOptions, Shape, Tensor};

/// What a window that moves over `D` axes can compute.
pub(super) trait Axes<const D: usize>: Sized {
    fn convolve(&self, w: &Self, b: Option<&Self>, options: &ConvOptions<D>) -> Tried<Self>;
    fn convolve_transposed(
        &self,
        w: &Self,
        b: Option<&Self>,
        options: &ConvTransposeOptions<D>,
    ) -> Tried<Self>;
    fn max_pool(&self, options: &PoolOptions<D>) -> Tried<Self>;
    fn avg_pool(&self, options: &PoolOptions<D>) -> Tried<Self>;
}

pub(super) type Tried<T> = fb_tensor::Result<T>;

impl<F: Float> Axes<1> for Var<F> {
    fn convolve(&self, w: &Self, b: Option<&Self>, options: &ConvOptions<1>) -> Tried<Self> {
        self.try_conv1d(w, b, options)
    }

    fn convolve_transposed(
        &self,
        w: &Self,
        b: Option<&Self>,
        options: &ConvTransposeOptions<1>,
    ) -> Tried<Self> {
        self.try_conv_transpose1d(w, b, options)
    }

    fn max_pool(&self, options: &PoolOptions<1>) -> Tried<Self> {
        self.try_max_pool1d(options)
    }

    fn avg_pool(&self, options: &PoolOptions<1>) -> Tried<Self> {
        self.try_avg_pool1d(options)
    }
}

impl<F: Float> Axes<2> for Var<F> {
    fn convolve(&self, w: &Self, b: Option<&Self>, options: &ConvOptions<2>) -> Tried<Self> {
        self.try_conv2d(w, b, options)
    }

    fn convolve_transposed(
        &self,
        w: &Self,
        b: Option<&Self>,
        options: &ConvTransposeOptions<2>,
    ) -> Tried<Self> {
        self.try_conv_transpose2d(w, b, options)
    }

    fn max_pool(&self, options: &PoolOptions<2>) -> Tried<Self> {
        self.try_max_pool2d(options)
    }

    fn avg_pool(&self, options: &PoolOptions<2>) -> Tried<Self> {
        self.try_avg_pool2d(options)
    }
}

/// The shape per sample of a layer's input: a sequence `[time, channels]` or an image `[height, width, channels]`.
pub(super) fn input<F: Float, const D: usize>(
    scope: &Scope<F>,
    kind: &str,
    inputs: &[Spec],
) -> Result<(Shape, usize)> {
    let wanted = match D {
        1 => "[batch, time, channels]",
        _ => "[batch, height, width, channels]",
    };
    scope.features(kind, inputs, D + 1..=D + 1, wanted)
}

/// What an operation gives for a sample, found by applying it to a batch of none: so the shape is checked by what will
/// compute, at no cost.
pub(super) fn output<F: Float>(
    scope: &Scope<F>,
    kind: &str,
    input: Shape,
    expected: &str,
    help: &str,
    apply: impl FnOnce(&Var<F>) -> Tried<Var<F>>,
) -> Result<Shape> {
    let none = Var::constant(Tensor::zeros_of(input.with_inserted(0, 0)));
    match apply(&none) {
        Ok(output) if output.shape()[1..].iter().product::<usize>() > 0 => {
            Ok(output.shape().without(0))
        }
        Ok(output) => Err(scope.error(kind, expected, output.shape().without(0).to_string(), help)),
        Err(fb_tensor::Error::Argument { what, .. }) => {
            // What follows tells the shapes with the batch of none.
            let what = what.split("; ").next().unwrap_or_default().to_owned();
            let expected = format!("{expected} {}", Spec::float(input));
            Err(scope.error(kind, expected, what, help))
        }
        Err(other) => Err(Error::Tensor(other)),
    }
}

/// `3x3`
pub(super) fn extents(extents: &[usize]) -> String {
    let texts: Vec<String> = extents.iter().map(usize::to_string).collect();
    texts.join("x")
}
