//! The largest number of windows.

use super::PoolOptions;
use super::windows::{Operand, Windows};
use crate::element::{Element, Float};
use crate::error::{OrPanic, Result};
use crate::kernels::pooling::{self as kernel, Offset};
use crate::tensor::Tensor;
use crate::threads;

/// Where in their windows the largest numbers were found: what the gradient of a maximum needs, in a byte each unless a
/// window has more than 256 positions.
#[derive(Clone, Debug)]
pub struct MaxOffsets {
    windows: Windows,
    offsets: Offsets,
}

#[derive(Clone, Debug)]
enum Offsets {
    Small(Tensor<u8>),
    Large(Tensor<i64>),
}

/// The maxima; `offsets` has as many elements as there are outputs.
fn fill<F: Float, I: Offset>(windows: &Windows, x: &Tensor<F>, offsets: &mut [I]) -> Tensor<F> {
    let x = x.contiguous();
    let x = x.as_slice().expect("made contiguous");
    let (line, lines) = (windows.line(), windows.axes[0].output);
    Tensor::filled_by(windows.output(), |out| {
        let piece = windows.rows_per_piece::<F>() * line;
        threads::for_each_chunk_pair_mut(
            out,
            offsets,
            piece,
            windows.cost::<F>(),
            |start, out, offsets| {
                let rows = out
                    .chunks_exact_mut(line)
                    .zip(offsets.chunks_exact_mut(line));
                for (k, (out, offsets)) in (start / line..).zip(rows) {
                    let (image, i) = (k / lines, k % lines);
                    let image = &x[image * windows.image()..][..windows.image()];
                    kernel::max_row(image, windows.row(i), out, offsets);
                }
            },
        );
    })
}

pub(super) fn max<F: Float>(windows: &Windows, x: &Tensor<F>) -> Tensor<F> {
    let outputs = windows.output().iter().product();
    fill(windows, x, &mut vec![(); outputs])
}

pub(super) fn max_with_offsets<F: Float>(
    windows: &Windows,
    x: &Tensor<F>,
) -> (Tensor<F>, MaxOffsets) {
    fn kept<F: Float, I: Offset + Element>(
        windows: &Windows,
        x: &Tensor<F>,
    ) -> (Tensor<F>, Tensor<I>) {
        let mut y = None;
        let offsets = Tensor::filled_by(windows.output(), |out| y = Some(fill(windows, x, out)));
        (y.expect("filled"), offsets)
    }
    let (y, offsets) = if windows.offsets() <= 256 {
        let (y, offsets) = kept(windows, x);
        (y, Offsets::Small(offsets))
    } else {
        let (y, offsets) = kept(windows, x);
        (y, Offsets::Large(offsets))
    };
    let windows = windows.clone();
    (y, MaxOffsets { windows, offsets })
}

pub(super) fn max_back<F: Float>(gradient: &Tensor<F>, offsets: &MaxOffsets) -> Tensor<F> {
    fn back<F: Float, I: Offset + Element>(
        windows: &Windows,
        gradient: &Tensor<F>,
        offsets: &Tensor<I>,
    ) -> Tensor<F> {
        let gradient = gradient.contiguous();
        let gradient = gradient.as_slice().expect("made contiguous");
        let offsets = offsets.as_slice().expect("as computed");
        let (line, lines) = (windows.line(), windows.axes[0].output);
        let tiles = windows.tiles();
        Tensor::filled_by(windows.input(), |out| {
            windows.for_each_image(out, |n, image| {
                if !tiles {
                    image.fill(F::ZERO);
                }
                for i in 0..lines {
                    let here = (n * lines + i) * line..(n * lines + i + 1) * line;
                    let (gradient, offsets) = (&gradient[here.clone()], &offsets[here]);
                    kernel::max_row_back(gradient, offsets, windows.row(i), tiles, image);
                }
            });
        })
    }
    match &offsets.offsets {
        Offsets::Small(small) => back(&offsets.windows, gradient, small),
        Offsets::Large(large) => back(&offsets.windows, gradient, large),
    }
}

