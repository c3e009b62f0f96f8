//! Averages of windows.

use super::PoolOptions;
use super::windows::{Operand, Windows};
use crate::element::Float;
use crate::error::{OrPanic, Result};
use crate::kernels::pooling as kernel;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;

pub(super) fn average<F: Float>(windows: &Windows, x: &Tensor<F>) -> Tensor<F> {
    let x = x.contiguous();
    let x = x.as_slice().expect("made contiguous");
    Tensor::filled_by(windows.output(), |out| {
        let (line, lines) = (windows.line(), windows.axes[0].output);
        let piece = windows.rows_per_piece::<F>() * line;
        threads::for_each_chunk_mut(out, piece, windows.cost::<F>(), |start, part| {
            for (k, out) in (start / line.max(1)..).zip(part.chunks_exact_mut(line)) {
                let (image, i) = (k / lines, k % lines);
                let image = &x[image * windows.image()..][..windows.image()];
                kernel::average_row(image, windows.row(i), windows.axes[0].count(i), out);
            }
        });
    })
}

pub(super) fn average_back<F: Float>(windows: &Windows, gradient: &Tensor<F>) -> Tensor<F> {
    let gradient = gradient.contiguous();
    let gradient = gradient.as_slice().expect("made contiguous");
    let tiles = windows.tiles();
    let (line, lines) = (windows.line(), windows.axes[0].output);
    Tensor::filled_by(windows.input(), |out| {
        windows.for_each_image(out, |n, image| {
            if !tiles {
                image.fill(F::ZERO);
            }
            for i in 0..lines {
                let gradient = &gradient[(n * lines + i) * line..][..line];
                let height = windows.axes[0].count(i);
                kernel::average_row_back(gradient, windows.row(i), height, tiles, image);
            }
        });
    })
}

impl<F: Float> Tensor<F> {
    /// The average of each window of images.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, ⌊(height + padding − window) / stride⌋ + 1, …, channel]`
    ///
    /// ```
    /// use fb_tensor::{PoolOptions, Tensor};
    /// let images = Tensor::from_vec(vec![1.0, 2.0, 3.0, 6.0], [1, 2, 2, 1]);
    /// assert_eq!(images.avg_pool2d(&PoolOptions::new([2, 2])).to_vec(), [3.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or the windows do not fit into the images.
    #[track_caller]
    #[must_use]
    pub fn avg_pool2d(&self, options: &PoolOptions<2>) -> Self {
        self.try_avg_pool2d(options).or_panic()
    }

    /// [`Tensor::avg_pool2d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or the windows do not fit into the images.
    pub fn try_avg_pool2d(&self, options: &PoolOptions<2>) -> Result<Self> {
        let windows = Windows::sliding(&Operand::images("avg_pool2d", self.shape())?, options)?;
        Ok((F::kernels().pooling.average)(&windows, self))
    }

    /// The gradient of the input of [`Tensor::avg_pool2d`]: `self` is that of the output.
    ///
    /// # Panics
    /// If the shapes are not those of such a pooling.
    #[track_caller]
    #[must_use]
    pub fn avg_pool2d_gradient(&self, input: Shape, options: &PoolOptions<2>) -> Self {
        let operand = Operand::images("avg_pool2d_gradient", &input).or_panic();
        let windows =
            Windows::sliding(&operand, options).and_then(|w| w.fits(&operand, self.shape()));
        (F::kernels().pooling.average_back)(&windows.or_panic(), self)
    }

    /// The average of each window of series; see [`Tensor::avg_pool2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channel]`
    /// - returns `[batch, ⌊(time + padding − window) / stride⌋ + 1, channel]`
    ///
    /// # Panics
    /// If there are not three axes, or the windows do not fit into the series.
    #[track_caller]
    #[must_use]
    pub fn avg_pool1d(&self, options: &PoolOptions<1>) -> Self {
        self.try_avg_pool1d(options).or_panic()
    }

