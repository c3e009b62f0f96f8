//! Transposed convolutions: the way from the output of a convolution back to its input, as a layer that enlarges.

use super::ConvTransposeOptions;
use super::sizes::{Operands, Sizes, check_bias};
use crate::element::Float;
use crate::error::{OrPanic, Result};
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// Transposed convolution of images: each input adds its multiple of the kernel to the output.
    ///
    /// This is what the gradient of the input of [`Tensor::conv2d`] is computed by, and the weight is that convolution's,
    /// whose outputs are the inputs here.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channels]`
    /// - `weight`: `[kernel height, kernel width, outputs / groups, channels]`
    /// - `bias`: `[outputs]`
    /// - returns `[batch, (height − 1)·stride + dilation·(kernel − 1) + 1 − padding + output padding, …, outputs]`
    ///
    /// ```
    /// use fb_tensor::{ConvTransposeOptions, Padding, Tensor};
    /// let maps = Tensor::ones([1, 7, 7, 8]);
    /// let weight = Tensor::ones([3, 3, 4, 8]);
    /// let doubling = ConvTransposeOptions::new().stride([2, 2]).padding(Padding::Same);
    /// assert_eq!(*maps.conv_transpose2d(&weight, None, &doubling).shape(), [1, 14, 14, 4]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    ///
    /// # References
    /// V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, section 4.
    #[track_caller]
    #[must_use]
    pub fn conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<2>,
    ) -> Self {
        self.try_conv_transpose2d(weight, bias, options).or_panic()
    }

    /// [`Tensor::conv_transpose2d`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn try_conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<2>,
    ) -> Result<Self> {
        convolve("conv_transpose2d", 2, self, weight, bias, options)
    }
}

/// A transposed convolution over two axes, of which messages may name one.
pub(super) fn convolve<F: Float>(
    op: &'static str,
    axes: usize,
    x: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    options: &ConvTransposeOptions<2>,
) -> Result<Tensor<F>> {
    let operands = Operands {
        op,
        input: x.shape(),
        weight: weight.shape(),
        axes,
    };
    let sizes = Sizes::transposed(&operands, options)?;
    check_bias(&operands, bias, sizes.channels[0])?;
    sizes.backward(x, weight, bias)
}