impl MaxOffsets {
    /// The gradient of the input of the pooling: that of each output goes to where the maximum was found. The result has the
    /// shape of images, `[batch, height, width, channel]`; a series is one of height 1.
    ///
    /// # Panics
    /// If there is not one number for each output.
    #[track_caller]
    #[must_use]
    pub fn gradient<F: Float>(&self, gradient: &Tensor<F>) -> Tensor<F> {
        let outputs = self.windows.output();
        assert_eq!(
            gradient.len(),
            outputs.iter().product::<usize>(),
            "max_pool: a gradient of shape {} for an output of shape {outputs:?}",
            gradient.shape()
        );
        (F::kernels().pooling.max_back)(gradient, self)
    }
}

impl<F: Float> Tensor<F> {
    /// The largest number of each window of images; NaN if there is one. Padding never counts.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, ⌊(height + padding − window) / stride⌋ + 1, …, channel]`
    ///
    /// ```
    /// use fb_tensor::{PoolOptions, Tensor};
    /// let images = Tensor::from_vec(vec![1.0, 2.0, 3.0, 6.0], [1, 2, 2, 1]);
    /// assert_eq!(images.max_pool2d(&PoolOptions::new([2, 2])).to_vec(), [6.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or the windows do not fit into the images.
    #[track_caller]
    #[must_use]
    pub fn max_pool2d(&self, options: &PoolOptions<2>) -> Self {
        self.try_max_pool2d(options).or_panic()
    }

    /// [`Tensor::max_pool2d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or the windows do not fit into the images.
    pub fn try_max_pool2d(&self, options: &PoolOptions<2>) -> Result<Self> {
        let windows = Windows::sliding(&Operand::images("max_pool2d", self.shape())?, options)?;
        Ok((F::kernels().pooling.max)(&windows, self))
    }

    /// [`Tensor::max_pool2d`] and where the maxima are, for the gradient: the first of equal ones.
    ///
    /// # Errors
    /// There are not four axes, or the windows do not fit into the images.
    pub fn try_max_pool2d_with_offsets(
        &self,
        options: &PoolOptions<2>,
    ) -> Result<(Self, MaxOffsets)> {
        let windows = Windows::sliding(&Operand::images("max_pool2d", self.shape())?, options)?;
        Ok((F::kernels().pooling.max_with_offsets)(&windows, self))
    }

    /// The largest number of each window of series; see [`Tensor::max_pool2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channel]`
    /// - returns `[batch, ⌊(time + padding − window) / stride⌋ + 1, channel]`
    ///
    /// # Panics
    /// If there are not three axes, or the windows do not fit into the series.
    #[track_caller]
    #[must_use]
    pub fn max_pool1d(&self, options: &PoolOptions<1>) -> Self {
        self.try_max_pool1d(options).or_panic()
    }

    /// [`Tensor::max_pool1d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not three axes, or the windows do not fit into the series.
    pub fn try_max_pool1d(&self, options: &PoolOptions<1>) -> Result<Self> {
        let operand = Operand::series("max_pool1d", self.shape())?;
        let windows = Windows::sliding(&operand, &options.over_two_axes())?;
        Ok((F::kernels().pooling.max)(&windows, self).squeeze(1))
    }

    /// [`Tensor::max_pool1d`] and where the maxima are, for the gradient: the first of equal ones.
    ///
    /// # Errors
    /// There are not three axes, or the windows do not fit into the series.
    pub fn try_max_pool1d_with_offsets(
        &self,
        options: &PoolOptions<1>,
    ) -> Result<(Self, MaxOffsets)> {
        let operand = Operand::series("max_pool1d", self.shape())?;
        let windows = Windows::sliding(&operand, &options.over_two_axes())?;
        let (y, offsets) = (F::kernels().pooling.max_with_offsets)(&windows, self);
        Ok((y.squeeze(1), offsets))
    }

    /// The largest numbers of as many windows as wanted; see [`Tensor::adaptive_avg_pool2d`] for the windows.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, outputs[0], outputs[1], channel]`
    ///
    /// # Panics
    /// If there are not four axes, or an image has no pixels.
    #[track_caller]
    #[must_use]
    pub fn adaptive_max_pool2d(&self, outputs: [usize; 2]) -> Self {
        self.try_adaptive_max_pool2d(outputs).or_panic()
    }

