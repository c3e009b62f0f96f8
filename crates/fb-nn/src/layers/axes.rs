//! Operations of sequences and of images under one name, by the number of axes that a window moves over.

use super::Activation;
use crate::error::{Error, Result};
use crate::module::{Scope, Spec};
use fb_autograd::Var;
use fb_tensor::ops::UnaryOp;
use fb_tensor::{ConvOptions, ConvTransposeOptions, Float, PoolOptions, Shape, Tensor};

/// What a window that moves over `D` axes can compute, and what of it fits a shape.
pub(super) trait Axes<F: Float, const D: usize> {
    fn convolve(&self, w: &Self, b: Option<&Self>, options: &ConvOptions<D>) -> Self;
    fn convolve_then<Op: UnaryOp>(
        &self,
        w: &Self,
        b: Option<&Self>,
        options: &ConvOptions<D>,
        op: Op,
    ) -> Self;
    fn convolve_transposed(
        &self,
        w: &Self,
        b: Option<&Self>,
        options: &ConvTransposeOptions<D>,
    ) -> Self;
    fn max_pool(&self, options: &PoolOptions<D>) -> Self;
    fn avg_pool(&self, options: &PoolOptions<D>) -> Self;

    fn try_convolve(x: &Tensor<F>, w: &Tensor<F>, options: &ConvOptions<D>) -> Tried<F>;
    fn try_convolve_transposed(
        x: &Tensor<F>,
        w: &Tensor<F>,
        options: &ConvTransposeOptions<D>,
    ) -> Tried<F>;
    fn try_pool(x: &Tensor<F>, options: &PoolOptions<D>) -> Tried<F>;
}

type Tried<F> = fb_tensor::Result<Tensor<F>>;

macro_rules! axes {
    ($axes:literal, $conv:ident, $conv_then:ident, $transposed:ident, $max:ident, $avg:ident, $try_conv:ident, $try_transposed:ident, $try_max:ident) => {
        impl<F: Float> Axes<F, $axes> for Var<F> {
            fn convolve(&self, w: &Self, b: Option<&Self>, options: &ConvOptions<$axes>) -> Self {
                self.$conv(w, b, options)
            }

            fn convolve_then<Op: UnaryOp>(
                &self,
                w: &Self,
                b: Option<&Self>,
                options: &ConvOptions<$axes>,
                op: Op,
            ) -> Self {
                self.$conv_then(w, b, options, op)
            }

            fn convolve_transposed(
                &self,
                w: &Self,
                b: Option<&Self>,
                options: &ConvTransposeOptions<$axes>,
            ) -> Self {
                self.$transposed(w, b, options)
            }

            fn max_pool(&self, options: &PoolOptions<$axes>) -> Self {
                self.$max(options)
            }

            fn avg_pool(&self, options: &PoolOptions<$axes>) -> Self {
                self.$avg(options)
            }

            fn try_convolve(
                x: &Tensor<F>,
                w: &Tensor<F>,
                options: &ConvOptions<$axes>,
            ) -> Tried<F> {
                x.$try_conv(w, None, options)
            }

            fn try_convolve_transposed(
                x: &Tensor<F>,
                w: &Tensor<F>,
                options: &ConvTransposeOptions<$axes>,
            ) -> Tried<F> {
                x.$try_transposed(w, None, options)
            }

            fn try_pool(x: &Tensor<F>, options: &PoolOptions<$axes>) -> Tried<F> {
                x.$try_max(options)
            }
        }
    };
}

axes!(
    1,
    conv1d,
    conv1d_then,
    conv_transpose1d,
    max_pool1d,
    avg_pool1d,
    try_conv1d,
    try_conv_transpose1d,
    try_max_pool1d
);
axes!(
    2,
    conv2d,
    conv2d_then,
    conv_transpose2d,
    max_pool2d,
    avg_pool2d,
    try_conv2d,
    try_conv_transpose2d,
    try_max_pool2d
);

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
    apply: impl FnOnce(&Tensor<F>) -> Tried<F>,
) -> Result<Shape> {
    let none = Tensor::zeros_of(input.with_inserted(0, 0));
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

/// Checks the filters and groups of a convolution.
pub(super) fn check_groups<F: Float>(
    scope: &Scope<F>,
    kind: &str,
    channels: usize,
    filters: usize,
    groups: usize,
) -> Result<()> {
    if filters == 0 {
        return Err(scope.error(
            kind,
            "at least 1 filter",
            "0",
            "each filter gives a number for each position",
        ));
    }
    if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(scope.error(
            kind,
            format!("groups that divide {channels} channels and {filters} filters"),
            groups.to_string(),
            "all groups have the same number of channels and of filters",
        ));
    }
    Ok(())
}

/// The longest step of a kernel: gradients are computed for each place within a step apart.
const LONGEST_STEP: usize = 1 << 16;

/// Checks that what a kernel passes over at so many places, padding included, is not more than a sample may have.
pub(super) fn check_reach<F: Float, const D: usize>(
    scope: &Scope<F>,
    kind: &str,
    places: &[usize],
    kernel: [usize; D],
    options: &ConvOptions<D>,
    channels: usize,
) -> Result<()> {
    if options.stride.iter().any(|&stride| stride > LONGEST_STEP) {
        return Err(scope.error(
            kind,
            format!("strides of at most {LONGEST_STEP}"),
            extents(&options.stride),
            "take a part of the input first, or resize it",
        ));
    }
    let numbers = (0..D).fold(channels, |numbers, axis| {
        let moved = places[axis].saturating_mul(options.stride[axis]);
        let span = kernel[axis].saturating_mul(options.dilation[axis]);
        numbers.saturating_mul(moved.saturating_add(span))
    });
    let found = format!(
        "a kernel {} with stride {} and dilation {} at {} places",
        extents(&kernel),
        extents(&options.stride),
        extents(&options.dilation),
        extents(&places[..D])
    );
    scope.check_sample(kind, numbers, found)
}

/// `Conv2d 3x3, 4 -> 8, stride 2x2, 2 groups relu`
pub(super) fn describe<const D: usize>(
    kind: &str,
    kernel: [usize; D],
    [channels, filters]: [usize; 2],
    options: &ConvOptions<D>,
    activation: Activation,
) -> String {
    let mut text = format!("{kind} {}, {channels} -> {filters}", extents(&kernel));
    for (name, value) in [("stride", options.stride), ("dilation", options.dilation)] {
        if value != [1; D] {
            text += &format!(", {name} {}", extents(&value));
        }
    }
    if options.groups > 1 {
        text += &format!(", {} groups", options.groups);
    }
    if activation != Activation::Linear {
        text += &format!(" {activation}");
    }
    text
}

/// `3x3`
pub(super) fn extents(extents: &[usize]) -> String {
    let texts: Vec<String> = extents.iter().map(usize::to_string).collect();
    texts.join("x")
}
