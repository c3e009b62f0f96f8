//! Convolutions of series: those of images with one row.

use super::two_axes::convolve;
use super::{ConvOptions, ConvTransposeOptions, Padding};
use crate::element::Float;
use crate::elementwise::UnaryOp;
use crate::error::{Error, OrPanic, Result};
use crate::tensor::Tensor;

impl Padding<1> {
    pub(crate) fn over_two_axes(self) -> Padding<2> {
        match self {
            Self::Valid => Padding::Valid,
            Self::Same => Padding::Same,
            Self::Explicit([time]) => Padding::Explicit([(0, 0), time]),
        }
    }
}

impl ConvOptions<1> {
    /// The same for images that have one row.
    #[must_use]
    pub fn over_two_axes(&self) -> ConvOptions<2> {
        ConvOptions {
            stride: [1, self.stride[0]],
            padding: self.padding.over_two_axes(),
            dilation: [1, self.dilation[0]],
            groups: self.groups,
        }
    }
}

impl ConvTransposeOptions<1> {
    /// The same for images that have one row.
    #[must_use]
    pub fn over_two_axes(&self) -> ConvTransposeOptions<2> {
        ConvTransposeOptions {
            stride: [1, self.stride[0]],
            padding: self.padding.over_two_axes(),
            dilation: [1, self.dilation[0]],
            groups: self.groups,
            output_padding: [0, self.output_padding[0]],
        }
    }
}

impl<F: Float> Tensor<F> {
    /// Convolution of series; see [`Tensor::conv2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channels]`
    /// - `weight`: `[kernel, channels / groups, outputs]`
    /// - `bias`: `[outputs]`
    /// - returns `[batch, ⌊(time + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, outputs]`
    ///
    /// ```
    /// use fb_tensor::{ConvOptions, Tensor};
    /// let series = Tensor::from([[[1.0], [2.0], [4.0], [8.0]]]);
    /// let differences = Tensor::from([[[-1.0]], [[1.0]]]);
    /// let steps = series.conv1d(&differences, None, &ConvOptions::new());
    /// assert_eq!(steps.to_vec(), [1.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv1d(&self, weight: &Self, bias: Option<&Self>, options: &ConvOptions<1>) -> Self {
        self.try_conv1d(weight, bias, options).or_panic()
    }

    /// [`Tensor::conv1d`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn try_conv1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<1>,
    ) -> Result<Self> {
        let (x, w) = with_row("conv1d", self, weight)?;
        let y = convolve("conv1d", 1, &x, &w, bias, &options.over_two_axes(), None)?;
        Ok(y.squeeze(1))
    }

    /// `op(x ∗ w + b)` for series; see [`Tensor::conv2d_then`].
    ///
    /// # Shapes
    /// As [`Tensor::conv1d`].
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv1d_then<Op: UnaryOp>(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<1>,
        op: &Op,
    ) -> Self {
        let map = Op::loops::<F>().map_in_place;
        let finish = |part: &mut [F]| map(part, op);
        let compute = || {
            let (x, w) = with_row("conv1d_then", self, weight)?;
            let options = options.over_two_axes();
            let y = convolve("conv1d_then", 1, &x, &w, bias, &options, Some(&finish))?;
            Ok(y.squeeze(1))
        };
        compute().or_panic()
    }

    /// Transposed convolution of series; see [`Tensor::conv_transpose2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channels]`
    /// - `weight`: `[kernel, outputs / groups, channels]`
    /// - `bias`: `[outputs]`
    /// - returns `[batch, (time − 1)·stride + dilation·(kernel − 1) + 1 − padding + output padding, outputs]`
    ///
    /// ```
    /// use fb_tensor::{ConvTransposeOptions, Tensor};
    /// let series = Tensor::from([[[1.0], [2.0]]]);
    /// let weight = Tensor::from([[[1.0]], [[10.0]]]);
    /// let longer = series.conv_transpose1d(&weight, None, &ConvTransposeOptions::new().stride([2]));
    /// assert_eq!(longer.to_vec(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv_transpose1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<1>,
    ) -> Self {
        self.try_conv_transpose1d(weight, bias, options).or_panic()
    }

    /// [`Tensor::conv_transpose1d`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn try_conv_transpose1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<1>,
    ) -> Result<Self> {
        let (x, w) = with_row("conv_transpose1d", self, weight)?;
        let options = options.over_two_axes();
        let y = super::transpose::convolve("conv_transpose1d", 1, &x, &w, bias, &options)?;
        Ok(y.squeeze(1))
    }
}

/// Series and kernel as an image of one row and its kernel.
fn with_row<F: Float>(
    op: &'static str,
    x: &Tensor<F>,
    weight: &Tensor<F>,
) -> Result<(Tensor<F>, Tensor<F>)> {
    if x.rank() == 3 && weight.rank() == 3 {
        return Ok((x.unsqueeze(1), weight.unsqueeze(0)));
    }
    Err(Error::Shapes {
        op,
        left: x.shape().to_string(),
        right: weight.shape().to_string(),
        help: "the input is [batch, time, channel], the weight has an axis for the kernel and two for channels",
    })
}