    /// [`Tensor::adaptive_max_pool2d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or an image has no pixels.
    pub fn try_adaptive_max_pool2d(&self, outputs: [usize; 2]) -> Result<Self> {
        let operand = Operand::images("adaptive_max_pool2d", self.shape())?;
        let windows = Windows::adaptive(&operand, outputs)?;
        Ok((F::kernels().pooling.max)(&windows, self))
    }

    /// [`Tensor::adaptive_max_pool2d`] and where the maxima are, for the gradient: the first of equal ones.
    ///
    /// # Errors
    /// There are not four axes, or an image has no pixels.
    pub fn try_adaptive_max_pool2d_with_offsets(
        &self,
        outputs: [usize; 2],
    ) -> Result<(Self, MaxOffsets)> {
        let operand = Operand::images("adaptive_max_pool2d", self.shape())?;
        let windows = Windows::adaptive(&operand, outputs)?;
        Ok((F::kernels().pooling.max_with_offsets)(&windows, self))
    }

    /// The largest numbers of as many windows of series as wanted; see [`Tensor::adaptive_max_pool2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channel]`
    /// - returns `[batch, outputs, channel]`
    ///
    /// # Panics
    /// If there are not three axes, or a series has no positions.
    #[track_caller]
    #[must_use]
    pub fn adaptive_max_pool1d(&self, outputs: usize) -> Self {
        self.try_adaptive_max_pool1d(outputs).or_panic()
    }

    /// [`Tensor::adaptive_max_pool1d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not three axes, or a series has no positions.
    pub fn try_adaptive_max_pool1d(&self, outputs: usize) -> Result<Self> {
        let operand = Operand::series("adaptive_max_pool1d", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, outputs])?;
        Ok((F::kernels().pooling.max)(&windows, self).squeeze(1))
    }

    /// [`Tensor::adaptive_max_pool1d`] and where the maxima are, for the gradient: the first of equal ones.
    ///
    /// # Errors
    /// There are not three axes, or a series has no positions.
    pub fn try_adaptive_max_pool1d_with_offsets(
        &self,
        outputs: usize,
    ) -> Result<(Self, MaxOffsets)> {
        let operand = Operand::series("adaptive_max_pool1d", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, outputs])?;
        let (y, offsets) = (F::kernels().pooling.max_with_offsets)(&windows, self);
        Ok((y.squeeze(1), offsets))
    }

    /// The largest number of each channel over all positions: of an image, a series, or anything else between batch and
    /// channel.
    ///
    /// # Shapes
    /// - `self`: `[batch, …, channel]`
    /// - returns `[batch, channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let series = Tensor::from([[[1.0, 20.0], [3.0, 10.0]]]);
    /// assert_eq!(series.global_max_pool().to_vec(), [3.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or no positions.
    #[track_caller]
    #[must_use]
    pub fn global_max_pool(&self) -> Self {
        self.try_global_max_pool().or_panic()
    }

    /// [`Tensor::global_max_pool`] for shapes that come from data.
    ///
    /// # Errors
    /// There are fewer than three axes, or no positions.
    pub fn try_global_max_pool(&self) -> Result<Self> {
        let operand = Operand::everything("global_max_pool", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, 1])?;
        let (batch, channels) = (windows.batch, windows.channels);
        Ok((F::kernels().pooling.max)(&windows, self).reshape([batch, channels]))
    }

    /// [`Tensor::global_max_pool`] and where the maxima are, for the gradient: the first of equal ones.
    ///
    /// # Errors
    /// There are fewer than three axes, or no positions.
    pub fn try_global_max_pool_with_offsets(&self) -> Result<(Self, MaxOffsets)> {
        let operand = Operand::everything("global_max_pool", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, 1])?;
        let (batch, channels) = (windows.batch, windows.channels);
        let (y, offsets) = (F::kernels().pooling.max_with_offsets)(&windows, self);
        Ok((y.reshape([batch, channels]), offsets))
    }
}
