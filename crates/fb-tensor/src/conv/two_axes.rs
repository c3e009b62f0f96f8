//! Convolutions of images.

use super::ConvOptions;
use super::gather::Finish;
use super::sizes::{Operands, Sizes, check_bias};
use crate::element::Float;
use crate::elementwise::UnaryOp;
use crate::error::{OrPanic, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// Convolution of images (a cross-correlation, as everywhere in this field).
    ///
    /// `y[n, i, j, o] = b[o] + Σ_{p, q, c} x[n, s·i + d·p − before, s·j + d·q − before, c] · w[p, q, c, o]`
    ///
    /// With groups the channels are cut into as many parts, and the outputs of a part see only its inputs; as many groups as
    /// channels make a depthwise convolution.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channels]`
    /// - `weight`: `[kernel height, kernel width, channels / groups, outputs]`
    /// - `bias`: `[outputs]`
    /// - returns `[batch, ⌊(height + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, …, outputs]`
    ///
    /// ```
    /// use fb_tensor::{ConvOptions, Padding, Tensor};
    /// let images = Tensor::ones([1, 4, 4, 3]);
    /// let weight = Tensor::ones([3, 3, 3, 8]);
    /// let maps = images.conv2d(&weight, None, &ConvOptions::new().padding(Padding::Same));
    /// assert_eq!(*maps.shape(), [1, 4, 4, 8]);
    /// assert_eq!((maps.at(&[0, 0, 0, 0]), maps.at(&[0, 1, 1, 0])), (12.0, 27.0));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: &ConvOptions<2>) -> Self {
        self.try_conv2d(weight, bias, options).or_panic()
    }

    /// [`Tensor::conv2d`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn try_conv2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<2>,
    ) -> Result<Self> {
        convolve("conv2d", 2, self, weight, bias, options, None)
    }

    /// `op(x ∗ w + b)`: [`Tensor::conv2d`] and a function of each element, done while the sums are in the cache.
    ///
    /// ```
    /// use fb_tensor::{ConvOptions, Tensor, ops::unary::Relu};
    /// let image = Tensor::from([1.0, 2.0, 0.0]).reshape([1, 1, 3, 1]);
    /// let difference = Tensor::from([1.0, -1.0]).reshape([1, 2, 1, 1]);
    /// let falls = image.conv2d_then(&difference, None, &ConvOptions::new(), &Relu {});
    /// assert_eq!(falls.to_vec(), [0.0, 2.0]);
    /// ```
    ///
    /// # Shapes
    /// As [`Tensor::conv2d`].
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv2d_then<Op: UnaryOp>(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<2>,
        op: &Op,
    ) -> Self {
        let map = Op::loops::<F>().map_in_place;
        let finish = |part: &mut [F]| map(part, op);
        convolve("conv2d_then", 2, self, weight, bias, options, Some(&finish)).or_panic()
    }

    /// The gradient of a convolution's input: `self` is the gradient of its output.
    ///
    /// # Shapes
    /// - `self`: the shape of the output
    /// - `weight`: as in [`Tensor::conv2d`]
    /// - returns `input`: the shape of the input
    ///
    /// # Panics
    /// If the shapes are not those of a convolution with these options.
    #[track_caller]
    #[must_use]
    pub fn conv2d_input_gradient(
        &self,
        weight: &Self,
        input: Shape,
        options: &ConvOptions<2>,
    ) -> Self {
        let operands = Operands {
            op: "conv2d_input_gradient",
            input: &input,
            weight: weight.shape(),
            axes: 2,
        };
        let gradient = || {
            let sizes = Sizes::new(&operands, options)?;
            check_gradient(&operands, &sizes, self)?;
            sizes.backward(self, weight, None)
        };
        gradient().or_panic()
    }

    /// The gradient of a convolution's weight: `self` is its input, `gradient` that of its output. The bits do not depend
    /// on the number of threads.
    ///
    /// # Shapes
    /// - `self`: as in [`Tensor::conv2d`]
    /// - `gradient`: the shape of the output
    /// - returns `weight`: the shape of the weight
    ///
    /// # Panics
    /// If the shapes are not those of a convolution with these options.
    #[track_caller]
    #[must_use]
    pub fn conv2d_weight_gradient(
        &self,
        gradient: &Self,
        weight: Shape,
        options: &ConvOptions<2>,
    ) -> Self {
        let operands = Operands {
            op: "conv2d_weight_gradient",
            input: self.shape(),
            weight: &weight,
            axes: 2,
        };
        let compute = || {
            let sizes = Sizes::new(&operands, options)?;
            check_gradient(&operands, &sizes, gradient)?;
            Ok(sizes.weight_gradient(self, gradient))
        };
        compute().or_panic()
    }

    /// The gradients of weight and bias of [`Tensor::conv2d_then`], for functions whose derivative wants the result: `self`
    /// is the input, `output` the result, `gradient` that of the result. The bits do not depend on the number of threads.
    ///
    /// # Shapes
    /// - `self`: as in [`Tensor::conv2d`]
    /// - `output`, `gradient`: the shape of the output
    /// - returns `weight`, the shape of the weight, and `[outputs]`
    ///
    /// # Panics
    /// If the shapes are not those of a convolution with these options.
    #[track_caller]
    #[must_use]
    pub fn conv2d_gradients_through<Op: UnaryOp>(
        &self,
        output: &Self,
        gradient: &Self,
        weight: Shape,
        options: &ConvOptions<2>,
        op: &Op,
    ) -> [Self; 2] {
        let operands = Operands {
            op: "conv2d_gradients_through",
            input: self.shape(),
            weight: &weight,
            axes: 2,
        };
        let compute = || {
            let sizes = Sizes::new(&operands, options)?;
            check_gradient(&operands, &sizes, output)?;
            check_gradient(&operands, &sizes, gradient)?;
            Ok(sizes.gradients_through(self, output, gradient, op))
        };
        compute().or_panic()
    }
}

/// A convolution over two axes, of which messages may name one, and what is done to its outputs.
pub(super) fn convolve<F: Float>(
    op: &'static str,
    axes: usize,
    x: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    options: &ConvOptions<2>,
    finish: Option<Finish<'_, F>>,
) -> Result<Tensor<F>> {
    let operands = Operands {
        op,
        input: x.shape(),
        weight: weight.shape(),
        axes,
    };
    let sizes = Sizes::new(&operands, options)?;
    check_bias(&operands, bias, sizes.channels[1])?;
    sizes.forward(x, weight, bias, finish)
}

fn check_gradient<F: Float>(
    operands: &Operands<'_>,
    sizes: &Sizes,
    gradient: &Tensor<F>,
) -> Result<()> {
    let output = sizes.output_shape()?;
    if *gradient.shape() == output {
        return Ok(());
    }
    Err(operands.wrong(format_args!(
        "a gradient of shape {} for an output of shape {output}",
        gradient.shape()
    )))
}