    /// [`Tensor::avg_pool1d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not three axes, or the windows do not fit into the series.
    pub fn try_avg_pool1d(&self, options: &PoolOptions<1>) -> Result<Self> {
        let operand = Operand::series("avg_pool1d", self.shape())?;
        let windows = Windows::sliding(&operand, &options.over_two_axes())?;
        Ok((F::kernels().pooling.average)(&windows, self).squeeze(1))
    }

    /// Averages of as many windows as wanted, as even as they can be: of `n` outputs number `i` has the inputs from
    /// `⌊i·input / n⌋` to `⌈(i + 1)·input / n⌉`, as in PyTorch.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, outputs[0], outputs[1], channel]`
    ///
    /// # Panics
    /// If there are not four axes, or an image has no pixels.
    #[track_caller]
    #[must_use]
    pub fn adaptive_avg_pool2d(&self, outputs: [usize; 2]) -> Self {
        self.try_adaptive_avg_pool2d(outputs).or_panic()
    }

    /// [`Tensor::adaptive_avg_pool2d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or an image has no pixels.
    pub fn try_adaptive_avg_pool2d(&self, outputs: [usize; 2]) -> Result<Self> {
        let operand = Operand::images("adaptive_avg_pool2d", self.shape())?;
        let windows = Windows::adaptive(&operand, outputs)?;
        Ok((F::kernels().pooling.average)(&windows, self))
    }

    /// The gradient of the input of [`Tensor::adaptive_avg_pool2d`]: `self` is that of the output.
    ///
    /// # Panics
    /// If the shapes are not those of such a pooling.
    #[track_caller]
    #[must_use]
    pub fn adaptive_avg_pool2d_gradient(&self, input: Shape) -> Self {
        let operand = Operand::images("adaptive_avg_pool2d_gradient", &input).or_panic();
        let outputs = match self.dims() {
            &[_, height, width, _] => [height, width],
            _ => [0, 0],
        };
        let windows =
            Windows::adaptive(&operand, outputs).and_then(|w| w.fits(&operand, self.shape()));
        (F::kernels().pooling.average_back)(&windows.or_panic(), self)
    }

    /// Averages of as many windows of series as wanted; see [`Tensor::adaptive_avg_pool2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channel]`
    /// - returns `[batch, outputs, channel]`
    ///
    /// # Panics
    /// If there are not three axes, or a series has no positions.
    #[track_caller]
    #[must_use]
    pub fn adaptive_avg_pool1d(&self, outputs: usize) -> Self {
        self.try_adaptive_avg_pool1d(outputs).or_panic()
    }

    /// [`Tensor::adaptive_avg_pool1d`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not three axes, or a series has no positions.
    pub fn try_adaptive_avg_pool1d(&self, outputs: usize) -> Result<Self> {
        let operand = Operand::series("adaptive_avg_pool1d", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, outputs])?;
        Ok((F::kernels().pooling.average)(&windows, self).squeeze(1))
    }

    /// The average of each channel over all positions: of an image, a series, or anything else between batch and channel.
    ///
    /// # Shapes
    /// - `self`: `[batch, …, channel]`
    /// - returns `[batch, channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let series = Tensor::from([[[1.0, 10.0], [3.0, 20.0]]]);
    /// assert_eq!(series.global_avg_pool().to_vec(), [2.0, 15.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or no positions.
    #[track_caller]
    #[must_use]
    pub fn global_avg_pool(&self) -> Self {
        self.try_global_avg_pool().or_panic()
    }

    /// [`Tensor::global_avg_pool`] for shapes that come from data.
    ///
    /// # Errors
    /// There are fewer than three axes, or no positions.
    pub fn try_global_avg_pool(&self) -> Result<Self> {
        let operand = Operand::everything("global_avg_pool", self.shape())?;
        let windows = Windows::adaptive(&operand, [1, 1])?;
        let (batch, channels) = (windows.batch, windows.channels);
        Ok((F::kernels().pooling.average)(&windows, self).reshape([batch, channels]))
    }
}
